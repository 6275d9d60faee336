import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Child, RestartType } from './child.js'
import { Process } from './process.js'
import type { ProcessSpec } from './process.js'
import { Supervisor } from './supervisor.js'
import type { Strategy } from './supervisor.js'

/** Workers that are supervised together. */
export interface GroupSpec {
  readonly name: string
  /** Default: `one_for_one`. */
  readonly strategy?: Strategy
  readonly restart?: RestartType
  readonly intensity?: { readonly max: number; readonly withinMs: number }
  readonly children: readonly WorkerSpec[]
}

/** A process, or a group of them. */
export type WorkerSpec = ProcessSpec | GroupSpec

/** Makes the process or supervisor that `spec` describes. @throws {InvalidArgumentError} */
export function buildWorker(spec: WorkerSpec, runtime: Runtime): Child & { readonly started?: Promise<void> } {
  if (typeof spec !== 'object' || spec === null || typeof spec.name !== 'string' || spec.name === '') {
    throw new InvalidArgumentError('supervise(spec)', 'an object with a name, and start or children', spec)
  }
  if (!('children' in spec)) {
    if (typeof spec.start !== 'function')
      throw new InvalidArgumentError('supervise({ start })', 'a function', spec.start)
    return new Process(spec, runtime)
  }
  if (!Array.isArray(spec.children))
    throw new InvalidArgumentError('supervise({ children })', 'an array', spec.children)
  const { children, ...group } = spec
  const supervisor = new Supervisor(group, runtime)
  // The supervisor deals with a child that does not come up: it is in its tree, and in its events.
  for (const child of children) supervisor.startChild(buildWorker(child, runtime)).catch(() => undefined)
  return supervisor
}
