import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { asError } from '../base/errors.js'
import type { BucketDefinition } from '../schema/definition.js'
import { CliError } from './cli-error.js'

/** The definitions of an application: what a module exports. */
export interface Model {
  readonly buckets: { readonly [name: string]: BucketDefinition }
  readonly events: { readonly [type: string]: object }
  readonly projections: { readonly [name: string]: object }
  readonly unknownEvents?: 'refuse' | 'keep'
  /** Defines what is not an object: called with the store, before anything is handled. */
  readonly define: ((store: unknown) => unknown) | undefined
}

/**
 * The model that the module at `path` exports: `buckets`, `events` and `projections` as `Store.start` takes them, `unknownEvents`, and a
 * function `define(store)`, by that name or as the default export.
 *
 * @throws {CliError} it cannot be loaded, or exports nothing of that.
 */
export async function loadModel(path: string): Promise<Model> {
  const fail = (why: string, cause?: unknown): never => {
    throw new CliError(`${path}: ${why}; nothing was done`, { cause })
  }
  let loaded: { readonly [name: string]: unknown } = {}
  try {
    loaded = (await import(pathToFileURL(resolve(path)).href)) as typeof loaded
  } catch (error) {
    fail(`the module cannot be loaded: ${asError(error).message}`, error)
  }
  const { buckets = {}, events = {}, projections = {}, unknownEvents, define = loaded.default } = loaded
  for (const [name, given] of Object.entries({ buckets, events, projections })) {
    if (typeof given !== 'object' || given === null) fail(`its export "${name}" is no object`)
  }
  if (define !== undefined && typeof define !== 'function') fail('its export "define" (or default) is no function')
  if (unknownEvents !== undefined && unknownEvents !== 'refuse' && unknownEvents !== 'keep') {
    fail('its export "unknownEvents" is neither "refuse" nor "keep"')
  }
  if (define === undefined && Object.keys({ ...(buckets as object), ...(events as object) }).length === 0) {
    fail('it exports neither buckets, events and projections, nor a function define(store)')
  }
  const policy = unknownEvents === undefined ? {} : { unknownEvents }
  return { buckets, events, projections, ...policy, define } as Model
}
