import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { FileAdapter, MemoryAdapter, SQLiteAdapter, StorageError, StorageFullError } from '../../src/index.js'
import type { StorageAdapter } from '../../src/index.js'
import { CommitDraft } from '../../src/commit/draft.js'
import { Engine } from '../../src/engine.js'
import { nodeFileSystem } from '../../src/log/file-system.js'
import { loadSqlite } from '../../src/sqlite/load.js'
import {
  FaultPlan,
  faultyAdapter,
  faultyDriver,
  faultyFiles,
  fileFault,
  sqliteBusy,
  sqliteFull,
  sqliteIoError,
} from '../../src/testing/faults.js'
import type { Fault } from '../../src/testing/faults.js'
import { Drill } from './support/drill.js'
import { quickFolder } from './support/places.js'

/** A fault without its place. */
type Kind = Pick<Fault, 'error' | 'when' | 'only' | 'times'>

/** A storage that a fault can be armed in, for one drill. */
interface Armed {
  open(): StorageAdapter
  cleanup(): void
}

/**
 * Fails the first call, the second, the third … of a drill each, until one ends without having met the fault.
 *
 * @param stride takes only every so manieth of them, to save time; not with VARVE_RUNS.
 */
async function everyCall(kind: Kind, arm: (plan: FaultPlan) => Armed, stride = 1): Promise<number> {
  for (let failAt = 1; ; failAt += process.env.VARVE_RUNS === undefined ? stride : 1) {
    const plan = new FaultPlan({ failAt, ...kind })
    const armed = arm(plan)
    try {
      let hits = 0
      const counted = { arm: (fault: Fault | undefined) => ((hits = plan.hits), plan.arm(fault)) } as FaultPlan
      await new Drill(() => armed.open(), counted).run()
      if (hits === 0) return failAt - 1
    } catch (error) {
      throw new Error(`call ${failAt} failed ${kind.when ?? 'before'} it was done: ${String(error)}`, { cause: error })
    } finally {
      armed.cleanup()
    }
  }
}

const full: Kind = { error: () => new StorageFullError('no space; nothing was written') }
const io: Kind = { error: () => new StorageError('disk failed; nothing was written') }
const busy: Kind = { error: () => new StorageError('somebody writes; nothing was written', { code: 'STORAGE_BUSY' }) }
const unknown = (): Error => new StorageError('disk failed; who knows', { outcome: 'unknown' })
const appends = /^append$/

/** Behind promises, so that groups form and calls overlap. */
function behindPromises(adapter: StorageAdapter): StorageAdapter {
  return {
    open: (context) => adapter.open(context),
    loadBucket: (bucket) => adapter.loadBucket(bucket),
    append: async (head, batch) => adapter.append(head, batch),
    readLog: (after, options) => adapter.readLog(after, options),
    flush: () => adapter.flush(),
    trim: (budget) => adapter.trim(budget),
    close: () => adapter.close(),
    ...(adapter.counterOf && { counterOf: (bucket: string) => adapter.counterOf?.(bucket) ?? 0 }),
  }
}

describe.each([
  ['at once', (adapter: StorageAdapter) => adapter],
  ['later', behindPromises],
])('a storage that answers %s', (_when, wrap) => {
  test.each<[name: string, kind: Kind]>([
    ['is full', full],
    ['fails', io],
    ['is busy', busy],
    ['fails three times', { ...io, times: 3 }],
    ['fails before it writes, and does not know', { error: unknown, only: appends }],
    ['fails after it has written, and does not know', { error: unknown, when: 'after', only: appends }],
  ])('%s: memory, storage and callers agree', async (_name, kind) => {
    const calls = await everyCall(kind, (plan) => {
      const memory = new MemoryAdapter()
      return { open: () => faultyAdapter(wrap(memory), plan), cleanup: () => undefined }
    })
    expect(calls).toBeGreaterThan(10)
  })
})

const { sync: _sync, syncFolder: _syncFolder, ...rest } = nodeFileSystem
/** What is not synced survives all but a power cut, and these faults are none. */
const quick = { ...rest, sync: () => undefined, syncFolder: () => undefined }

function onDisk(make: (path: string) => StorageAdapter): Armed {
  const folder = quickFolder('varve-faults-')
  return { open: () => make(join(folder, 'store')), cleanup: () => rmSync(folder, { recursive: true, force: true }) }
}

describe('SQLite', async () => {
  const driver = await loadSqlite()
  test.each<[name: string, kind: Kind, stride: number]>([
    ['is full', { error: sqliteFull }, 1],
    ['cannot be read or written', { error: sqliteIoError }, 5],
    // A transaction that has begun and says that it has not is nothing that SQLite does.
    ['fails after a statement was done', { error: sqliteIoError, when: 'after', only: /^(?!BEGIN)/ }, 2],
    ['is busy', { error: sqliteBusy }, 5],
  ])(
    '%s, at any statement: memory, file and callers agree',
    async (_name, kind, stride) => {
      const open = (plan: FaultPlan) => (filename: string) =>
        new SQLiteAdapter({ filename, driver: faultyDriver(driver, plan), waitMs: 0 })
      expect(await everyCall(kind, (plan) => onDisk(open(plan)), stride)).toBeGreaterThan(100)
    },
    120_000,
  )
})

test.each<[name: string, kind: Kind]>([
  ['is full', { error: () => fileFault('ENOSPC') }],
  ['fails', { error: () => fileFault('EIO') }],
  ['fails after it was done', { error: () => fileFault('EIO'), when: 'after' }],
])(
  'the file system %s, at any call: memory, files and callers agree',
  async (_name, kind) => {
    const open = (plan: FaultPlan) => (directory: string) =>
      new FileAdapter({ directory, files: faultyFiles(quick, plan), waitMs: 0 })
    expect(await everyCall(kind, (plan) => onDisk(open(plan)))).toBeGreaterThan(30)
  },
  120_000,
)

describe('the drill finds planted bugs', () => {
  const onMemory = (plan: FaultPlan): Armed => {
    const memory = new MemoryAdapter()
    return { open: () => faultyAdapter(behindPromises(memory), plan), cleanup: () => undefined }
  }

  test('a storage that has written and says that it has not', async () => {
    await expect(everyCall({ ...io, when: 'after', only: appends }, onMemory)).rejects.toThrow(
      /AssertionError|another writer/,
    )
  })

  test('a store that does not take back what was not written', async () => {
    const undo = vi.spyOn(CommitDraft.prototype, 'undo').mockReturnValue(undefined)
    await expect(everyCall({ ...io, only: appends }, onMemory)).rejects.toThrow(/AssertionError/)
    undo.mockRestore()
  })

  test('a store that publishes before it writes', async () => {
    const applied = vi.spyOn(Engine.prototype, 'applied').mockImplementation(function (this: Engine, commit) {
      this.published(commit)
    })
    const errors = vi.spyOn(console, 'error').mockReturnValue(undefined)
    await expect(everyCall({ ...io, only: appends }, onMemory)).rejects.toThrow(/AssertionError/)
    for (const spy of [applied, errors]) spy.mockRestore()
  })
})
