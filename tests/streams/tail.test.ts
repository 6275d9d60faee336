import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fromBetterSqlite3, fromNodeSqlite } from '../../src/sqlite.js'
import {
  createMemoryStreamStore,
  createSqliteStreamStore,
  MemoryStreams,
  type StreamStore,
} from '../../src/streams/index.js'
import { adapterOn } from './adapters.js'
import { isBetter, openNative } from './native.mjs'
import { entry, META, meta } from './records.js'

/** Opens stores on one place, as other processes would. */
type Place = () => Promise<StreamStore>

const PLACES: [string, () => Place][] = [
  [
    'memory',
    () => {
      const streams = new MemoryStreams()
      return async () => createMemoryStreamStore({ streams })
    },
  ],
  [
    'sqlite, two connections',
    () => {
      const path = join(mkdtempSync(join(tmpdir(), 'varve-tail-')), 'a.db')
      return () => createSqliteStreamStore(adapterOn(path))
    },
  ],
  [
    'sqlite, two connections, own format',
    () => {
      const path = join(mkdtempSync(join(tmpdir(), 'varve-tail-')), 'a.db')
      return () => createSqliteStreamStore(adapterOn(path), { format: 'varve' })
    },
  ],
  [
    'sqlite, one connection',
    () => {
      const adapter = adapterOn()
      return () => createSqliteStreamStore(adapter)
    },
  ],
  [
    'sqlite, one connection, an adapter each',
    () => {
      const database = openNative(':memory:')
      const from = isBetter ? fromBetterSqlite3 : fromNodeSqlite
      return () => createSqliteStreamStore(from(database))
    },
  ],
]

const until = async (is: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !is(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(is()).toBe(true)
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(PLACES)('tail on %s', (_name, place) => {
  const open = async () => {
    const here = place()
    const [own, other] = [await here(), await here()]
    const told: string[] = []
    const tell = (record: { seq: number; kind: string; version?: string; meta?: { schemaHash: string } }, id: string) =>
      void told.push(`${id}${record.seq}:${record.version ?? record.meta?.schemaHash}`)
    const close = () => Promise.all([own.close(), other.close()])
    return { own, other, told, tell, close }
  }

  it('tells what is there, then what comes from here and from elsewhere, each once', async () => {
    const { own, other, told, tell, close } = await open()
    await own.appendMany('a', [meta(), entry('x', '1')])
    const tail = own.tail('a', { pollMs: 5 }, tell)
    await until(() => told.length === 2)
    void own.append('a', entry('x', '2'))
    await until(() => told.length === 3)
    await other.append('a', entry('x', '3'))
    await other.append('b', meta())
    await until(() => told.length === 4)
    await pause(20)
    expect(told).toEqual(['a0:h1', 'a1:1', 'a2:2', 'a3:3'])
    tail.stop()
    tail.stop()
    await tail.ended
    await own.append('a', entry('x', '4'))
    await pause(20)
    expect(told).toHaveLength(4)
    await close()
  })

  it('a prefix finds new documents, and begins each where it is told to', async () => {
    const { own, other, told, tell, close } = await open()
    await own.appendMany('a/1', [meta(), entry('x', '1')])
    await own.appendMany('b/1', [meta()])
    own.tail({ prefix: 'a/' }, { pollMs: 5, after: { 'a/1': 0 } }, tell)
    await until(() => told.length === 1)
    await other.append('a/2', meta())
    await own.append('a/3', meta())
    await other.append('a/1', entry('x', '2'))
    await until(() => told.length === 4)
    expect(told.toSorted()).toEqual(['a/11:1', 'a/12:2', 'a/20:h1', 'a/30:h1'])
    await close()
  })

  it.each(['own', 'other'] as const)('replaced, compacted, deleted and made anew (%s)', async (who) => {
    const stores = await open()
    const { own, told, tell, close } = stores
    const writer = stores[who]
    await writer.appendMany('a', [meta(), entry('x', '1')])
    own.tail('a', { pollMs: 5 }, tell)
    await until(() => told.length === 2)
    await writer.replace('a', [meta('h2'), entry('x', '2')])
    await until(() => told.length === 4)
    expect(told.splice(0)).toEqual(['a0:h1', 'a1:1', 'a2:h2', 'a3:2'])
    await writer.compact('a', () => [meta('h3')])
    await pause(20)
    await writer.append('a', entry('x', '4'))
    await until(() => told.length === 1)
    expect(told.splice(0)).toEqual(['a4:4'])
    await writer.delete('a')
    await writer.appendMany('a', [meta('new'), entry('x', 'new'), entry('x', 'new'), entry('x', 'new')])
    await writer.appendMany('a', [entry('x', 'new'), entry('x', 'new')])
    await until(() => told.length === 6)
    await pause(20)
    expect(told.map((one) => one.split(':')[1])).toEqual(['new', 'new', 'new', 'new', 'new', 'new'])
    await close()
  })

  it('who has not seen all that was folded is told all that the fold made', async () => {
    const { own, told, tell, close } = await open()
    await own.appendMany('a', [meta(), entry('x', '1'), entry('x', '2'), entry('x', '3')])
    let go = (): void => undefined
    own.tail('a', { pollMs: 5 }, (record, id) => {
      tell(record, id)
      return told.at(-1) === 'a2:2' ? new Promise<void>((resolve) => (go = resolve)) : undefined
    })
    await until(() => told.length === 3)
    await own.compact('a', (records) => [...records.slice(0, 1), entry('x', 'folded'), entry('x', 'rest')])
    go()
    await until(() => told.length === 6)
    expect(told.slice(3)).toEqual(['a1:h1', 'a2:folded', 'a3:rest'])
    await close()
  })

  it('the next record waits for the promise; an error ends it and is told once', async () => {
    const { own, told, close } = await open()
    await own.appendMany('a', [meta(), entry('x', '1'), entry('x', '2')])
    let running = 0
    const errors: Error[] = []
    const tail = own.tail('a', { onError: (error) => errors.push(error) }, async ({ seq }) => {
      expect(++running).toBe(1)
      await pause(2)
      running--
      told.push(String(seq))
      if (seq === 1) throw new Error('enough')
    })
    await expect(tail.ended).rejects.toThrow('enough')
    expect([told, errors.map(({ message }) => message)]).toEqual([['0', '1'], ['enough']])
    await close()
  })

  it('may be stopped while it tells, and ends with the store', async () => {
    const { own, told, close } = await open()
    await own.appendMany('a', [meta(), entry('x', '1')])
    const tail = own.tail('a', {}, ({ seq }) => {
      told.push(String(seq))
      tail.stop()
    })
    await tail.ended
    expect(told).toEqual(['0'])
    const other = own.tail('a', {}, () => undefined)
    await close()
    await other.ended
    expect(() => own.tail('a', {}, () => undefined)).toThrow(/closed/)
    expect(META.schemaHash).toBe('h1')
  })
})
