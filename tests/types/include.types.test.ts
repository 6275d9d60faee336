import { expectTypeOf, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { RecordOf, StoreRecord } from '../../src/index.js'
import { compiled } from './compiled.js'

/** One row of what a query gives. */
declare function one<T>(rows: PromiseLike<T[]> | T[]): T

const start = () =>
  Store.start({
    buckets: {
      users: { key: 'id', schema: { id: { type: 'string' }, name: { type: 'string', required: true } } },
      orders: {
        key: 'id',
        schema: {
          id: { type: 'number', generated: 'autoincrement' },
          buyerId: { type: 'string', ref: 'users' },
          seller_id: { type: 'string', ref: 'users' },
          total: { type: 'number', default: 0 },
        },
      },
      items: {
        key: 'id',
        schema: { id: { type: 'number', generated: 'autoincrement' }, orderId: { type: 'number', ref: 'orders' } },
      },
    },
  })

type Definitions = Awaited<ReturnType<typeof start>> extends Store<infer B> ? B : never
type User = RecordOf<Definitions['users']>
type Order = RecordOf<Definitions['orders']>
type Item = RecordOf<Definitions['items']>
declare const store: Awaited<ReturnType<typeof start>>

test('include gives the records of the other buckets', () => {
  compiled(async () => {
    const order = one(store.bucket('orders').query().include('buyer', 'seller', 'items'))
    expectTypeOf(order.buyer).toEqualTypeOf<User | null>()
    expectTypeOf(order.seller).toEqualTypeOf<User | null>()
    expectTypeOf(order.items).toEqualTypeOf<readonly Item[]>()
    expectTypeOf(order.total).toEqualTypeOf<number>()
    const user = one(
      store
        .bucket('users')
        .where({ name: 'Ada' })
        .select('name')
        .include({
          orders: {
            via: 'buyerId',
            where: { total: { gt: 1 } },
            orderBy: ['total', 'desc'],
            limit: 3,
            include: 'items',
          },
        }),
    )
    expectTypeOf(user.name).toEqualTypeOf<string>()
    expectTypeOf(user.orders[0]?.items).toEqualTypeOf<readonly Item[] | undefined>()
    expectTypeOf(user.orders[0]?.total).toEqualTypeOf<number | undefined>()
    const aliased = await store
      .bucket('users')
      .query()
      .include({ bought: { bucket: 'orders', via: 'buyerId' } })
      .first()
    expectTypeOf(aliased?.bought).toEqualTypeOf<readonly Order[] | undefined>()
    const deep = await store
      .bucket('items')
      .query()
      .include({ order: { include: { buyer: true } } })
      .first()
    expectTypeOf(deep?.order?.buyer).toEqualTypeOf<User | null | undefined>()
    store
      .bucket('users')
      .query()
      .include({ orders: { via: 'buyerId' } })
      .live((rows, { added }) => {
        expectTypeOf(rows[0]?.orders[0]?.total).toEqualTypeOf<number | undefined>()
        expectTypeOf(added[0]?.orders[0]?.total).toEqualTypeOf<number | undefined>()
      })
    store.read((view) => {
      expectTypeOf(one(view.bucket('orders').query().include('buyer').run()).buyer).toEqualTypeOf<User | null>()
    })
    await store.transaction(async (tx) => {
      expectTypeOf(one(tx.bucket('orders').query().include('buyer')).buyer).toEqualTypeOf<User | null>()
    })
    store.defineQuery('q', async (ctx) => {
      expectTypeOf(one(ctx.bucket('orders').query().include('buyer')).buyer).toEqualTypeOf<User | null>()
    })
  })
})

test('what does not exist does not compile', () => {
  compiled(() => {
    const [users, orders] = [store.bucket('users'), store.bucket('orders')]
    // @ts-expect-error no such relation
    void orders.query().include('buyr')
    // @ts-expect-error items do not refer to users
    void users.query().include('items')
    // @ts-expect-error an unknown option
    void orders.query().include({ items: { wher: {} } })
    // @ts-expect-error a field that items do not have
    void orders.query().include({ items: { where: { total: 1 } } })
    // @ts-expect-error a value of another type
    void users.query().include({ orders: { via: 'buyerId', where: { total: 'much' } } })
    // @ts-expect-error one record has no limit
    void orders.query().include({ buyer: { limit: 1 } })
    // @ts-expect-error no field of orders
    void users.query().include({ orders: { via: 'nope' } })
    // @ts-expect-error no field of orders
    void users.query().include({ orders: { via: 'buyerId', orderBy: 'nope' } })
    // @ts-expect-error a relation beside one that exists
    void orders.query().include({ items: true, itms: true })
  })
})

test('buckets that the compiler does not know', () => {
  compiled(async () => {
    const loose = store as unknown as Store
    const row = one(
      loose
        .bucket('orders')
        .query()
        .include('buyer')
        .include({ items: { limit: 1 } }),
    )
    expectTypeOf(row.buyer).toEqualTypeOf<unknown>()
    expectTypeOf(row._version).toEqualTypeOf<StoreRecord['_version']>()
    const later = await store.defineBucket('later', { key: 'id', schema: { id: { type: 'string' } } })
    await later.query().include('orders')
  })
})
