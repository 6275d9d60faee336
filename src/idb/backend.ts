import { VarveError } from '../base/errors.js'
import { compareIds } from '../streams/id-order.js'
import type { StreamMeta, StreamRecord } from '../streams/record.js'
import { bytesAfter } from '../streams/sqlite-ids.js'
import type {
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from '../streams/stream-backend.js'
import { DOCS, GONE, RECORDS, STATE } from './database.js'
import { idOfKey, keyOf } from './keys.js'
import type { IdbDatabase, IdbKeyRanges, IdbTransaction } from './port.js'
import { inTransaction, type Then } from './work.js'

/** What is kept about a document. */
interface DocRow {
  readonly meta: StreamMeta | null
  readonly seqNext: number
  /** How often it was cleared. */
  readonly clears: number
  /** See `StreamWrite.clearedTo`. */
  readonly clearedTo: number
  readonly records: number
  readonly bytes: number
}

const NONE: DocRow = { meta: null, seqNext: 0, clears: 0, clearedTo: -1, records: 0, bytes: 0 }
/** A page has about this much, unless it is one record. */
const PAGE_BYTES_MAX = 16 * 1_024 * 1_024
/** So much is asked for at a time, going by what the records of the document have on average. */
const CHUNK_BYTES = 4 * 1_024 * 1_024
const CHUNK_RECORDS_MAX = 2_000
const STATS_ROWS = 1_000

/** The backend on a database of IndexedDB. Keys are binary, so that they are in the order of their bytes. */
export class IdbBackend implements StreamBackend {
  readonly name = 'indexeddb'
  readonly #db: IdbDatabase
  readonly #ranges: IdbKeyRanges
  #own = 0
  #isLost = false

  constructor(db: IdbDatabase, ranges: IdbKeyRanges) {
    this.#db = db
    this.#ranges = ranges
    db.onversionchange = () => this.#lose()
    db.onclose = () => this.#lose()
  }

  commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): Promise<void> {
    return this.#run('readwrite', [DOCS, GONE, RECORDS, STATE], (tx, then) => {
      const rows = new Map<string, DocRow>()
      const state = tx.objectStore(STATE)
      readRows(tx, then, ids, rows, () => {
        const heads = new Map([...rows].map(([id, { meta, seqNext }]): [string, StreamHead] => [id, { meta, seqNext }]))
        const isUnmoved = ({ id, seqLast, mark }: ReadState): boolean =>
          mark === rows.get(id)?.clears && rows.get(id)?.seqNext === seqLast + 1
        for (const write of plan(heads, new Set(read.filter(isUnmoved))))
          this.#write(tx, write, rows.get(write.id) as DocRow)
        then(state.get('commits' as never), (commits) => state.put(Number(commits ?? 0) + 1, 'commits' as never))
      })
      return () => void this.#own++
    })
  }

  head(id: string): Promise<StreamHead> {
    return this.#run('readonly', [DOCS, GONE], (tx, then) => {
      const rows = new Map<string, DocRow>()
      readRows(tx, then, [id], rows, () => undefined)
      return () => {
        const { meta, seqNext } = rows.get(id) as DocRow
        return { meta, seqNext }
      }
    })
  }

  page(id: string, after: number, limit: number, mark: unknown): Promise<StreamPage | undefined> {
    return this.#run<StreamPage | undefined>('readonly', [DOCS, GONE, RECORDS], (tx, then) => {
      const rows = new Map<string, DocRow>()
      const records: PlacedRecord[] = []
      let more = true
      readRows(tx, then, [id], rows, (row) => {
        if (mark !== undefined && mark !== row.clears) return
        const size = row.records === 0 ? 1 : Math.max(1, row.bytes / row.records)
        const chunk = Math.max(1, Math.min(CHUNK_RECORDS_MAX, Math.floor(CHUNK_BYTES / size)))
        this.#readRecords(tx, then, id, after, { limit, chunk, records, bytes: 0, end: () => (more = false) })
      })
      return () => {
        const { clears, clearedTo } = rows.get(id) as DocRow
        return mark !== undefined && mark !== clears ? undefined : { records, more, mark: clears, clearedTo }
      }
    })
  }

  list(prefix: string, after: string | undefined, limit: number): Promise<readonly string[]> {
    return this.#run('readonly', [DOCS], (tx, then) => {
      const isAfter = after !== undefined && compareIds(after, prefix) >= 0
      const from = keyOf(isAfter ? after : prefix)
      const end = bytesAfter(keyOf(prefix))
      const ranges = this.#ranges
      const range = end === undefined ? ranges.lowerBound(from, isAfter) : ranges.bound(from, end, isAfter, true)
      let ids: string[] = []
      then(tx.objectStore(DOCS).getAllKeys(range as never, limit), (keys) => {
        ids = keys.map(idOfKey)
      })
      return () => ids
    })
  }

  version(): Promise<unknown> {
    return this.#run('readonly', [STATE], (tx, then) => {
      let commits = 0
      then(tx.objectStore(STATE).get('commits' as never), (found) => {
        commits = Number(found ?? 0)
      })
      return () => commits - this.#own
    })
  }

  stats(): Promise<{ docs: number; records: number; bytes: number }> {
    return this.#run('readonly', [DOCS], (tx, then) => {
      const stats = { docs: 0, records: 0, bytes: 0 }
      const docs = tx.objectStore(DOCS)
      const next = (range: unknown): void =>
        then(docs.getAllKeys(range as never, STATS_ROWS), (keys) => {
          if (keys.length === 0) return
          then(docs.getAll(range as never, STATS_ROWS), (rows) => {
            for (const { records, bytes } of rows as DocRow[]) {
              stats.docs++
              stats.records += records
              stats.bytes += bytes
            }
            next(this.#ranges.lowerBound(keys.at(-1), true))
          })
        })
      next(undefined)
      return () => stats
    })
  }

  /** Commits are strict: what has been answered is on the disk, as far as the browser can tell. */
  flush(): Promise<void> {
    return this.#run('readonly', [STATE], () => () => undefined)
  }

  close(): void {
    this.#db.close()
  }

  #write(tx: IdbTransaction, { id, clear, clearedTo, meta, records, seqNext }: StreamWrite, before: DocRow): void {
    const key = keyOf(id)
    const kept = clear ? { records: 0, bytes: 0 } : before
    const row: DocRow = {
      meta: meta === undefined ? before.meta : meta,
      seqNext,
      clears: before.clears + (clear ? 1 : 0),
      clearedTo: clear ? (clearedTo ?? before.seqNext - 1) : before.clearedTo,
      records: kept.records + records.length,
      bytes: records.reduce((sum, { record }) => sum + sizeOf(record), kept.bytes),
    }
    const [home, other] = row.meta === null ? [GONE, DOCS] : [DOCS, GONE]
    const store = tx.objectStore(RECORDS)
    if (clear) store.delete(this.#ranges.bound([key, -1], [key, Infinity]) as never)
    for (const { seq, record } of records) store.put(record, [key, seq] as never)
    tx.objectStore(home).put(row, key as never)
    tx.objectStore(other).delete(key as never)
  }

  #readRecords(
    tx: IdbTransaction,
    then: Then,
    id: string,
    after: number,
    page: { limit: number; chunk: number; records: PlacedRecord[]; bytes: number; end(): void },
  ): void {
    const key = keyOf(id)
    const range = this.#ranges.bound([key, after], [key, Infinity], true, true) as never
    const count = Math.min(page.chunk, page.limit - page.records.length)
    const store = tx.objectStore(RECORDS)
    then(store.getAllKeys(range, count), (keys) =>
      then(store.getAll(range, count), (values) => {
        for (const [i, value] of values.entries()) {
          const record = value as StreamRecord
          page.records.push({ seq: (keys[i] as [unknown, number])[1], record })
          page.bytes += sizeOf(record)
        }
        if (keys.length < count) return page.end()
        if (page.records.length >= page.limit || page.bytes >= PAGE_BYTES_MAX) return
        this.#readRecords(tx, then, id, (keys.at(-1) as [unknown, number])[1], page)
      }),
    )
  }

  /** @param work begins a transaction, and returns what reads its result when it is complete. */
  async #run<T>(
    mode: 'readonly' | 'readwrite',
    stores: readonly string[],
    work: (tx: IdbTransaction, then: Then) => () => T,
  ): Promise<T> {
    if (this.#isLost) {
      const message =
        'indexeddb store: the browser or another tab has taken the database (it was deleted, or opened by a later version); ' +
        'nothing was written; open the store again'
      throw new VarveError('IDB_LOST', message)
    }
    let result: () => T
    return await inTransaction(
      this.#db,
      stores,
      mode,
      (tx, then) => {
        result = work(tx, then)
      },
      () => result(),
    )
  }

  #lose(): void {
    this.#isLost = true
    this.#db.close()
  }
}

/** Reads what is known of documents, then goes on, with the last of them. */
function readRows(
  tx: IdbTransaction,
  then: Then,
  ids: readonly string[],
  rows: Map<string, DocRow>,
  next: (row: DocRow) => void,
): void {
  for (const id of ids) {
    const key = keyOf(id) as never
    then(tx.objectStore(DOCS).get(key), (doc) =>
      then(tx.objectStore(GONE).get(key), (gone) => {
        const row = (doc ?? gone ?? NONE) as DocRow
        rows.set(id, row)
        if (rows.size === ids.length) next(row)
      }),
    )
  }
}

/** Characters and bytes of a record. */
function sizeOf(record: StreamRecord): number {
  if (record.kind === 'meta') return JSON.stringify(record.meta).length
  const { data, lineage } = record.payload
  return data.length + record.version.length + (lineage?.length ?? 0)
}
