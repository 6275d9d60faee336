import { describe, expect, test, vi } from 'vitest'
import { looked } from '../../src/query/find.js'
import type { Store } from '../../src/index.js'
import type { BucketDefinitions } from '../../src/index.js'
import { gate, open, rejection } from './opened.js'

const SHOP = {
  users: {
    key: 'id',
    schema: {
      id: { type: 'string', required: true },
      name: { type: 'string', required: true },
      bossId: { type: 'string', ref: 'users' },
    },
  },
  orders: {
    key: 'id',
    schema: {
      id: { type: 'number', required: true },
      buyerId: { type: 'string', ref: 'users' },
      seller_id: { type: 'string', ref: 'users' },
      note: { type: 'string' },
      total: { type: 'number', default: 0 },
    },
    indexes: ['buyerId', ['seller_id', 'total']],
  },
  items: {
    key: 'id',
    schema: { id: { type: 'number', generated: 'autoincrement' }, orderId: { type: 'number', ref: 'orders' } },
  },
} as const satisfies BucketDefinitions

async function openShop() {
  const store = (await open({ buckets: SHOP, selfCheck: 1 })) as unknown as Store<typeof SHOP>
  const [users, orders, items] = [store.bucket('users'), store.bucket('orders'), store.bucket('items')]
  await users.insertMany([
    { id: 'ada', name: 'Ada' },
    { id: 'bob', name: 'Bob', bossId: 'ada' },
    { id: 'cy', name: 'Cy', bossId: 'gone' },
  ])
  await orders.insertMany([
    { id: 1, buyerId: 'ada', seller_id: 'bob', total: 30 },
    { id: 2, buyerId: 'bob', seller_id: 'ada', total: 10 },
    { id: 3, buyerId: 'ada', total: 20 },
  ])
  await items.insertMany([{ orderId: 1 }, { orderId: 1 }, { orderId: 2 }])
  return { store, users, orders, items }
}

