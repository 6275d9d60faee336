import { relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { asError, VarveError } from '../base/errors.js'
import { sourcedType } from '../log/entry.js'
import { StorageError } from '../log/errors.js'
import type { BucketDefinition } from '../schema/definition.js'
import { ProjectionGapError } from '../sourcing/projection-errors.js'
import { CliError, EXIT_UNUSABLE } from './cli-error.js'
import { nearest } from './nearest.js'

/** The definitions of an application: what a module exports. */
export interface Model {
  /** The module, as the user has named it. */
  readonly path: string
  readonly buckets: { readonly [name: string]: BucketDefinition }
  readonly events: { readonly [type: string]: object }
  readonly projections: { readonly [name: string]: object }
  readonly unknownEvents?: 'refuse' | 'keep'
  /** Defines what is not an object: called with the store, before anything is handled. */
  readonly define: ((store: unknown) => unknown) | undefined
}

/** What a model is defined in: a store, or one that a log is replayed into. */
export interface ModelTarget {
  defineBucket(name: string, definition: BucketDefinition): Promise<unknown>
  defineEvent(type: string, options: never): unknown
  extendEvent(type: string, handlers: never): unknown
  defineProjection(name: string, options: never): Promise<void>
}

const EXPORTS = ['buckets', 'events', 'projections', 'unknownEvents', 'define', 'default']

/**
 * The model that the module at `path` exports: `buckets`, `events` and `projections` as `Store.start` takes them, `unknownEvents`, and a
 * function `define(store)`, by that name or as the default export.
 *
 * @throws {CliError} it cannot be loaded, or exports nothing of that, or something whose name is nearly one of those.
 */
export async function loadModel(path: string): Promise<Model> {
  const fail = (why: string, cause?: unknown): never => {
    throw new CliError(`${path}: ${why}; nothing was done`, { exitCode: EXIT_UNUSABLE, cause })
  }
  let loaded: { readonly [name: string]: unknown } = {}
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as typeof loaded
  } catch (error) {
    fail(`the module cannot be loaded: ${describe(error)}${hintFor(path, error)}`, error)
  }
  const names = Object.keys(loaded)
  for (const name of names.filter((one) => !EXPORTS.includes(one))) {
    const meant = nearest(name, EXPORTS)
    if (meant !== undefined && !names.includes(meant)) fail(`it exports "${name}"; is "${meant}" meant?`)
  }
  const { buckets = {}, events = {}, projections = {}, unknownEvents, define = loaded.default } = loaded
  const objects = { buckets, events, projections }
  for (const [name, given] of Object.entries(objects)) {
    if (typeof given !== 'object' || given === null) fail(`its export "${name}" is no object`)
  }
  if (define !== undefined && typeof define !== 'function') fail('its export "define" (or default) is no function')
  if (unknownEvents !== undefined && unknownEvents !== 'refuse' && unknownEvents !== 'keep') {
    fail('its export "unknownEvents" is neither "refuse" nor "keep"')
  }
  if (define === undefined && Object.values(objects).every((given) => Object.keys(given as object).length === 0)) {
    const empty = Object.keys(objects).filter((name) => names.includes(name))
    const other = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}`
    if (empty.length > 0) fail(`it defines nothing: ${empty.join(' and ')} ${empty.length > 1 ? 'are' : 'is'} empty`)
    fail(`it exports neither buckets, events and projections, nor a function define(store); ${other}`)
  }
  const policy = unknownEvents === undefined ? {} : { unknownEvents }
  return { path, ...objects, ...policy, define } as Model
}

/**
 * Defines all of `model` in `target`.
 *
 * @throws {CliError} naming the module: something in it is wrong.
 */
export async function defineModel(target: ModelTarget, model: Model): Promise<void> {
  const { buckets, events, projections, define, path } = model
  try {
    for (const [name, definition] of Object.entries(buckets)) await target.defineBucket(name, definition)
    for (const [type, options] of Object.entries(events)) {
      // Those of sourced buckets are there since their buckets are: they are added to.
      if (type.startsWith(sourcedType(''))) target.extendEvent(type, options as never)
      else target.defineEvent(type, options as never)
    }
    for (const [name, options] of Object.entries(projections)) await target.defineProjection(name, options as never)
    await define?.(target)
  } catch (error) {
    if (error instanceof StorageError || error instanceof ProjectionGapError) throw error
    const message = describe(error)
    const state = message.includes('nothing was done') ? '' : '; nothing was done'
    throw new CliError(`${path}: ${message}${state}`, { exitCode: EXIT_UNUSABLE, cause: error })
  }
}

/** What an error of the module says, and where it was thrown, where that is not in Varve. */
function describe(thrown: unknown): string {
  const error = asError(thrown)
  const place = /(file:\/\/[^\s()]+?\.\w+):(\d+)/.exec(error instanceof VarveError ? '' : (error.stack ?? ''))
  if (place === null) return error.message.replace(/; nothing was done$/, '')
  const [, url, line] = place as unknown as [string, string, string]
  return `${error.message} (${relative(process.cwd(), fileURLToPath(url))}:${line})`
}

function hintFor(path: string, error: unknown): string {
  if (/\.[mc]?tsx?$/.test(path)) {
    const now = process.features.typescript === undefined ? ` (this is ${process.version})` : ''
    return `; it is TypeScript: compile it and give the .js file, or run with a Node.js that strips types${now}`
  }
  // Node.js keeps the line of what it cannot parse to itself.
  if (error instanceof SyntaxError && !/file:/.test(error.stack ?? '')) return `; node --check ${path} shows the line`
  return '; --debug shows the stack'
}
