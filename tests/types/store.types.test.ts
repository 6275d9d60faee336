import { expectTypeOf, test } from 'vitest'
import { bridgeStoreToRules } from '../../src/bridge/rules.js'
import { Store as CoreStore } from '../../src/core.js'
import { Store } from '../../src/index.js'
import type {
  BucketDefinition,
  BucketHandle,
  BucketInsertedEvent,
  BucketName,
  BucketReader,
  Evaluation,
  Key,
  LiveExplanation,
  ProcessEvent,
  QueryFn,
  QueryRef,
  QuerySubscription,
  RecordVersion,
  StoreRecord,
  Topic,
  TransactionBucketHandle,
  TransactionContext,
  ViewDivergedEvent,
} from '../../src/index.js'
import { compiled } from './compiled.js'

const start = () =>
  Store.start({
    file: 'app.db',
    buckets: {
      users: {
        key: 'id',
        schema: {
          id: { type: 'string', generated: 'uuid' },
          name: { type: 'string', required: true },
          role: { type: 'string', enum: ['admin', 'user'], default: 'user' },
          age: { type: 'number' },
        },
        indexes: ['role', '_createdAt'],
      },
      orders: {
        key: 'number',
        schema: {
          number: { type: 'number', generated: 'autoincrement' },
          userId: { type: 'string', required: true, ref: 'users' },
          total: { type: 'number', required: true },
          placed: { type: 'date', default: () => new Date() },
        },
      },
    },
  })

declare const store: Awaited<ReturnType<typeof start>>

interface User {
  readonly id: string
  readonly name: string
  readonly role: 'admin' | 'user'
  readonly age?: number | undefined
  readonly _version: number
  readonly _createdAt: number
  readonly _updatedAt: number
  readonly _expiresAt?: number
}

test('buckets given to start are typed, and their names complete', () =>
  compiled(async () => {
    const users = store.bucket('users')
    expectTypeOf(await users.insert({ name: 'Ada' })).branded.toEqualTypeOf<User>()
    expectTypeOf(await users.get('a')).branded.toEqualTypeOf<User | undefined>()
    expectTypeOf(await users.where({ role: 'admin' })).branded.toEqualTypeOf<User[]>()
    expectTypeOf(await users.findOne({ age: null })).branded.toEqualTypeOf<User | undefined>()
    expectTypeOf<Extract<'users' | 'orders', BucketName<{ users: unknown; orders: unknown }>>>().toEqualTypeOf<
      'users' | 'orders'
    >()
    const either = 'users' as 'users' | 'orders'
    expectTypeOf((await store.bucket(either).first(1))[0]?._version).toEqualTypeOf<number | undefined>()
  }))

test('writes are typed', () =>
  compiled(async () => {
    const users = store.bucket('users')
    const orders = store.bucket('orders')
    await users.insertMany([{ name: 'Ada' }, { name: 'Bob', role: 'admin', _expiresAt: 0 }])
    await users.upsert({ id: 'a', name: 'Ada' })
    await users.update('a', { role: 'admin', age: 37 }, { ifVersion: 1 })
    await users.updateMany({ role: 'user' }, { role: 'admin' })
    await users.deleteMany({ age: 3 })
    await orders.insert({ userId: 'a', total: 1, placed: new Date() })
    // @ts-expect-error the name is required
    await users.insert({ role: 'admin' })
    // @ts-expect-error no such role
    await users.insert({ name: 'Ada', role: 'root' })
    // @ts-expect-error no such field
    await users.insert({ name: 'Ada', rol: 'admin' })
    // @ts-expect-error an age is a number
    await users.insertMany([{ name: 'Ada', age: '37' }])
    // @ts-expect-error the name is required
    await users.upsert({ id: 'a' })
    // @ts-expect-error a key does not change
    await users.update('a', { id: 'b' })
    // @ts-expect-error no such field
    await users.update('a', { nmae: 'b' })
    // @ts-expect-error the store keeps the version
    await users.update('a', { _version: 1 })
    // @ts-expect-error the key of a user is a string
    await users.update(1, { name: 'b' })
    // @ts-expect-error the number of an order is a number
    await orders.delete('1')
    // @ts-expect-error numbers of orders are generated
    await orders.update(1, { number: 2 })
    // @ts-expect-error no such field
    await users.updateMany({ rol: 'user' }, { role: 'admin' })
    // @ts-expect-error no such role
    await users.updateMany({ role: 'user' }, { role: 'root' })
    // @ts-expect-error an age is a number
    await users.deleteMany({ age: '3' })
  }))