describe('include', () => {
  test('follows a field with a ref, called as the field or without Id', async () => {
    const { users, orders } = await openShop()
    const [ada, bob] = await users.all()
    const rows = await orders.query().include('buyer', 'seller')
    expect(rows.map(({ buyer, seller }) => [buyer, seller])).toEqual([
      [ada, bob],
      [bob, ada],
      [ada, null],
    ])
    expect(rows[0]?.buyer, 'the record itself').toBe(ada)
    const named = await orders.where({ id: 1 }).include('seller_id')
    expect(named[0]?.seller_id).toBe(bob)
    expect((await users.query().include('boss')).map(({ boss }) => boss?.name ?? null)).toEqual([null, 'Ada', null])
  })

  test('gives the records that have the key of the row, with options', async () => {
    const { users } = await openShop()
    const sold = { orders: { via: 'seller_id' } } as const
    expect((await users.query().include(sold)).map(({ orders }) => orders.map(({ id }) => id))).toEqual([[2], [1], []])
    const bought = {
      orders: { via: 'buyerId', where: { total: { gt: 10 } }, orderBy: ['total', 'desc'], limit: 1 },
    } as const
    expect((await users.query().include(bought)).map(({ orders }) => orders.map(({ id }) => id))).toEqual([[1], [], []])
    const both = await users.where({ id: 'ada' }).include({
      bought: { bucket: 'orders', via: 'buyerId', orderBy: [['total', 'desc'], ['id']] },
      sold: { bucket: 'orders', via: 'seller_id' },
    })
    expect(both.map((row) => [row.bought.map(({ id }) => id), row.sold.map(({ id }) => id)])).toEqual([[[1, 3], [2]]])
  })

  test('goes on from there', async () => {
    const { users } = await openShop()
    const rows = await users.query().include({
      orders: { via: 'buyerId', include: { items: { limit: 1 }, seller: { include: 'boss' } } },
    })
    expect(rows.map(({ orders }) => orders.map((one) => [one.items.length, one.seller?.boss?.name]))).toEqual([
      [
        [1, 'Ada'],
        [0, undefined],
      ],
      [[1, undefined]],
      [],
    ])
  })

  test('goes with select, first, page, for await, store.read and counts', async () => {
    const { store, orders } = await openShop()
    const asked = orders.query().orderBy('id').select('total').include('buyer')
    expect(await asked.first()).toEqual({ total: 30, buyer: (await asked)[0]?.buyer })
    const page = await asked.page({ size: 2 })
    expect(page.records.map(({ total, buyer }) => [total, buyer?.id])).toEqual([
      [30, 'ada'],
      [10, 'bob'],
    ])
    const next = await asked.page({ size: 2, after: page.nextCursor })
    expect(next.records.map(({ buyer }) => buyer?.id)).toEqual(['ada'])
    const streamed: unknown[] = []
    for await (const { buyer } of asked.limit(2)) streamed.push(buyer?.id)
    expect(streamed).toEqual(['ada', 'bob'])
    const read = store.read((view) => view.bucket('orders').query().include('buyer', 'items').run())
    expect(read.map(({ buyer, items }) => [buyer?.id, items.length])).toEqual([
      ['ada', 2],
      ['bob', 1],
      ['ada', 0],
    ])
    expect(await asked.count()).toBe(3)
    expect(await orders.query().include('items').sum('total')).toBe(60)
  })

  test('rows are frozen, and the array is the caller’s own', async () => {
    const { orders } = await openShop()
    const rows = await orders.query().include('items')
    expect(Object.isFrozen(rows)).toBe(false)
    expect(rows.every((row) => Object.isFrozen(row) && Object.isFrozen(row.items))).toBe(true)
  })

  test('explain says how the related records are found', async () => {
    const { users, orders } = await openShop()
    const explained = await users
      .query()
      .include({ orders: { via: 'buyerId' } })
      .explain()
    expect(explained.include).toEqual([{ name: 'orders', bucket: 'orders', field: 'buyerId', access: 'index' }])
    expect((await orders.query().include('items', 'buyer').explain()).text).toBe(
      'bucket "orders": by a scan of all records; 3 examined, 3 returned' +
        '; items from bucket "items" by one scan for all rows, live by one for each row; buyer from bucket "users" by key',
    )
  })

  test.each([
    ['a relation that is none', (b: any) => b.include('nope'), 'buyer, seller, or the name of a bucket'],
    ['no relation', (b: any) => b.include(), 'at least one relation'],
    ['a relation twice', (b: any) => b.include('buyer').include({ buyer: true }), 'each relation once'],
    ['options for one record', (b: any) => b.include({ buyer: { limit: 1 } }), 'only include'],
    ['an unknown option', (b: any) => b.include({ items: { wher: {} } }), 'only bucket, via, where'],
    ['a wrong filter', (b: any) => b.include({ items: { where: { orderId: { gtt: 1 } } } }), 'operators out of eq'],
    ['undefined in a filter', (b: any) => b.include({ items: { where: { orderId: undefined } } }), 'ask for null'],
    ['a wrong limit', (b: any) => b.include({ items: { limit: -1 } }), 'a whole number from 0'],
    ['a wrong order', (b: any) => b.include({ items: { orderBy: ['id', 'down'] } }), '"asc" or "desc"'],
    ['a name of a field', (b: any) => b.include({ total: { bucket: 'items' } }), 'a name that is no field'],
    ['a bucket that does not refer', (b: any) => b.include('users'), 'none has'],
    ['a field that does not refer', (b: any) => b.include({ items: { via: 'id' } }), 'orderId has'],
    ['a prototype', (b: any) => b.include('__proto__'), 'a name that is none of the store'],
    ['a number', (b: any) => b.include(5), 'names of relations'],
    ['an order by what is included', (b: any) => b.include('buyer').orderBy('buyer.name'), 'fields of their own'],
    ['a selection of it', (b: any) => b.select('buyer.name').include('buyer'), 'fields of their own'],
  ])('refuses %s, when it is asked', async (_, make, expected) => {
    const { orders } = await openShop()
    const error = await rejection(make(orders.query()))
    expect(error.name).toBe('InvalidArgumentError')
    expect(error.message).toContain(expected)
    expect(() => make(orders.query()).live(() => undefined)).toThrow(expected)
  })

  test('refuses a relation twice, more than 100 and names of the store, at any depth and however they are given', async () => {
    const { users } = await openShop()
    const asked = users.query() as unknown as { include(...given: unknown[]): Promise<object[]> & typeof asked }
    const one = { bucket: 'orders', via: 'buyerId' }
    const names: unknown[] = ['__proto__', '_version', '_createdAt', '_updatedAt', '_expiresAt']
    for (const name of names as string[]) {
      const given: unknown = JSON.parse(`{"${name}":${JSON.stringify(one)}}`)
      for (const relations of [given, { a: { ...one, include: given } }]) {
        expect((await rejection(asked.include(relations))).message).toContain('a name that is none of the store')
      }
    }
    const twice = { a: { ...one, include: ['items', { items: { limit: 0 } }] } }
    expect((await rejection(asked.include(twice))).message).toContain('each relation once')
    let many = asked
    for (let i = 0; i < 50; i++) many = many.include({ [`r${i}`]: { ...one, include: 'items' } })
    await many
    expect((await rejection(many.include({ more: one }))).message).toContain('at most 100 relations')
    const [row] = await asked.include({ constructor: one, then: one })
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
    for (const name of ['constructor', 'then']) expect(Object.hasOwn(row ?? {}, name)).toBe(true)
  })

  test('takes plain objects only, and what throws when it is read is refused', async () => {
    const { users } = await openShop()
    const asked = users.query() as unknown as { include(...given: unknown[]): Promise<object[]> }
    const hostile = (): never => {
      throw new TypeError('hostile')
    }
    const given: unknown[] = [
      new Map([['orders', true]]),
      { orders: new Map([['limit', 1]]) },
      { orders: new Date() },
      { orders: [] },
      Object.defineProperty({}, 'orders', { enumerable: true, get: hostile }),
      { orders: Object.defineProperty({}, 'where', { enumerable: true, get: hostile }) },
      new Proxy({}, { ownKeys: hostile }),
      new Proxy({}, { getPrototypeOf: hostile }),
    ]
    for (const one of given) expect((await rejection(asked.include(one))).name).toBe('InvalidArgumentError')
  })

  test('without an index one look at a bucket serves all rows, at any depth', async () => {
    const { store, users, orders } = await openShop()
    await users.insertMany(Array.from({ length: 40 }, (_, i) => ({ id: `u${i}`, name: '' })))
    const later = Array.from({ length: 200 }, (_, i) => ({
      id: 10 + i,
      buyerId: `u${i % 40}`,
      seller_id: `u${i % 40}`,
    }))
    await orders.insertMany(later)
    await store.bucket('items').insertMany(later.flatMap(({ id }) => [{ orderId: id }, { orderId: id }]))
    const { records } = looked
    const rows = await users.query().include({ orders: { via: 'buyerId', include: 'items' } })
    await orders.query().include({ buyer: { include: { orders: { via: 'seller_id', include: 'items' } } } })
    expect(looked.records - records).toBeLessThan(5_000)
    expect(rows[0]?.orders.map(({ id, items }) => [id, items.length])).toEqual([
      [1, 2],
      [3, 0],
    ])
    expect(rows[3]?.orders.map(({ id, items }) => [id, items.length])).toEqual(
      [10, 50, 90, 130, 170].map((id) => [id, 2]),
    )
  })

  test('a ref in a field with a dot in its name leads to the same from one row and from many, once and live', async () => {
    for (const indexes of [[], ['user.id']]) {
      const store = await open({
        buckets: {
          users: { key: 'id', schema: { id: { type: 'number' } } },
          posts: {
            key: 'id',
            schema: { id: { type: 'number' }, 'user.id': { type: 'number', ref: 'users' } },
            indexes,
          },
        },
      })
      await store.bucket('users').insertMany([{ id: 1 }, { id: 2 }])
      await store.bucket('posts').insertMany([
        { id: 1, 'user.id': 1 },
        { id: 2, user: { id: 1 } },
      ])
      const asked = store.bucket('users').query().include('posts')
      let live: unknown
      asked.live((rows) => (live = rows[0]))
      await store.settle()
      const [many] = await asked
      expect([many, live]).toEqual([await asked.first(), many])
    }
  })

  test('refuses a filter on what is included', async () => {
    const { orders } = await openShop()
    const asked = (orders as any).where({ or: [{ id: 1 }, { not: { 'buyer.name': 'Ada' } }] }).include('buyer')
    expect((await rejection(asked)).message).toContain('got string "buyer.name"')
  })

  test('says which fields there are where several lead back', async () => {
    const { users } = await openShop()
    const error = await rejection((users.query() as any).include('orders'))
    expect(error.message).toContain('via: a field of bucket "orders" with ref: "users"; buyerId, seller_id have')
  })

  test('refuses relations without end', async () => {
    const { users } = await openShop()
    let include: any = true
    for (let depth = 0; depth < 9; depth++) include = { boss: { include } }
    expect((await rejection((users.query() as any).include({ boss: { include } }))).message).toContain(
      'at most 8 levels',
    )
    const many = Object.fromEntries(
      Array.from({ length: 101 }, (_, i) => [`a${i}`, { bucket: 'orders', via: 'buyerId' }]),
    )
    expect((await rejection((users.query() as any).include(many))).message).toContain('at most 100 relations')
  })

  test('a bucket that is still being loaded is waited for', async () => {
    const store = await open({ buckets: { users: SHOP.users } })
    await store.bucket('users').insert({ id: 'ada', name: 'Ada' })
    const defined = store.defineBucket('orders', SHOP.orders)
    const asked = store
      .bucket('users')
      .query()
      .include({ orders: { via: 'buyerId' } })
    const results: number[] = []
    const end = asked.live((rows) => void results.push(rows.length))
    expect(await asked).toMatchObject([{ id: 'ada', orders: [] }])
    await Promise.all([defined, end.ready])
    expect(results).toEqual([1])
  })

  test('one of two transactions conflicts when a related record comes that the other has not read', async () => {
    const { store, orders } = await openShop()
    const other = gate()
    const read = gate()
    const first = store.transaction(async (tx) => {
      const [ada] = await tx
        .bucket('users')
        .where({ id: 'ada' })
        .include({ orders: { via: 'buyerId' } })
      read.open()
      await other.opened
      await tx.bucket('users').update('ada', { name: `${ada?.orders.length} orders` })
    })
    await read.opened
    await orders.insert({ id: 4, buyerId: 'bob' })
    await orders.insert({ id: 5, buyerId: 'ada' })
    other.open()
    expect((await rejection(first)).name).toBe('TransactionConflictError')
  })

  test('a transaction does not conflict with what has nothing to do with its rows', async () => {
    const { store, orders } = await openShop()
    const other = gate()
    const read = gate()
    const first = store.transaction(async (tx) => {
      await tx
        .bucket('users')
        .where({ id: 'ada' })
        .include({ orders: { via: 'buyerId' } })
      read.open()
      await other.opened
      await tx.bucket('users').update('ada', { name: 'still' })
    })
    await read.opened
    await orders.insert({ id: 4, buyerId: 'bob' })
    other.open()
    await first
  })
})

