/**
 * Inserts that survive a power cut when they resolve. Every round writes a file of its own, and begins with inserts that are not
 * timed: a process that writes is warm, and a collection between rounds throws away what the engine has compiled for the last file.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BINDING } from '../contestants/sqlite.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { expect } from '../data.mjs'
import { rawRow } from './raw-row.mjs'
import { concurrently, timed } from './writers.mjs'

const WRITERS = 100

export function durableCases({ scale, dir }) {
  const alone = timed(Math.max(20, Math.round(1_500 * scale)))
  const crowd = timed(Math.max(WRITERS * 2, Math.round(20_000 * scale)))
  const folder = () => mkdtempSync(join(dir, 'varve-bench-'))

  const raw = rawRow(folder)
  const varve = (contestant, limit, target, { first, records }, run) => ({
    contestant,
    durability: 'disk',
    ops: records.length,
    limit,
    target,
    isFresh: true,
    setup: async () => {
      const at = folder()
      const { store } = await openVarve({ file: join(at, 'varve.db') })
      globalThis.gc?.()
      await run(store.bucket('people'), first)
      return { at, store }
    },
    run: ({ store }) => run(store.bucket('people'), records),
    check: async (_, { store }) => {
      expect(await store.bucket('people').count(), first.length + records.length, contestant)
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
      raw('raw SQLite', alone, (store, records) => {
        for (const record of records) store.insert(record)
      }),
      varve('Varve', 'raw SQLite', { minRate: 0.8 }, alone, async (people, records) => {
        for (const record of records) await people.insert(record)
      }),
    ],
  }
  const manyWriters = {
    name: 'durable-many',
    title: `durable inserts, ${WRITERS} concurrent writers (${BINDING}, WAL, synchronous=FULL)`,
    rounds: 11,
    rows: [
      raw('raw SQLite, group commit', crowd, (store, records) =>
        concurrently(WRITERS, records, (record) => store.insertGrouped(record)),
      ),
      varve('Varve', 'raw SQLite, group commit', { minRate: 0.6 }, crowd, (people, records) =>
        concurrently(WRITERS, records, (record) => people.insert(record)),
      ),
      raw('raw SQLite, groups without writers', crowd, (store, records) => store.insertInGroups(records)),
    ],
  }
  return { cases: [oneWriter, manyWriters] }
}
