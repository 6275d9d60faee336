import type { Runtime } from '../base/runtime.js'
import { connectionOf, DATABASES } from '../sqlite/adapter.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { StreamDamagedError } from './errors.js'
import { isBusy, mustNotBeInTransaction, retryBusy } from './sqlite-busy.js'
import { flushSqlite, isForbidden } from './sqlite-flush.js'
import { idOf, keyRange } from './sqlite-ids.js'
import { LIMIT } from './sqlite-page.js'
import type {
  EntriesToAppend,
  MaybePromise,
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from './stream-backend.js'

/** Streams in one format of tables. All of it is synchronous, and within a transaction where that matters. */
export interface SqliteStreams {
  /** The table of documents, quoted. */
  readonly docs: string
  /** What tells its documents from rows that are none, as `AND …`; empty: all are. */
  readonly isDoc: string
  /** Answers docs, records and bytes. */
  readonly statsSql: string
  /** Never throws for damage: says it. */
  head(id: string): StreamHead
  /** One statement when it is one record, and nothing depends on its being in a transaction. */
  append(entries: EntriesToAppend): boolean
  /** Whether `append` is more than one statement. */
  isLarge(entries: EntriesToAppend): boolean
  write(write: StreamWrite): void
  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined
  /** Whether that is still the whole stream. In a transaction. */
  isUnmoved(state: ReadState): boolean
  traceOf?(records: readonly PlacedRecord[]): unknown
}

/** How many stores are on one adapter. */
const STORES = new WeakMap<SqliteAdapter, number>()

/** Commits of all stores on one connection, on whatever adapters: SQLite does not tell a connection of its own. */
const COMMITS = new WeakMap<object, { count: number }>()

/** What no smaller transaction would do better at. */
const OF_ALL = /^SQLITE_(FULL|READONLY|IOERR|CANTOPEN|NOTADB|AUTH)/

/** The backend on tables of SQLite. Answers at once, but for waiting where somebody else has the database locked. */
export class SqliteBackend implements StreamBackend {
  readonly name = 'sqlite'
  /** Only where it can be seen that a transaction is open. */
  readonly appendsAtOnce: boolean
  readonly traceOf?: (records: readonly PlacedRecord[]) => unknown
  readonly #adapter: SqliteAdapter
  /** Of an adapter of others nobody knows what is open on it. */
  readonly #database: SqliteDatabase | undefined
  readonly #streams: SqliteStreams
  readonly #runtime: Runtime
  readonly #connection: { count: number }
  readonly #lock: string
  /** Commits of this one among them, and those before it. */
  #commits: number

  constructor(adapter: SqliteAdapter, streams: SqliteStreams, runtime: Runtime) {
    this.#adapter = adapter
    this.#streams = streams
    this.#runtime = runtime
    // Never true, which is known before any row is looked at. With a parameter it is prepared once.
    this.#lock = `DELETE FROM ${streams.docs} WHERE ? = 0`
    if (streams.traceOf !== undefined) this.traceOf = (records) => streams.traceOf?.(records)
    this.#database = DATABASES.get(adapter)
    this.appendsAtOnce = this.#database !== undefined && this.#database.isInTransaction() !== undefined
    STORES.set(adapter, (STORES.get(adapter) ?? 0) + 1)
    const connection = connectionOf(adapter)
    this.#connection = COMMITS.get(connection) ?? { count: 0 }
    this.#commits = this.#connection.count
    COMMITS.set(connection, this.#connection)
  }

  commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): MaybePromise<void> {
    return this.#write(() =>
      this.#adapter.transaction(() => {
        // The right to write first: an adapter may begin transactions without it, and then what is read next could be old.
        this.#adapter.exec(this.#lock, 1)
        const heads = new Map(ids.map((id) => [id, this.#streams.head(id)]))
        const unmoved = new Set(read.filter((state) => this.#isUnmoved(state)))
        for (const write of plan(heads, unmoved)) this.#streams.write(write)
      }),
    )
  }

  append(batch: readonly EntriesToAppend[]): MaybePromise<readonly boolean[]> {
    const [only] = batch
    // Not by `#write`: each closure costs, where all else is one statement.
    if (only === undefined || batch.length > 1 || this.#streams.isLarge(only)) return this.#appendMany(batch)
    try {
      return this.#appendOne(only)
    } catch (error) {
      if (!isBusy(error)) throw error
      return this.#appendMany(batch)
    }
  }

  #appendOne(entries: EntriesToAppend): readonly boolean[] {
    mustNotBeInTransaction(this.#database, 'write')
    const existed = this.#streams.append(entries)
    this.#connection.count++
    this.#commits++
    return [existed]
  }

  #appendMany(batch: readonly EntriesToAppend[]): MaybePromise<readonly boolean[]> {
    return this.#write(() => this.#adapter.transaction(() => batch.map((entries) => this.#streams.append(entries))))
  }

  isOfAll(error: Error): boolean {
    const { code } = error as { code?: unknown }
    return isBusy(error) || (typeof code === 'string' && OF_ALL.test(code))
  }

  head(id: string): MaybePromise<StreamHead> {
    return this.#retry(() => {
      const head = this.#streams.head(id)
      if (head.damage !== undefined && head.meta === null) throw head.damage
      return head
    })
  }

  page(id: string, after: number, limit: number, mark: unknown): MaybePromise<StreamPage | undefined> {
    return this.#retry(() => this.#streams.page(id, after, limit, mark))
  }

  list(prefix: string, after: string | undefined, limit: number): MaybePromise<readonly string[]> {
    return this.#retry(() => {
      const { docs, isDoc } = this.#streams
      const { where, binds } = keyRange(prefix, after)
      const sql = `SELECT CAST(doc_id AS BLOB) AS id FROM ${docs} WHERE ${where}${isDoc} ORDER BY doc_id ${LIMIT}`
      return [...this.#adapter.iterate<{ id: unknown }>(sql, ...binds, limit)].map((row) => idOf(row.id))
    })
  }

  version(): MaybePromise<unknown> {
    return this.#retry(() => {
      const others = this.#connection.count - this.#commits
      return `${this.#dataVersion()} ${others}`
    })
  }

  stats(): MaybePromise<{ docs: number; records: number; bytes: number }> {
    return this.#retry(() => {
      const [row] = [...this.#adapter.iterate<{ [column: string]: unknown }>(this.#streams.statsSql)]
      return { docs: Number(row?.['docs']), records: Number(row?.['records']), bytes: Number(row?.['bytes'] ?? 0) }
    })
  }

  flush(): MaybePromise<void> {
    return this.#retry(() => {
      mustNotBeInTransaction(this.#database, 'flush')
      flushSqlite(this.#adapter)
    })
  }

  close(): void {
    const left = (STORES.get(this.#adapter) ?? 1) - 1
    STORES.set(this.#adapter, left)
    if (left === 0) this.#adapter.close()
  }

  #isUnmoved(state: ReadState): boolean {
    try {
      return this.#streams.isUnmoved(state)
    } catch (error) {
      if (error instanceof StreamDamagedError) return false
      throw error
    }
  }

  /** Changes when another connection has written. */
  #dataVersion(): string {
    try {
      const [row] = [...this.#adapter.iterate<{ data_version: unknown }>('PRAGMA data_version')]
      return String(row?.data_version)
    } catch (error) {
      // A Durable Object has one connection, and does not let anybody ask.
      if (!isForbidden(error)) throw error
      return ''
    }
  }

  #write<T>(work: () => T): MaybePromise<T> {
    return this.#retry(() => {
      mustNotBeInTransaction(this.#database, 'write')
      const result = work()
      this.#connection.count++
      this.#commits++
      return result
    })
  }

  #retry<T>(work: () => T): MaybePromise<T> {
    return retryBusy(this.#runtime, work)
  }
}
