import { describe, expect, it } from 'vitest'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { fromBetterSqlite3, fromNodeSqlite } from '../../src/sqlite.js'
import { createSqliteStreamStore, type StreamStore } from '../../src/streams/index.js'
import { isBetter, openNative } from './native.mjs'
import { all, entry, meta } from './records.js'

const adapterOn = (): SqliteAdapter => (isBetter ? fromBetterSqlite3 : fromNodeSqlite)(openNative(':memory:'))

async function open(sql: string): Promise<{ store: StreamStore; adapter: SqliteAdapter }> {
  const adapter = adapterOn()
  const store = await createSqliteStreamStore(adapter)
  await store.appendMany('a', [meta(), entry('one'), entry('two'), entry('three')])
  adapter.exec(sql)
  return { store, adapter }
}

/** What a reader gets, and how it ends. */
async function read(store: StreamStore): Promise<{ seqs: number[]; end: unknown }> {
  const seqs: number[] = []
  try {
    for await (const record of store.load('a')) seqs.push(record.seq)
    return { seqs, end: 'done' }
  } catch (error) {
    return { seqs, end: (error as Error).name }
  }
}

const damaged = { name: 'StreamDamagedError', id: 'a' }
const set = (change: string): string => `UPDATE kyneta_records SET ${change} WHERE seq = 2`

describe("what cannot be a record of kyneta's format is not given out; what is before it is", () => {
  it.each([
    "kind = 'bogus'",
    "kind = 'meta'",
    `payload = '{"kind":"banana","encoding":"json","version":"1","data":"x"}'`,
    `payload = '{"kind":"since","encoding":7,"version":"1","data":"x"}'`,
    `payload = '{"kind":"since","encoding":"json","version":1,"data":"x"}'`,
    `payload = '{"kind":"since","encoding":"json","version":"1","data":1}'`,
    `payload = '{"kind":"since","encoding":"json","version":"1","data":"x","lineage":{}}'`,
    `payload = '{"kind":"since","encoding":"json","version":"1"}'`,
    "blob = x'0102'",
    "blob = 'text'",
    'payload = NULL',
    "payload = 'null'",
    "payload = '[]'",
    "payload = 'no JSON'",
    'seq = 1.5',
  ])('%s', async (change) => {
    const { store } = await open(set(change))
    expect(await read(store)).toEqual({ seqs: [0, 1], end: 'StreamDamagedError' })
    expect(await all(store.load('a', { limit: 2 }))).toHaveLength(2)
    await expect(store.compact('a', (records) => records)).rejects.toMatchObject(damaged)
    await store.replace('a', [meta()])
    expect((await read(store)).end).toBe('done')
  })

  it('no bytes are a record, too', async () => {
    const { store } = await open('SELECT 1')
    await store.append('a', entry(new Uint8Array()))
    expect((await all(store.loadAll('a'))).at(-1)).toEqual(entry(new Uint8Array()))
  })
})

describe('a seq that is none: nothing is written beside it, and the document can be replaced', () => {
  it.each<[change: string, seqs: number[]]>([
    ['seq = -5', []],
    ["seq = 'abc'", [0, 1, 3]],
    ['seq = 9007199254740992', [0, 1, 3]],
    ['seq = 9223372036854775807', [0, 1, 3]],
  ])('%s', async (change, seqs) => {
    const { store, adapter } = await open(set(change))
    expect(await read(store)).toEqual({ seqs, end: 'StreamDamagedError' })
    if (change !== 'seq = -5') await expect(store.append('a', entry('x'))).rejects.toMatchObject(damaged)
    await expect(store.append('a', meta())).rejects.toMatchObject(damaged)
    expect([...adapter.iterate('SELECT seq FROM kyneta_records')]).toHaveLength(4)
    await store.replace('a', [meta(), entry('new')])
    expect(await read(store)).toEqual({ seqs: [0, 1], end: 'done' })
  })
})

describe.each([
  ['kyneta', 'UPDATE kyneta_doc_meta SET data ='],
  ['varve', 'UPDATE varve_streams SET meta ='],
] as const)('a meta that cannot be read (%s)', (format, update) => {
  it.each(["'garbage'", `'{"x":1}'`])(
    '%s: it is said, and the document can be replaced and deleted',
    async (content) => {
      const adapter = adapterOn()
      const store = await createSqliteStreamStore(adapter, { format })
      for (const id of ['a', 'b']) await store.appendMany(id, [meta(), entry('one')])
      adapter.exec(`${update} ${content}`)
      await expect(store.currentMeta('a')).rejects.toMatchObject(damaged)
      await expect(store.append('a', meta())).rejects.toMatchObject(damaged)
      // An entry is appended without a look at it.
      await store.append('a', entry('x'))
      await store.replace('a', [meta('h2'), entry('new')])
      expect((await all(store.loadAll('a'))).length).toBe(2)
      expect(await store.currentMeta('a')).toMatchObject({ schemaHash: 'h2' })
      await store.delete('b')
      expect(await all(store.listDocIds())).toEqual(['a'])
      expect(await all(store.loadAll('b'))).toEqual([])
      await store.append('b', meta())
    },
  )
})
