import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FaultPlan, faultyFiles, fileFault } from '../testing/faults.js'
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
import { FileAdapter } from './file-adapter.js'
import { nodeFileSystem } from './file-system.js'

const [a, b, c] = [testRecord('a'), testRecord('b'), testRecord('c')]

/** Nobody pulls the plug here, and syncing is what takes time. */
const fast = { ...nodeFileSystem, sync() {}, syncFolder() {} }

const GROUPS: readonly (readonly TestCommit[])[] = [
  [putting('users', 3, c), deleting('users', 1, a)],
  [clearing('users'), putting('users', 4, b)],
  [dropping('users'), defining('users'), putting('users', 1, c)],
]

async function prepare(dir: string, plan: FaultPlan) {
  const files = faultyFiles(fast, plan)
  const writer = new TestWriter(new FileAdapter({ directory: join(dir, 'store'), files, waitMs: 0 }))
  writer.durability = 'disk'
  await writer.open()
  await writer.writeGroup([defining('users'), putting('users', 1, a), putting('users', 2, b)])
  return writer
}

async function found(dir: string) {
  const adapter = new FileAdapter({ directory: join(dir, 'store'), waitMs: 0, files: fast })
  const report = await adapter.open(testContext())
  const rows: Record<string, unknown> = {}
  for (const { bucket } of report.buckets) rows[bucket] = await loadRows(adapter, bucket)
  const entries = await readAll(adapter)
  expect(adapter.quarantined()).toEqual([])
  await adapter.close()
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

/** A process that dies here: its files stay, its lock is left behind. */
async function abandon(writer: TestWriter): Promise<void> {
  await writer.adapter.close().catch(() => undefined)
}

for (const when of ['before', 'after'] as const) {
  for (const times of [1, 100]) {
    it(`from the n-th file operation of an append, ${times} fail ${when} they are done: files and caller agree`, async () => {
      // Each fault twice: the store goes on after it, and the process ends right after it.
      for (const [g, group, goesOn] of GROUPS.flatMap(
        (one, i) =>
          [
            [i, one, true],
            [i, one, false],
          ] as const,
      )) {
        for (let n = 1, hit = true; hit; n++) {
          const dir = mkdtempSync(join(tmpdir(), 'varve-ffault-'))
          try {
            const plan = new FaultPlan()
            const writer = await prepare(dir, plan)
            const before = writer.model
            const batch = writer.batch(group)
            plan.arm({ failAt: n, times, error: () => fileFault(n % 2 === 0 ? 'ENOSPC' : 'EIO'), when })
            let failure: StorageError | undefined
            try {
              await writer.adapter.append(before.head, batch)
              writer.accept(batch)
            } catch (thrown) {
              failure = thrown as StorageError
              expect(['StorageError', 'StorageFullError'], failure.stack).toContain(failure.name)
            }
            hit = plan.hits > 0
            plan.arm(undefined)
            const about = `${g}.${n}: ${failure?.message} ${writer.context.errors.join()}`
            if (failure?.outcome === 'unknown') {
              // Nothing more is acknowledged until it is known.
              await expect(writer.write(putting('users', 50, c)), about).rejects.toMatchObject({ name: 'StorageError' })
              await abandon(writer)
              const now = await found(dir)
              if (now.head !== before.head) writer.accept(batch)
              expect(now, about).toEqual(modelled(writer))
              continue
            }
            expect((await writer.load('users')).length, about).toBe(writer.model.rows.get('users')?.size)
            const more = [defining('more'), putting('more', 1, a)]
            // A checkpoint whose end is not known makes the store refuse writes; it never loses one.
            if (goesOn)
              await writer
                .writeGroup(more)
                .catch((error: StorageError) => expect(error.message, about).toMatch(/nothing was written/))
            await abandon(writer)
            expect(await found(dir), about).toEqual(modelled(writer))
          } finally {
            rmSync(dir, { recursive: true })
          }
        }
      }
    })
  }
}

it('nothing is acknowledged while it is not known which files count', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'varve-ffault-'))
  const plan = new FaultPlan()
  const writer = await prepare(dir, plan)
  plan.arm({ failAt: 1, only: /rename/, error: () => fileFault('EIO'), when: 'after' })
  await writer.write(clearing('users'))
  expect(plan.hits).toBe(1)
  plan.arm({ failAt: 1, times: 1_000, only: /rename/, error: () => fileFault('EIO') })
  await expect(writer.write(putting('users', 7, c))).rejects.toMatchObject({
    name: 'StorageError',
    outcome: 'nothing written',
  })
  plan.arm(undefined)
  await abandon(writer)
  expect(await found(dir)).toEqual(modelled(writer))
  rmSync(dir, { recursive: true })
})

it('a fault at the n-th file operation of open, flush, trim or close loses nothing', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let n = 1, hit = true; hit; n++) {
      const dir = mkdtempSync(join(tmpdir(), 'varve-ffault-'))
      const plan = new FaultPlan()
      const writer = await prepare(dir, plan)
      writer.durability = 'process'
      await writer.write(clearing('users'))
      await writer.write(putting('users', 9, c))
      await writer.adapter.close()
      plan.arm({ failAt: n, error: () => fileFault('EIO'), when })
      const calls: (() => Promise<unknown>)[] = [
        () => writer.open(),
        () => writer.adapter.flush(),
        () => writer.adapter.trim({ rows: 2 }),
        () => writer.adapter.close(),
      ]
      for (const call of calls) {
        try {
          await call()
        } catch (error) {
          expect((error as Error).name, `${n}: ${(error as Error).stack}`).toMatch(/^Storage/)
        }
      }
      hit = plan.hits > 0
      plan.arm(undefined)
      await abandon(writer)
      const now = await found(dir)
      expect(now.rows, `${n} ${when}`).toEqual(modelled(writer).rows)
      expect(now.entries, `${n} ${when}`).toEqual(writer.model.entries.slice(-now.entries.length))
      rmSync(dir, { recursive: true })
    }
  }
})

it('a fault at the n-th file operation of the first open leaves a folder that opens', async () => {
  for (const when of ['before', 'after'] as const) {
    for (let n = 1, hit = true; hit; n++) {
      const dir = mkdtempSync(join(tmpdir(), 'varve-ffault-'))
      const plan = new FaultPlan({ failAt: n, error: () => fileFault('ENOSPC'), when })
      const adapter = new FileAdapter({ directory: join(dir, 'store'), files: faultyFiles(fast, plan), waitMs: 0 })
      const error = await adapter.open(testContext()).catch((thrown: Error) => thrown)
      if (error instanceof Error) expect(error.name, error.stack).toMatch(/^Storage/)
      hit = plan.hits > 0
      plan.arm(undefined)
      await adapter.close()
      expect((await found(dir)).head, `${n} ${when}`).toBe(0)
      rmSync(dir, { recursive: true })
    }
  }
})
