import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { SqliteError } from '../sqlite/binding.js'
import { loadSqlite } from '../sqlite/load.js'
import { FaultPlan, faultyDriver, sqliteBusy, sqliteFull, sqliteIoError } from '../testing/faults.js'
import {
  clearing,
  defining,
  deleting,
  dropping,
  loadRows,
  putting,
  readAll,
  type TestCommit,
  testContext,
  testRecord,
  TestWriter,
} from '../testing/storage-fixture.js'
import type { StorageError } from './errors.js'
import { SQLiteAdapter } from './sqlite-adapter.js'

const real = await loadSqlite()
const [a, b, c] = [testRecord('a'), testRecord('b'), testRecord('c')]

/** Everything that a batch can do, as one group each. */
const GROUPS: readonly (readonly TestCommit[])[] = [
  [putting('users', 3, c), deleting('users', 1, a)],
  [
    { ops: [{ op: 'counter', bucket: 'users', counter: 9 }] },
    defining('notes', { fields: ['x'] }),
    putting('notes', 1, a),
  ],
  [clearing('users'), putting('users', 4, b)],
  [dropping('users')],
]

async function prepare(dir: string, plan: FaultPlan) {
  const context = testContext()
  const adapter = new SQLiteAdapter({ filename: join(dir, 'a.db'), driver: faultyDriver(real, plan), waitMs: 0 })
  const writer = new TestWriter(adapter, context)
  writer.durability = 'disk'
  await writer.open()
  await writer.writeGroup([defining('users'), putting('users', 1, a), putting('users', 2, b)])
  return writer
}

/** What the file holds, as a store without faults finds it. */
async function found(dir: string) {
  const adapter = new SQLiteAdapter({ filename: join(dir, 'a.db'), waitMs: 0 })
  const report = await adapter.open(testContext())
  const rows = Object.fromEntries(
    await Promise.all(report.buckets.map(async ({ bucket }) => [bucket, await loadRows(adapter, bucket)])),
  )
  const entries = await readAll(adapter)
  await adapter.close()
  expect(report.quarantined).toEqual([])
  return { head: report.head, rows, entries }
}

function modelled({ model }: TestWriter) {
  const rows = Object.fromEntries(
    Array.from(model.rows, ([bucket, held]) => [
      bucket,
      Array.from(held, ([ordinal, record]) => ({ ordinal, record })),
    ]),
  )
  return { head: model.head, rows, entries: model.entries }
}

const FAULTS: readonly [name: string, error: () => SqliteError][] = [
  ['full', sqliteFull],
  ['an I/O error', sqliteIoError],
  ['busy', sqliteBusy],
]

for (const [name, error] of FAULTS) {
  for (const when of ['before', 'after'] as const) {
    it(`${name}, ${when} the n-th statement of an append: file and caller agree`, { timeout: 60_000 }, async () => {
      let unknown = 0
      for (const [g, group] of GROUPS.entries()) {
        for (let n = 1, hit = true; hit; n++) {
          const dir = mkdtempSync(join(tmpdir(), 'varve-fault-'))
          try {
            const plan = new FaultPlan()
            const writer = await prepare(dir, plan)
            const before = writer.model
            const batch = writer.batch(group)
            plan.arm({ failAt: n, error, when })
            let failure: StorageError | undefined
            try {
              const outcome = await writer.adapter.append(before.head, batch)
              expect(outcome).toEqual({ appended: true, head: before.head + group.length })
              writer.accept(batch)
            } catch (thrown) {
              failure = thrown as StorageError
            }
            hit = plan.hits > 0
            plan.arm(undefined)
            if (failure !== undefined) {
              expect(['StorageError', 'StorageFullError'], `${g}.${n}: ${failure.message}`).toContain(failure.name)
            }
            if (failure?.outcome === 'unknown') {
              unknown++
              await writer.adapter.close()
              const now = await found(dir)
              if (now.head !== before.head) writer.accept(batch)
              expect(now, `${g}.${n}`).toEqual(modelled(writer))
              continue
            }
            // The adapter goes on working, and says the same as the file.
            expect(await readAll(writer.adapter), `${g}.${n}`).toEqual(writer.model.entries)
            await writer.writeGroup([defining('more'), putting('more', 1, a)])
            await writer.adapter.close()
            expect(await found(dir), `${g}.${n}: ${failure?.message}`).toEqual(modelled(writer))
          } finally {
            rmSync(dir, { recursive: true })
          }
        }
      }
      // One fault leaves nothing unknown: what the commit did is looked up.
      expect(unknown).toBe(0)
    })
  }
}

