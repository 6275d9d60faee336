import { asError, InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { EventData } from '../log/entry.js'
import { isDurabilityOption } from '../log/storage.js'
import type { Durability } from '../log/storage.js'
import { copyPlainObject } from '../schema/copy-value.js'
import { TransactionConflictError } from './errors.js'

/** What every write takes. */
export interface WriteOptions {
  /** When the write resolves: applied, safe from a crash of the process, or safe from a power cut. Default: the store's. */
  readonly durability?: Durability
  /** Who does it, and why: a plain object that is kept with the entry in the log. */
  readonly meta?: { readonly [field: string]: unknown }
}

/** What a commit says besides its steps. */
export interface CommitNote {
  readonly durability?: Durability | undefined
  readonly meta?: EventData | undefined
}

/** What `update` takes besides. */
export interface UpdateOptions extends WriteOptions {
  /** Update only if the record's `_version` is this; otherwise reject with `TransactionConflictError`. */
  readonly ifVersion?: number
}

/** What `read` returns; when it throws, whoever gave the value is told, and no bucket takes it for a bug of its own. */
export function readFrom<T>(where: string, value: unknown, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw new InvalidArgumentError(`${where}: reading it failed: ${asError(thrown).message}`, 'plain values', value)
  }
}

/** The durability and the meta in `options`. @throws {InvalidArgumentError} */
export function checkOptions(where: string, options: WriteOptions): CommitNote {
  if (typeof options !== 'object' || options === null)
    throw new InvalidArgumentError(where, 'an object of options', options)
  const { durability, meta } = readFrom(where, options, () => ({ durability: options.durability, meta: options.meta }))
  if (!isDurabilityOption(durability)) {
    throw new InvalidArgumentError(`${where}: durability`, '"memory", "process" or "disk"', durability)
  }
  return { durability, meta: meta === undefined ? undefined : copyPlainObject(`${where}: meta`, meta) }
}

/** The version in `options`. @throws {InvalidArgumentError} */
export function checkVersion(where: string, options: UpdateOptions | undefined): number | undefined {
  const version = readFrom(where, options, () => options?.ifVersion)
  if (version === undefined || Number.isSafeInteger(version)) return version
  throw new InvalidArgumentError(`${where}: ifVersion`, 'a whole number', version)
}

/** Throws unless `current` has the version that the caller expects. @throws {TransactionConflictError} */
export function checkExpected(bucket: string, key: Key, current: StoredRecord, version: number | undefined): void {
  if (version === undefined || current._version === version) return
  const what = `Version mismatch: expected ${version}, got ${String(current._version)}`
  throw new TransactionConflictError(bucket, key, what)
}

/** The key in what a caller gave, where there is one. @throws {InvalidArgumentError} reading it failed. */
export function keyIn(where: string, data: unknown, field: string): Key | undefined {
  return readFrom(where, data, () => {
    if (typeof data !== 'object' || data === null || !Object.hasOwn(data, field)) return undefined
    const key = (data as Record<string, unknown>)[field]
    return typeof key === 'string' || typeof key === 'number' || typeof key === 'boolean' ? key : undefined
  })
}

/** `key`, which can be one. @throws {InvalidArgumentError} */
export function checkKey(where: string, key: unknown): Key {
  if (isKey(key)) return key
  throw new InvalidArgumentError(where, 'a key: a string, finite number or boolean', key)
}

/** The items of `list`, which is one. @throws {InvalidArgumentError} */
export function checkList(where: string, list: unknown): readonly unknown[] {
  const items = readFrom(where, list, () => (Array.isArray(list) ? Array.from<unknown>(list) : undefined))
  if (items !== undefined) return items
  throw new InvalidArgumentError(where, 'an array of records', list)
}
