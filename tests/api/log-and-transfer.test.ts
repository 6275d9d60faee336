import { describe, expect, test } from 'vitest'
import { ImportError, MemoryAdapter } from '../../src/index.js'
import type { BucketDefinition, Entry, Store } from '../../src/index.js'
import { KEYED, open, openBucket, openVirtual, rejection } from './opened.js'

async function textOf(store: Store): Promise<string> {
  let text = ''
  for await (const line of store.export()) text += line
  return text
}

describe('log.read', () => {
  test('has an entry for each commit, in order, with what it changed', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', KEYED)
    const bucket = store.bucket('b')
    const start = store.position.visible
    const inserted = await bucket.insert({ id: 'a', n: 1 })
    const updated = await bucket.update('a', { n: 2 })
    await store.transaction(async (tx) => {
      await tx.bucket('b').delete('a')
      await tx.bucket('b').insert({ id: 'c' })
    })
    const entries = await store.log.read({ after: start })
    expect(entries.map(({ seq }) => seq)).toEqual([start + 1, start + 2, start + 3])
    expect(entries.map(({ type }) => type)).toEqual(['store/write', 'store/write', 'store/transaction'])
    expect(entries[0]).toMatchObject({
      at: runtime.now(),
      changes: [{ bucket: 'b', key: 'a', before: undefined, after: inserted }],
    })
    expect(entries[1]?.changes).toMatchObject([{ before: inserted, after: updated }])
    expect(entries[2]?.changes.map(({ key }) => key)).toEqual(['a', 'c'])
    expect(new Set(entries.map(({ id }) => id)).size).toBe(3)
  })

  test('after, limit and types; as an array or one by one', async () => {
    const { store, bucket } = await openBucket(KEYED)
    for (const id of ['a', 'b', 'c']) await bucket.insert({ id })
    await store.transaction((tx) => tx.bucket('b').insert({ id: 'd' }))
    const all = await store.log.read()
    expect(await store.log.read({ after: all[0]?.seq ?? 0, limit: 2 })).toEqual(all.slice(1, 3))
    expect(await store.log.read({ types: ['store/transaction'] })).toEqual(all.slice(-1))
    expect(await store.log.read({ after: 1_000 })).toEqual([])
    expect(await store.log.read({ limit: 0 })).toEqual([])
    const one: Entry[] = []
    for await (const entry of store.log.read({ limit: 1 })) one.push(entry)
    expect(one).toEqual(all.slice(0, 1))
  })

  test('expiry and eviction say their cause', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000, maxSize: 1 })
    await store.bucket('b').insertMany([{ id: 'a' }, { id: 'b' }])
    await runtime.advance(3_000)
    const causes = (await store.log.read()).flatMap(({ changes }) => changes.map(({ cause }) => cause))
    expect(causes).toEqual([undefined, undefined, 'evicted', 'ttl'])
  })

  test('what was cleared or dropped is not in it any more', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'secret', text: 'hidden' })
    await bucket.clear()
    const entries = await store.log.read()
    expect(JSON.stringify(entries)).not.toContain('hidden')
    expect(entries.at(-1)).toMatchObject({ cleared: ['b'] })
    await bucket.insert({ id: 'again', text: 'hidden too' })
    await store.dropBucket('b')
    expect(JSON.stringify(await store.log.read())).not.toContain('hidden')
  })

  test.each([[{ after: -1 }], [{ after: 'x' }], [{ limit: 1.5 }], [{ types: 'store/write' }], [null], [5]])(
    'read(%j) is refused',
    async (options) => {
      const store = await open()
      expect(() => store.log.read(options as never)).toThrow('log.read(')
    },
  )
})