test('reads are typed, and pages hand on a key', () =>
  compiled(async () => {
    const users = store.bucket('users')
    const orders = store.bucket('orders')
    expectTypeOf(await users.keys()).toEqualTypeOf<string[]>()
    expectTypeOf(await orders.keys()).toEqualTypeOf<number[]>()
    const page = await users.paginate({ limit: 10 })
    expectTypeOf(page.nextCursor).toEqualTypeOf<string | undefined>()
    expectTypeOf(page.records).branded.toEqualTypeOf<User[]>()
    await users.paginate({ limit: 10, after: page.nextCursor })
    await orders.sum('total', { placed: new Date() })
    await orders.max('placed')
    await users.min('_updatedAt')
    // @ts-expect-error the key of a user is a string
    await users.get(1)
    // @ts-expect-error the number of an order is a number
    await orders.has('1')
    // @ts-expect-error a cursor is a key
    await orders.paginate({ limit: 1, after: '1' })
    // @ts-expect-error a page has a limit
    await orders.paginate({})
    // @ts-expect-error no such field
    await users.where({ nmae: 'x' })
    // @ts-expect-error a name is a string
    await users.findOne({ name: 1 })
    // @ts-expect-error no such role
    await users.count({ role: 'root' })
    // @ts-expect-error undefined matches nothing; null stands for missing
    await users.where({ name: undefined })
    // @ts-expect-error a role holds no numbers
    await users.sum('role')
    // @ts-expect-error no such field
    await users.avg('agee')
    // @ts-expect-error no such role
    await users.max('age', { role: 'root' })
  }))

test('transactions are typed, with and without await', () =>
  compiled(async () => {
    const done = await store.transaction(async (tx) => {
      const users = tx.bucket('users')
      const orders = await tx.bucket('orders')
      const user = await users.get('a')
      expectTypeOf(user).branded.toEqualTypeOf<User | undefined>()
      await orders.insert({ userId: user?.id ?? 'a', total: 1 })
      await users.update('a', { age: (user?.age ?? 0) + 1 })
      // @ts-expect-error the key of a user is a string
      await users.get(1)
      // @ts-expect-error the total is required
      await orders.insert({ userId: 'a' })
      // @ts-expect-error no such field
      await orders.where({ user: 'a' })
      expectTypeOf(tx.bucket('others')).toEqualTypeOf<TransactionBucketHandle<unknown>>()
      return orders.count()
    })
    expectTypeOf(done).toEqualTypeOf<number>()
    expectTypeOf(await store.transaction(() => 'x')).toEqualTypeOf<string>()
    // @ts-expect-error a number of retries
    await store.transaction(() => 1, { retries: 'many' })
  }))

test('store.read is typed, and synchronous', () =>
  compiled(() => {
    const found = store.read((view) => ({
      user: view.bucket('users').get('a'),
      total: view.bucket('orders').sum('total'),
    }))
    expectTypeOf(found.user).branded.toEqualTypeOf<User | undefined>()
    expectTypeOf(found.total).toEqualTypeOf<number>()
    // @ts-expect-error the key of a user is a string
    store.read((view) => view.bucket('users').get(1))
    // @ts-expect-error a view has no writes
    store.read((view) => view.bucket('users').insert({ name: 'x' }))
    // @ts-expect-error the function must not be asynchronous
    store.read(async (view) => view.bucket('users').count())
    expectTypeOf(store.read((view) => view.bucket('others').all())).toEqualTypeOf<StoreRecord[]>()
  }))

