/**
 * Dispatches that survive a power cut when they resolve: one caller after the other, and a hundred at once. Beside them what the disk
 * itself can do (a small write and an fsync), what SQLite can do by hand, and a transaction of the same writes.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BINDING } from '../contestants/sqlite.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { DEFINITION, expect, makeRecords } from '../data.mjs'
import { rawRow } from './raw-row.mjs'
import { concurrently, timed } from './writers.mjs'

const CALLERS = 100
/** As much as SQLite writes at least for a commit: a page of the log. */
const PAGE = Buffer.alloc(4096, 1)

const EVENT = {
  schema: DEFINITION.schema,
  reduce: ({ data }) => ({ people: { insert: data } }),
}

export function eventCases({ scale, dir }) {
  const alone = timed(Math.max(20, Math.round(1_500 * scale)))
  const crowd = timed(Math.max(CALLERS * 2, Math.round(20_000 * scale)))
  const folder = () => mkdtempSync(join(dir, 'varve-bench-'))

  const disk = (contestant, { records }) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    isFresh: true,
    setup: () => {
      const at = folder()
      return { at, file: openSync(join(at, 'raw'), 'w') }
    },
    check: () => undefined,
    run: ({ file }) => {
      for (let i = 0; i < records.length; i++) {
        writeSync(file, PAGE)
        fsyncSync(file)
      }
    },
    teardown: ({ at, file }) => {
      closeSync(file)
      rmSync(at, { recursive: true })
    },
  })
  const raw = rawRow(folder)
  const varve = (contestant, limit, target, { first, records }, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    limit,
    ...(target && { target }),
    isFresh: true,
    setup: async () => {
      const at = folder()
      const { store } = await openVarve({ file: join(at, 'varve.db') })
      store.defineEvent('person/added', EVENT)
      await store.defineBucket('sourced', { ...DEFINITION, sourced: true })
      globalThis.gc?.()
      await run(store, first)
      return { at, store }
    },
    run: ({ store }) => run(store, records),
    check: async (_, { store }) => {
      const count = (await store.bucket('people').count()) + (await store.bucket('sourced').count())
      expect(count, first.length + records.length, contestant)
      expect(store.position.durable, store.position.visible, `${contestant}: durable`)
    },
    teardown: async ({ at, store }) => {
      await store.stop()
      rmSync(at, { recursive: true })
    },
  })
  const dispatch = (store, record) => store.dispatch('person/added', record)
  const transact = (store, record) => store.transaction((tx) => tx.bucket('people').insert(record))
  const source = (store, record) => store.bucket('sourced').insert(record)
  const one = {
    name: 'events-one',
    title: `dispatches, one after the other (${BINDING}, WAL, synchronous=FULL)`,
    rounds: 11,
    rows: [
      disk('the disk: 4 KB and fsync', alone),
      raw('raw SQLite, one insert each', alone, (store, records) => {
        for (const record of records) store.insert(record)
      }),
      // 3,000 a second, or 0.7 of the disk's rate where the disk is slower than that.
      varve('Varve, dispatch', 'the disk: 4 KB and fsync', { atMost: 1e9 / 3_000 }, alone, async (store, records) => {
        for (const record of records) await dispatch(store, record)
      }),
    ],
  }
  const many = {
    name: 'events-many',
    title: `${CALLERS} callers at once (${BINDING}, WAL, synchronous=FULL)`,
    rounds: 11,
    rows: [
      raw('raw SQLite, group commit', crowd, (store, records) =>
        concurrently(CALLERS, records, (record) => store.insertGrouped(record)),
      ),
      ...[
        ['Varve, transaction', undefined, transact],
        ['Varve, dispatch', { atMost: 1e9 / 30_000 }, dispatch],
        ['Varve, insert into a sourced bucket', undefined, source],
      ].map(([name, target, write]) =>
        varve(name, 'raw SQLite, group commit', target, crowd, (store, records) =>
          concurrently(CALLERS, records, (record) => write(store, record)),
        ),
      ),
    ],
  }
  const replay = {
    name: 'events-replay',
    title: 'a log of simple events, handled again',
    rounds: 7,
    rows: [
      replayed('Varve, replay of reducers', 'none', replayAll),
      replayed('Varve, a projection made of a file', 'disk', rebuildAll),
    ],
  }
  const places = []
  const records = makeRecords(Math.max(100, Math.round(20_000 * scale)))
  const eventCount = Math.max(records.length, Math.round(1_000_000 * scale))
  const open = {
    name: 'events-open',
    title: `opening a store of ${records.length} records in a file, after a log of events`,
    rounds: 7,
    rows: [
      opened('the records alone', records, 0),
      // A second more than the rows alone need, which is far below that.
      {
        ...opened(`the records, and ${eventCount} events`, records, eventCount),
        limit: 'the records alone',
        target: { atMost: 1e9 },
      },
    ],
  }
  const close = () => places.forEach((at) => rmSync(at, { recursive: true }))
  return { cases: [one, many, replay, open], close }

  function opened(contestant, rows, count) {
    const file = () => join(places[count === 0 ? 0 : 1], 'varve.db')
    return {
      contestant,
      durability: 'disk',
      ops: 1,
      unit: 'ns/open',
      isFresh: true,
      setup: async () => {
        if (places.length === 0) {
          places.push(folder(), folder())
          await fillForOpening(join(places[0], 'varve.db'), rows, 0)
          await fillForOpening(join(places[1], 'varve.db'), rows, eventCount)
        }
        globalThis.gc?.()
        return {}
      },
      run: async (state) => {
        state.store = await openWithHistory(file())
        return state.store.bucket('people').count()
      },
      check: (found) => expect(found, rows.length, contestant),
      teardown: ({ store }) => store.stop(),
    }
  }

  function replayed(contestant, durability, prepare) {
    const count = Math.max(1_000, Math.round(100_000 * scale))
    let entries
    return {
      contestant,
      durability,
      ops: count,
      target: { atMost: 1e9 / 200_000 },
      isFresh: true,
      setup: async () => {
        entries ??= simpleEvents(count)
        globalThis.gc?.()
        return prepare(entries, dir)
      },
      run: ({ run }) => run(),
      check: async (_, { check }) => expect(await check(), ITEMS, contestant),
      teardown: ({ stop }) => stop(),
    }
  }
}

