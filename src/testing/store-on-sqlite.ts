import { asError } from '../base/errors.js'
import { Store } from '../core-store.js'
import { SqliteStorage } from '../log/sqlite-storage.js'
import type { StorageAdapter } from '../log/storage.js'
import type { SqliteAdapter } from '../sqlite/port.js'
import { checkRejects, checkSame } from './expect.js'
import { runStorageCase, storageCases } from './storage-conformance.js'

/** A database for one case. */
export interface StoreDatabase {
  /** A connection to it: another one each time, or the same. */
  connect(): SqliteAdapter
  /** Called at the end. Closes the connections. */
  cleanup?(): void | Promise<void>
}

/** What a store is run on. */
export interface StoreOnSqliteOptions {
  /** A fresh, empty database for each case. */
  create(): StoreDatabase | Promise<StoreDatabase>
  /** The storage on a connection. Default: `new SqliteStorage(connection)`. */
  storage?(connection: SqliteAdapter): StorageAdapter
  /** True when a second storage is refused while the first is open; default false: then the last one takes over. */
  readonly exclusive?: boolean
}

/** One check of a store on a connection. Throws or rejects when it does not hold. */
export interface StoreOnSqliteCase {
  readonly name: string
  run(options: StoreOnSqliteOptions): Promise<void>
}

/** What `runStoreOnSqlite` found. */
export interface StoreOnSqliteReport {
  readonly passed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly error: Error }[]
}

const FIELDS = 300
const ROWS = 2_500
const LARGE = 300_000

/** What a whole-store case works with. */
interface Place extends StoreDatabase {
  storage(): StorageAdapter
  readonly exclusive: boolean
  /** What no call could be rejected with: nothing, at the end. */
  readonly errors: Error[]
}

type WholeCase = readonly [name: string, run: (place: Place) => Promise<void>]

const TEXT = 'ä€𝄞\u0000"\\\'\ud800'
const buckets = {
  notes: {
    key: 'id',
    schema: { id: { type: 'string' }, text: { type: 'string' }, size: { type: 'number', default: 0 } },
    indexes: ['size'],
  },
} as const

function start(place: Place, errors: Error[] = place.errors) {
  const onError = (error: Error): void => void errors.push(error)
  return Store.start({ name: 'on-sqlite', buckets, persistence: { adapter: place.storage() }, onError })
}

/** What one value `sql` answers with. */
function asked(place: Place, sql: string, ...params: readonly string[]): unknown {
  for (const row of place.connect().iterate(sql, ...params)) return Object.values(row)[0]
  return undefined
}

const WHOLE: readonly WholeCase[] = [
  ['what a store has written is there when it is opened again', reopened],
  ['a transaction that fails leaves nothing', undone],
  ['what was emptied and dropped is in the database no more', erased],
  ['tables of others stay as they are, and keep their names', besideOthers],
  ['many, wide and large records come back', manyAndLarge],
  ['L4: the store that opened a shared database last is the only one that writes to it', takenOver],
]

async function reopened(place: Place): Promise<void> {
  const store = await start(place)
  checkSame(store.openReport.created, true, 'a fresh database is created')
  const live: number[] = []
  const off = store
    .bucket('notes')
    .where({ size: { gte: 2 } })
    .live((rows) => live.push(rows.length))
  const topics: string[] = []
  await store.on('bucket.notes.*', (_event, topic) => void topics.push(topic))
  await store.bucket('notes').insert({ id: 'a', text: TEXT, size: 1 })
  await store.transaction(async (tx) => {
    await tx.bucket('notes').insert({ id: 'b', text: 'two', size: Number.MAX_SAFE_INTEGER })
    await tx.bucket('notes').insert({ id: 'c', size: Number.POSITIVE_INFINITY })
  })
  await store.bucket('notes').update('a', { size: 2.5 })
  await store.bucket('notes').delete('c')
  await store.settle()
  off()
  await store.stop()
  checkSame(live.at(-1), 2, 'a live query has the last state')
  checkSame(topics.length, 5, 'events of the bucket')
  const again = await start(place)
  const found = await again.bucket('notes').where({}).orderBy('id')
  const expected = [
    ['a', TEXT, 2.5],
    ['b', 'two', Number.MAX_SAFE_INTEGER],
  ]
  checkSame(
    found.map(({ id, text, size }) => [id, text, size]),
    expected,
    'records',
  )
  checkSame(again.openReport.created, false, 'it was there before')
  const types: string[] = []
  for await (const entry of again.log.read({ after: 0 })) types.push(entry.type)
  checkSame(types.length, 4, 'the log has every commit')
  await again.stop()
}

async function undone(place: Place): Promise<void> {
  const store = await start(place)
  await store.bucket('notes').insert({ id: 'a' })
  const failing = store.transaction(async (tx) => {
    await tx.bucket('notes').insert({ id: 'b' })
    throw new Error('mine')
  })
  await checkRejects(failing, 'Error', 'the transaction fails with its own error')
  await checkRejects(store.bucket('notes').insert({ id: 'a' }), 'DuplicateKeyError', 'a key is taken')
  await store.stop()
  const again = await start(place)
  checkSame([await again.bucket('notes').count(), again.openReport.head], [1, 1], 'records and head')
  await again.stop()
}

async function erased(place: Place): Promise<void> {
  const store = await start(place)
  const others = await store.defineBucket('others', { key: 'id', schema: { id: { type: 'string' } } })
  await store.bucket('notes').insert({ id: 'secret-1' })
  await others.insert({ id: 'secret-2' })
  await store.bucket('notes').clear()
  await store.dropBucket('others')
  await store.bucket('notes').insert({ id: 'after' })
  await store.flush()
  const left = "SELECT count(*) FROM varve_log WHERE instr(body, 'secret') > 0"
  checkSame(asked(place, left), 0, 'entries that still have the data')
  await store.stop()
  const again = await start(place)
  checkSame(await again.bucket('notes').keys(), ['after'], 'keys')
  await again.stop()
}

