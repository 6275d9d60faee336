import { quietly } from '../base/quietly.js'
import type { SqliteDatabase } from '../sqlite/binding.js'
import type { ViewLimits } from './sqlite-names.js'
import type { Durability } from './storage.js'

/** What a database takes at most, where that is less than SQLite itself takes. */
export interface SqliteLimits extends ViewLimits {
  /** UTF-16 units of records that are read as one text. */
  readonly chunkLength: number
  /** Bytes of entries that are read as one text, unless one alone has more. */
  readonly pageBytes: number
}

/**
 * Where a database is, and what follows from that: who else may write to it, what a commit survives, what is on the disk
 * besides it. There are two kinds: a file of this machine (`sqlite-file-place.ts`), and a connection of which no more is
 * known than that it runs statements (`connectionPlace`).
 */
export interface SqlitePlace {
  /** Names it in messages: a canonical path, `:memory:`, or `(connection)`. */
  readonly name: string
  /** Path of the file; undefined for a connection. */
  readonly file: string | undefined
  readonly database: SqliteDatabase
  /**
   * True when no other store can write there while this one has it open: it has the lock, or has made the database in
   * memory. Otherwise each transaction looks whether another store has taken over (L4).
   */
  readonly isExclusive: boolean
  /** True when tables of others may be in the database. */
  readonly isShared: boolean
  /** True when freed pages are overwritten, so that erasing means something. Known after `configure`. */
  readonly erases: boolean
  readonly limits: SqliteLimits
  /** The strongest level of a commit. Known after `startJournal`. */
  readonly durability: Durability
  /** Settings of the connection. Changes nothing in the database. */
  configure(): void
  /** Readies the journal, and whatever else has to be there before the first write. The database is known to be a store. */
  startJournal(): void
  /** Remembers what is open, so that its removal is noticed. */
  watch(): void
  /**
   * Says how the next commits are synced, outside of a transaction: `full` ones have to survive a power cut.
   *
   * @returns whether they are full: a place with one way of syncing only stays with that.
   */
  setFull(full: boolean): boolean
  /** Resolves when all that is committed survives a power cut. Absent: a commit does that by itself. */
  sync?(): Promise<void>
  /** @throws {StorageError} what was opened is not there any more; the transaction has to be undone. */
  check(doing: string, clock: { now(): number }): void
  /** Makes what was erased unreadable beside the database, too. @returns false when somebody is in the way. */
  eraseJournal(): boolean
  /** Leaves the database complete by itself, before it is closed. Never throws. */
  leave(): void
  /** Closes the connection, where it was opened here, and gives the lock back. Safe twice. */
  release(): void
}

const CONNECTION_LIMITS: SqliteLimits = {
  // Of a Durable Object: it cannot read a view of more columns, its statements have 100 KB at most and its values 2 MB. A
  // statement here has 56 parameters at most, of 100.
  // Source: https://developers.cloudflare.com/durable-objects/platform/limits/#sql-storage-limits
  viewColumns: 100,
  viewLength: 30_000,
  chunkLength: 500_000,
  pageBytes: 1_000_000,
}

/** What whoever opens a connection knows about it. */
export interface ConnectionFacts {
  /** For messages. */
  readonly name: string
  /** True when nobody else has this connection, nor another one to its database. */
  readonly isExclusive: boolean
  /** True when tables of others may be in the database. */
  readonly isShared: boolean
  /** Lets go of the connection; absent where that is its owner's affair. */
  close?(): void
  /** What a commit survives at best, as somebody says who knows; undefined where nobody does. */
  readonly survives: Durability | undefined
}

/**
 * A connection whose place is not known: to a database in memory, in the storage of a browser, or of a Durable Object.
 * Settings that it refuses are left as they are; the others of whoever made it are not touched.
 */
export function connectionPlace(database: SqliteDatabase, facts: ConnectionFacts): SqlitePlace {
  let erases = false
  return {
    name: facts.name,
    file: undefined,
    database,
    isExclusive: facts.isExclusive,
    isShared: facts.isShared,
    limits: CONNECTION_LIMITS,
    durability: facts.survives ?? database.survives ?? guessSurvives(database),
    get erases() {
      return erases
    },
    configure() {
      // Durable Objects refuse it: what is deleted there is gone for readers, and in freed pages for a while.
      quietly(() => database.exec('PRAGMA secure_delete = ON'))
      erases = Number(askedValue(database, 'PRAGMA secure_delete')) === 1
      // In a transaction it has no effect, and some refuse it; then commits survive what they survived before.
      quietly(() => database.exec('PRAGMA synchronous = FULL'))
    },
    startJournal: () => undefined,
    setFull: () => true,
    ...(database.sync === undefined ? {} : { sync: () => database.sync?.() ?? Promise.resolve() }),
    watch: () => undefined,
    check: () => undefined,
    eraseJournal: () => true,
    leave: () => undefined,
    release: () => facts.close?.(),
  }
}

/** The file of the main database as SQLite names it; '' for one in memory, undefined where it does not tell. */
export function databaseFile(database: SqliteDatabase): string | undefined {
  const file = askedValue(database, "SELECT file FROM pragma_database_list WHERE name = 'main'")
  return file === null ? '' : file === undefined ? undefined : String(file)
}

function guessSurvives(database: SqliteDatabase): Durability {
  if (database.sync !== undefined) return 'disk'
  // Without a file it is in memory. With one, nobody here knows what it is on.
  return databaseFile(database) === '' ? 'memory' : 'process'
}

/** The one value that `sql` answers with; undefined where it is refused. */
function askedValue(database: SqliteDatabase, sql: string): unknown {
  // Refused is an answer, too.
  const row = quietly(() => database.prepare(sql).get())
  return row === undefined ? undefined : Object.values(row)[0]
}
