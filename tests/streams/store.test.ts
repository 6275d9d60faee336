import { describe, expect, it } from 'vitest'
import { createMemoryStreamStore, createSqliteStreamStore, type StreamStore } from '../../src/streams/index.js'
import { loadBindings } from '../sqlite/places.js'
import { adapterOn } from './adapters.js'
import { all, entry, META, meta } from './records.js'

const STORES: [string, () => StreamStore | Promise<StreamStore>][] = [
  ['memory', () => createMemoryStreamStore()],
  ['sqlite', () => createSqliteStreamStore(adapterOn())],
  ['sqlite, own format', () => createSqliteStreamStore(adapterOn(), { format: 'varve' })],
]

for (const { name, open } of (await loadBindings()).bindings) {
  STORES.push([name, async () => createSqliteStreamStore((await open()).adapter)])
  STORES.push([`${name}, own format`, async () => createSqliteStreamStore((await open()).adapter, { format: 'varve' })])
}

describe.each(STORES)('%s', (_name, open) => {
  it('what is appended is loaded, in order', async () => {
    const store = await open()
    await store.append('a', meta())
    const bytes = new Uint8Array([0, 1, 255])
    await store.appendMany('a', [entry('one'), entry(bytes)])
    expect(await all(store.loadAll('a'))).toEqual([meta(), entry('one'), entry(bytes)])
    expect(await all(store.load('a', { after: 0, limit: 1 }))).toEqual([{ ...entry('one'), seq: 1 }])
    expect(await store.currentMeta('a')).toEqual(META)
    expect(await store.currentMeta('b')).toBe(null)
    expect(await all(store.loadAll('b'))).toEqual([])
    await store.close()
  })

  it('rules: first a meta, compatible ones after it; a refused call harms no other', async () => {
    const store = await open()
    const results = await Promise.allSettled([
      store.append('b', entry('x')),
      store.append('a', meta()),
      store.append('a', entry('1')),
      store.append('a', { kind: 'meta', meta: { ...META, replicaType: ['yjs', 2, 0] } }),
      store.append('a', meta('h2')),
      store.replace('a', [entry('2')]),
      store.append('a', entry('3')),
    ])
    expect(results.map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as Error).name))).toEqual([
      'StreamFirstRecordError',
      'ok',
      'ok',
      'StreamMismatchError',
      'ok',
      'StreamNoMetaError',
      'ok',
    ])
    expect(await all(store.loadAll('a'))).toEqual([meta(), entry('1'), meta('h2'), entry('3')])
  })

  it('RS1: replace goes on with seqs; compact ends with the last that was folded', async () => {
    const store = await open()
    await store.appendMany('a', [meta(), entry('1'), entry('2')])
    await store.replace('a', [meta(), entry('3'), entry('4')])
    const seqs = async () => (await all(store.load('a'))).map(({ seq }) => seq)
    expect(await seqs()).toEqual([3, 4, 5])
    await store.compact('a', () => [meta(), entry('all')])
    expect(await seqs()).toEqual([4, 5])
    await store.delete('a')
    expect(await seqs()).toEqual([])
    expect(await all(store.listDocIds())).toEqual([])
  })

  it('reads see what was written before, without awaiting', async () => {
    const store = await open()
    void store.append('a', meta())
    void store.append('a', entry('1'))
    expect(await all(store.loadAll('a'))).toEqual([meta(), entry('1')])
  })

  it('ids with any characters keep apart, in the order of their bytes', async () => {
    const store = await open()
    const ids = ['', '\0', 'A', 'a', 'a\0', 'a\0b', 'a%', 'a_', 'ab', 'a\u0301', 'á', 'a\ud83d', 'a\ud83dx', 'a\uffff']
    ids.push('a😀', 'a\u{10ffff}', '\ud800', '\udfff', '\uffff', '\u{10ffff}', '\u{10ffff}a')
    await Promise.all(ids.map((id) => store.append(id, { kind: 'meta', meta: { ...META, schemaHash: id } })))
    const listed = await all(store.listDocIds())
    const wtf8 = (id: string) =>
      Buffer.concat(
        [...id].map((c) => {
          const p = c.codePointAt(0)!
          return p >= 0xd800 && p < 0xe000
            ? Buffer.from([0xed, 0x80 | ((p >> 6) & 63), 0x80 | (p & 63)])
            : Buffer.from(c)
        }),
      )
    const sorted = [...ids].sort((a, b) => Buffer.compare(wtf8(a), wtf8(b)))
    expect(listed).toEqual(sorted)
    for (const id of ids) expect((await store.currentMeta(id))?.schemaHash).toBe(id)
    for (const prefix of ids) {
      const expected = sorted.filter((id) => wtf8(id).subarray(0, wtf8(prefix).length).equals(wtf8(prefix)))
      expect(await all(store.listDocIds(prefix))).toEqual(expected)
    }
  })
})