async function besideOthers(place: Place): Promise<void> {
  const mine = place.connect()
  mine.exec('CREATE TABLE notes(a TEXT)')
  mine.exec('INSERT INTO notes VALUES (?)', 'mine')
  const store = await start(place)
  await store.bucket('notes').insert({ id: 'a' })
  await store.stop()
  checkSame(asked(place, 'SELECT group_concat(a) FROM notes'), 'mine', 'the table of others')
  const view = String(asked(place, "SELECT view FROM varve_buckets WHERE name = 'notes'"))
  checkSame(asked(place, `SELECT id FROM "${view}"`), 'a', 'the view of the bucket')
  const again = await start(place)
  checkSame([again.openReport.created, await again.bucket('notes').count()], [false, 1], 'it is found again')
  await again.stop()
}

async function manyAndLarge(place: Place): Promise<void> {
  const store = await start(place)
  const schema = Object.fromEntries(
    Array.from({ length: FIELDS }, (_, i) => [`field${i}`, { type: 'number' } as const]),
  )
  const wide = await store.defineBucket('wide', { key: 'id', schema: { id: { type: 'string' }, ...schema } })
  await wide.insert({ id: 'w', ...{ [`field${FIELDS - 1}`]: 7 } })
  await store.flush()
  checkSame(asked(place, 'SELECT field1 IS NULL FROM wide'), 1, 'its view can be read')
  for (let from = 0; from < ROWS; from += 500) {
    const rows = Array.from({ length: 500 }, (_, i) => ({ id: `n${from + i}`, size: from + i }))
    await Promise.all(rows.map((row) => store.bucket('notes').insert(row)))
  }
  for (let i = 0; i < 8; i++) await store.bucket('notes').insert({ id: `large${i}`, text: 'x'.repeat(LARGE) })
  await store.stop()
  const again = await start(place)
  checkSame(await again.bucket('notes').count(), ROWS + 8, 'all of them')
  checkSame((await again.bucket('notes').get('large7'))?.text?.length, LARGE, 'a large one')
  const wideAgain = await again.defineBucket('wide', { key: 'id', schema: { id: { type: 'string' }, ...schema } })
  checkSame(((await wideAgain.get('w')) as Record<string, unknown>)[`field${FIELDS - 1}`], 7, 'a wide one')
  await again.stop()
}

async function takenOver(place: Place): Promise<void> {
  const errors: Error[] = []
  const first = await start(place, errors)
  await first.bucket('notes').insert({ id: 'a' })
  await first.flush()
  if (place.exclusive) {
    await checkRejects(start(place), 'StorageLockedError', 'a second store')
    await first.stop()
    return
  }
  const second = await start(place)
  checkSame(await second.bucket('notes').keys(), ['a'], 'what the first has written')
  await second.bucket('notes').insert({ id: 'b' })
  await second.flush()
  // Where nothing is durable it resolves before it is written, and the error comes another way.
  await first
    .bucket('notes')
    .insert({ id: 'late' })
    .catch((error: unknown) => void errors.push(asError(error)))
  await first.flush()
  checkSame(
    errors.map((error) => [error.name, error.message.includes('(L4)')]),
    [['StorageLockedError', true]],
    'refusals',
  )
  await second.bucket('notes').insert({ id: 'c' })
  await first.stop()
  await second.stop()
  const third = await start(place)
  checkSame(await third.bucket('notes').keys(), ['a', 'b', 'c'], 'what the second has written')
  await third.stop()
}

/** All checks: the storage contract, and whole stores. */
export const storeOnSqliteCases: readonly StoreOnSqliteCase[] = [
  ...storageCases.map((one) => ({
    name: `storage contract: ${one.name}`,
    run: (options: StoreOnSqliteOptions) => {
      const create = async () => {
        const place = await placeOf(options)
        const cleanup = async (): Promise<void> => place.cleanup?.()
        return { adapter: place.storage(), reopen: () => place.storage(), cleanup }
      }
      return runStorageCase(one, { create, exclusive: options.exclusive ?? false })
    },
  })),
  ...WHOLE.map(([name, run]) => ({
    name,
    async run(options: StoreOnSqliteOptions) {
      const place = await placeOf(options)
      try {
        await run(place)
        checkSame(
          place.errors.map((error) => error.message),
          [],
          'errors in the background',
        )
      } finally {
        await place.cleanup?.()
      }
    },
  })),
]

/**
 * Runs all checks of a store on connections, one after the other, without a test framework: in browsers, workers, anywhere.
 *
 * @returns what passed and what failed; it does not reject for a check that failed.
 */
export async function runStoreOnSqlite(options: StoreOnSqliteOptions): Promise<StoreOnSqliteReport> {
  const passed: string[] = []
  const failed: { name: string; error: Error }[] = []
  for (const one of storeOnSqliteCases) {
    try {
      await one.run(options)
      passed.push(one.name)
    } catch (error) {
      failed.push({ name: one.name, error: asError(error) })
    }
  }
  return { passed, failed }
}

async function placeOf(options: StoreOnSqliteOptions): Promise<Place> {
  const database = await options.create()
  const make = options.storage ?? ((connection: SqliteAdapter) => new SqliteStorage(connection))
  return {
    connect: () => database.connect(),
    cleanup: () => database.cleanup?.(),
    storage: () => make(database.connect()),
    exclusive: options.exclusive ?? false,
    errors: [],
  }
}