it('when a commit fails and what it did cannot be looked up, the outcome is unknown, and the file holds all or nothing', async () => {
  for (const when of ['before', 'after'] as const) {
    const dir = mkdtempSync(join(tmpdir(), 'varve-fault-'))
    const plan = new FaultPlan()
    const writer = await prepare(dir, plan)
    const batch = writer.batch([putting('users', 3, c), deleting('users', 1, a)])
    // The commit, and everything after it.
    plan.arm({ failAt: 1, times: 1_000, only: /^(COMMIT|ROLLBACK|SELECT|PRAGMA sync)/, error: sqliteIoError, when })
    const error = await Promise.resolve(writer.adapter.append(3, batch)).catch((thrown: StorageError) => thrown)
    expect(error).toMatchObject({ name: 'StorageError', outcome: 'unknown' })
    plan.arm(undefined)
    await writer.adapter.close()
    const now = await found(dir)
    expect([3, 5]).toContain(now.head)
    if (now.head === 5) writer.accept(batch)
    expect(now).toEqual(modelled(writer))
    rmSync(dir, { recursive: true })
  }
})

it('a fault at the n-th statement of open or load harms nothing', { timeout: 60_000 }, async () => {
  for (const error of [sqliteIoError, sqliteFull]) {
    for (const fresh of [true, false]) {
      for (let n = 1, hit = true; hit; n++) {
        const dir = mkdtempSync(join(tmpdir(), 'varve-fault-'))
        const plan = new FaultPlan()
        const model = fresh ? undefined : await prepare(dir, plan)
        await model?.adapter.close()
        const adapter = new SQLiteAdapter({ filename: join(dir, 'a.db'), driver: faultyDriver(real, plan), waitMs: 0 })
        plan.arm({ failAt: n, error })
        try {
          await adapter.open(testContext())
          await loadRows(adapter, 'users')
        } catch (thrown) {
          expect((thrown as Error).name).toMatch(/^Storage/)
        }
        hit = plan.hits > 0
        plan.arm(undefined)
        await adapter.close()
        const now = await found(dir)
        if (model !== undefined) expect(now, `${n}`).toEqual(modelled(model))
        else expect(now.head, `${n}`).toBe(0)
        rmSync(dir, { recursive: true })
      }
    }
  }
})

it('a fault at the n-th statement of flush, trim or backup loses nothing', { timeout: 60_000 }, async () => {
  for (let n = 1, hit = true; hit; n++) {
    const dir = mkdtempSync(join(tmpdir(), 'varve-fault-'))
    const plan = new FaultPlan()
    const writer = await prepare(dir, plan)
    writer.durability = 'process'
    await writer.write(putting('users', 3, c))
    plan.arm({ failAt: n, error: sqliteIoError })
    for (const call of ['flush', 'trim', 'backup'] as const) {
      try {
        if (call === 'flush') await writer.adapter.flush()
        else if (call === 'trim') await writer.adapter.trim({ rows: 2 })
        else await writer.adapter.backup?.(join(dir, 'copy.db'))
      } catch (thrown) {
        expect((thrown as Error).name).toMatch(/^Storage/)
      }
    }
    hit = plan.hits > 0
    plan.arm(undefined)
    await writer.write(putting('users', 4, c))
    await writer.adapter.close()
    const now = await found(dir)
    expect(now.rows).toEqual(modelled(writer).rows)
    expect(now.entries).toEqual(writer.model.entries.slice(-now.entries.length))
    expect(now.entries.length).toBeGreaterThanOrEqual(3)
    rmSync(dir, { recursive: true })
  }
})

it('a transaction that could not be rolled back stops no later write, at any level', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'varve-fault-'))
  const plan = new FaultPlan()
  const writer = await prepare(dir, plan)
  writer.durability = 'process'
  await writer.write(putting('users', 3, c))
  plan.arm({ failAt: 1, times: 2, only: /^(INSERT INTO varve_log|ROLLBACK)/, error: sqliteIoError })
  await expect(writer.write(putting('users', 4, c))).rejects.toThrow()
  expect(plan.hits).toBe(2)
  plan.arm(undefined)
  writer.durability = 'disk'
  await writer.write(putting('users', 4, c))
  await writer.adapter.close()
  expect((await found(dir)).rows).toEqual(modelled(writer).rows)
  rmSync(dir, { recursive: true })
})