test('a query carries the types of its parameters and result', () =>
  compiled(async () => {
    const all = store.defineQuery('all', async (ctx) => ctx.bucket('users').all())
    const byRole = store.defineQuery('by-role', (ctx, params: { role: User['role'] }) =>
      ctx.bucket('users').where(params),
    )
    const count = store.defineQuery('count', (ctx, filter?: { age: number }) => ctx.bucket('users').count(filter))
    const one = store.defineQuery('one', (ctx, id: string) => ctx.bucket('users').get(id))
    expectTypeOf(all).branded.toEqualTypeOf<QueryRef<void, User[]>>()
    expectTypeOf(count).toEqualTypeOf<QueryRef<{ age: number } | undefined, number>>()

    expectTypeOf(await store.runQuery(all)).branded.toEqualTypeOf<User[]>()
    expectTypeOf(await store.runQuery(byRole, { role: 'admin' })).branded.toEqualTypeOf<User[]>()
    expectTypeOf(await store.runQuery(count)).toEqualTypeOf<number>()
    expectTypeOf(await store.runQuery(count, { age: 3 })).toEqualTypeOf<number>()
    expectTypeOf(await store.runQuery(one, 'a')).branded.toEqualTypeOf<User | undefined>()
    await store.subscribe(all, (result) => expectTypeOf(result).branded.toEqualTypeOf<User[]>(), { immediate: true })
    await store.subscribe(byRole, { role: 'admin' }, (result) => expectTypeOf(result).branded.toEqualTypeOf<User[]>())
    await store.subscribe(count, (result) => expectTypeOf(result).toEqualTypeOf<number>())

    // @ts-expect-error the query has parameters
    await store.runQuery(byRole)
    // @ts-expect-error no such role
    await store.runQuery(byRole, { role: 'root' })
    // @ts-expect-error no such parameter
    await store.runQuery(byRole, { role: 'admin', limit: 1 })
    // @ts-expect-error the query has no parameters
    await store.runQuery(all, { role: 'admin' })
    // @ts-expect-error the query has parameters
    await store.subscribe(byRole, () => undefined)
    // @ts-expect-error no such role
    await store.subscribe(byRole, { role: 'root' }, () => undefined)
    // @ts-expect-error the result is a number
    await store.subscribe(count, (result: string) => result)
    // @ts-expect-error a query only reads
    store.defineQuery('writes', (ctx) => ctx.bucket('users').insert({ name: 'x' }))
    // @ts-expect-error no such field
    store.defineQuery('wrong', (ctx) => ctx.bucket('users').where({ nmae: 'x' }))
  }))

test('subscriptions explain themselves, and traces are of the whole store only', () =>
  compiled(async () => {
    const stop = await store.subscribe('all', () => undefined, { trace: true })
    expectTypeOf(stop).toEqualTypeOf<QuerySubscription>()
    expectTypeOf(stop).toExtend<() => void>()
    const live = store
      .bucket('users')
      .query()
      .live(() => undefined, { trace: true })
    expectTypeOf(live.explain()).toEqualTypeOf<LiveExplanation>()
    expectTypeOf(stop.explain().evaluations).toEqualTypeOf<readonly Evaluation[]>()
    expectTypeOf(store.trace((evaluation) => expectTypeOf(evaluation).toEqualTypeOf<Evaluation>())).toEqualTypeOf<
      () => void
    >()
    // @ts-expect-error the small store has no traces
    ;(await CoreStore.start()).trace(() => undefined)
    // @ts-expect-error a flag
    await store.subscribe('all', () => undefined, { trace: 1 })
  }))

test('a query by name takes the types that the caller says', () =>
  compiled(async () => {
    await store.subscribe<User[]>('all', (result) => expectTypeOf(result).toEqualTypeOf<User[]>())
    await store.subscribe<{ role: string }, User[]>('by-role', { role: 'x' }, (result) =>
      expectTypeOf(result).toEqualTypeOf<User[]>(),
    )
    await store.subscribe('by-role', { role: 'x' }, (result: User[]) => result)
    await store.subscribe('all', (result) => expectTypeOf(result).toEqualTypeOf<unknown>())
    expectTypeOf(await store.runQuery<number>('count', { role: 'x' })).toEqualTypeOf<number>()
    expectTypeOf(await store.runQuery('count')).toEqualTypeOf<unknown>()
    const typed: QueryFn<{ id: string }, number> = async (ctx, params) => ctx.bucket('users').count({ id: params.id })
    expectTypeOf(store.defineQuery('typed', typed)).toEqualTypeOf<QueryRef<{ id: string }, number>>()
    expectTypeOf(store.defineQuery<string, number>('both', async (_ctx, text) => text.length)).toEqualTypeOf<
      QueryRef<string, number>
    >()
    store.defineQuery('unknown', async (_ctx, params) => expectTypeOf(params).toEqualTypeOf<unknown>())
  }))

