/** Inserts that survive a power cut when they resolve. Every round writes a file of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BINDING, RawSqlite } from '../contestants/sqlite.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { expect, makeRecords } from '../data.mjs'

const WRITERS = 100

export function durableCases({ scale, dir }) {
  const alone = makeRecords(Math.max(20, Math.round(1_500 * scale)))
  const crowd = makeRecords(Math.max(WRITERS * 2, Math.round(20_000 * scale)))
  const folder = () => mkdtempSync(join(dir, 'varve-bench-'))

  const raw = (contestant, records, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    isFresh: true,
    setup: () => {
      const at = folder()
      return { at, store: new RawSqlite(join(at, 'raw.db')) }
    },
    run: ({ store }) => run(store),
    check: (_, { store }) => expect(store.count, records.length, contestant),
    teardown: ({ at, store }) => {
      store.close()
      rmSync(at, { recursive: true })
    },
  })
  const varve = (contestant, limit, target, records, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    limit,
    target,
    isFresh: true,
    setup: async () => {
      const at = folder()
      return { at, store: (await openVarve({ file: join(at, 'varve.db') })).store }
    },
    run: ({ store }) => run(store.bucket('people')),
    check: async (_, { store }) => {
      expect(await store.bucket('people').count(), records.length, contestant)
      expect(store.position.durable, store.position.visible, `${contestant}: durable`)
    },
    teardown: async ({ at, store }) => {
      await store.stop()
      rmSync(at, { recursive: true })
    },
  })
  const oneWriter = {
    name: 'durable-one',
    title: `durable inserts, one writer (${BINDING}, WAL, synchronous=FULL)`,
    rounds: 11,
    rows: [
      raw('raw SQLite', alone, (store) => {
        for (const record of alone) store.insert(record)
      }),
      varve('Varve', 'raw SQLite', { minRate: 0.8 }, alone, async (people) => {
        for (const record of alone) await people.insert(record)
      }),
    ],
  }
  const manyWriters = {
    name: 'durable-many',
    title: `durable inserts, ${WRITERS} concurrent writers (${BINDING}, WAL, synchronous=FULL)`,
    rounds: 11,
    rows: [
      raw('raw SQLite, group commit', crowd, (store) => concurrently(crowd, (record) => store.insertGrouped(record))),
      varve('Varve', 'raw SQLite, group commit', { minRate: 0.6 }, crowd, (people) =>
        concurrently(crowd, (record) => people.insert(record)),
      ),
      raw('raw SQLite, groups without writers', crowd, (store) => store.insertInGroups(crowd)),
    ],
  }
  return { cases: [oneWriter, manyWriters] }
}

/** Inserts `records` from a hundred writers, each of which waits for its own insert before it goes on. */
async function concurrently(records, insert) {
  const writer = async (first) => {
    for (let i = first; i < records.length; i += WRITERS) await insert(records[i])
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, i) => writer(i)))
}
