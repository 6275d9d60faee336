import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import type { SqliteBind } from '../../src/sqlite/values.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { MemoryStreams } from '../../src/streams/memory-backend.js'
import { createSqliteStreamStore, createStreamStore, type StreamBackend } from '../../src/streams/index.js'
import { adapterOn } from './adapters.js'
import { all, entry, META, meta } from './records.js'

/** A backend that answers by promises, and says what it was asked. */
function slow(
  asked: string[] = [],
  fails: (ids: readonly string[]) => Error | undefined = () => undefined,
): StreamBackend {
  const { append: _, ...backend } = new MemoryStreams().backend()
  const later = async <T>(what: string, work: () => T): Promise<Awaited<T>> => {
    asked.push(`${what}…`)
    await new Promise((resolve) => setTimeout(resolve, 1))
    const result = await work()
    asked.push(what)
    return result
  }
  return {
    ...backend,
    commit: (ids, plan, read) =>
      later(`commit ${ids.join()}`, () => {
        const failure = fails(ids)
        if (failure !== undefined) throw failure
        return backend.commit(ids, plan, read)
      }),
    head: (id) => later(`head ${id}`, () => backend.head(id)),
    page: (id, after, limit, mark) => later(`page ${id}`, () => backend.page(id, after, limit, mark)),
  }
}

it('with a storage that answers late, calls on one id keep their order, and those that come together are one group', async () => {
  const asked: string[] = []
  const store = createStreamStore(slow(asked))
  const results: unknown[] = []
  const noted: Promise<unknown>[] = []
  const note = (promise: Promise<unknown>) => void noted.push(promise.then((value) => results.push(value)))
  note(store.append('a', meta()))
  note(store.append('b', meta()))
  note(store.append('a', entry('1')))
  note(all(store.loadAll('a')).then((found) => found.length))
  note(store.append('a', entry('2')))
  note(all(store.loadAll('a')).then((found) => found.length))
  note(store.replace('a', [meta()]))
  note(store.currentMeta('a'))
  await Promise.all(noted)
  await store.close()
  expect(results).toEqual([undefined, undefined, undefined, 2, undefined, 3, undefined, META])
  expect(asked.filter((one) => /^commit .*…/.test(one))).toEqual(['commit a,b…', 'commit a…', 'commit a…'])
})

it('a group that the storage refuses is tried call by call; who does not know whether it was written does not', async () => {
  const store = createStreamStore(slow([], (ids) => (ids.includes('bad') ? new Error('too big') : undefined)))
  const three = () => Promise.allSettled(['a', 'bad', 'b'].map((id) => store.append(id, meta())))
  expect((await three()).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  let commits = 0
  const unsure = createStreamStore(
    slow([], () => (commits++, Object.assign(new Error('lost'), { outcome: 'unknown' }))),
  )
  const lost = await Promise.allSettled(['a', 'b'].map((id) => unsure.append(id, meta())))
  expect([lost.map(({ status }) => status), commits]).toEqual([['rejected', 'rejected'], 1])
})

it('appends of one turn are one transaction', async () => {
  const adapter = adapterOn()
  let transactions = 0
  const counted = { ...adapter, transaction: <R>(fn: () => R): R => (transactions++, adapter.transaction(fn)) }
  const store = await createSqliteStreamStore(counted)
  await Promise.all(Array.from({ length: 50 }, (_, i) => store.append(`d${i}`, meta())))
  transactions = 0
  await Promise.all(Array.from({ length: 500 }, (_, i) => store.append(`d${i % 50}`, entry(String(i)))))
  expect(transactions).toBe(1)
  transactions = 0
  await store.append('d0', entry('alone'))
  expect(transactions).toBe(0)
})

it('a locked database is tried again by the timer, for a bounded time, and the next call works', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'varve-busy-')), 'a.db')
  const runtime = virtualRuntime()
  const [adapter, other] = [adapterOn(path), adapterOn(path)]
  adapter.exec('PRAGMA busy_timeout = 0')
  const store = await createSqliteStreamStore(adapter, { runtime })
  other.exec('BEGIN IMMEDIATE')
  const first = store.append('a', meta())
  const second = store.append('a', entry('1'))
  await runtime.advance(1_000)
  other.exec('ROLLBACK')
  await runtime.advance(1_000)
  await Promise.all([first, second])
  other.exec('BEGIN IMMEDIATE')
  const refused = expect(store.append('a', entry('2'))).rejects.toThrow(/locked/)
  await runtime.advance(20_000)
  await refused
  other.exec('ROLLBACK')
  const last = store.append('a', entry('3'))
  await runtime.advance(0)
  await last
  expect(await all(store.loadAll('a'))).toEqual([meta(), entry('1'), entry('3')])
})