test('events are typed by their pattern', () =>
  compiled(async () => {
    await store.on('bucket.users.inserted', (event, topic) => {
      expectTypeOf(event.record).branded.toEqualTypeOf<User>()
      expectTypeOf(event.key).toEqualTypeOf<string>()
      expectTypeOf(topic).toEqualTypeOf<string>()
      void store.bucket('users').delete(event.key)
      // @ts-expect-error no such field
      void event.record.nmae
      // @ts-expect-error only updates have two records
      void event.newRecord
    })
    await store.on('bucket.orders.updated', (event) =>
      expectTypeOf(event.newRecord.total - event.oldRecord.total).toEqualTypeOf<number>(),
    )
    await store.on('bucket.orders.deleted', (event) =>
      expectTypeOf(event.cause).toEqualTypeOf<'delete' | 'ttl' | 'evicted'>(),
    )
    await store.on('bucket.users.cleared', (event) => expectTypeOf(event.count).toEqualTypeOf<number>())
    await store.on('bucket.users.*', (event) => {
      if (event.type === 'inserted') expectTypeOf(event.record).branded.toEqualTypeOf<User>()
      if (event.type === 'dropped') expectTypeOf(event.count).toEqualTypeOf<number>()
    })
    await store.on('bucket.*.inserted', (event) => expectTypeOf(event).toEqualTypeOf<BucketInsertedEvent>())
    await store.on('bucket.others.inserted', (event) => expectTypeOf(event.record['name']).toEqualTypeOf<unknown>())
    await store.on('process.*.crashed', (event) => expectTypeOf(event).toEqualTypeOf<ProcessEvent>())
    await store.on('view.*.diverged', (event) => expectTypeOf(event).toEqualTypeOf<ViewDivergedEvent>())
    await store.on<BucketInsertedEvent>('bucket.users.inserted', (event) =>
      expectTypeOf(event.key).toEqualTypeOf<Key>(),
    )
    expectTypeOf<'bucket.users.inserted'>().toExtend<Topic<{ users: unknown }>>()
    // @ts-expect-error an inserted record is no number
    await store.on('bucket.users.inserted', (event: { record: number }) => event, 1)
  }))

test('defineBucket gives a typed handle without as const', () =>
  compiled(async () => {
    const notes = await store.defineBucket('notes', {
      key: 'slug',
      schema: {
        slug: { type: 'string' },
        state: { type: 'string', enum: ['draft', 'done'], default: 'draft' },
        lines: {
          type: 'array',
          items: { type: 'object', properties: { text: { type: 'string', required: true } } },
          default: [],
        },
      },
      ttl: '1h',
      maxSize: 10,
      eviction: 'lru',
    })
    const note = await notes.insert({ slug: 'a', lines: [{ text: 'x' }] })
    expectTypeOf(note.state).toEqualTypeOf<'draft' | 'done'>()
    expectTypeOf(note.lines[0]?.text).toEqualTypeOf<string | undefined>()
    // @ts-expect-error a line has a text
    await notes.insert({ slug: 'a', lines: [{}] })
  }))

test('a literal definition is checked', () =>
  compiled(async () => {
    const id = { type: 'string' } as const
    // @ts-expect-error the key is no field
    await store.defineBucket('x', { key: 'uuid', schema: { id } })
    // @ts-expect-error no such type
    await store.defineBucket('x', { key: 'id', schema: { id, n: { type: 'int' } } })
    // @ts-expect-error no such option of a field
    await store.defineBucket('x', { key: 'id', schema: { id, n: { type: 'number', requried: true } } })
    const named = { type: 'string', requried: true } as const
    // @ts-expect-error nor in an object
    await store.defineBucket('x', { key: 'id', schema: { id, o: { type: 'object', properties: { named } } } })
    // @ts-expect-error nor in a list
    await store.defineBucket('x', { key: 'id', schema: { id, l: { type: 'array', items: named } } })
    // @ts-expect-error nor of a bucket
    await store.defineBucket('x', { key: 'id', schema: { id }, index: ['id'] })
    // @ts-expect-error an index is a field
    await store.defineBucket('x', { key: 'id', schema: { id }, indexes: ['name'] })
    // @ts-expect-error the default does not fit the type
    await store.defineBucket('x', { key: 'id', schema: { id, n: { type: 'number', default: '1' } } })
    // @ts-expect-error nor does what a function makes
    await store.defineBucket('x', { key: 'id', schema: { id, n: { type: 'number', default: () => '1' } } })
    // @ts-expect-error the default is none of the values
    await store.defineBucket('x', { key: 'id', schema: { id, r: { type: 'string', enum: ['a'], default: 'b' } } })
    // @ts-expect-error the store has a field of this name
    await store.defineBucket('x', { key: 'id', schema: { id, _version: { type: 'number' } } })
    // @ts-expect-error a bag is not possible
    await store.defineBucket('x', { key: 'id', schema: { id }, etsType: 'bag' })
    // @ts-expect-error the same in start
    await Store.start({ buckets: { x: { key: 'uuid', schema: { id } } } })
    // @ts-expect-error the same in start of the small store
    await CoreStore.start({ buckets: { x: { key: 'id', schema: { id: { type: 'string', uniqe: true } } } } })
    // @ts-expect-error no such option of a store
    await Store.start({ fiel: 'app.db' })
    // @ts-expect-error the small store has no files
    await CoreStore.start({ file: 'app.db' })
  }))

