import { VarveError } from '../base/errors.js'

/** The storage could not do what was asked. Nothing was written, unless `outcome` is `'unknown'`. */
export class StorageError extends VarveError {
  override readonly name: string = 'StorageError'
  /** `'unknown'`: the write may or may not be in the file; the store must be reopened to find out. */
  declare readonly outcome: 'nothing written' | 'unknown'

  constructor(message: string, options?: ErrorOptions & { code?: string; outcome?: 'nothing written' | 'unknown' }) {
    super(options?.code ?? 'STORAGE', message, { outcome: 'nothing written', ...options })
  }
}

/** No space left. Nothing was written; free space and write again. */
export class StorageFullError extends StorageError {
  override readonly name = 'StorageFullError'

  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, code: 'STORAGE_FULL' })
  }
}

/** Another store, in this or another process, has the file open. Nothing was changed. */
export class StorageLockedError extends StorageError {
  override readonly name = 'StorageLockedError'

  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, code: 'STORAGE_LOCKED' })
  }
}

/** The file is damaged, not ours, or from a newer version. It was left as it is. */
export class StorageUnreadableError extends StorageError {
  override readonly name = 'StorageUnreadableError'

  constructor(message: string, options?: ErrorOptions) {
    super(message, { ...options, code: 'STORAGE_UNREADABLE' })
  }
}
