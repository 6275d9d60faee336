import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileAdapter, MemoryAdapter, SQLiteAdapter } from '../../../src/index.js'
import type { SnapshotAdapter, StorageAdapter } from '../../../src/index.js'
import { loadNodeSqlite, loadPhotostructure } from '../../../src/sqlite/load.js'
import type { SqliteDriver } from '../../../src/sqlite/binding.js'

/** Where one store keeps its data, from run to run. */
export interface Place {
  /** An adapter on the place; those before it are closed. */
  adapter(): StorageAdapter | SnapshotAdapter
  cleanup(): void
}

/** A kind of storage. */
export interface Kind {
  readonly name: string
  /** Whether the log, not only the rows, outlives the store. */
  readonly keepsLog: boolean
  make(): Place
}

const require = createRequire(import.meta.url)

/** A new folder in memory where the machine has that: nothing here cuts the power, and a sync costs milliseconds. */
export function quickFolder(name: string): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), name))
}

function inFolder(adapter: (path: string) => StorageAdapter, close: () => void = () => undefined): Place {
  const folder = quickFolder('varve-proof-')
  return {
    adapter: () => adapter(join(folder, 'store')),
    cleanup: () => {
      close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function betterSqlite(): Kind | undefined {
  try {
    const Database = require('better-sqlite3') as new (path: string) => { close(): void }
    new Database(':memory:').close()
    const make = (): Place => {
      const open: { close(): void }[] = []
      const close = (): void => open.splice(0).forEach((database) => database.close())
      return inFolder((path) => {
        close()
        const database = new Database(path)
        open.push(database)
        return new SQLiteAdapter({ database })
      }, close)
    }
    return { name: 'sqlite on better-sqlite3', keepsLog: true, make }
  } catch (error) {
    console.warn(`better-sqlite3 cannot be loaded here: ${String(error)}`)
    return undefined
  }
}

async function sqlite(load: () => Promise<SqliteDriver>): Promise<Kind | undefined> {
  try {
    const driver = await load()
    return {
      name: `sqlite on ${driver.name}`,
      keepsLog: true,
      make: () => inFolder((filename) => new SQLiteAdapter({ filename, driver })),
    }
  } catch {
    // Not every machine has every binding; the ones that load are tested.
    return undefined
  }
}

/** A key-value place in memory that keeps what it is given as text, as a disk would. */
export class TextSnapshots implements SnapshotAdapter {
  readonly texts = new Map<string, string>()

  save(key: string, state: unknown): Promise<void> {
    this.texts.set(key, JSON.stringify(state))
    return Promise.resolve()
  }

  load(key: string): Promise<unknown> {
    const text = this.texts.get(key)
    return Promise.resolve(text === undefined ? undefined : JSON.parse(text))
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.texts.delete(key))
  }

  exists(key: string): Promise<boolean> {
    return Promise.resolve(this.texts.has(key))
  }

  listKeys(): Promise<string[]> {
    return Promise.resolve([...this.texts.keys()])
  }
}

const memory: Kind = {
  name: 'memory',
  keepsLog: true,
  make: () => {
    const adapter = new MemoryAdapter()
    return { adapter: () => adapter, cleanup: () => undefined }
  },
}

const file: Kind = { name: 'file', keepsLog: true, make: () => inFolder((directory) => new FileAdapter({ directory })) }

const snapshot: Kind = {
  name: 'snapshot',
  keepsLog: false,
  make: () => {
    const adapter = new TextSnapshots()
    return { adapter: () => adapter, cleanup: () => undefined }
  },
}

/** Every storage that this machine can run. */
export const kinds: readonly Kind[] = [
  memory,
  snapshot,
  file,
  await sqlite(loadPhotostructure),
  await sqlite(loadNodeSqlite),
  betterSqlite(),
].filter((kind) => kind !== undefined)
