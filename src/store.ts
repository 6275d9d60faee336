import { InvalidArgumentError } from './base/errors.js'
import { Store as CoreStore } from './core-store.js'
import type { BucketDefinitions, CoreStoreOptions, StorePersistenceConfig } from './store-options.js'

/** Options of `Store.start`. */
export interface StoreOptions<B extends BucketDefinitions = BucketDefinitions> extends CoreStoreOptions<B> {
  /** Path of an SQLite file, made where there is none. All that it takes to be durable. */
  readonly file?: string
  /** How long to wait for a file that another process has open, in milliseconds. Default 1,000. */
  readonly waitMs?: number
}

/** The whole store: the small one of `varve/core`, and files. */
export class Store<B extends BucketDefinitions = BucketDefinitions> extends CoreStore<B> {
  /**
   * Opens the storage and starts a store.
   *
   * @throws {InvalidArgumentError} @throws {DefinitionError} nothing was done.
   * @throws {StorageLockedError} another process, or store, has the file open.
   * @throws {StorageError} the file cannot be used; nothing in it was changed, nothing is left running.
   */
  static override async start<const B extends BucketDefinitions = BucketDefinitions>(
    options: StoreOptions<B> = {},
  ): Promise<Store<B>> {
    if (typeof options !== 'object' || options === null) throw new InvalidArgumentError('Store.start(options)', 'an object', options)
    const { file, waitMs, ...rest } = options
    if (file === undefined) {
      if (waitMs !== undefined) throw new InvalidArgumentError('Store.start({ waitMs })', 'to be given with file', waitMs)
      return (await super.start(rest as CoreStoreOptions<B>)) as Store<B>
    }
    if (typeof file !== 'string' || file === '') throw new InvalidArgumentError('Store.start({ file })', 'a path', file)
    if (rest.persistence?.adapter !== undefined) {
      throw new InvalidArgumentError('Store.start({ file, persistence: { adapter } })', 'one of the two', 'both')
    }
    if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0)) {
      throw new InvalidArgumentError('Store.start({ waitMs })', 'a number of milliseconds from 0', waitMs)
    }
    // Only who asks for a file pays for SQLite.
    const { SQLiteAdapter } = await import('./log/sqlite-adapter.js')
    const adapter = new SQLiteAdapter({ filename: file, ...(waitMs === undefined ? {} : { waitMs }) })
    const persistence: StorePersistenceConfig = { ...rest.persistence, adapter }
    return (await super.start({ ...rest, persistence } as CoreStoreOptions<B>)) as Store<B>
  }
}
