import { StorageLockedError } from './errors.js'

/** Who has a file or folder open: shown to whoever has to wait. */
export interface Holder {
  readonly pid: number
  readonly store: string
  /** Wall clock, milliseconds. */
  readonly since: number
}

/**
 * Files and folders that stores of this process have open, by canonical path. Shared by every copy of this module:
 * locks of the operating system belong to the process, so they do not keep two stores of one process apart.
 */
export function openFiles(): Map<string, Holder> {
  const shared = globalThis as { [OPEN_FILES]?: Map<string, Holder> }
  return (shared[OPEN_FILES] ??= new Map())
}

const OPEN_FILES = Symbol.for('varve.open-files')

/** What whoever has waited in vain for the file or folder at `path` is told. */
export function lockedError(
  path: string,
  holder: Holder | undefined,
  waitedMs: number,
  now: number,
): StorageLockedError {
  const message = `store ${path}: ${describeHolder(holder, now)}; waited ${waitedMs} ms; nothing was changed; `
  return new StorageLockedError(`${message}stop the other store, or raise waitMs`)
}

/** Says who it is: `store "a" of process 7 has it open since …`. */
export function describeHolder(holder: Holder | undefined, now: number): string {
  if (holder === undefined) return 'another store has it open'
  const here = holder.pid === process.pid ? ' (this one)' : ''
  const since = `since ${new Date(holder.since).toISOString()} (${Math.max(0, now - holder.since)} ms)`
  return `store ${JSON.stringify(holder.store)} of process ${holder.pid}${here} has it open ${since}`
}

/** The holder that JSON like `{"pid":7,"store":"a","since":0}` names; `undefined` when it names none. */
export function holderOf(value: unknown): Holder | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, store, since } = value as { pid?: unknown; store?: unknown; since?: unknown }
  if (!Number.isSafeInteger(pid) || typeof store !== 'string') return undefined
  if (typeof since !== 'number' || Number.isNaN(new Date(since).getTime())) return undefined
  return { pid: pid as number, store, since }
}
