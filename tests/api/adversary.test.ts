import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type Appended,
  type Batch,
  type BucketDefinition,
  InvalidArgumentError,
  MemoryAdapter,
  QueryOvertakenError,
  type StorageAdapter,
  Store,
  ValidationError,
} from '../../src/index.js'

/** What somebody who wanted to break the promises broke once. */

const keyed = { key: 'id', schema: { id: { type: 'string', required: true } } } as const
const numbered = { key: 'id', schema: { id: { type: 'number', generated: 'autoincrement' } } } as const

test('a handler may write while a group is published: events and commits keep their order', async () => {
  const errors: string[] = []
  const seen: unknown[] = []
  const store = await Store.start({ buckets: { a: keyed, b: keyed }, onError: (error) => errors.push(error.message) })
  await store.on('bucket.a.inserted', (event) => void store.bucket('b').insert({ id: event.key }))
  await store.on('bucket.*.inserted', ({ bucket, key }) => seen.push(`${bucket}${String(key)}`))
  void store.flush()
  await Promise.resolve()
  await Promise.all(['1', '2'].map((id) => store.bucket('a').insert({ id })))
  await store.settle()
  await store.bucket('a').insert({ id: '3' })
  await store.settle()
  expect([errors, seen]).toEqual([[], ['a1', 'a2', 'b1', 'b2', 'a3', 'b3']])
  await store.stop()
})

test('events of buckets that are not stored come after the commits before them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-order-'))
  const buckets = { a: keyed, e: { ...keyed, persistent: false } }
  const store = await Store.start({ file: join(folder, 'a.db'), buckets })
  const seen: unknown[] = []
  await store.on('bucket.a.inserted', ({ key }) => {
    if (key === 'first') void store.bucket('e').insert({ id: 'third' })
  })
  await store.on('bucket.*.inserted', ({ key }) => seen.push(key))
  await Promise.all(['first', 'second'].map((id) => store.bucket('a').insert({ id })))
  await store.settle()
  expect(seen).toEqual(['first', 'second', 'third'])
  await store.stop()
  rmSync(folder, { recursive: true })
})

test('neither a reading transaction nor an export tells of a commit that is then taken back', async () => {
  const inner = new MemoryAdapter()
  let fails = false
  const adapter: StorageAdapter = {
    open: (context) => inner.open(context),
    loadBucket: (bucket) => inner.loadBucket(bucket),
    readLog: (after, options) => inner.readLog(after, options),
    flush: () => inner.flush(),
    trim: (budget) => inner.trim(budget),
    close: () => inner.close(),
    async append(head: number, batch: Batch): Promise<Appended> {
      await new Promise((resolve) => setImmediate(resolve))
      if (fails) throw new Error('disk')
      return inner.append(head, batch) as Appended
    },
  }
  const store = await Store.start({
    persistence: { adapter },
    durability: 'process',
    buckets: { a: keyed },
    onError: () => undefined,
  })
  fails = true
  const write = store.bucket('a').insert({ id: '1' })
  write.catch(() => undefined)
  const counted = store.transaction((tx) => tx.bucket('a').count(), { retries: 3 })
  const lines: string[] = []
  for await (const line of store.export()) lines.push(line)
  await expect(write).rejects.toThrow('disk')
  expect(await counted).toBe(0)
  expect(lines.filter((line) => line.startsWith('{"record'))).toEqual([])
  await store.stop()
})

test('a bucket that was in memory only for a while leaves the stored counter alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'varve-counter-'))
  const file = join(folder, 'a.db')
  const first = await Store.start({ file, buckets: { a: numbered } })
  for (let i = 0; i < 5; i++) await first.bucket('a').insert({})
  await first.bucket('a').delete(5)
  await first.stop()
  const second = await Store.start({ file })
  await second.defineBucket('a', { ...numbered, persistent: false })
  await second.dropBucket('a')
  const a = await second.defineBucket('a', numbered)
  expect((await a.insert({})).id).toBe(6)
  await second.stop()
  rmSync(folder, { recursive: true })
})

