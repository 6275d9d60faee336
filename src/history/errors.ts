import { VarveError } from '../base/errors.js'
import type { Key } from '../base/value.js'

/**
 * What was asked about is older than what history keeps, or was erased from it with a bucket that was cleared or dropped, or
 * is damaged. Nothing was done; ask for `oldest` or later, or keep more with `history`.
 */
export class HistoryGoneError extends VarveError {
  declare readonly name: 'HistoryGoneError'
  /** The oldest seq that can be asked about; Infinity where none can. */
  declare readonly oldest: number
  /** Set where it is the history of one bucket that is gone. */
  declare readonly bucket: string | undefined

  constructor(where: string, why: string, oldest: number, bucket?: string) {
    const remedy = Number.isFinite(oldest) ? `; what was so after commit ${oldest}, and later, can be found` : ''
    super('HISTORY_GONE', `${where}: ${why}; nothing was done${remedy}`, { oldest, bucket })
  }
}

/** What was asked about has not happened yet. Nothing was done. */
export class NotYetCommittedError extends VarveError {
  declare readonly name: 'NotYetCommittedError'
  /** Seq of the last commit. */
  declare readonly latest: number

  constructor(where: string, what: string, latest: number) {
    super('NOT_YET_COMMITTED', `${where}: ${what}; nothing was done; the last commit is ${latest}`, { latest })
  }
}

/** A record that is not as the commit that was to be undone has left it. */
export interface UndoConflict {
  readonly bucket: string
  readonly key: Key
  /** Seqs of the later commits that have changed it. Of a bucket that was cleared or dropped, the last one that did that. */
  readonly seqs: readonly number[]
}

/** Others have changed since what was to be undone. Nothing was written; undo their commits first, or write what it should be. */
export class UndoConflictError extends VarveError {
  declare readonly name: 'UndoConflictError'
  /** The commit that was to be undone. */
  declare readonly seq: number
  declare readonly conflicts: readonly UndoConflict[]

  constructor(seq: number, conflicts: readonly UndoConflict[]) {
    const [first] = conflicts as readonly [UndoConflict]
    const more = conflicts.length > 1 ? ` and ${conflicts.length - 1} more` : ''
    const record = `bucket "${first.bucket}", key "${String(first.key).slice(0, 100)}"${more}`
    const later = [...new Set(conflicts.flatMap(({ seqs }) => seqs))].sort((a, b) => b - a)
    const by = later.length === 0 ? '' : ` by ${later.slice(0, 10).join(', ')}${later.length > 10 ? ' …' : ''}`
    super('UNDO_CONFLICT', `undo(${seq}): changed since${by}: ${record}; nothing was written; undo those first`, {
      seq,
      conflicts,
    })
  }
}

/** A commit that is not to be undone as it is: more has come of it than the records that it has changed. Nothing was written. */
export class UndoRefusedError extends VarveError {
  declare readonly name: 'UndoRefusedError'
  /** The commit that was to be undone. */
  declare readonly seq: number

  constructor(seq: number, why: string, instead: string) {
    super('UNDO_REFUSED', `undo(${seq}): ${why}; nothing was written; ${instead}`, { seq })
  }
}
