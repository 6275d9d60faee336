import { bytesAfter, bytesOf, idOf } from './sqlite-ids.js'
import { compareIds } from './id-order.js'
import { kynetaRow, metaOfKyneta, recordOfKyneta } from './kyneta-rows.js'
import type {
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from './stream-backend.js'

/** A row of the bucket: of a document, with `live` while it is there, or of a record, with `doc` and `seq`. */
export interface StreamRow {
  readonly key: string
  readonly live?: string | null
  readonly meta?: string | null
  readonly seqNext?: number
  readonly clears?: number
  /** See `StreamWrite.clearedTo`. */
  readonly clearedTo?: number
  readonly records?: number
  readonly bytes?: number
  readonly doc?: string
  readonly seq?: number
  readonly kind?: string
  readonly payload?: string
  /** Base64: buckets hold JSON. */
  readonly blob?: string | null
}

/** The reads of a bucket in `store.read`. */
export interface StreamView {
  bucket(name: string): {
    get(key: string): StreamRow | undefined
    where(filter: object): readonly StreamRow[]
    query(filter: object): { orderBy(field: string): { limit(n: number): { run(): readonly StreamRow[] } } }
  }
}

/** A bucket in a transaction. */
export interface StreamTransaction {
  bucket(name: string): {
    get(key: string): Promise<StreamRow | undefined>
    insertMany(rows: readonly StreamRow[]): Promise<unknown>
    upsert(row: StreamRow): Promise<unknown>
    deleteMany(filter: object): Promise<unknown>
  }
}

/** What is needed of a store of Varve. */
export interface StreamHost {
  readonly position: { readonly visible: number }
  hasBucket(name: string): boolean
  defineBucket(name: string, definition: never): PromiseLike<unknown>
  /** Its types depend on the store's buckets; here there is one. */
  transaction(fn: never, options?: { readonly retries?: number }): Promise<unknown>
  read(fn: never): unknown
  flush(): Promise<void>
}

/** How the bucket is defined. */
export const STREAM_BUCKET = {
  key: 'key',
  schema: {
    key: { type: 'string' },
    live: { type: 'string' },
    meta: { type: 'string' },
    seqNext: { type: 'number' },
    clears: { type: 'number' },
    clearedTo: { type: 'number' },
    records: { type: 'number' },
    bytes: { type: 'number' },
    doc: { type: 'string' },
    seq: { type: 'number' },
    kind: { type: 'string' },
    payload: { type: 'string' },
    blob: { type: 'string' },
  },
  indexes: [['live'], ['doc', 'seq']],
} as const

const RETRIES_MAX = 50
const SEQ_DIGITS = 16

/** The backend on a bucket: documents and records are its rows, so that they are in the store's log, history and backups. */
export class BucketBackend implements StreamBackend {
  readonly name = 'bucket'
  readonly #store: StreamHost
  readonly #bucket: string

  constructor(store: StreamHost, bucket: string) {
    this.#store = store
    this.#bucket = bucket
  }

  async commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): Promise<void> {
    const run = async (tx: StreamTransaction): Promise<void> => {
      const bucket = tx.bucket(this.#bucket)
      const rows = new Map<string, StreamRow | undefined>()
      for (const id of ids) rows.set(id, await bucket.get(hexOf(id)))
      const heads = new Map(ids.map((id): [string, StreamHead] => [id, headOf(id, rows.get(id))]))
      const isUnmoved = ({ id, seqLast, mark }: ReadState): boolean =>
        mark === (rows.get(id)?.clears ?? 0) && heads.get(id)?.seqNext === seqLast + 1
      for (const write of plan(heads, new Set(read.filter(isUnmoved)))) {
        const doc = hexOf(write.id)
        if (write.clear) await bucket.deleteMany({ doc })
        const added = write.records.map((placed) => rowOf(doc, placed))
        await bucket.insertMany(added)
        await bucket.upsert(nextRow(doc, write, rows.get(write.id), added))
      }
    }
    await this.#store.transaction(run as never, { retries: RETRIES_MAX })
  }

  head(id: string): StreamHead {
    return headOf(
      id,
      this.#read((view) => view.bucket(this.#bucket).get(hexOf(id))),
    )
  }

  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined {
    const doc = hexOf(id)
    return this.#read((view) => {
      const bucket = view.bucket(this.#bucket)
      const { clears = 0, clearedTo = -1 } = bucket.get(doc) ?? {}
      if (mark !== undefined && mark !== clears) return undefined
      const found = bucket.query({ doc, seq: { gt: after } })
      const rows = found
        .orderBy('seq')
        .limit(limit + 1)
        .run()
      const records = rows.slice(0, limit).map((row): PlacedRecord => {
        const seq = row.seq as number
        const blob = typeof row.blob === 'string' ? bytesOfBase64(row.blob) : null
        return { seq, record: recordOfKyneta(id, seq, row.kind, row.payload, blob) }
      })
      return { records, more: rows.length > limit, mark: clears, clearedTo }
    })
  }

  list(prefix: string, after: string | undefined, limit: number): string[] {
    const isAfter = after !== undefined && compareIds(after, prefix) >= 0
    const end = bytesAfter(bytesOf(prefix))
    const from = isAfter ? { gt: hexOf(after) } : { gte: hexOf(prefix) }
    const live = end === undefined ? from : { ...from, lt: `d${hexOfBytes(end)}` }
    const rows = this.#read((view) => {
      return view.bucket(this.#bucket).query({ live }).orderBy('live').limit(limit).run()
    })
    return rows.map(({ live: key }) => idOf(bytesOfHex((key as string).slice(1))))
  }

  version(): number {
    return this.#store.position.visible
  }

  stats(): { docs: number; records: number; bytes: number } {
    const rows = this.#read((view) => view.bucket(this.#bucket).where({ live: { gte: '' } }))
    const sum = (field: 'records' | 'bytes'): number => rows.reduce((total, row) => total + (row[field] ?? 0), 0)
    return { docs: rows.length, records: sum('records'), bytes: sum('bytes') }
  }

  flush(): Promise<void> {
    return this.#store.flush()
  }

  /** The store is the caller's. */
  close(): void {}

  #read<T>(work: (view: StreamView) => T): T {
    return this.#store.read(work as never) as T
  }
}

