import { systemRuntime } from '../base/runtime.js'
import type { StoredRecord } from '../base/value.js'
import type { Change, Entry } from '../log/entry.js'
import type {
  Appended,
  Batch,
  BucketMeta,
  Durability,
  Missed,
  OpenContext,
  Row,
  RowOp,
  StorageAdapter,
  StorageReport,
} from '../log/storage.js'

/** A context for opening an adapter outside a store. Errors that no call can be rejected with are collected. */
export interface TestContext extends OpenContext {
  readonly errors: Error[]
}

/** A context on the real clock. @param store name of the store that it stands for. */
export function testContext(store = 'test'): TestContext {
  const errors: Error[] = []
  return {
    store,
    errors,
    now: () => systemRuntime.now(),
    uuid: () => systemRuntime.uuid(),
    setTimer: (ms, fn, holds) => systemRuntime.setTimer(ms, fn, holds),
    onError: (error) => void errors.push(error),
  }
}

/** A frozen record with key `id` and metadata. */
export function testRecord(id: string, fields: StoredRecord = {}): StoredRecord {
  return Object.freeze({ id, ...fields, _version: 1, _createdAt: 1_700_000_000_000, _updatedAt: 1_700_000_000_000 })
}

/** What an adapter should hold, kept by applying the same commits to plain maps. */
export interface Model {
  head: number
  readonly entries: Entry[]
  readonly rows: Map<string, Map<number, StoredRecord>>
}

/** Writes commits to an adapter as a store would, and keeps a plain model beside it. */
export class TestWriter {
  readonly adapter: StorageAdapter
  readonly context: TestContext
  report: StorageReport | undefined
  model: Model = { head: 0, entries: [], rows: new Map() }
  durability: Durability = 'memory'

  constructor(adapter: StorageAdapter, context: TestContext = testContext()) {
    this.adapter = adapter
    this.context = context
  }

  /** Opens the adapter. */
  async open(): Promise<StorageReport> {
    this.report = await this.adapter.open(this.context)
    return this.report
  }

  /** Appends one commit; the model follows when it succeeds. */
  async write(commit: TestCommit): Promise<Appended | Missed> {
    return await this.writeGroup([commit])
  }

  /** Appends several commits as one batch. */
  async writeGroup(commits: readonly TestCommit[]): Promise<Appended | Missed> {
    const batch = this.batch(commits)
    const outcome = await this.adapter.append(this.model.head, batch)
    if (outcome.appended) this.accept(batch)
    return outcome
  }

  /** The batch that `writeGroup` would append. */
  batch(commits: readonly TestCommit[]): Batch {
    const entries: Entry[] = []
    const ops: RowOp[] = []
    for (const commit of commits) {
      const seq = this.model.head + entries.length + 1
      const { type = 'store/write', changes = [], data, cleared } = commit
      const extra = { ...(data === undefined ? {} : { data }), ...(cleared === undefined ? {} : { cleared }) }
      entries.push({ seq, id: `${this.report?.logId}-${seq}`, at: 1_700_000_000_000 + seq, type, ...extra, changes })
      for (const op of commit.ops ?? []) ops.push(op.op === 'clear' || op.op === 'drop' ? { ...op, seq } : op)
    }
    return { entries, ops, durability: this.durability }
  }

  /** Brings the model to where `batch` takes the adapter. */
  accept(batch: Batch): void {
    this.model = applyToModel(this.model, batch)
  }

  /** All rows of a bucket, as the adapter loads them. */
  async load(bucket: string): Promise<Row[]> {
    return await loadRows(this.adapter, bucket)
  }
}

/** A commit for `TestWriter`: seqs are filled in. */
export interface TestCommit {
  readonly type?: string
  readonly data?: Entry['data']
  readonly cleared?: readonly string[]
  readonly changes?: readonly Change[]
  readonly ops?: readonly RowOp[]
}

/** A commit that defines a bucket with key `id`. */
export function defining(bucket: string, more: Partial<BucketMeta> = {}): TestCommit {
  const meta: BucketMeta = { bucket, key: 'id', counter: 0, fields: ['id'], ...more }
  return { type: 'store/define', data: { bucket }, ops: [{ op: 'define', meta }] }
}

/** A commit that puts a record at an ordinal. @param before what was there. */
export function putting(bucket: string, ordinal: number, record: StoredRecord, before?: StoredRecord): TestCommit {
  const key = String(record.id)
  return { changes: [{ bucket, key, before, after: record }], ops: [{ op: 'put', bucket, ordinal, record }] }
}

/** A commit that deletes the record at an ordinal. */
export function deleting(bucket: string, ordinal: number, before: StoredRecord): TestCommit {
  const changes = [{ bucket, key: String(before.id), before, after: undefined }]
  return { changes, ops: [{ op: 'delete', bucket, ordinal }] }
}

/** A commit that empties a bucket. */
export function clearing(bucket: string): TestCommit {
  return { type: 'store/clear', cleared: [bucket], ops: [{ op: 'clear', bucket, seq: 0 }] }
}

/** A commit that drops a bucket. */
export function dropping(bucket: string): TestCommit {
  return { type: 'store/drop', data: { bucket }, cleared: [bucket], ops: [{ op: 'drop', bucket, seq: 0 }] }
}

/** All rows of a bucket, in order. */
export async function loadRows(adapter: StorageAdapter, bucket: string): Promise<Row[]> {
  const rows: Row[] = []
  for await (const chunk of adapter.loadBucket(bucket)) rows.push(...chunk)
  return rows
}

/** All entries after `after`. */
export async function readAll(
  adapter: StorageAdapter,
  after = 0,
  options?: { limit?: number; types?: string[] },
): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of adapter.readLog(after, options)) entries.push(entry)
  return entries
}

function applyToModel(model: Model, batch: Batch): Model {
  const rows = new Map(Array.from(model.rows, ([bucket, held]) => [bucket, new Map(held)]))
  let entries = [...model.entries, ...batch.entries]
  for (const op of batch.ops) {
    if (op.op === 'define') rows.set(op.meta.bucket, rows.get(op.meta.bucket) ?? new Map())
    else if (op.op === 'put') rows.get(op.bucket)?.set(op.ordinal, op.record)
    else if (op.op === 'delete') rows.get(op.bucket)?.delete(op.ordinal)
    else if (op.op === 'clear' || op.op === 'drop') {
      entries = entries.map((entry) => (entry.seq < op.seq ? withoutBucket(entry, op.bucket) : entry))
      if (op.op === 'drop') rows.delete(op.bucket)
      else rows.get(op.bucket)?.clear()
    }
  }
  return { head: model.head + batch.entries.length, entries, rows }
}

function withoutBucket(entry: Entry, bucket: string): Entry {
  const changes = entry.changes.filter((change) => change.bucket !== bucket)
  if (changes.length === entry.changes.length) return entry
  return { ...entry, changes, redacted: [...(entry.redacted ?? []).filter((name) => name !== bucket), bucket] }
}
