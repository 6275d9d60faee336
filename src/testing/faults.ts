import type { FileSystem } from '../log/file-system.js'
import type { Appended, Batch, Missed, StorageAdapter } from '../log/storage.js'
import {
  type SqliteBind,
  type SqliteDatabase,
  type SqliteDriver,
  SqliteError,
  type SqliteStatement,
} from '../sqlite/binding.js'
import type { SqliteAdapter } from '../sqlite/port.js'

/** Which call fails, and how. */
export interface Fault {
  /** The n-th call fails, counted from 1. */
  readonly failAt: number
  /** Made anew for each failure. */
  error(): Error
  /** `'after'` does the work first and then fails, as a lost answer does. Default `'before'`. */
  readonly when?: 'before' | 'after'
  /** How many calls fail in a row. Default 1. */
  readonly times?: number
  /** Only calls with such a name count. Default all. */
  readonly only?: RegExp
}

/** Counts calls and makes one of them fail. Used by all the wrappers here; arm it late to leave the setup alone. */
export class FaultPlan {
  #calls = 0
  #hits = 0
  #fault: Fault | undefined

  constructor(fault?: Fault) {
    this.#fault = fault
  }

  /** Starts counting anew, for `fault`; without one nothing fails. */
  arm(fault: Fault | undefined): void {
    this.#calls = 0
    this.#hits = 0
    this.#fault = fault
  }

  /** Calls that failed since `arm`. A loop over n ends with the first run in which this stays 0. */
  get hits(): number {
    return this.#hits
  }

  /** Calls that counted since `arm`, while there was a fault to wait for: one with a `failAt` of `Infinity` counts only. */
  get calls(): number {
    return this.#calls
  }

  /** Does `work`, or fails. */
  run<T>(name: string, work: () => T): T {
    const fault = this.#fault
    if (fault === undefined || fault.only?.test(name) === false) return work()
    const call = ++this.#calls
    if (call < fault.failAt || call >= fault.failAt + (fault.times ?? 1)) return work()
    this.#hits++
    if (fault.when === 'after') work()
    throw fault.error()
  }
}

/**
 * An adapter whose n-th call fails: calls are `open`, `loadBucket`, `append`, `readLog`, `flush`, `trim`, `backup` and
 * `close`.
 *
 * @param plan a fault, or a plan to arm later.
 */
export function faultyAdapter(adapter: StorageAdapter, plan: Fault | FaultPlan): StorageAdapter {
  const faults = plan instanceof FaultPlan ? plan : new FaultPlan(plan)
  const later = async <T>(name: string, work: () => Promise<T> | T): Promise<T> => await runLater(faults, name, work)
  const { immediate, counterOf, quarantined, backup } = adapter
  return {
    ...(immediate === undefined ? {} : { immediate }),
    ...(counterOf === undefined ? {} : { counterOf: (bucket) => counterOf.call(adapter, bucket) }),
    ...(quarantined === undefined ? {} : { quarantined: () => quarantined.call(adapter) }),
    ...(backup === undefined ? {} : { backup: (path) => later('backup', () => backup.call(adapter, path)) }),
    open: (context) => later('open', () => adapter.open(context)),
    async *loadBucket(bucket) {
      yield* faults.run('loadBucket', () => adapter.loadBucket(bucket))
    },
    append(expectedHead: number, batch: Batch): Appended | Missed | Promise<Appended | Missed> {
      if (immediate === true) return faults.run('append', () => adapter.append(expectedHead, batch))
      return later('append', () => adapter.append(expectedHead, batch))
    },
    async *readLog(after, options) {
      yield* faults.run('readLog', () => adapter.readLog(after, options))
    },
    flush: () => later('flush', () => adapter.flush()),
    trim: (budget) => later('trim', () => adapter.trim(budget)),
    close: () => later('close', () => adapter.close()),
  }
}

/** As `FaultPlan.run`, where `'after'` waits for the work. */
async function runLater<T>(faults: FaultPlan, name: string, work: () => Promise<T> | T): Promise<T> {
  const settled: { promise?: Promise<T> | T } = {}
  try {
    return await faults.run(name, () => (settled.promise = work()))
  } catch (error) {
    await settled.promise
    throw error
  }
}

