import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type Runtime, systemRuntime } from '../../src/base/runtime.js'
import { quietly } from '../../src/base/quietly.js'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { fromBetterSqlite3, fromNodeSqlite } from '../../src/sqlite.js'
import { createSqliteStreamStore } from '../../src/streams/index.js'
import { isBusy, retryBusy } from '../../src/streams/sqlite-busy.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { isBetter, openNative } from './native.mjs'
import { all, entry, meta } from './records.js'

const FORMATS = ['kyneta', 'varve'] as const
const open: { close(): void }[] = []
afterEach(() => {
  // One that a test has closed may say so.
  for (const one of open.splice(0)) quietly(() => one.close())
})

function connect(path: string): SqliteAdapter {
  const adapter = (isBetter ? fromBetterSqlite3 : fromNodeSqlite)(openNative(path), { own: true })
  adapter.exec('PRAGMA busy_timeout = 0')
  adapter.exec('PRAGMA journal_mode = WAL')
  open.push(adapter)
  return adapter
}

const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'varve-sharing-')), 'a.db')
/** The host's, in which waiting takes a hundredth of its time. */
const hurried: Runtime = {
  ...systemRuntime,
  setTimer: (ms, fn, holds) => systemRuntime.setTimer(ms / 100, fn, holds),
}

describe.each(FORMATS)('a connection that is shared (%s)', (format) => {
  it("nothing is written within the application's transaction; what waited is written when it is over", async () => {
    const adapter = connect(newPath())
    const store = await createSqliteStreamStore(adapter, { format })
    await store.append('a', meta())
    adapter.exec('CREATE TABLE app (x)')
    // A read writes what waits, where it is asked for: not here.
    const appended = store.append('a', entry('one'))
    const wanted = new Error('the application changes its mind')
    let found: Promise<unknown> | undefined
    const work = (): void => {
      found = all(store.loadAll('a'))
      throw wanted
    }
    expect(() => adapter.transaction(work)).toThrow(wanted)
    await appended
    expect(await found).toHaveLength(2)
    expect(await all(store.loadAll('a'))).toHaveLength(2)

    adapter.exec('BEGIN')
    const waiting = Promise.all([store.append('a', entry('two')), store.append('b', meta())])
    const early = await Promise.race([waiting, new Promise((resolve) => void setTimeout(resolve, 60, 'waits'))])
    expect(early).toBe('waits')
    adapter.exec('ROLLBACK')
    await waiting
    expect(await all(store.loadAll('a'))).toHaveLength(3)
    expect(await all(store.listDocIds())).toEqual(['a', 'b'])
  })

  it('a transaction that stays open: writes and flush are refused after ten seconds, and say why', async () => {
    const adapter = connect(newPath())
    const store = await createSqliteStreamStore(adapter, { format, runtime: hurried })
    await store.append('a', meta())
    adapter.exec('BEGIN')
    const refused = { code: 'SQLITE_BUSY', message: expect.stringMatching(/transaction is open.*nothing was written/) }
    await expect(store.append('a', entry('one'))).rejects.toMatchObject(refused)
    await expect(store.flush()).rejects.toMatchObject(refused)
    const other = { format, runtime: hurried, tables: format === 'varve' ? OTHER_OWN : OTHER_KYNETA }
    await expect(createSqliteStreamStore(adapter, other)).rejects.toMatchObject(refused)
    adapter.exec('ROLLBACK')
    expect(await all(store.loadAll('a'))).toHaveLength(1)
    await store.append('a', entry('one'))
  })

  it('a writer who holds the lock hinders neither opening nor reading, in parts or not', async () => {
    const path = newPath()
    const store = await createSqliteStreamStore(connect(path), { format })
    await store.appendMany('a', [meta(), entry(new Uint8Array(2_100_000).fill(7)), entry('x')])
    const writer = connect(path)
    writer.exec('BEGIN IMMEDIATE')
    const none = { ...systemRuntime, setTimer: () => expect.fail('something waits for the lock') }
    const reader = await createSqliteStreamStore(connect(path), { format, runtime: none })
    for (const one of [store, reader]) expect(await all(one.loadAll('a'))).toHaveLength(3)
    writer.exec('ROLLBACK')
  })

  it('flush brings what was committed under NORMAL to the disk, and rejects when it cannot', async () => {
    const path = newPath()
    const adapter = connect(path)
    adapter.exec('PRAGMA synchronous = OFF')
    const store = await createSqliteStreamStore(adapter, { format })
    const inFile = async (): Promise<number> => {
      // Without the log beside it, there is what has been moved into the database.
      copyFileSync(path, `${path}.copy`)
      const copy = await createSqliteStreamStore(connect(`${path}.copy`), { format })
      return (await all(copy.loadAll('a'))).length
    }
    await store.flush()
    await store.appendMany('a', [meta(), entry('one')])
    expect(await inFile()).toBe(0)
    await store.flush()
    expect(await inFile()).toBe(2)
    expect([...adapter.iterate('PRAGMA synchronous')]).toEqual([{ synchronous: 0 }])
    adapter.exec('PRAGMA journal_mode = DELETE')
    await expect(store.flush()).rejects.toThrow(/synchronous is OFF/)
  })
})

