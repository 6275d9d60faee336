/**
 * Record streams on better-sqlite3: by hand, with statements that are prepared once; Varve, in both formats; and
 * @kyneta/sqlite-store. All write the same rows into a file with the same settings.
 */
import { fromBetterSqlite3 as kynetaAdapter, SqliteStore } from '@kyneta/sqlite-store'
import Database from 'better-sqlite3'
import { fromBetterSqlite3 } from 'varve/sqlite'
import { createSqliteStreamStore } from 'varve/streams'

export const META = {
  kind: 'meta',
  meta: {
    replicaType: ['yjs', 1, 0],
    syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
    schemaHash: 'h1',
  },
}

/** An update of about 100 bytes, as collaborative editors send them. */
export function entry(i) {
  const data = new Uint8Array(100)
  for (let at = 0; at < data.length; at++) data[at] = (i * 31 + at * 7) & 0xff
  return { kind: 'entry', payload: { kind: 'since', encoding: 'binary', data }, version: String(i) }
}

const INSERT = 'INSERT INTO kyneta_records (doc_id, seq, kind, payload, blob) VALUES (?, ?, ?, ?, ?)'

/** @param level of PRAGMA synchronous: FULL survives a power cut, NORMAL the end of the process. */
function open(path, level) {
  const database = new Database(path)
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${level}`)
  return database
}

/** The limit: what the binding does when nobody checks, orders or looks anything up. The numbers of records are counted here. */
export class BareStreams {
  #database
  #insert
  #select
  #tail
  #meta
  #seqs = new Map()
  #waiting = []

  constructor(path, level) {
    this.#database = open(path, level)
    this.#database.exec(`
      CREATE TABLE kyneta_doc_meta (doc_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE kyneta_records (doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, blob BLOB,
        PRIMARY KEY (doc_id, seq)) WITHOUT ROWID`)
    this.#insert = this.#database.prepare(INSERT)
    this.#select = this.#database.prepare(
      'SELECT kind, payload, blob FROM kyneta_records WHERE doc_id = ? ORDER BY seq',
    )
    this.#tail = this.#database.prepare(
      'SELECT seq, kind, payload, blob FROM kyneta_records WHERE doc_id = ? AND seq > ? ORDER BY seq',
    )
    this.#meta = this.#database.prepare('SELECT data FROM kyneta_doc_meta WHERE doc_id = ?')
  }

  create(id) {
    const text = JSON.stringify(META.meta)
    this.#database.prepare('INSERT INTO kyneta_doc_meta VALUES (?, ?)').run(id, text)
    this.#insert.run(id, 0, 'meta', text, null)
    this.#seqs.set(id, 0)
  }

  append(id, { payload: { kind, encoding, data }, version }) {
    const seq = this.#seqs.get(id) + 1
    this.#seqs.set(id, seq)
    this.#insert.run(id, seq, 'entry', JSON.stringify({ kind, encoding, version }), data)
  }

  /** Whoever waits in this turn of the event loop shares a commit. */
  appendGrouped(id, record) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, record, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => this.#writeGroup())
    })
  }

  #writeGroup() {
    const group = this.#waiting.splice(0)
    try {
      this.transaction(() => {
        for (const { id, record } of group) this.append(id, record)
      })
    } catch (error) {
      for (const { reject } of group) reject(error)
      throw error
    }
    for (const { resolve } of group) resolve()
  }

  transaction(work) {
    this.#database.transaction(work)()
  }

  loadAll(id) {
    return this.#select.all(id).map(decode)
  }

  tail(id, after) {
    return this.#tail.all(id, after).map((row) => ({ ...decode(row), seq: row.seq }))
  }

  meta(id) {
    return JSON.parse(this.#meta.get(id).data)
  }

  close() {
    this.#database.close()
  }
}

function decode({ kind, payload, blob }) {
  const content = JSON.parse(payload)
  if (kind === 'meta') return { kind, meta: content }
  const { version, ...rest } = content
  return { kind, payload: { ...rest, data: new Uint8Array(blob) }, version }
}

/** @param format undefined: kyneta's. */
export async function openVarveStreams(path, level, format) {
  const adapter = fromBetterSqlite3(open(path, level), { own: true })
  return await createSqliteStreamStore(adapter, format === undefined ? {} : { format })
}

export function openKynetaStreams(path, level) {
  return new SqliteStore(kynetaAdapter(open(path, level)))
}

export async function collect(records) {
  const all = []
  for await (const record of records) all.push(record)
  return all
}
