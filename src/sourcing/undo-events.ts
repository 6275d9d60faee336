import { deepEqual } from '../base/equality.js'
import type { Bucket } from '../commit/bucket.js'
import { TransactionConflictError } from '../commit/errors.js'
import type { EntryHead, Transaction } from '../commit/transaction.js'
import type { CommitNote } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import { UndoRefusedError } from '../history/errors.js'
import type { NetChange, UndoRules } from '../history/undo.js'
import { restoredRecord } from '../history/undo.js'
import { sourcedType } from '../log/entry.js'
import type { Entry } from '../log/entry.js'
import { groupOf, visitEvents } from './event-group.js'
import type { Events } from './events.js'
import { SourcedTransactionHandle } from './sourced-handle.js'

/**
 * What undoing means where there are events: one that a projection has taken in is not taken back behind its back, and a write to a
 * sourced bucket is taken back by writes that are events themselves.
 */
export class UndoEvents implements UndoRules {
  readonly #engine: Engine
  readonly #events: Events

  constructor(engine: Engine, events: Events) {
    this.#engine = engine
    this.#events = events
  }

  /** See `UndoRules`. */
  changesOf(entry: Entry, changes: readonly NetChange[]): readonly NetChange[] {
    const group = groupOf(entry)
    if (group === undefined) return changes
    let hasHandlers = false
    visitEvents(group, ({ type }) => {
      const bucket = this.#events.registry.find(type)?.bucket
      if (bucket !== undefined) {
        hasHandlers ||= (this.#events.registry.find(type)?.handlers.length ?? 0) > 0
        return
      }
      const projection = this.#events.projections.takerOf(type)
      if (projection === undefined) return
      const why = `event "${type}" was taken in by projection "${projection}", which an undo would leave as it is`
      throw new UndoRefusedError(entry.seq, why, 'dispatch an event that takes it back')
    })
    // What handlers, and projections, have made of a write to a sourced bucket, they make of the write that takes it back.
    if (this.#events.registry.find(entry.type)?.bucket !== undefined)
      return changes.filter(({ bucket }) => sourcedType(bucket) === entry.type)
    const rest = changes.filter(({ bucket }) => !this.isSourced(bucket) && !this.#isOwned(bucket))
    if (!hasHandlers) return changes.some(({ bucket }) => this.isSourced(bucket)) ? this.#free(changes) : changes
    if (rest.length === 0) return this.#free(changes)
    const why = `handlers of writes to sourced buckets may have made what it did to bucket "${rest[0]?.bucket}"`
    throw new UndoRefusedError(entry.seq, why, 'write, or dispatch, what takes it back')
  }

  #free(changes: readonly NetChange[]): readonly NetChange[] {
    return changes.filter(({ bucket }) => !this.#isOwned(bucket))
  }

  #isOwned(bucket: string): boolean {
    return this.#engine.catalog.has(bucket) && this.#engine.catalog.must(bucket).owner !== undefined
  }

  /** See `UndoRules`. */
  isSourced(bucket: string): boolean {
    return this.#engine.catalog.has(bucket) && this.#engine.catalog.must(bucket).definition.sourced === true
  }

  /** See `UndoRules`. */
  async commit(seq: number, changes: readonly NetChange[], note: CommitNote): Promise<number | undefined> {
    const { transactions, catalog } = this.#engine
    const transaction = transactions.begin()
    try {
      for (const change of changes) {
        const bucket = catalog.must(change.bucket)
        const handle = transactions.handleOf(transaction, bucket)
        if (handle instanceof SourcedTransactionHandle) await takeBack(handle, change)
        else this.#write(transaction, bucket, change)
      }
      transaction.head = new UndoHead(transaction.head, seq)
      const committed = await transactions.commit(transaction, note)
      return committed?.seq
    } finally {
      transactions.end(transaction)
    }
  }

  #write(transaction: Transaction, bucket: Bucket, { key, before, after }: NetChange): void {
    const overlay = transaction.overlay(bucket)
    transaction.readSet.readKey(bucket.name, key)
    const current = overlay.get(key)
    if (!deepEqual(current, after)) throw new TransactionConflictError(bucket.name, key, 'changed since')
    if (before === undefined) return overlay.delete(key)
    const restored = restoredRecord(bucket, before, (after ?? before)._version, transaction.now())
    overlay[after === undefined ? 'insert' : 'update'](key, restored)
  }
}

/** Writes what was before, by an event. */
async function takeBack(handle: SourcedTransactionHandle, { bucket, key, before, after }: NetChange): Promise<void> {
  const current = await handle.get(key)
  if (!deepEqual(current, after)) throw new TransactionConflictError(bucket, key, 'changed since')
  await handle.restore(key, before)
}

/** The entry of an undo whose writes are events: as that of a transaction, and it says what it undoes. */
class UndoHead implements EntryHead {
  readonly type = 'store/undo'
  readonly data: { readonly undoes: number }
  readonly #events: EntryHead

  constructor(events: EntryHead, undoes: number) {
    this.#events = events
    this.data = Object.freeze({ undoes })
  }

  event(at: number): ReturnType<NonNullable<EntryHead['event']>> {
    return this.#events.event?.(at)
  }

  waits(): Promise<unknown> | undefined {
    return this.#events.waits?.()
  }

  complete(): void {
    this.#events.complete?.()
  }
}
