import { type AdapterOptions, adapterOf } from './adapter.js'
import { quietly } from '../base/quietly.js'
import { type Binding, type BoundStatement, CHANGING } from './binding.js'
import { inTransactionOf } from './in-transaction.js'
import type { SqliteAdapter } from './port.js'
import { checkDatabase, type PreparingDatabase } from './recognise.js'
import { traitsOf } from './traits.js'

interface LibsqlStatement {
  run(values: unknown[]): { readonly changes: number | bigint }
  all(values: unknown[]): unknown[]
  safeIntegers(enabled: boolean): unknown
}

/**
 * The adapter on a connection of libsql. Text with a NUL character is refused, since libsql reads it only up to there. TEXT
 * that is no UTF-8, which other programs can write, ends the process when libsql reads it; nothing can be done about that here.
 *
 * @throws {InvalidArgumentError} it is none. {SqliteError} it is not open.
 */
export function fromLibsql(database: PreparingDatabase, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromLibsql', database, 'an open database of libsql')
  return adapterOf('fromLibsql', libsqlBinding(database), options, database)
}

/** The binding of a connection of libsql. */
export function libsqlBinding(database: PreparingDatabase): Binding {
  return {
    traits: traitsOf(database, (sql) => libsqlStatement(database.prepare(sql) as LibsqlStatement, false)),
    exec: (sql) => database.exec(sql),
    prepare(sql, { verb }) {
      if (TRANSACTIONAL.includes(verb)) return command(database, sql)
      const changes = CHANGING.includes(verb)
      const statement = libsqlStatement(database.prepare(sql) as LibsqlStatement, changes)
      return changes ? writing(database, statement) : statement
    },
    inTransaction: () => inTransactionOf(database),
    close: () => database.close(),
  }
}

const TRANSACTIONAL: readonly string[] = ['BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE']

/**
 * A statement that finds the database locked stays in progress until it runs again, and no transaction can be committed as long
 * as that. One that `exec` runs does not.
 */
function command(database: PreparingDatabase, sql: string): BoundStatement {
  const run = (): never[] => {
    database.exec(sql)
    return []
  }
  return { run: () => run().length, get: () => run()[0], all: run }
}

/** A statement that writes: it runs within a transaction, so that it never is what finds the database locked. */
function writing(database: PreparingDatabase, inner: BoundStatement): BoundStatement {
  const within = <T>(work: () => T): T => {
    if (inTransactionOf(database) === true) return work()
    database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      database.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite may have rolled back already.
      quietly(() => database.exec('ROLLBACK'))
      throw error
    }
  }
  return {
    ...inner,
    run: (values) => within(() => inner.run(values)),
    get: (values) => within(() => inner.get(values)),
    all: (values) => within(() => inner.all(values)),
  }
}

/** It is handed its values in an array, always: a lone BLOB would be taken for names and values, and end the process. */
function libsqlStatement(native: LibsqlStatement, changes: boolean): BoundStatement {
  return {
    // Its own `get`, and `run` of what answers rows, leave the statement open at the first of them.
    run: (values) => (changes ? native.run(values).changes : native.all(values).length),
    get: (values) => native.all(values)[0],
    all: (values) => native.all(values),
    widen() {
      native.safeIntegers(true)
    },
  }
}