describe('export and import', () => {
  const ALL: BucketDefinition = {
    key: 'id',
    schema: {
      id: { type: 'number', generated: 'autoincrement' },
      text: { type: 'string' },
      n: { type: 'number' },
      on: { type: 'boolean' },
      at: { type: 'date' },
      list: { type: 'array' },
      deep: { type: 'object' },
      u: { type: 'string', unique: true },
    },
    indexes: ['n'],
  }

  const filled = async (): Promise<Store> => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('all', ALL)
    await store.defineBucket('keyed', KEYED)
    await store.defineBucket('empty', KEYED)
    const all = store.bucket('all')
    await all.insert({
      text: '\ud800 \u2028 \u0000 "\\ ěšč 🙂',
      n: Number.POSITIVE_INFINITY,
      on: false,
      at: new Date(5),
      list: [1, null, [Number.NEGATIVE_INFINITY], { a: [] }],
      deep: { '': 1, constructor: 'x', 'a.b': { c: 'null' } },
      u: 'unique',
      extra: 'not in the schema',
      zero: -0,
    })
    await runtime.advance(7)
    await all.insert({ id: 50, n: 1.1e-300, text: null })
    await all.insert({ _expiresAt: 9e15 })
    await all.update(50, { n: 5e300 })
    await all.delete(51)
    await store.bucket('keyed').insertMany([{ id: 'b' }, { id: 'a' }])
    return store
  }

  const emptyCopy = async (): Promise<Store> => {
    const store = await open()
    for (const [name, definition] of Object.entries({ all: ALL, keyed: KEYED, empty: KEYED })) {
      await store.defineBucket(name, definition)
    }
    return store
  }

  test('what export wrote comes back bit for bit, metadata, order and counter included', async () => {
    const store = await filled()
    const copy = await emptyCopy()
    const report = await copy.import([await textOf(store)])
    expect(report).toEqual({ records: 4, buckets: ['all', 'keyed', 'empty'] })
    for (const name of ['all', 'keyed', 'empty']) {
      const [one, two] = [await store.bucket(name).all(), await copy.bucket(name).all()]
      expect(two).toEqual(one)
      expect(two.map((record) => Object.keys(record))).toEqual(one.map((record) => Object.keys(record)))
    }
    expect(await copy.bucket('all').where({ u: 'unique' })).toHaveLength(1)
    expect(await copy.bucket('all').insert({})).toMatchObject({ id: 52 })
    const lines = (text: string) => text.split('\n').slice(1, 4)
    expect(lines(await textOf(copy)).slice(1)).toEqual(lines(await textOf(store)).slice(1))
  })

  test('chunks may be text or bytes, cut anywhere', async () => {
    const text = await textOf(await filled())
    const bytes = new TextEncoder().encode(text)
    const copy = await emptyCopy()
    await copy.import(Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.slice(i * 7, i * 7 + 7)))
    expect(await copy.bucket('all').count()).toBe(2)
    const other = await emptyCopy()
    await other.import([...text])
    expect(await other.bucket('all').all()).toEqual(await copy.bucket('all').all())
  })

  test('an export is of one state, whatever is written while it is read', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }])
    let text = ''
    for await (const line of store.export()) {
      text += line
      await bucket.insert({ id: `while reading ${text.length}` })
    }
    expect(text.match(/"record"/g)).toHaveLength(2)
    expect(JSON.parse(text.slice(0, text.indexOf('\n')))).toMatchObject({ varve: 'export', version: 1 })
  })

  test('records that are there already refuse their batch; earlier batches stay', async () => {
    const store = await open({ buckets: { keyed: KEYED } })
    await store.bucket('keyed').insertMany(Array.from({ length: 5 }, (_, i) => ({ id: String(i) })))
    const text = await textOf(store)
    const copy = await open({ buckets: { keyed: KEYED } })
    await copy.bucket('keyed').insert({ id: '3' })
    const progress: number[] = []
    const error = await rejection(
      copy.import([text], { batchSize: 2, onProgress: (records) => progress.push(records) }),
    )
    expect(error).toBeInstanceOf(ImportError)
    expect(error).toMatchObject({ records: 2, line: 6 })
    expect(progress).toEqual([2])
    expect(await copy.bucket('keyed').keys()).toEqual(['3', '0', '1'])
  })

  test('records are checked against the definition', async () => {
    const store = await open({
      buckets: { b: { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } } },
    })
    await store.bucket('b').insert({ id: 'a', n: 5 })
    const text = await textOf(store)
    const { store: copy } = await openBucket({
      key: 'id',
      schema: { id: { type: 'string' }, n: { type: 'number', max: 4 } },
    })
    const error = await rejection(copy.import([text]))
    expect(error.message).toContain('n: Maximum value is 4')
    expect(await copy.bucket('b').count()).toBe(0)
  })

  test.each<[string, (lines: string[]) => string[], RegExp]>([
    ['nothing', () => [], /the end is missing/],
    ['something else', () => ['{"hello":1}'], /not what export writes/],
    ['no JSON', () => ['hello'], /line 1/],
    ['a newer version', (lines) => lines.map((line) => line.replace('"version":1', '"version":9')), /newer version/],
    ['a missing end', (lines) => lines.slice(0, -1), /the end is missing/],
    ['a missing record', (lines) => lines.filter((line) => !line.includes('"id":"a"')), /records were exported/],
    ['a cut line', (lines) => lines.slice(0, 3).map((line, i) => (i === 2 ? line.slice(0, 20) : line)), /line 3/],
    ['something after the end', (lines) => [...lines, '{"end":true,"records":2}'], /after the end/],
    [
      'a bucket that is not defined',
      (lines) => lines.map((line) => line.replace('"bucket":"b"', '"bucket":"nope"')),
      /not defined/,
    ],
    [
      'a bucket with another key',
      (lines) => lines.map((line) => line.replace('"key":"id"', '"key":"sku"')),
      /was exported with key "sku", here its key is "id"/,
    ],
    ['a record without metadata', (lines) => lines.map((line) => line.replace('"_version":1,', '')), /_version/],
    ['null', (lines) => [...lines.slice(0, 2), 'null', ...lines.slice(2)], /expected an object/],
    [
      'an own __proto__',
      (lines) => lines.map((line) => line.replace('"id":"a"', '"id":"a","__proto__":{"x":1}')),
      /__proto__/,
    ],
  ])('%s is refused', async (_, spoil, message) => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insertMany([{ id: 'a' }, { id: 'b' }])
    const lines = (await textOf(store)).split('\n').slice(0, -1)
    const { store: copy } = await openBucket(KEYED)
    const error = await rejection(copy.import([`${spoil(lines).join('\n')}\n`]))
    expect(error).toBeInstanceOf(ImportError)
    expect(error.message).toMatch(message)
    await copy.bucket('b').insert({ id: 'it still works' })
  })

  test('blank lines before the header, and between lines, are no lines', async () => {
    const { store, bucket } = await openBucket(KEYED)
    await bucket.insert({ id: 'a' })
    const { store: copy } = await openBucket(KEYED)
    await copy.import([`\n\n${(await textOf(store)).replaceAll('\n', '\n\n')}`])
    expect(await copy.bucket('b').count()).toBe(1)
  })

  test.each([[undefined], [null], [5]])('import(%j) is refused', async (source) => {
    const store = await open()
    expect((await rejection(store.import(source as never))).name).toMatch(/InvalidArgumentError|ImportError/)
  })

  test.each([[{ batchSize: 0 }], [{ batchSize: 'x' }]])('the options %j are refused', async (options) => {
    expect((await rejection((await open()).import([], options as never))).name).toBe('InvalidArgumentError')
  })
})

test('backup and file options are for files', async () => {
  const store = await open({ persistence: { adapter: new MemoryAdapter() } })
  expect((await rejection(store.backup('/tmp/never'))).name).toBe('InvalidArgumentError')
  expect((await rejection(store.backup(''))).name).toBe('InvalidArgumentError')
})