describe('include, live', () => {
  test('a change of a related record changes its row, and no other', async () => {
    const { store, users, orders } = await openShop()
    const seen: any[] = []
    users
      .query()
      .include({ orders: { via: 'buyerId' } })
      .live((rows, changes) => void seen.push({ rows, ...changes }))
    await store.settle()
    await orders.update(2, { total: 11 })
    await store.settle()
    const [first, second] = seen
    expect(seen).toHaveLength(2)
    expect(second.changed).toEqual([{ before: first.rows[1], after: second.rows[1] }])
    expect(second.added.concat(second.removed, second.moved)).toEqual([])
    expect([second.rows[0], second.rows[2]]).toEqual([first.rows[0], first.rows[2]])
    expect(second.rows[0]).toBe(first.rows[0])
    expect(second.rows[1].orders[0].total).toBe(11)
  })

  test('one commit over several buckets is one result', async () => {
    const { store, users, orders } = await openShop()
    const seen: string[] = []
    users
      .query()
      .include({ orders: { via: 'buyerId' } })
      .live((rows) => {
        seen.push(rows.map((row) => `${row.name}${row.orders.length}`).join())
      })
    await store.settle()
    await store.transaction(async (tx) => {
      await tx.bucket('users').insert({ id: 'di', name: 'Di' })
      await tx.bucket('orders').insert({ id: 9, buyerId: 'di' })
      await tx.bucket('users').delete('cy')
      await tx.bucket('orders').update(2, { buyerId: 'di' })
    })
    await store.settle()
    expect(seen).toEqual(['Ada2,Bob1,Cy0', 'Ada2,Bob0,Di2'])
    await orders.update(1, { note: 'of no interest to counts' })
    await store.settle()
    expect(seen).toHaveLength(3)
  })

  test('a related record that nobody shows costs nothing', async () => {
    const { store, users, items, orders } = await openShop()
    let calls = 0
    users
      .where({ id: 'ada' })
      .include({ orders: { via: 'seller_id', where: { total: { lt: 15 } } } })
      .live(() => calls++)
    await store.settle()
    await orders.update(1, { total: 12 })
    await orders.insert({ id: 7, seller_id: 'ada', total: 99 })
    await items.insert({ orderId: 2 })
    await store.settle()
    expect(calls).toBe(1)
    await orders.update(7, { total: 14 })
    await store.settle()
    expect(calls).toBe(2)
  })

  test('a record that refers to itself, and does not any more', async () => {
    const { store, users } = await openShop()
    await users.update('ada', { bossId: 'ada' })
    const seen: unknown[] = []
    users
      .where({ id: { ne: 'cy' } })
      .include({ boss: { include: 'boss' } })
      .live((rows) => {
        seen.push(rows.map(({ boss }) => [boss?.name, boss?.boss?.name]))
      })
    await store.settle()
    await users.update('ada', { bossId: 'bob' })
    await store.settle()
    await users.delete('ada')
    await store.settle()
    expect(seen).toEqual([
      [
        ['Ada', 'Ada'],
        ['Ada', 'Ada'],
      ],
      [
        ['Bob', 'Ada'],
        ['Ada', 'Bob'],
      ],
      [[undefined, undefined]],
    ])
  })

  test('a bucket that is dropped and defined again with other fields', async () => {
    const errors: string[] = []
    const { store, users } = await openShop()
    const seen: string[] = []
    const asked = users.query().include({ orders: { via: 'buyerId' } })
    asked.live((rows) => void seen.push(rows.map(({ orders }) => orders.length).join()), {
      onError: (error) => errors.push(error.name),
    })
    await store.settle()
    await store.dropBucket('orders')
    await store.settle()
    expect((await rejection(asked)).name).toBe('InvalidArgumentError')
    const { buyerId: _, ...less } = SHOP.orders.schema
    await store.defineBucket('orders', { key: 'id', schema: less })
    await store.settle()
    expect((await rejection(asked)).message).toContain('seller_id has')
    await store.dropBucket('orders')
    await store.defineBucket('orders', SHOP.orders)
    await store.bucket('orders').insert({ id: 1, buyerId: 'cy' })
    await store.settle()
    expect(seen.at(0)).toBe('2,1,0')
    expect(seen.at(-1)).toBe('0,0,1')
    expect(new Set(errors), 'as when it is asked once').toEqual(new Set(['InvalidArgumentError']))
  })

  test('a query function reads it as a view', async () => {
    const { store, orders, users } = await openShop()
    let runs = 0
    store.defineQuery('buyers', async (ctx) => {
      runs++
      const rows = await ctx
        .bucket('orders')
        .where({ total: { gte: 20 } })
        .include('buyer')
      return rows.map(({ id, buyer }) => `${id} ${buyer?.name}`)
    })
    const seen: unknown[] = []
    await store.subscribe('buyers', (result) => seen.push(result), { immediate: true })
    await users.update('bob', { name: 'Bobby' })
    await orders.insert({ id: 8, total: 1 })
    await store.settle()
    expect(runs).toBe(1)
    await users.update('ada', { name: 'Countess' })
    await store.settle()
    expect(seen).toEqual([
      ['1 Ada', '3 Ada'],
      ['1 Countess', '3 Countess'],
    ])
  })

  test('a field that is defined again with another ref leads elsewhere', async () => {
    const { store, orders } = await openShop()
    const errors: string[] = []
    let last: unknown
    orders
      .where({ id: 3 })
      .include('buyer')
      .live((rows) => void (last = rows[0]?.buyer), { onError: (error) => errors.push(error.message) })
    await store.settle()
    const { schema } = SHOP.orders
    await store.dropBucket('orders')
    await store.settle()
    await store.defineBucket('orders', { key: 'id', schema: { ...schema, buyerId: { type: 'string', ref: 'people' } } })
    await store.settle()
    expect(errors).toEqual(['Bucket "orders" is not defined', 'Bucket "people" is not defined'])
    await store.defineBucket('people', { key: 'id', schema: { id: { type: 'string' }, n: { type: 'number' } } })
    const people = (store as unknown as Store).bucket('people')
    await people.insert({ id: 'ada', n: 1 })
    await store.bucket('orders').insert({ id: 3, buyerId: 'ada' })
    await store.settle()
    expect(last).toMatchObject({ id: 'ada', n: 1 })
    await store.dropBucket('users')
    await people.update('ada', { n: 2 })
    await store.settle()
    expect(last).toMatchObject({ id: 'ada', n: 2 })
    expect(errors).toHaveLength(2)
  })

  test('a query function that comes to include a bucket which is missing runs again when that is defined', async () => {
    const { store, users } = await openShop()
    await store.dropBucket('items')
    store.defineQuery('late', async (ctx) => {
      const one = await ctx.bucket('users').get('ada')
      return one?.name === 'Ada'
        ? []
        : ctx
            .bucket('users')
            .where({ id: 'ada' })
            .include({ orders: { via: 'buyerId', include: 'items' } })
    })
    const seen: unknown[] = []
    await store.subscribe('late', (rows) => seen.push(rows), { onError: (error) => seen.push(error.name) })
    await users.update('ada', { name: 'A' })
    await store.settle()
    expect(seen).toEqual(['InvalidArgumentError'])
    await store.defineBucket('items', SHOP.items)
    await store.settle()
    expect(seen.at(-1)).toMatchObject([{ id: 'ada', orders: [{ items: [] }, { items: [] }] }])
  })

  test('explain in a subscribed query is what it is in one that runs once, and follows what it looks at', async () => {
    const { store, users } = await openShop()
    for (const relations of [['orders'], []] as const) {
      const name = `explained ${relations.length}`
      const include = { orders: { via: 'buyerId' } } as const
      store.defineQuery(name, (ctx) => {
        const asked = ctx.bucket('users').where({ name: 'Ada' })
        return relations.length === 0 ? asked.explain() : asked.include(include).explain()
      })
      let last: unknown
      await store.subscribe(name, (result) => (last = result), { immediate: true })
      expect(last).toEqual(await store.runQuery(name))
      // It does not match, and is looked at.
      await users.insert({ id: `new ${name}`, name: 'New' })
      await store.settle()
      expect(last).toEqual(await store.runQuery(name))
    }
    expect((await store.getStats()).live).toMatchObject({ diverged: 0 })
  })

  test('selfCheck looks at it after plain writes as well', async () => {
    const { store, orders, users } = await openShop()
    users
      .query()
      .include({ orders: { via: 'buyerId' } })
      .live(() => undefined)
    await store.settle()
    const { checked } = (await store.getStats()).live
    await orders.insert({ id: 7, buyerId: 'cy' })
    // That of the orders of cy, and that of the users with their orders.
    expect((await store.getStats()).live).toMatchObject({ checked: checked + 2, diverged: 0 })
  })

  test('selfCheck does not take a bucket that restarts for a divergence', async () => {
    const { store, orders, users } = await openShop()
    const told = vi.fn()
    await store.on('view.*', told)
    users
      .query()
      .include({ orders: { via: 'buyerId' } })
      .live(() => undefined)
    await store.settle()
    store.kill('bucket:orders')
    await orders.count()
    await store.settle()
    store.kill('bucket:users')
    await store.bucket('items').insert({ id: 70 })
    await orders.insert({ id: 7, buyerId: 'cy' })
    await store.settle()
    expect((await store.getStats()).live).toMatchObject({ diverged: 0 })
    expect(told).not.toHaveBeenCalled()
  })
})
