import { compareIds } from '../streams/id-order.js'
import { recordOfKyneta } from '../streams/kyneta-rows.js'
import type {
  EntriesToAppend,
  PlacedRecord,
  PlanWrites,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from '../streams/stream-backend.js'
import { checksum } from '../base/checksum.js'
import type { Ask, PostgresAccess, Row } from './access.js'
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

/** The backend on tables of PostgreSQL. */
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
        `SELECT k.id, d.data::text AS data, (SELECT max(seq) FROM ${records} r WHERE r.doc_id = k.id)::text AS seq ` +
        `FROM unnest($1::text[]) AS k (id) LEFT JOIN ${docs} d ON d.doc_id = k.id`,
      // Sizes are known without reading what is large. After what a page has room for comes one row more, without content.
      page:
        `SELECT m.mark, p.seq::text AS seq, p.kind, p.payload, p.blob, p.made, p.whole FROM (SELECT ` +
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

  async commit(ids: readonly string[], plan: PlanWrites): Promise<void> {
    const keys = ids.map(keyOf)
    await this.#access.transaction(this.#locks(keys), async (ask) => {
      const heads = await this.#heads(ask, ids, keys)
      await this.#write(ask, plan(heads))
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
    // Who was beaten to the place takes the locks.
    if (!done)
      await this.#access.transaction(this.#locks([...counts.keys()]), (ask) => this.#appendAll(ask, chunks, write))
    return batch.map(({ id }) => there.has(keyOf(id)))
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
    const fitting = placed.slice(0, limit).filter((row) => row['whole'] === true)
    const records = fitting.map((row): PlacedRecord => {
      const seq = Number(row['seq'])
      return { seq, record: recordOfKyneta(id, seq, row['kind'], row['payload'], row['blob']) }
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

  async #heads(ask: Ask, ids: readonly string[], keys: readonly string[]): Promise<Map<string, StreamHead>> {
    const byKey = new Map(keys.map((key, i) => [key, ids[i] as string]))
    const heads = new Map<string, StreamHead>()
    for (const row of await ask(this.#sql.heads, [keys])) {
      const id = byKey.get(String(row['id'])) as string
      const meta = row['data'] === null ? null : metaOfJsonb(id, row['data'])
      heads.set(id, { meta, seqNext: row['seq'] === null ? 0 : Number(row['seq']) + 1 })
    }
    return heads
  }

  async #write(ask: Ask, writes: readonly StreamWrite[]): Promise<void> {
    const { docs, records } = this.#tables
    const keysOf = (chosen: readonly StreamWrite[]): string[] => chosen.map(({ id }) => keyOf(id)).sort()
    const gone = keysOf(writes.filter(({ meta }) => meta === null))
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
    const cleared = keysOf(writes.filter(({ clear }) => clear))
    if (cleared.length > 0) await ask(`DELETE FROM ${records} WHERE doc_id = ANY ($1::text[])`, [cleared])
    const rows = writes.flatMap(({ id, records: placed }) =>
      placed.map(({ seq, record }) => rowOf(keyOf(id), seq, record)),
    )
    for (const chunk of inChunks(rows)) {
      const values = valuesSql(['text', 'bigint', 'text', 'text', 'bytea'], chunk.length)
      await ask(`INSERT INTO ${records} (doc_id, seq, kind, payload, blob) VALUES ${values}`, chunk.flatMap(valuesOf))
    }
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
      `d AS (SELECT doc_id FROM ${docs} WHERE doc_id ${n === 1 ? '=' : 'IN'} ${list} ORDER BY doc_id FOR SHARE), ` +
      `m AS (SELECT d.doc_id, coalesce((SELECT max(r.seq) FROM ${records} r WHERE r.doc_id = d.doc_id), -1) AS last FROM d) ` +
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
