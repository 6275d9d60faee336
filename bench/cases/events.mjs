/**
 * Dispatches that survive a power cut when they resolve: one caller after the other, and a hundred at once. Beside them what the disk
 * itself can do (a small write and an fsync), what SQLite can do by hand, and a transaction of the same writes.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BINDING, RawSqlite } from '../contestants/sqlite.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { DEFINITION, expect, makeRecords } from '../data.mjs'

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
  const raw = (contestant, { first, records }, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    isFresh: true,
    setup: async () => {
      const at = folder()
      const store = new RawSqlite(join(at, 'raw.db'))
      globalThis.gc?.()
      await run(store, first)
      return { at, store }
    },
    run: ({ store }) => run(store, records),
    check: (_, { store }) => expect(store.count, first.length + records.length, contestant),
    teardown: ({ at, store }) => {
      store.close()
      rmSync(at, { recursive: true })
    },
  })
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
      varve('Varve, dispatch', 'the disk: 4 KB and fsync', { minRate: 0.7 }, alone, async (store, records) => {
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
        concurrently(records, (record) => store.insertGrouped(record)),
      ),
      ...[
        ['Varve, transaction', undefined, transact],
        ['Varve, dispatch', { atMost: 1e9 / 30_000 }, dispatch],
        ['Varve, insert into a sourced bucket', undefined, source],
      ].map(([name, target, write]) =>
        varve(name, 'raw SQLite, group commit', target, crowd, (store, records) =>
          concurrently(records, (record) => write(store, record)),
        ),
      ),
    ],
  }
  return { cases: [one, many] }
}

/** Records to write before the clock starts, and as many to be timed. */
function timed(count) {
  const all = makeRecords(2 * count)
  return { first: all.slice(0, count), records: all.slice(count) }
}

/** Writes `records` from a hundred callers, each of which waits for its own write before it goes on. */
async function concurrently(records, write) {
  const caller = async (first) => {
    for (let i = first; i < records.length; i += CALLERS) await write(records[i])
  }
  await Promise.all(Array.from({ length: CALLERS }, (_, i) => caller(i)))
}
