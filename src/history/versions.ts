import { InvalidArgumentError } from '../base/errors.js'
import type { Key, Value } from '../base/value.js'
import { checkKey } from '../commit/write-options.js'
import type { DeleteCause, Entry } from '../log/entry.js'
import { deepFreeze } from '../schema/copy-value.js'
import type { StoreRecord } from '../schema/infer.js'
import { checkSignal } from './check-signal.js'
import type { LogAccess } from './log-access.js'
import { emptiedBy, entryAfter, firstSeq, readRange } from './log-access.js'

/** What one commit made of a record. */
export interface RecordVersion<R = StoreRecord> {
  /** The commit, its time in milliseconds, and its type, such as `store/write`. */
  readonly seq: number
  readonly at: number
  readonly type: string
  /** Who and why, where the writer has said so: `entry.meta`. */
  readonly meta?: Value
  readonly kind: 'inserted' | 'updated' | 'deleted'
  readonly before: R | undefined
  readonly after: R | undefined
  /** Why it went, for what nobody asked for. */
  readonly cause?: DeleteCause
}

/** What `history` takes besides the key. */
export interface RecordHistoryOptions {
  /** At most so many versions; those of one commit stay together, so it may be one or two more. Default 100. */
  readonly limit?: number
  /** Only commits before this seq: the `seq` of the last version of the page before. */
  readonly before?: number
  /** Ends the search, which then rejects with its reason. */
  readonly signal?: AbortSignal
}

const LIMIT_DEFAULT = 100
/** Entries that are looked at in one go: few at first, because what is asked for is mostly recent. */
const WINDOW_MIN = 256
const WINDOW_MAX = 8_192

/**
 * The versions of one record, the newest first, as far as history has them. The oldest one is `inserted` where none is missing.
 * Older ones are missing where history has let them go, or the bucket was cleared or dropped since.
 *
 * It looks through the log from its end, a window at a time, until it has enough: on SQLite about 1 ms for each MB of log; on other
 * storages each entry is read. What it holds in memory is a window and what it has found.
 *
 * @throws {InvalidArgumentError} @throws the reason of the signal.
 */
export async function recordHistory(
  bucket: string,
  key: unknown,
  options: RecordHistoryOptions,
  access: LogAccess,
  latest: number,
): Promise<RecordVersion[]> {
  const where = `history("${bucket}", key`
  const wanted = checkKey(`${where})`, key)
  const { limit = LIMIT_DEFAULT, before = latest + 1, signal } = checkOptions(where, options)
  const versions: RecordVersion[] = []
  const oldest = await firstSeq(access, latest)
  let window = WINDOW_MIN
  for (let upper = Math.min(before, latest + 1); upper > oldest && versions.length < limit; ) {
    signal?.throwIfAborted()
    const after = Math.max(oldest - 1, upper - 1 - window)
    const entries = await entriesBetween(bucket, wanted, after, upper, access, signal)
    for (const entry of entries.reverse()) {
      if (versions.length >= limit) break
      versions.push(...versionsIn(entry, bucket, wanted))
      // What was before is erased.
      if (emptiedBy(entry).includes(bucket)) return versions
    }
    upper = after + 1
    window = Math.min(window * 2, WINDOW_MAX)
    await new Promise<void>((resolve) => access.runtime.defer(resolve))
  }
  return versions
}

/** The entries between two seqs that may be about the record, in seq order. */
async function entriesBetween(
  bucket: string,
  key: Key,
  after: number,
  before: number,
  access: LogAccess,
  signal: AbortSignal | undefined,
): Promise<Entry[]> {
  const entries: Entry[] = []
  const seqs = await access.storage.entriesOf?.(bucket, key, after, before)
  if (seqs === undefined) {
    for await (const entry of readRange(access, after, before - 1, signal)) {
      if (isAbout(entry, bucket, key)) entries.push(entry)
    }
    return entries
  }
  for (const seq of seqs.toReversed()) {
    const entry = await entryAfter(access, seq - 1)
    if (entry?.seq === seq) entries.push(entry)
  }
  return entries
}

function isAbout(entry: Entry, bucket: string, key: Key): boolean {
  return (
    entry.changes.some((change) => change.bucket === bucket && change.key === key) || emptiedBy(entry).includes(bucket)
  )
}

/** A commit may delete a record and insert another one under its key: then it has two, the later one first. */
function versionsIn({ seq, at, type, meta, changes }: Entry, bucket: string, key: Key): RecordVersion[] {
  const versions: RecordVersion[] = []
  for (const change of changes) {
    if (change.bucket !== bucket || change.key !== key) continue
    const [before, after] = [deepFreeze(change.before), deepFreeze(change.after)]
    const kind = before === undefined ? 'inserted' : after === undefined ? 'deleted' : 'updated'
    const { cause } = change
    const who = meta === undefined ? {} : { meta: deepFreeze(meta) }
    const records = { before, after } as unknown as { before: StoreRecord | undefined; after: StoreRecord | undefined }
    versions.unshift({ seq, at, type, ...who, kind, ...records, ...(cause === undefined ? {} : { cause }) })
  }
  return versions
}

function checkOptions(where: string, options: RecordHistoryOptions): RecordHistoryOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`${where}, options)`, 'an object { limit, before, signal }', options)
  }
  const { limit, before, signal } = options
  for (const [name, value] of Object.entries({ limit, before })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw new InvalidArgumentError(`${where}, { ${name} })`, 'a whole number from 1', value)
    }
  }
  checkSignal(`${where}, { signal })`, signal)
  return options
}
