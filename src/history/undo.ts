import { deepEqual } from '../base/equality.js'
import { InvalidArgumentError, VarveError } from '../base/errors.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Bucket } from '../commit/bucket.js'
import { CommitDraft } from '../commit/draft.js'
import { BucketCrashedError, TransactionConflictError } from '../commit/errors.js'
import { checkOptions } from '../commit/write-options.js'
import type { CommitNote, WriteOptions } from '../commit/write-options.js'
import type { Engine } from '../engine.js'
import { isInternalBucket } from '../log/entry.js'
import type { Entry } from '../log/entry.js'
import { HistoryGoneError, NotYetCommittedError, UndoConflictError } from './errors.js'
import type { UndoConflict } from './errors.js'
import { emptiedBy, entryAfter, oldestState, readRange } from './log-access.js'
import type { LogAccess } from './log-access.js'

/** How often an undo by events is tried again. Handlers that change what is to be undone make it fail each time. */
const ATTEMPTS_MAX = 20

/** What `undo` takes besides the seq. */
export interface UndoOptions extends WriteOptions {}

/** What else undoing has to heed, where there is more than buckets. */
export interface UndoRules {
  /** Those of `changes` that are to be taken back. @throws {UndoRefusedError} nothing was written. */
  changesOf(entry: Entry, changes: readonly NetChange[]): readonly NetChange[]
  /** Whether writes to the bucket are more than that, so that `commit` does them. */
  isSourced(bucket: string): boolean
  /** Commits the inverse of `changes`, in their order. @throws {TransactionConflictError} somebody else has changed a record meanwhile. */
  commit(seq: number, changes: readonly NetChange[], note: CommitNote): Promise<number | undefined>
}

/** What a commit did to one record in the end, and what is needed to take it back. */
export interface NetChange {
  readonly bucket: string
  readonly key: Key
  readonly before: StoredRecord | undefined
  after: StoredRecord | undefined
  /** Where the record stood that was deleted: what was deleted together comes back in that order. */
  ordinal: number
}

/**
 * Commits the inverse of commit `seq` as a new one of type `store/undo`. It is a write like any other: unique fields, `maxSize`,
 * subscribers and events see it, and it can be undone in its turn.
 *
 * Records get back the fields, `_createdAt` and `_expiresAt` that they had. `_version` goes on rising and `_updatedAt` is now, because
 * an undo is a new write. A record that comes back stands at the end of its bucket. Buckets that are not stored are left alone:
 * the log says nothing about them.
 *
 * Writes to a sourced bucket are taken back by writes that are events (action `restore`, or `delete`): its handlers, and projections,
 * see them, and what handlers had made of the first write is theirs to take back.
 *
 * @returns seq of the new commit, when it is durable; undefined where there was nothing to take back.
 * @throws {UndoConflictError} a record is not any more as that commit has left it.
 * @throws {HistoryGoneError} that commit is not in the log any more, or has cleared or dropped a bucket: what was in it is erased.
 * @throws {UndoRefusedError} a projection has taken in an event of it, or what handlers have made cannot be told apart: dispatch what takes it back.
 * @throws {NotYetCommittedError} @throws {BucketNotDefinedError} @throws {InvalidArgumentError}
 * @throws {UniqueConstraintError} @throws {ValidationError} what was before is not allowed now. Nothing was written.
 */
export async function undoCommit(
  engine: Engine,
  seq: number,
  options: UndoOptions,
  rules: UndoRules,
  attempt = 0,
): Promise<number | undefined> {
  if (!Number.isSafeInteger(seq) || seq < 1) throw new InvalidArgumentError('undo(seq)', 'a seq from 1', seq)
  const { durability, meta } = checkOptions('undo(seq, options)', options)
  const { options: access } = engine
  await engine.sequencer.settled()
  const entry = await mustEntry(seq, access, engine.sequencer.position.visible)
  const changes = rules.changesOf(entry, netChanges(entry))
  if (changes.length === 0) return undefined
  const buckets = new Map(changes.map(({ bucket }) => [bucket, engine.catalog.must(bucket)]))
  const running = (): Bucket | undefined => [...buckets.values()].find(({ process }) => process.state !== 'running')
  for (let absent = running(); absent !== undefined; absent = running()) await absent.whenReady()
  // From here to the commit nothing waits, so what is compared is what is changed.
  engine.sequencer.mustTakeWrites()
  const touched = changes.filter(({ bucket, key, after }) => !deepEqual(buckets.get(bucket)?.table.get(key), after))
  if (touched.length > 0) {
    throw new UndoConflictError(seq, await conflictsOf(touched, seq, access, engine.sequencer.position.visible))
  }
  if (changes.some(({ bucket }) => rules.isSourced(bucket))) {
    try {
      return await rules.commit(seq, inOrder(changes), { durability, meta })
    } catch (error) {
      if (!(error instanceof TransactionConflictError) || attempt >= ATTEMPTS_MAX) throw error
      // Whoever was faster may have changed something else: that is looked at again.
      return undoCommit(engine, seq, options, rules, attempt + 1)
    }
  }
  const draft = new CommitDraft('store/undo', Object.freeze({ undoes: seq }))
  draft.meta = meta
  makeInverse(draft, changes, buckets, engine.sequencer.now())
  const undoneBy = engine.sequencer.nextSeq
  await engine.sequencer.submit(draft, durability)
  return undoneBy
}

