import { InvalidArgumentError } from '../base/errors.js'
import { isKey } from '../base/value.js'
import type { Key } from '../base/value.js'
import type { Durability } from '../log/storage.js'

/** What every write takes. */
export interface WriteOptions {
  /** When the write resolves: applied, safe from a crash of the process, or safe from a power cut. Default: the store's. */
  readonly durability?: Durability
}

/** What `update` takes besides. */
export interface UpdateOptions extends WriteOptions {
  /** Update only if the record's `_version` is this; otherwise reject with `TransactionConflictError`. */
  readonly ifVersion?: number
}

const LEVELS: readonly unknown[] = ['memory', 'process', 'disk', undefined]

/** The durability in `options`. @throws {InvalidArgumentError} */
export function checkDurability(where: string, options: WriteOptions | undefined): Durability | undefined {
  if (options === undefined) return undefined
  if (typeof options !== 'object' || options === null) throw new InvalidArgumentError(where, 'an object of options', options)
  if (LEVELS.includes(options.durability)) return options.durability
  throw new InvalidArgumentError(`${where}: durability`, '"memory", "process" or "disk"', options.durability)
}

/** The version in `options`. @throws {InvalidArgumentError} */
export function checkVersion(where: string, options: UpdateOptions | undefined): number | undefined {
  const version = options?.ifVersion
  if (version === undefined || Number.isSafeInteger(version)) return version
  throw new InvalidArgumentError(`${where}: ifVersion`, 'a whole number', version)
}

/** `key`, which can be one. @throws {InvalidArgumentError} */
export function checkKey(where: string, key: unknown): Key {
  if (isKey(key)) return key
  throw new InvalidArgumentError(where, 'a key: a string, finite number or boolean', key)
}

/** `list`, which is one. @throws {InvalidArgumentError} */
export function checkList(where: string, list: unknown): readonly unknown[] {
  if (Array.isArray(list)) return list
  throw new InvalidArgumentError(where, 'an array of records', list)
}
