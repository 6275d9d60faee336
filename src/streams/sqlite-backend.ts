import type { Runtime } from '../base/runtime.js'
import { connectionOf } from '../sqlite/adapter.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { retryBusy } from './sqlite-busy.js'
import { flushSqlite, isForbidden } from './sqlite-flush.js'
import { idOf, keyRange } from './sqlite-ids.js'
import { LIMIT } from './sqlite-page.js'
import type {
  EntriesToAppend,
  MaybePromise,
  PlanWrites,
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
  head(id: string): StreamHead
  /** One statement when it is one record, and nothing depends on its being in a transaction. */
  append(entries: EntriesToAppend): boolean
  /** Whether `append` is more than one statement. */
  isLarge(entries: EntriesToAppend): boolean
  write(write: StreamWrite): void
  page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined
}

/** How many stores are on one adapter. */
const STORES = new WeakMap<SqliteAdapter, number>()

/** Commits of all stores on one connection, on whatever adapters: SQLite does not tell a connection of its own. */
const COMMITS = new WeakMap<object, { count: number }>()

/** The backend on tables of SQLite. Answers at once, but for waiting where somebody else has the database locked. */
export class SqliteBackend implements StreamBackend {
  readonly name = 'sqlite'
  readonly #adapter: SqliteAdapter
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
    this.#lock = `DELETE FROM ${streams.docs} WHERE 0`
    STORES.set(adapter, (STORES.get(adapter) ?? 0) + 1)
    const connection = connectionOf(adapter)
    this.#connection = COMMITS.get(connection) ?? { count: 0 }
    this.#commits = this.#connection.count
    COMMITS.set(connection, this.#connection)
  }

  commit(ids: readonly string[], plan: PlanWrites): MaybePromise<void> {
    return this.#write(() =>
      this.#adapter.transaction(() => {
        // The right to write first: an adapter may begin transactions without it, and then what is read next could be old.
        this.#adapter.exec(this.#lock)
        const heads = new Map(ids.map((id) => [id, this.#streams.head(id)]))
        for (const write of plan(heads)) this.#streams.write(write)
      }),
    )
  }

  append(batch: readonly EntriesToAppend[]): MaybePromise<readonly boolean[]> {
    const [only] = batch
    if (batch.length === 1 && only !== undefined && !this.#streams.isLarge(only))
      return this.#write(() => [this.#streams.append(only)])
    return this.#write(() => this.#adapter.transaction(() => batch.map((entries) => this.#streams.append(entries))))
  }

  head(id: string): MaybePromise<StreamHead> {
    return this.#retry(() => this.#streams.head(id))
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
    return this.#retry(() => flushSqlite(this.#adapter))
  }

  close(): void {
    const left = (STORES.get(this.#adapter) ?? 1) - 1
    STORES.set(this.#adapter, left)
    if (left === 0) this.#adapter.close()
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
