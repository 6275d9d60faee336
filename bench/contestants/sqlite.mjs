/**
 * The durable limit: SQLite by hand, on the binding that Varve uses on this machine and with the same settings. One typed
 * row and one index (that of the text key), WAL, `synchronous=FULL`: what is acknowledged survives a power cut.
 */
async function loadBinding() {
  try {
    return { name: 'node:sqlite', Database: (await import('node:sqlite')).DatabaseSync }
  } catch (error) {
    if (error.code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error
    const { DatabaseSync } = await import('@photostructure/sqlite')
    return { name: '@photostructure/sqlite', Database: DatabaseSync }
  }
}

const { name, Database } = await loadBinding()
export const BINDING = name

export function openDatabase(path) {
  return new Database(path)
}

const CREATE = `CREATE TABLE people(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, age INTEGER NOT NULL, city TEXT NOT NULL,
  role TEXT NOT NULL, active INTEGER NOT NULL, note TEXT, version INTEGER NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL)`
const INSERT = 'INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'
const GROUP_MAX = 100

export class RawSqlite {
  #database
  #insert
  #begin
  #commit
  #waiting = []

  constructor(path) {
    this.#database = openDatabase(path)
    this.#database.exec('PRAGMA journal_mode = WAL')
    this.#database.exec('PRAGMA synchronous = FULL')
    this.#database.exec(CREATE)
    this.#insert = this.#database.prepare(INSERT)
    this.#begin = this.#database.prepare('BEGIN IMMEDIATE')
    this.#commit = this.#database.prepare('COMMIT')
  }

  /** One commit, and so one sync of the disk, for this record. */
  insert(data) {
    const now = Date.now()
    const { id, name, email, age, city, role, active, note } = data
    this.#insert.run(id, name, email, age, city, role, active ? 1 : 0, note, 1, now, now)
  }

  /** Joins whoever else is waiting in this turn of the event loop; up to a hundred share a commit. */
  insertGrouped(data) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ data, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => this.#writeGroup())
    })
  }

  #writeGroup() {
    const group = this.#waiting.splice(0, GROUP_MAX)
    try {
      this.#begin.run()
      for (const { data } of group) this.insert(data)
      this.#commit.run()
    } catch (error) {
      for (const { reject } of group) reject(error)
      throw error
    }
    for (const { resolve } of group) resolve()
    if (this.#waiting.length > 0) setImmediate(() => this.#writeGroup())
  }

  /** Groups of a hundred without anybody waiting for them: no promises at all. */
  insertInGroups(records) {
    for (let at = 0; at < records.length; at += GROUP_MAX) {
      this.#begin.run()
      for (const record of records.slice(at, at + GROUP_MAX)) this.insert(record)
      this.#commit.run()
    }
  }

  get count() {
    return Number(this.#database.prepare('SELECT count(*) AS n FROM people').get().n)
  }

  close() {
    this.#database.close()
  }
}