/** The entry, complete. @throws {HistoryGoneError} @throws {NotYetCommittedError} */
async function mustEntry(seq: number, access: LogAccess, latest: number): Promise<Entry> {
  const where = `undo(${seq})`
  if (seq > latest) throw new NotYetCommittedError(where, 'there is no such commit yet', latest)
  const entry = await entryAfter(access, seq - 1)
  if (entry?.seq !== seq) {
    const oldest = await oldestState(access, latest)
    throw new HistoryGoneError(where, 'it is not in the log any more, or damaged', Math.max(oldest, seq))
  }
  const [emptied] = emptiedBy(entry)
  if (emptied !== undefined) {
    const why = `it has cleared or dropped bucket "${emptied}", and what was in it was erased with that`
    throw new HistoryGoneError(where, why, seq, emptied)
  }
  const [redacted] = entry.redacted ?? []
  if (redacted === undefined) return entry
  const why = `what it did to bucket "${redacted}" was erased when that was cleared or dropped`
  throw new HistoryGoneError(where, why, seq, redacted)
}

function netChanges({ changes }: Entry): NetChange[] {
  const byBucket = new Map<string, Map<Key, NetChange>>()
  for (const { bucket, key, before, after, ordinal = 0 } of changes) {
    // What Varve keeps for itself is not taken back: an event that was handled is not to be handled again.
    if (isInternalBucket(bucket)) continue
    const byKey = byBucket.get(bucket) ?? new Map<Key, NetChange>()
    byBucket.set(bucket, byKey)
    const known = byKey.get(key)
    if (known === undefined) byKey.set(key, { bucket, key, before, after, ordinal })
    else known.after = after
  }
  return [...byBucket.values()]
    .flatMap((byKey) => [...byKey.values()])
    .filter(({ before, after }) => before !== undefined || after !== undefined)
}

/** Deletions first, so that a record that comes back finds its unique values, and its place in a full bucket, free. */
function inOrder(changes: readonly NetChange[]): NetChange[] {
  const deletions = changes.filter(({ before }) => before === undefined)
  const rest = changes.filter(({ before }) => before !== undefined)
  return [...deletions, ...rest.sort((a, b) => a.ordinal - b.ordinal)]
}

/** What an undo writes in place of a record of `version`, to have `before` again. @throws {ValidationError} that is not allowed now. */
export function restoredRecord(bucket: Bucket, before: StoredRecord, version: unknown, now: number): StoredRecord {
  return bucket.schema.prepareImport({ ...before, _version: Number(version) + 1, _updatedAt: now })
}

function makeInverse(
  draft: CommitDraft,
  changes: readonly NetChange[],
  buckets: ReadonlyMap<string, Bucket>,
  now: number,
): void {
  try {
    draft.make(() => {
      for (const change of inOrder(changes)) {
        const bucket = buckets.get(change.bucket) as Bucket
        const { before, after, key } = change
        const slot = bucket.table.slot(key)
        if (before === undefined) draft.delete(bucket, key)
        else if (slot !== undefined) draft.update(bucket, slot, restoredRecord(bucket, before, after?._version, now))
        else draft.insert(bucket, restoredRecord(bucket, before, before._version, now))
      }
    })
  } catch (error) {
    if (error instanceof VarveError || draft.current === undefined) throw error
    draft.current.process.kill(error)
    throw new BucketCrashedError(draft.current.name, error)
  }
}

/** Which later commits have changed the records. Only asked when there is a conflict: it reads the log from `seq` on. */
async function conflictsOf(
  touched: readonly NetChange[],
  seq: number,
  access: LogAccess,
  latest: number,
): Promise<UndoConflict[]> {
  const conflicts = touched.map(({ bucket, key }) => ({ bucket, key, seqs: [] as number[] }))
  for await (const entry of readRange(access, seq, latest)) {
    const emptied = emptiedBy(entry)
    for (const conflict of conflicts) {
      const { bucket, key, seqs } = conflict
      const isTouched = entry.changes.some((change) => change.bucket === bucket && change.key === key)
      if (isTouched || emptied.includes(bucket)) seqs.push(entry.seq)
    }
  }
  return conflicts
}