test('names that start was not told give untyped handles', () =>
  compiled(async () => {
    const others = store.bucket('others')
    const name: string = 'users'
    expectTypeOf(await others.insert({ any: { thing: 1 } })).toEqualTypeOf<StoreRecord>()
    expectTypeOf((await others.get(1))?.['name']).toEqualTypeOf<unknown>()
    expectTypeOf(await store.bucket(name).all()).toEqualTypeOf<StoreRecord[]>()
    await others.update('a', { n: 1 })
    await others.sum('n', { a: 1 })
    // @ts-expect-error what is read is unknown
    void ((await others.get('a'))?.['n'] + 1)
    // @ts-expect-error a record is an object
    await others.insert('x')
    // @ts-expect-error functions cannot be compared with
    await others.where({ a: () => 1 })
  }))

test('the past has the types of the present', () =>
  compiled(async () => {
    const then = await store.at(7, { buckets: ['users'] })
    expectTypeOf(then.bucket('users')).toEqualTypeOf<BucketReader<User, string>>()
    expectTypeOf(then.bucket('orders').get(1)?.total).toEqualTypeOf<number | undefined>()
    // @ts-expect-error the key of a user is a string
    then.bucket('users').get(1)
    // @ts-expect-error a moment is a seq or a date
    await store.at('yesterday')
    const versions = await store.bucket('users').history('a', { limit: 1 })
    expectTypeOf(versions).toEqualTypeOf<RecordVersion<User>[]>()
    expectTypeOf(await store.history('orders', 1)).toEqualTypeOf<
      RecordVersion<NonNullable<Awaited<ReturnType<typeof first>>>>[]
    >()
    // @ts-expect-error the key of an order is a number
    await store.history('orders', 'a')
    expectTypeOf(await store.undo(1, { meta: { by: 'me' } })).toEqualTypeOf<number | undefined>()
    expectTypeOf(await store.stateHash()).toEqualTypeOf<string>()
    const first = () => store.bucket('orders').get(1)
  }))

test('any store is a Store, and any handle a BucketHandle', () =>
  compiled(async () => {
    let plain: Store
    plain = store
    plain = await Store.start()
    plain = await Store.start({ file: 'app.db' })
    plain = await Store.start({ buckets: { a: { key: 'id', schema: { id: { type: 'string' } } } } })
    const small: CoreStore = plain
    const typed: CoreStore = store
    const handles: BucketHandle[] = [plain.bucket('a'), store.bucket('users'), store.bucket('x'), small.bucket('y')]
    expectTypeOf((await handles[0]?.first(1))?.[0]?.['name']).toEqualTypeOf<unknown>()
    expectTypeOf(await plain.bucket('users').all()).toEqualTypeOf<StoreRecord[]>()
    const seed = async (tx: TransactionContext) => {
      await tx.bucket('users').insert({ anything: 1 })
    }
    await store.transaction(seed)
    await typed.transaction(seed)
    const rules = { emit: () => undefined }
    await bridgeStoreToRules(store, rules)
    await bridgeStoreToRules(plain, rules)
    await bridgeStoreToRules(small, rules)
    const reader: BucketReader<User, string> = store.read((view) => view.bucket('users'))
    expectTypeOf(reader.get('a')).toEqualTypeOf<User | undefined>()
  }))

test('definitions may be kept apart from the store', () =>
  compiled(async () => {
    const users = { key: 'id', schema: { id: { type: 'string' }, name: { type: 'string', required: true } } } as const
    const buckets = { users, tags: { key: 't', schema: { t: { type: 'string' } } } } as const satisfies Record<
      string,
      BucketDefinition
    >
    const typed = await Store.start({ buckets })
    expectTypeOf((await typed.bucket('users').all())[0]?.name).toEqualTypeOf<string | undefined>()
    expectTypeOf(await typed.bucket('tags').keys()).toEqualTypeOf<string[]>()
    const more = await typed.defineBucket('more', users)
    expectTypeOf((await more.all())[0]?.name).toEqualTypeOf<string | undefined>()
    const spread = await typed.defineBucket('spread', { ...users, ttl: '1h' })
    expectTypeOf((await spread.all())[0]?.name).toEqualTypeOf<string | undefined>()
  }))
