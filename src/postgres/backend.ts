import { compareIds } from '../streams/id-order.js'
import { recordOfKyneta } from '../streams/kyneta-rows.js'
import type {
  EntriesToAppend,
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from '../streams/stream-backend.js'
import { checksum } from '../base/checksum.js'
import { StreamConflictError } from '../streams/errors.js'
import { type Ask, isOfServer, type PostgresAccess, type Row } from './access.js'
import { idOfKey, type KeyRange, keyOf, keyRanges } from './ids.js'
import { inChunks, jsonbOf, metaOfJsonb, type RecordRow, rowOf, valuesSql } from './rows.js'
import type { StreamTables } from './schema.js'

/** A page has not more than this, unless it is one record. */
const PAGE_BYTES_MAX = 16 * 1_024 * 1_024
/**
 * Documents are locked by stripes, so that a transaction of many takes few places in the server's table of locks. The locks
 * are there for documents, too, that are not.
 */
const STRIPES = 64
/** Among the locks of an application these begin with 'vs'. */
const LOCK_CLASS = 0x76_73n

/** The head of a document, and the mark of its last record. */
interface MarkedHead extends StreamHead {
  readonly mark: unknown
}

/**
 * The backend on tables of PostgreSQL.
 *
 * Entries for one document are one statement, which keeps the document's row from others (FOR SHARE) until they are there. All
 * other writes take advisory locks, for documents that are not there yet, and then those rows FOR UPDATE, and look at heads in
 * a statement that begins after that: a statement sees what was committed when it began. Whoever clears a stream writes its
 * document's row, so that a statement which began before that, and waited, notices and writes nothing.
 *
 * Other programs know no locks: what they add in between is not removed, and the transaction is run again.
 */
export class PostgresBackend implements StreamBackend {
  readonly name = 'postgres'
  readonly #access: PostgresAccess
  readonly #tables: StreamTables
  readonly #isOwner: boolean
  readonly #sql: Readonly<Record<'heads' | 'page' | 'stats', string>>

  /** @param isOwner `close` ends the pool or the connection. */
  constructor(access: PostgresAccess, tables: StreamTables, isOwner: boolean) {
    this.#access = access
    this.#tables = tables
    this.#isOwner = isOwner
    const { docs, records } = tables
    const size = 'coalesce(octet_length(payload), 0) + coalesce(octet_length(blob), 0)'
    const before = (rows: number): string =>
      `coalesce(sum(${size}) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND ${rows} PRECEDING), 0)`
    this.#sql = {
      heads:
        `SELECT k.id, d.data::text AS data, r.seq::text AS seq, r.mark FROM unnest($1::text[]) AS k (id) ` +
        `LEFT JOIN ${docs} d ON d.doc_id = k.id LEFT JOIN LATERAL (SELECT seq, xmin::text AS mark FROM ${records} ` +
        `WHERE doc_id = k.id ORDER BY seq DESC LIMIT 1) r ON true`,
      // Sizes are known without reading what is large. After what a page has room for comes one row more, without content.
      page:
        `SELECT m.mark, p.seq::text AS seq, p.kind, p.payload, p.blob, p.made, p.whole::text AS whole FROM (SELECT ` +
        `(SELECT xmin::text FROM ${records} WHERE doc_id = $1 AND seq = $2::bigint) AS mark) m LEFT JOIN (SELECT seq, kind, made, before < ${PAGE_BYTES_MAX} AS whole, ` +
        `CASE WHEN before < ${PAGE_BYTES_MAX} THEN payload END AS payload, ` +
        `CASE WHEN before < ${PAGE_BYTES_MAX} THEN blob END AS blob, before_last FROM (SELECT seq, kind, payload, blob, ` +
        `xmin::text AS made, CASE WHEN row_number() OVER (ORDER BY seq) = 1 THEN 0 ELSE ${before(1)} END AS before, ` +
        `${before(2)} AS before_last FROM ${records} WHERE doc_id = $1 AND seq > $2::bigint ORDER BY seq LIMIT $3::bigint) s ` +
        `WHERE before_last < ${PAGE_BYTES_MAX}) p ON true ORDER BY p.seq`,
      stats:
        `SELECT (SELECT count(*) FROM ${docs})::text AS docs, count(*)::text AS records, ` +
        `coalesce(sum(${size}), 0)::text AS bytes FROM ${records}`,
    }
  }

  async commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): Promise<void> {
    const keys = ids.map(keyOf)
    await this.#access.transaction(this.#locks(keys), async (ask) => {
      await this.#lockRows(ask, keys)
      const heads = await this.#heads(ask, ids, keys)
      const isUnmoved = ({ id, seqLast, mark }: ReadState): boolean => {
        const head = heads.get(id)
        return head?.meta !== null && head?.seqNext === seqLast + 1 && head.mark === mark
      }
      await this.#write(ask, plan(heads, new Set(read.filter(isUnmoved))), heads)
    })
  }

  async append(batch: readonly EntriesToAppend[]): Promise<readonly boolean[]> {
    const counts = new Map<string, number>()
    const rows = batch.flatMap(({ id, records }) => {
      const key = keyOf(id)
      return records.map((record) => {
        const n = (counts.get(key) ?? 0) + 1
        counts.set(key, n)
        return rowOf(key, n, record)
      })
    })
    const chunks = inChunks(rows)
    const there = new Set<unknown>()
    const write = async (ask: Ask, chunk: readonly RecordRow[]): Promise<void> => {
      const [sql, values] = this.#appendSql(chunk)
      for (const row of await ask(sql, values)) there.add(row['doc_id'])
    }
    const [only] = chunks
    const isOne = chunks.length === 1 && counts.size === 1 && only !== undefined
    const done = isOne && (await this.#access.tryWrite((ask) => write(ask, only)))
    // Who was beaten to the place takes the locks, and who found no document looks again with them.
    if (!done || there.size === 0) {
      const keys = [...counts.keys()].sort()
      await this.#access.transaction(this.#locks(keys), async (ask) => {
        await this.#lockRows(ask, keys)
        await this.#appendAll(ask, chunks, write)
      })
    }
    return batch.map(({ id }) => there.has(keyOf(id)))
  }

  isOfAll(error: Error): boolean {
    return isOfServer(error)
  }

  async head(id: string): Promise<StreamHead> {
    const key = keyOf(id)
    const heads = await this.#heads((sql, values) => this.#access.read(sql, values ?? []), [id], [key])
    return heads.get(id) as StreamHead
  }

  async page(id: string, after: number, limit: number, mark: unknown): Promise<StreamPage | undefined> {
    const rows = await this.#access.read(this.#sql.page, [keyOf(id), after, limit + 1])
    const found = rows[0]?.['mark'] ?? undefined
    // Whoever clears a stream and writes it anew is another transaction than the one that has written the record.
    if (mark !== undefined && found !== mark) return undefined
    const placed = rows.filter((row) => row['seq'] !== null)
    const fitting = placed.slice(0, limit).filter((row) => row['whole'] === 'true')
    const records = fitting.map((row): PlacedRecord => {
      const seq = Number(row['seq'])
      return { seq, record: recordOfKyneta(id, seq, row['kind'], row['payload'], bytesOf(row['blob'])) }
    })
    const last = fitting.at(-1)
    return { records, more: placed.length > fitting.length, mark: last === undefined ? found : last['made'] }
  }

  async list(prefix: string, after: string | undefined, limit: number): Promise<readonly string[]> {
    const values: unknown[] = []
    const parts = keyRanges(prefix, after).map((range) => this.#rangeSql(range, limit, values))
    const rows = await this.#access.read(parts.join(' UNION ALL '), values)
    return rows
      .map((row) => idOfKey(String(row['doc_id'])))
      .sort(compareIds)
      .slice(0, limit)
  }

  async version(): Promise<unknown> {
    // Changes with every transaction of the server that writes, this store's own among them.
    const [row] = await this.#access.read('SELECT pg_current_snapshot()::text AS version', [])
    return row?.['version']
  }

  async stats(): Promise<{ docs: number; records: number; bytes: number }> {
    const [row] = await this.#access.read(this.#sql.stats, [])
    return { docs: Number(row?.['docs']), records: Number(row?.['records']), bytes: Number(row?.['bytes']) }
  }

  async flush(): Promise<void> {
    // The log is one: when a commit that waits for the disk is on it, those before it are, too.
    await this.#access.transaction(["SET LOCAL synchronous_commit = 'local'"], (ask) =>
      ask(`UPDATE ${this.#tables.storeMeta} SET value = value WHERE key = 'format'`),
    )
  }

  async close(): Promise<void> {
    if (this.#isOwner) await this.#access.end()
  }

  /** Statements that lock documents, always in the same order, so that nobody waits for who waits for them. */
  #locks(keys: readonly string[]): string[] {
    const stripes = [...new Set(keys.map((key) => checksum(key) % STRIPES))].sort((a, b) => a - b)
    const lock = (stripe: number): bigint => (LOCK_CLASS << 48n) | (BigInt(this.#tables.oid) << 8n) | BigInt(stripe)
    return stripes.map((stripe) => `SELECT pg_advisory_xact_lock(${lock(stripe)})`)
  }

  /** Waits until nobody is writing to documents that are there, and keeps others from it. */
  async #lockRows(ask: Ask, keys: readonly string[]): Promise<void> {
    const sql = `SELECT 1 AS n FROM ${this.#tables.docs} WHERE doc_id = ANY ($1::text[]) ORDER BY doc_id FOR UPDATE`
    await ask(sql, [[...keys].sort()])
  }

  async #heads(ask: Ask, ids: readonly string[], keys: readonly string[]): Promise<Map<string, MarkedHead>> {
    const byKey = new Map(keys.map((key, i) => [key, ids[i] as string]))
    const heads = new Map<string, MarkedHead>()
    for (const row of await ask(this.#sql.heads, [keys])) {
      const id = byKey.get(String(row['id'])) as string
      const meta = row['data'] === null ? null : metaOfJsonb(id, row['data'])
      heads.set(id, { meta, seqNext: row['seq'] === null ? 0 : Number(row['seq']) + 1, mark: row['mark'] })
    }
    return heads
  }

  async #write(ask: Ask, writes: readonly StreamWrite[], heads: ReadonlyMap<string, StreamHead>): Promise<void> {
    const { docs, records } = this.#tables
    const gone = writes.filter(({ meta }) => meta === null).map(({ id }) => keyOf(id))
    // Documents first: who appends without our locks holds the document until the record is there to be seen.
    if (gone.length > 0) await ask(`DELETE FROM ${docs} WHERE doc_id = ANY ($1::text[])`, [gone])
    const known = writes.flatMap(({ id, meta }) =>
      meta === null || meta === undefined ? [] : [[keyOf(id), jsonbOf(meta)]],
    )
    if (known.length > 0) {
      const values = valuesSql(['text', 'jsonb'], known.length)
      const sql = `INSERT INTO ${docs} (doc_id, data) VALUES ${values} ON CONFLICT (doc_id) DO UPDATE SET data = EXCLUDED.data`
      await ask(sql, known.flat())
    }
    await this.#clear(
      ask,
      writes.filter(({ clear }) => clear),
      heads,
    )
    const rows = writes.flatMap(({ id, records: placed }) =>
      placed.map(({ seq, record }) => rowOf(keyOf(id), seq, record)),
    )
    for (const chunk of inChunks(rows)) {
      const values = valuesSql(['text', 'bigint', 'text', 'text', 'bytea'], chunk.length)
      await ask(`INSERT INTO ${records} (doc_id, seq, kind, payload, blob) VALUES ${values}`, chunk.flatMap(valuesOf))
    }
  }

  /** Removes the records that `heads` know of. @throws {StreamConflictError} others have added some; to be run again. */
  async #clear(ask: Ask, writes: readonly StreamWrite[], heads: ReadonlyMap<string, StreamHead>): Promise<void> {
    if (writes.length === 0) return
    const { docs, records } = this.#tables
    const kept = writes.filter(({ meta }) => meta === undefined).map(({ id }) => keyOf(id))
    if (kept.length > 0) await ask(`UPDATE ${docs} SET data = data WHERE doc_id = ANY ($1::text[])`, [kept])
    const ends = writes.map(({ id }) => (heads.get(id) as StreamHead).seqNext)
    const places = [writes.map(({ id }) => keyOf(id)), ends]
    const cleared = 'unnest($1::text[], $2::bigint[]) AS c (id, seq_end)'
    await ask(`DELETE FROM ${records} r USING ${cleared} WHERE r.doc_id = c.id AND r.seq < c.seq_end`, places)
    const beyond = `EXISTS (SELECT 1 FROM ${records} r WHERE r.doc_id = c.id AND r.seq >= c.seq_end)`
    const [moved] = await ask(`SELECT c.id FROM ${cleared} WHERE ${beyond} LIMIT 1`, places)
    if (moved !== undefined) throw conflict(idOfKey(String(moved['id'])))
  }

  async #appendAll(
    ask: Ask,
    chunks: readonly RecordRow[][],
    write: (ask: Ask, chunk: readonly RecordRow[]) => Promise<void>,
  ): Promise<void> {
    // What was numbered from 1 on for each document goes on from there in each chunk.
    const done = new Map<string, number>()
    for (const chunk of chunks) {
      const shifted = chunk.map((row) => ({ ...row, seq: row.seq - (done.get(row.key) ?? 0) }))
      await write(ask, shifted)
      for (const { key, seq } of chunk) done.set(key, seq)
    }
  }

  /** One statement that finds the places, sees that the documents exist and keeps them so, and writes. */
  #appendSql(rows: readonly RecordRow[]): [sql: string, values: unknown[]] {
    const { docs, records } = this.#tables
    const keys = [...new Set(rows.map(({ key }) => key))]
    const n = keys.length
    const list = `(${keys.map((_, i) => `$${5 * rows.length + i + 1}::text`).join(', ')})`
    const sql =
      `WITH v (id, n, kind, payload, blob) AS (VALUES ${valuesSql(['text', 'bigint', 'text', 'text', 'bytea'], rows.length)}), ` +
      `d AS (SELECT doc_id, xmin AS made FROM ${docs} WHERE doc_id ${n === 1 ? '=' : 'IN'} ${list} ORDER BY doc_id FOR SHARE), ` +
      // A row that has been written since the statement began is locked as it is now, but records are seen as they were then.
      `m AS (SELECT d.doc_id, coalesce((SELECT max(r.seq) FROM ${records} r WHERE r.doc_id = d.doc_id), -1) AS last FROM d ` +
      `JOIN ${docs} s ON s.doc_id = d.doc_id AND s.xmin = d.made) ` +
      `INSERT INTO ${records} (doc_id, seq, kind, payload, blob) SELECT m.doc_id, m.last + v.n, v.kind, v.payload, v.blob ` +
      'FROM v JOIN m ON m.doc_id = v.id RETURNING doc_id'
    return [sql, [...rows.flatMap(valuesOf), ...keys]]
  }

  #rangeSql({ from, isAfter, end }: KeyRange, limit: number, values: unknown[]): string {
    const column = 'doc_id COLLATE "C"'
    const place = (value: unknown): string => `$${values.push(value)}`
    const before = end === undefined ? '' : ` AND ${column} < ${place(end)}`
    return (
      `(SELECT doc_id FROM ${this.#tables.docs} WHERE ${column} ${isAfter ? '>' : '>='} ${place(from)}${before} ` +
      `ORDER BY ${column} LIMIT ${place(limit)})`
    )
  }
}

function valuesOf({ key, seq, kind, payload, blob }: RecordRow): Row[string][] {
  return [key, seq, kind, payload, blob]
}

/** What the program has pg make of BYTEA: bytes, or the text that the server sends. */
function bytesOf(blob: unknown): unknown {
  if (typeof blob !== 'string' || !blob.startsWith('\\x')) return blob
  return Uint8Array.from({ length: blob.length / 2 - 1 }, (_, i) =>
    Number.parseInt(blob.slice(2 * i + 2, 2 * i + 4), 16),
  )
}

function conflict(id: string): StreamConflictError {
  const message =
    `postgres stream store: stream ${JSON.stringify(id)}: another program, which takes no locks, added records each time that it ` +
    'was to be cleared; nothing was written; do it when less is written'
  return new StreamConflictError('STREAM_CONFLICT', message, { id })
}
