import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { RestartType, Strategy } from './child.js'
import { Process } from './process.js'
import type { ProcessSpec } from './process.js'
import { Supervisor } from './supervisor.js'

/** Workers that are supervised together. */
export interface GroupSpec {
  readonly name: string
  /** Default: `one_for_one`. */
  readonly strategy?: Strategy
  /** Default: `permanent`. */
  readonly restart?: RestartType
  /** The group gives up at more than `max` restarts within `withinMs`. Default: 3 within 5,000. */
  readonly intensity?: { readonly max: number; readonly withinMs: number }
  /** Started in this order. No two have the same name. */
  readonly children: readonly WorkerSpec[]
}

/** A process, or a group of them. */
export type WorkerSpec = ProcessSpec | GroupSpec

const STRATEGIES: readonly unknown[] = ['one_for_one', 'one_for_all', 'rest_for_one', undefined] satisfies (
  | Strategy
  | undefined
)[]
const RESTARTS: readonly unknown[] = ['permanent', 'transient', 'temporary', undefined] satisfies (
  | RestartType
  | undefined
)[]

/**
 * Starts the process, or the group, that `spec` describes, under `parent`.
 *
 * @returns resolves when it has come up once, a group at once; rejects when it never will.
 * @throws {InvalidArgumentError} nothing was started, no member of a group either.
 * @throws {ProcessExistsError} @throws {ProcessStoppedError} as a rejection; as above.
 */
export function startWorker(parent: Supervisor, spec: WorkerSpec, runtime: Runtime): Promise<void> {
  checkSpec(spec)
  return start(parent, spec, runtime)
}

function start(parent: Supervisor, spec: WorkerSpec, runtime: Runtime): Promise<void> {
  if (!('children' in spec)) return parent.startChild(new Process(spec, runtime))
  const { children, ...group } = spec
  const supervisor = new Supervisor(group, runtime)
  const started = parent.startChild(supervisor)
  // A group that was not taken in has nobody who would ever end its members.
  if (parent.child(group.name) !== supervisor) return started
  // The supervisor deals with a child that does not come up: it is in its tree, and in its events.
  for (const child of children) start(supervisor, child, runtime).catch(() => undefined)
  return started
}

/** Looks at the whole of it before anything is started. */
function checkSpec(spec: WorkerSpec): void {
  if (typeof spec !== 'object' || spec === null || typeof spec.name !== 'string' || spec.name === '') {
    throw new InvalidArgumentError('supervise(spec)', 'an object with a name, and start or children', spec)
  }
  if (!RESTARTS.includes(spec.restart)) {
    throw new InvalidArgumentError('supervise({ restart })', '"permanent", "transient" or "temporary"', spec.restart)
  }
  if ('children' in spec) checkGroup(spec)
  else if (typeof spec.start !== 'function') {
    throw new InvalidArgumentError('supervise({ start })', 'a function', spec.start)
  }
}

function checkGroup({ children, strategy, intensity }: GroupSpec): void {
  if (!STRATEGIES.includes(strategy)) {
    const expected = '"one_for_one", "one_for_all" or "rest_for_one"'
    throw new InvalidArgumentError('supervise({ strategy })', expected, strategy)
  }
  if (intensity !== undefined && !(intensity?.max >= 0 && intensity.withinMs > 0)) {
    throw new InvalidArgumentError('supervise({ intensity })', '{ max, withinMs }, both numbers', intensity)
  }
  if (!Array.isArray(children)) throw new InvalidArgumentError('supervise({ children })', 'an array', children)
  const names = new Set<string>()
  for (const child of children as readonly WorkerSpec[]) {
    checkSpec(child)
    if (names.has(child.name)) {
      throw new InvalidArgumentError('supervise({ children })', 'workers with names of their own', child.name)
    }
    names.add(child.name)
  }
}