function headOf(id: string, row: StreamRow | undefined): StreamHead {
  if (row === undefined) return { meta: null, seqNext: 0 }
  const meta = typeof row.meta === 'string' ? metaOfKyneta(id, row.meta) : null
  return { meta, seqNext: row.seqNext ?? 0 }
}

/** Begins otherwise than the row of a document. */
function rowOf(doc: string, { seq, record }: PlacedRecord): StreamRow {
  const { kind, payload, blob } = kynetaRow(record)
  const key = `r${doc.slice(1)}/${String(seq).padStart(SEQ_DIGITS, '0')}`
  const row = { key, doc, seq, kind, payload }
  return blob === null ? row : { ...row, blob: base64Of(blob) }
}

function nextRow(
  doc: string,
  { clear, clearedTo, meta, seqNext }: StreamWrite,
  before: StreamRow | undefined,
  added: readonly StreamRow[],
): StreamRow {
  const kept = clear ? undefined : before
  const text = meta === undefined ? (before?.meta ?? null) : meta === null ? null : JSON.stringify(meta)
  const size = added.reduce((sum, { payload, blob }) => sum + (payload?.length ?? 0) + (blob?.length ?? 0), 0)
  return {
    key: doc,
    live: text === null ? null : doc,
    meta: text,
    seqNext,
    clears: (before?.clears ?? 0) + (clear ? 1 : 0),
    clearedTo: (clear ? clearedTo : before?.clearedTo) ?? -1,
    records: (kept?.records ?? 0) + added.length,
    bytes: (kept?.bytes ?? 0) + size,
  }
}

/** Key of a document: the bytes of its id in hexadecimal digits, which are in the same order. */
function hexOf(id: string): string {
  return `d${hexOfBytes(bytesOf(id))}`
}

function hexOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}

function base64Of(bytes: Uint8Array): string {
  let text = ''
  // A call has no room for more arguments than some ten thousand.
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  return btoa(text)
}

function bytesOfBase64(base64: string): Uint8Array {
  const text = atob(base64)
  return Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
}