/** A SQLite driver whose n-th statement fails: each `exec`, `prepare`, `run`, `get` and `all` counts, named by its SQL. */
export function faultyDriver(driver: SqliteDriver, plan: Fault | FaultPlan): SqliteDriver {
  const faults = plan instanceof FaultPlan ? plan : new FaultPlan(plan)
  return {
    name: driver.name,
    open: (path) =>
      faultyDatabase(
        faults.run(`open ${path}`, () => driver.open(path)),
        faults,
      ),
  }
}

function faultyDatabase(database: SqliteDatabase, faults: FaultPlan): SqliteDatabase {
  return {
    exec: (sql) => faults.run(sql, () => database.exec(sql)),
    prepare: (sql) =>
      faultyStatement(
        faults.run(sql, () => database.prepare(sql)),
        sql,
        faults,
      ),
    begins: database.begins,
    isInTransaction: () => database.isInTransaction(),
    transaction: (fn) => faults.run('transaction', () => database.transaction(fn)),
    close: () => database.close(),
  }
}

function faultyStatement(statement: SqliteStatement, sql: string, faults: FaultPlan): SqliteStatement {
  return {
    run: (...values) => faults.run(sql, () => statement.run(...values)),
    get: (...values) => faults.run(sql, () => statement.get(...values)),
    all: (...values) => faults.run(sql, () => statement.all(...values)),
  }
}

/**
 * A connection of `varve/sqlite` whose n-th call fails: each `exec` and `iterate` counts, named by its SQL, and each
 * `transaction` twice: as a whole (`transaction`: before, it does not begin; after, it is committed and its answer is lost), and
 * at its commit (`commit`: refused, so that all is undone). `close` never fails.
 */
export function faultySqliteAdapter(adapter: SqliteAdapter, plan: Fault | FaultPlan): SqliteAdapter {
  const faults = plan instanceof FaultPlan ? plan : new FaultPlan(plan)
  return {
    exec: (sql, ...params) => faults.run(sql, () => adapter.exec(sql, ...params)),
    iterate: <T>(sql: string, ...params: readonly SqliteBind[]) =>
      faults.run(sql, () => [...adapter.iterate<T>(sql, ...params)]),
    transaction: <R>(fn: () => R) =>
      faults.run('transaction', () =>
        adapter.transaction(() => {
          const result = fn()
          faults.run('commit', () => undefined)
          return result
        }),
      ),
    close: () => adapter.close(),
  }
}

/** A file system whose n-th call fails. Calls that only look (`exists`, `identity`, `size`) never do. */
export function faultyFiles(files: FileSystem, plan: Fault | FaultPlan): FileSystem {
  const faults = plan instanceof FaultPlan ? plan : new FaultPlan(plan)
  return {
    exists: (path) => files.exists(path),
    identity: (path) => files.identity(path),
    size: (path) => files.size(path),
    list: (folder) => faults.run('list', () => files.list(folder)),
    makeFolder: (path) => faults.run('makeFolder', () => files.makeFolder(path)),
    readText: (path) => faults.run('readText', () => files.readText(path)),
    open: (path, flags) => faults.run('open', () => files.open(path, flags)),
    close: (handle) => faults.run('close', () => files.close(handle)),
    read: (handle, buffer, position) => faults.run('read', () => files.read(handle, buffer, position)),
    write: (handle, bytes, position) => faults.run('write', () => files.write(handle, bytes, position)),
    truncate: (handle, length) => faults.run('truncate', () => files.truncate(handle, length)),
    sync: (handle) => faults.run('sync', () => files.sync(handle)),
    syncFolder: (path) => faults.run('syncFolder', () => files.syncFolder(path)),
    rename: (from, to) => faults.run('rename', () => files.rename(from, to)),
    link: (from, to) => faults.run('link', () => files.link(from, to)),
    remove: (path) => faults.run('remove', () => files.remove(path)),
  }
}

/** What SQLite says when the disk is full. */
export function sqliteFull(): SqliteError {
  return new SqliteError('database or disk is full', 'FULL', 13)
}

/** What SQLite says when the disk fails. */
export function sqliteIoError(): SqliteError {
  return new SqliteError('disk I/O error', 'IOERR', 10)
}

/** What SQLite says while another program writes. */
export function sqliteBusy(): SqliteError {
  return new SqliteError('database is locked', 'BUSY', 5)
}

/** What node:fs throws with `code`, for example `ENOSPC` or `EIO`. */
export function fileFault(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code })
}