/** As many records as the events are about. */
const ITEMS = 1_000
const SUMS = { key: 'id', schema: { id: { type: 'string' }, sum: { type: 'number' } } }

/** Entries of simple events, as they come out of a log. */
function simpleEvents(count) {
  return Array.from({ length: count }, (_, i) =>
    Object.freeze({
      seq: i + 1,
      id: `6f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b-${i + 1}`,
      at: 1_700_000_000_000 + i,
      type: 'sold',
      data: Object.freeze({ id: `item ${i % ITEMS}`, n: i % 10 }),
      event: Object.freeze({}),
      changes: Object.freeze([]),
    }),
  )
}

async function openWithHistory(file) {
  const { Store } = await import('varve')
  return Store.start({ file, history: 'forever', buckets: { people: DEFINITION }, onError: console.error })
}

/** A closed store of `rows`, after a log of so many events. */
async function fillForOpening(file, rows, eventCount) {
  await writeLog(file, simpleEvents(eventCount))
  const store = await openWithHistory(file)
  await store.bucket('people').insertMany(rows)
  await store.stop()
}

/** Writes `entries` to a new file, as a store would have done. */
async function writeLog(file, entries) {
  const { SQLiteAdapter } = await import('varve')
  const adapter = new SQLiteAdapter(file)
  const host = { store: 'bench', now: () => 0, uuid: () => 'bench', setTimer: () => ({ cancel() {} }), onError() {} }
  await adapter.open(host)
  for (let i = 0; i < entries.length; i += 1_000) {
    await adapter.append(i, { entries: entries.slice(i, i + 1_000), ops: [], durability: 'process' })
  }
  await adapter.close()
}

async function* each(entries) {
  yield* entries
}

/** All events through their reducer, into a store in memory. */
async function replayAll(entries) {
  const { ReplayStore } = await import('../../dist/sourcing/replay-store.js')
  const store = await ReplayStore.open()
  await store.define({
    buckets: { sums: SUMS },
    events: {
      sold: {
        schema: { id: { type: 'string', required: true }, n: { type: 'number', required: true } },
        reduce: ({ data: { id, n } }, view) => ({
          sums: { upsert: { id, sum: (view.bucket('sums').get(id)?.sum ?? 0) + n } },
        }),
      },
    },
  })
  const [sums] = store.buckets
  return { run: () => store.replay(each(entries)), check: () => sums.table.size, stop: () => store.stop() }
}

/** A projection made of a log in a file. */
async function rebuildAll(entries, dir) {
  const { Store } = await import('varve')
  const at = mkdtempSync(join(dir, 'varve-bench-'))
  const file = join(at, 'varve.db')
  await writeLog(file, entries)
  const store = await Store.start({
    file,
    history: 'forever',
    buckets: { sums: SUMS },
    events: { sold: {} },
    onError: console.error,
  })
  const run = async () => {
    await store.defineProjection('sums', {
      from: ['sold'],
      into: ['sums'],
      apply: ({ data: { id, n } }, tx) => {
        const sums = tx.bucket('sums')
        sums.upsert({ id, sum: (sums.get(id)?.sum ?? 0) + n })
      },
    })
    await store.projected()
  }
  const stop = async () => {
    await store.stop()
    rmSync(at, { recursive: true })
  }
  return { run, check: () => store.bucket('sums').count(), stop }
}
