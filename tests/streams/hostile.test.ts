import { describe, expect, it } from 'vitest'
import { createMemoryStreamStore, createStreamStore } from '../../src/streams/index.js'
import { all, entry, META, meta } from './records.js'

const payload = { kind: 'since', encoding: 'json', data: 'x' }
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const throwing = {
  get kind(): string {
    throw new Error('no')
  },
}
const gone = new Uint8Array(4)
structuredClone(gone.buffer, { transfer: [gone.buffer] })

const BAD: [string, unknown][] = [
  ['nothing', undefined],
  ['null', null],
  ['a text', 'meta'],
  ['a symbol', Symbol('a')],
  ['a revoked proxy', revoked()],
  ['a getter that throws', throwing],
  ['another kind', { kind: 'other' }],
  ['a field that would not be kept', { ...entry('x'), more: 1 }],
  ['__proto__', JSON.parse('{"kind":"meta","__proto__":{"meta":1}}')],
  ['no version', { kind: 'entry', payload }],
  ['a version that is no text', { kind: 'entry', payload, version: 1 }],
  ['no data', { kind: 'entry', payload: { ...payload, data: undefined }, version: '' }],
  ['data of another type', { kind: 'entry', payload: { ...payload, data: new Uint16Array(1) }, version: '' }],
  ['bytes that were given away', { kind: 'entry', payload: { ...payload, data: gone }, version: '' }],
  ['an imitation', { kind: 'entry', payload: { ...payload, data: Object.create(Uint8Array.prototype) }, version: '' }],
  ['a lineage that is no text', { kind: 'entry', payload: { ...payload, lineage: null }, version: '' }],
  ['another encoding', { kind: 'entry', payload: { ...payload, encoding: 'text' }, version: '' }],
  ['both shapes', { kind: 'meta', meta: { ...META, syncProtocol: (META as { syncMode: unknown }).syncMode } }],
  ['neither shape', { kind: 'meta', meta: { replicaType: ['a', 1, 0], schemaHash: '' } }],
  ['a version that is no count', { kind: 'meta', meta: { ...META, replicaType: ['a', 1.5, 0] } }],
  ['a long replicaType', { kind: 'meta', meta: { ...META, replicaType: ['a', 1, 0, 0] } }],
  ['an unknown axis', { kind: 'meta', meta: { ...META, syncMode: { writerModel: 'x' } } }],
]

describe('what is no record is refused before anything is done', () => {
  it.each(BAD)('%s', async (_name, record) => {
    const store = createMemoryStreamStore()
    const refused = { code: 'INVALID_ARGUMENT' }
    await expect(store.append('a', record as never)).rejects.toMatchObject(refused)
    await expect(store.appendMany('a', [meta(), record as never])).rejects.toMatchObject(refused)
    await expect(store.replace('a', [meta(), record as never])).rejects.toMatchObject(refused)
    expect(await store.stats()).toMatchObject({ docs: 0, records: 0 })
  })
})

it('lists that are none, or have holes, and ids that are no texts', async () => {
  const store = createMemoryStreamStore()
  const refused = { code: 'INVALID_ARGUMENT' }
  for (const list of [
    undefined,
    'ab',
    {},
    { length: 1e9 },
    new Array(2 ** 32 - 1),
    Object.assign(new Array(2), { 1: meta() }),
    new Set([meta()]),
  ]) {
    await expect(store.appendMany('a', list as never)).rejects.toMatchObject(refused)
  }
  for (const id of [undefined, null, 1, {}, Symbol('a')] as never[]) {
    const calls = [store.append(id, meta()), store.delete(id), store.currentMeta(id), store.compact(id, () => [])]
    for (const call of calls) await expect(call).rejects.toMatchObject(refused)
    await expect(all(store.loadAll(id))).rejects.toMatchObject(refused)
    expect(() => store.tail(id, {}, () => undefined)).toThrow(/expected/)
  }
  for (const options of [null, { after: -2 }, { after: 0.5 }, { limit: -1 }, { limit: '1' }] as never[]) {
    await expect(all(store.load('a', options))).rejects.toMatchObject(refused)
  }
  expect(() => createStreamStore({} as never)).toThrow(/expected/)
})

it('nobody shares memory with the store: neither who writes nor who reads', async () => {
  const store = createMemoryStreamStore()
  class Own extends Uint8Array {}
  const shared = new Uint8Array(new SharedArrayBuffer(2))
  const given = [new Uint8Array([1, 2]), Buffer.from([1, 2]), Own.from([1, 2]), shared]
  shared.set([1, 2])
  const first = { kind: 'meta' as const, meta: { ...META, replicaType: ['yjs', 1, 0] as [string, number, number] } }
  void store.appendMany('a', [first, ...given.map((data) => entry(data))])
  for (const data of given) data.fill(9)
  first.meta.replicaType[0] = 'other'
  for (let round = 0; round < 2; round++) {
    const [head, ...entries] = await all(store.loadAll('a'))
    expect(head).toEqual(meta())
    for (const record of entries) {
      const { data } = (record as { payload: { data: Uint8Array } }).payload
      expect([data.constructor, [...data]]).toEqual([Uint8Array, [1, 2]])
      data.fill(7)
    }
    const known = await store.currentMeta('a')
    ;(known as { schemaHash: string }).schemaHash = 'mine'
    expect((await store.currentMeta('a'))?.schemaHash).toBe('h1')
  }
})

it('after close every call says so, iterators that are open too; close is safe twice', async () => {
  const store = createMemoryStreamStore()
  await store.appendMany('a', [meta(), entry('1')])
  const open = store.loadAll('a')[Symbol.asyncIterator]()
  await open.next()
  const written = store.append('a', entry('2'))
  await Promise.all([store.close(), store.close()])
  await written
  const closed = { name: 'StreamClosedError' }
  const calls = [
    open.next(),
    store.append('a', meta()),
    store.appendMany('a', []),
    store.replace('a', [meta()]),
    store.delete('a'),
    store.currentMeta('a'),
    store.compact('a', () => []),
    store.stats(),
    store.flush(),
    all(store.loadAll('a')),
    all(store.load('a')),
    all(store.listDocIds()),
  ]
  for (const call of calls) await expect(call).rejects.toMatchObject(closed)
  await store.close()
})