test('what log.read and describeBucket give cannot be used to change the store', async () => {
  const unique = {
    key: 'id',
    schema: { id: { type: 'string', required: true }, u: { type: 'string', unique: true } },
  } as const
  const store = await Store.start({ buckets: { a: unique } })
  await store.bucket('a').insert({ id: '1', u: 'x' })
  const [entry] = await store.log.read()
  expect(() => Object.assign(entry as object, { type: 'forged' })).toThrow(TypeError)
  expect(() => ((entry as { changes: unknown }).changes as unknown[]).pop()).toThrow(TypeError)
  const [index] = store.describeBucket('a').indexes
  expect(() => Object.assign(index as object, { unique: false })).toThrow(TypeError)
  await store.stop()
})

test('an import refuses what no record can hold, also in fields with validators of others', async () => {
  const any = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) } }
  const store = await Store.start({
    buckets: { a: { key: 'id', schema: { id: { type: 'string', required: true }, n: any } } },
  })
  const lines = (value: string) => [
    '{"varve":"export","version":1}\n{"bucket":"a","key":"id","counter":0,"records":1}\n',
    `{"record":{"id":"x","n":${value},"_version":1,"_createdAt":1,"_updatedAt":1}}\n{"end":true,"records":1}\n`,
  ]
  for (const value of ['{"__proto__":{"x":1}}', '['.repeat(5_000) + ']'.repeat(5_000)]) {
    await expect(store.import(lines(value))).rejects.toThrow('Validation failed')
  }
  expect(store.supervision().children?.every((child) => child.restarts === 0)).toBe(true)
  await store.stop()
})

test('hostile options and values crash no bucket', async () => {
  const any = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) } }
  const store = await Store.start({
    buckets: { a: { key: 'id', schema: { id: { type: 'string', required: true }, v: any } } },
  })
  const options = Object.defineProperty({}, 'limit', {
    get() {
      throw new Error('hostile')
    },
  })
  await expect(store.bucket('a').paginate(options as { limit: number })).rejects.toThrow(InvalidArgumentError)
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  for (const v of [Object.create(Date.prototype), new Proxy(new Date(), {}), revoked.proxy]) {
    await expect(store.bucket('a').insert({ id: 'a', v })).rejects.toThrow(ValidationError)
  }
  expect(store.supervision().children?.every((child) => child.restarts === 0)).toBe(true)
  await store.stop()
})

test('a query that is overtaken each time says so, and starves nobody', async () => {
  const store = await Store.start({ buckets: { a: numbered } })
  store.defineQuery('writes', async (ctx) => {
    const count = await ctx.bucket('a').count()
    await store.bucket('a').insert({})
    return count
  })
  await expect(store.runQuery('writes')).rejects.toThrow(QueryOvertakenError)
  await store.stop()
})

test('async functions where none can be end in an error, not in an unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  const failing = async () => {
    throw new Error('late')
  }
  const a: BucketDefinition = { key: 'id', schema: { id: { type: 'string' }, x: { type: 'string', default: failing } } }
  const store = await Store.start({ buckets: { a } })
  expect(() => store.read(failing as unknown as () => void)).toThrow(InvalidArgumentError)
  await expect(store.bucket('a').insert({ id: '1' })).rejects.toThrow(ValidationError)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
  await store.stop()
})

test('a callback may change maps and lists that it is given, and is told of the next change', async () => {
  const store = await Store.start({ buckets: { a: keyed } })
  const sizes: number[] = []
  const query = store.defineQuery('map', async (ctx) => new Map((await ctx.bucket('a').all()).map((r) => [r.id, r])))
  await store.subscribe(query, (map) => {
    sizes.push(map.size)
    map.clear()
  })
  await store.bucket('a').insert({ id: '1' })
  await store.settle()
  await store.bucket('a').delete('1')
  await store.settle()
  expect(sizes).toEqual([1, 0])
  await store.stop()
})

test('paging goes on after the bucket has restarted and the cursor is gone', async () => {
  const store = await Store.start({ buckets: { a: numbered } })
  const a = store.bucket('a')
  await a.insertMany(Array.from({ length: 30 }, () => ({})))
  const page = await a.paginate({ limit: 10 })
  store.kill('bucket:a')
  await a.delete(page.nextCursor as number)
  expect((await a.paginate({ limit: 10, after: page.nextCursor })).records[0]?.id).toBe(11)
  await store.stop()
})