it('RS1, RS2: two processes append, open and make the tables at a time, and no seq is given twice', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'varve-two-')), 'a.db')
  const first = adapterOn(path)
  first.exec('PRAGMA journal_mode = WAL')
  const child = fileURLToPath(new URL('append-child.mjs', import.meta.url))
  const run = (name: string) => promisify(execFile)(process.execPath, [child, path, name, '200'])
  await Promise.all([run('one'), run('two'), run('three')])
  const store = await createSqliteStreamStore(adapterOn(path))
  const records = await all(store.load('shared'))
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 603 }, (_, i) => i))
  for (const name of ['one', 'two', 'three']) {
    const own = records.flatMap((record) =>
      record.kind === 'entry' && record.version === name ? [record.payload.data] : [],
    )
    expect(own).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
  }
}, 60_000)

it('fold is called again with what was written meanwhile, and gives up when that goes on', async () => {
  const adapter = adapterOn()
  const [store, other] = [await createSqliteStreamStore(adapter), await createSqliteStreamStore(adapter)]
  await store.appendMany('a', [meta(), entry('1')])
  let folds = 0
  await store.compact('a', async (records) => {
    if (folds++ === 0) await other.append('a', entry('2'))
    return [meta(), entry(String(records.length))]
  })
  expect([folds, await all(store.load('a'))]).toEqual([
    2,
    [
      { ...meta(), seq: 1 },
      { ...entry('3'), seq: 2 },
    ],
  ])
  const busy = store.compact('a', async () => {
    await other.append('a', entry('x'))
    return [meta()]
  })
  await expect(busy).rejects.toMatchObject({ name: 'StreamConflictError', id: 'a' })
  await expect(store.compact('a', () => [entry('x')])).rejects.toMatchObject({ name: 'StreamNoMetaError' })
  await expect(store.compact('a', () => Promise.reject(new Error('own')))).rejects.toThrow('own')
})

it.each(['kyneta', 'varve'] as const)(
  'a long stream is read in pages, and one that is replaced meanwhile says so (%s)',
  async (format) => {
    const store = await createSqliteStreamStore(adapterOn(), { format })
    const many = [meta(), ...Array.from({ length: 10_500 }, (_, i) => entry(String(i)))]
    await store.replace('a', many)
    expect(await all(store.loadAll('a'))).toEqual(many)
    for (const clear of [
      () => store.replace('a', many),
      () => store.compact('a', (records) => records.slice(0, 5_000)),
      () =>
        store.delete('a').then(() =>
          store.appendMany(
            'a',
            many.map((one) => (one.kind === 'meta' ? one : entry('new'))),
          ),
        ),
    ]) {
      await store.replace('a', many)
      let read = 0
      const reading = (async () => {
        for await (const _ of store.loadAll('a')) if (++read === 100) await clear()
      })()
      await expect(reading).rejects.toMatchObject({ name: 'StreamReplacedError', id: 'a' })
      expect(read).toBe(10_000)
    }
    // What is appended meanwhile is no reason to stop.
    await store.replace('a', many)
    let read = 0
    for await (const _ of store.loadAll('a')) if (++read === 100) await store.append('a', entry('x'))
    expect(read).toBe(10_502)
  },
)

it.each(['kyneta', 'varve'] as const)(
  'pages of large records are limited in bytes (%s)',
  async (format) => {
    const adapter = adapterOn()
    let most = 0
    const watched: SqliteAdapter = {
      ...adapter,
      iterate: <T>(sql: string, ...params: readonly SqliteBind[]) => {
        const rows = [...adapter.iterate<T>(sql, ...params)]
        const bytes = rows
          .flatMap((row) => Object.values(row as object))
          .map((one) => (one as Uint8Array | undefined)?.length ?? 0)
        most = Math.max(
          most,
          bytes.reduce((sum, one) => sum + (Number.isNaN(one) ? 0 : one), 0),
        )
        return rows
      },
    }
    const store = await createSqliteStreamStore(watched, { format })
    await store.append('a', meta())
    for (let i = 0; i < 30; i++)
      await store.append('a', entry(new Uint8Array(i % 7 === 3 ? 9_000_000 : 2_000_000).fill(i)))
    let count = 0
    for await (const record of store.loadAll('a')) {
      if (record.kind === 'entry') expect((record.payload.data as Uint8Array)[0]).toBe(count - 1)
      count++
    }
    expect(count).toBe(31)
    expect(most).toBeLessThan(20_000_000)
  },
  60_000,
)
