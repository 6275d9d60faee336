import { asError, InvalidArgumentError, VarveError } from '../base/errors.js'
import { type Binding, Connection, type SqliteDatabase, type SqliteDriver, asSqliteError } from './binding.js'
import { betterBinding } from './from-better-sqlite3.js'
import { nodeBinding } from './from-node.js'
import type { PreparingDatabase } from './recognise.js'

/** No SQLite binding can be loaded here. Nothing was done. */
export class SqliteMissingError extends VarveError {
  override readonly name = 'SqliteMissingError'

  constructor(causes: readonly Error[]) {
    const message =
      'SQLite: neither node:sqlite nor @photostructure/sqlite can be loaded; nothing was done; run Node.js 22.13 or ' +
      'newer, which has node:sqlite, or install @photostructure/sqlite, or hand a better-sqlite3 database over: ' +
      'new SQLiteAdapter({ database })'
    super('SQLITE_MISSING', message, { cause: new AggregateError(causes, causes.map((one) => one.message).join('; ')) })
  }
}

/** A connection that a user made, ready to be used: it is never closed here. */
export interface AdoptedDatabase {
  readonly database: SqliteDatabase
  /** Opens further files with the same binding. */
  readonly driver: SqliteDriver
  /** The file it is on; `:memory:` for none. */
  readonly path: string
}

type Constructor = new (path: string, options?: object) => PreparingDatabase

/** Both names of the class: it is being renamed. */
interface NodeModule {
  readonly Database?: Constructor
  readonly DatabaseSync?: Constructor
}

/**
 * The SQLite binding of this machine: `node:sqlite` where Node.js, Bun or Deno has it, else `@photostructure/sqlite`,
 * which has the same interface and runs on Node 20.
 *
 * @throws {SqliteMissingError} there is neither.
 */
export async function loadSqlite(): Promise<SqliteDriver> {
  const causes: Error[] = []
  for (const load of [loadNodeSqlite, loadPhotostructure]) {
    try {
      return await load()
    } catch (error) {
      causes.push(asError(error))
    }
  }
  throw new SqliteMissingError(causes)
}

/** The driver on `node:sqlite`. Rejects where there is none. */
export async function loadNodeSqlite(): Promise<SqliteDriver> {
  return driverOf('node:sqlite', withoutWarning() ?? (await import('node:sqlite')))
}

/** The driver on `@photostructure/sqlite`. Rejects where it is not installed. */
export async function loadPhotostructure(): Promise<SqliteDriver> {
  return driverOf('@photostructure/sqlite', await import('@photostructure/sqlite'))
}

/**
 * Takes a connection of better-sqlite3, node:sqlite or @photostructure/sqlite into use.
 *
 * @throws {InvalidArgumentError} it is not one.
 */
export function adoptDatabase(database: unknown): AdoptedDatabase {
  if (!isNativeDatabase(database)) {
    throw new InvalidArgumentError('SQLiteAdapter.database', 'an open better-sqlite3 or node:sqlite database', database)
  }
  const wrapped = new Connection(bindingOf(database), false)
  const row = wrapped.prepare("SELECT file FROM pragma_database_list WHERE name = 'main'").get()
  return {
    database: wrapped,
    driver: driverOf('the given database', { Database: database.constructor as Constructor }),
    path: typeof row?.file === 'string' && row.file !== '' ? row.file : ':memory:',
  }
}

function isNativeDatabase(value: unknown): value is PreparingDatabase {
  if (typeof value !== 'object' || value === null) return false
  return ['exec', 'prepare', 'close'].every((name) => typeof (value as { [key: string]: unknown })[name] === 'function')
}

/** Which of the two kinds: a statement of better-sqlite3 says whether it answers rows. */
function bindingOf(database: PreparingDatabase): Binding {
  return 'defaultSafeIntegers' in database ? betterBinding(database) : nodeBinding(database)
}

/** The bindings spell it in two ways, and better-sqlite3 refuses the other. */
function readOnlyOf(Database: Constructor): object {
  return 'defaultSafeIntegers' in Database.prototype ? { readonly: true } : { readOnly: true }
}

function driverOf(name: string, module: NodeModule): SqliteDriver {
  const Database = module.Database ?? module.DatabaseSync
  if (Database === undefined) throw new Error(`${name} has neither Database nor DatabaseSync`)
  return {
    name,
    open(path, readOnly = false) {
      try {
        const native = readOnly ? new Database(path, readOnlyOf(Database)) : new Database(path)
        return new Connection(bindingOf(native), true)
      } catch (error) {
        throw asSqliteError(error)
      }
    },
  }
}

/**
 * `node:sqlite` without the warning that it is experimental, which Node 22 and 24 print on the first use: it says
 * nothing to somebody who chose Varve. Synchronous, so no other warning can pass meanwhile.
 */
function withoutWarning(): NodeModule | undefined {
  const { emitWarning } = process
  if (typeof process.getBuiltinModule !== 'function') return undefined
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (!String(warning).startsWith('SQLite is an experimental')) {
      ;(emitWarning as (...args: unknown[]) => void).call(process, warning, ...rest)
    }
  }
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