const OTHER_OWN = { docs: 'o1', records: 'o2', parts: 'o3' }
const OTHER_KYNETA = { docMeta: 'o1', records: 'o2' }

describe.each(FORMATS)('an append that is written at once (%s)', (format) => {
  it('waits for a statement that the program is going through', async () => {
    const native = openNative(newPath())
    open.push(native)
    const adapter = (isBetter ? fromBetterSqlite3 : fromNodeSqlite)(native)
    const store = await createSqliteStreamStore(adapter, { format })
    await store.append('a', meta())
    await store.append('a', entry('1'))
    const rows = native.prepare("SELECT value FROM json_each('[1, 2, 3]')") as { iterate(): Iterable<unknown> }
    const appends: Promise<void>[] = []
    for (const _ of rows.iterate()) appends.push(store.append('a', entry('x')))
    await Promise.all(appends)
    expect(await all(store.load('a'))).toHaveLength(5)
    await store.close()
  })

  it('keeps the bytes of arrays of any class, and of those that are changed right after the call', async () => {
    class Digest extends Uint8Array {
      constructor(digits: string) {
        super(digits.length)
        for (let i = 0; i < digits.length; i++) this[i] = Number(digits[i])
      }
      override get length(): number {
        return 2
      }
    }
    const own = Object.assign(Uint8Array.of(1, 2, 3), { subarray: () => Uint8Array.of(6, 6, 6) })
    const shared = new Uint8Array(new SharedArrayBuffer(3)).fill(7)
    const large = new Uint8Array(3_000_000).fill(8)
    const store = await createSqliteStreamStore(connect(newPath()), { format })
    await store.append('a', meta())
    await store.append('a', entry('lone'))
    for (const data of [new Digest('123'), own, shared, Buffer.from([1, 2]), large]) {
      const done = store.append('a', entry(data))
      data.fill(0)
      await done
    }
    const kept = (await all(store.loadAll('a'))).slice(2)
    const bytes = kept.map((record) => (record.kind === 'entry' ? record.payload.data : ''))
    expect(bytes.map((data) => [data.length, ...data.slice(0, 3)])).toEqual([
      [3, 1, 2, 3],
      [3, 1, 2, 3],
      [3, 7, 7, 7],
      [2, 1, 2],
      [3_000_000, 8, 8, 8],
    ])
    await store.close()
  })
})

describe('waiting for a lock', () => {
  const busy = Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })

  it('takes about ten seconds in all, of which the connection may wait most', async () => {
    for (const connectionWaits of [0, 50, 4_000]) {
      const runtime = virtualRuntime()
      let [elapsed, tries] = [0, 0]
      const waiting = { ...runtime, elapsed: () => runtime.elapsed() + elapsed }
      const result = Promise.resolve(
        retryBusy(waiting, () => {
          elapsed += connectionWaits
          tries++
          throw busy
        }),
      ).catch((error: unknown) => error)
      await runtime.advance(20_000)
      expect(await result).toBe(busy)
      const inAll = tries * connectionWaits
      expect(inAll).toBeLessThan(10_000 + 2 * connectionWaits)
      if (connectionWaits > 0) expect(inAll).toBeGreaterThan(6_000)
    }
  })

  it('tries once more, however long the connection has waited', async () => {
    const runtime = virtualRuntime()
    let tries = 0
    const result = retryBusy({ ...runtime, elapsed: () => tries * 60_000 }, () => {
      if (tries++ === 0) throw busy
      return 'done'
    })
    await runtime.advance(100)
    expect(await result).toBe('done')
  })

  it.each([null, undefined, 'text', 5])('an adapter that throws %s is not busy', (thrown) => {
    expect(isBusy(thrown)).toBe(false)
    const fail = (): never => {
      throw thrown
    }
    let caught: unknown = 'nothing'
    try {
      void retryBusy(systemRuntime, fail)
    } catch (error) {
      caught = error
    }
    expect(caught).toBe(thrown)
  })
})
