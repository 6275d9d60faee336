import { expectTypeOf, test } from 'vitest'
import { Store as CoreStore } from '../../src/core.js'
import { Store } from '../../src/index.js'
import type { StoreRecord } from '../../src/index.js'
import {
  collectSnapshot,
  StoreProvider,
  useDurable,
  useLive,
  useQuery,
  useRecord,
  useStore,
} from '../../src/react/index.js'
import type { FailedStatus, LoadedStatus, LoadingStatus, QueryStatus, SkippedStatus } from '../../src/react/index.js'
import { compiled } from './compiled.js'

const buckets = {
  users: {
    key: 'id',
    schema: {
      id: { type: 'string', generated: 'uuid' },
      name: { type: 'string', required: true },
      role: { type: 'string', enum: ['admin', 'user'], default: 'user' },
    },
  },
  orders: {
    key: 'number',
    schema: { number: { type: 'number', generated: 'autoincrement' }, userId: { type: 'string', ref: 'users' } },
  },
} as const
const start = () => Store.start({ buckets })
const startCore = () => CoreStore.start({ buckets })
declare const store: Awaited<ReturnType<typeof start>>
declare const core: Awaited<ReturnType<typeof startCore>>

test('useLive has the rows of the query', () => {
  compiled(() => {
    const users = store.bucket('users')
    const [first] = useLive(users.where({ role: 'admin' }))
    expectTypeOf(first?.role).toEqualTypeOf<'admin' | 'user' | undefined>()
    expectTypeOf(useLive(core.bucket('users').query().select('name'))).toEqualTypeOf<
      readonly { readonly name: string }[]
    >()
    expectTypeOf(useLive(users.query().select('name'), { suspend: false })).toEqualTypeOf<
      QueryStatus<readonly { readonly name: string }[]>
    >()
    const isOn = users.name.length > 3
    expectTypeOf(useLive(isOn && users.query().select('name'))).toEqualTypeOf<
      readonly { readonly name: string }[] | undefined
    >()
    expectTypeOf(useLive(isOn ? users.query().select('name') : null, { suspend: false })).toEqualTypeOf<
      QueryStatus<readonly { readonly name: string }[]> | SkippedStatus
    >()
    expectTypeOf(useLive(store.bucket('orders').query().include('user'))[0]?.user?.name).toEqualTypeOf<
      string | undefined
    >()
    // @ts-expect-error: the rows are shared
    useLive(users.query()).push(first)
    // @ts-expect-error: no query
    useLive('users')
    // @ts-expect-error: no such option
    useLive(users.query(), { suspended: false })
    // @ts-expect-error: no such field
    void useLive(users.query())[0]?.age
  })
})

test('useQuery has parameters and result of the query', () => {
  compiled(() => {
    const byRole = store.defineQuery('by-role', (ctx, { role }: { role: 'admin' | 'user' }) =>
      ctx.bucket('users').where({ role }).count(),
    )
    const all = store.defineQuery('all', (ctx) => ctx.bucket('users').count())
    expectTypeOf(useQuery(byRole, { role: 'admin' })).toEqualTypeOf<number>()
    expectTypeOf(useQuery(byRole, { role: 'admin' }, { suspend: false })).toEqualTypeOf<QueryStatus<number>>()
    expectTypeOf(useQuery(all)).toEqualTypeOf<number>()
    expectTypeOf(useQuery(all, undefined, { suspend: false })).toEqualTypeOf<QueryStatus<number>>()
    const isOn = store.name === 'on'
    expectTypeOf(useQuery(isOn && byRole, { role: 'admin' })).toEqualTypeOf<number | undefined>()
    expectTypeOf(useQuery(isOn && byRole, { role: 'admin' }, { suspend: false })).toEqualTypeOf<
      QueryStatus<number> | SkippedStatus
    >()
    expectTypeOf(useQuery('by-role', { role: 'admin' })).toEqualTypeOf<unknown>()
    expectTypeOf(useQuery<number>('by-role', { role: 'admin' })).toEqualTypeOf<number>()
    expectTypeOf(useQuery<number>('by-role', {}, { suspend: false })).toEqualTypeOf<QueryStatus<number>>()
    // @ts-expect-error: no such role
    useQuery(byRole, { role: 'nobody' })
    // @ts-expect-error: parameters are missing
    useQuery(byRole)
  })
})

test('useRecord has key and record of the bucket', () => {
  compiled(() => {
    const users = store.bucket('users')
    expectTypeOf(useRecord(users, 'a')?.role).toEqualTypeOf<'admin' | 'user' | undefined>()
    expectTypeOf(useRecord(users, undefined)?.name).toEqualTypeOf<string | undefined>()
    expectTypeOf(useRecord(core.bucket('orders'), 1)?.number).toEqualTypeOf<number | undefined>()
    expectTypeOf(useRecord(users, 'a', { suspend: false }).data?.name).toEqualTypeOf<string | undefined>()
    expectTypeOf(useRecord('users', 'a')).toEqualTypeOf<StoreRecord | undefined>()
    // @ts-expect-error: keys are strings
    useRecord(users, 1)
    // @ts-expect-error: no such field
    void useRecord(users, 'a')?.age
  })
})

test('a status says by two of its fields what the third is', () => {
  compiled(() => {
    const { data, error, isLoading } = useLive(store.bucket('users').query().select('name'), { suspend: false })
    if (isLoading) expectTypeOf(data).toEqualTypeOf<undefined>()
    else if (error !== undefined) expectTypeOf(error).toEqualTypeOf<Error>()
    else expectTypeOf(data).toEqualTypeOf<readonly { readonly name: string }[]>()
    expectTypeOf<QueryStatus<number>>().toEqualTypeOf<LoadingStatus | LoadedStatus<number> | FailedStatus<number>>()
  })
})

test('providers take stores of both kinds; useStore gives what it is told', () => {
  compiled(() => {
    StoreProvider({ store })
    StoreProvider({ store: core, snapshot: collectSnapshot().snapshot(), collect: collectSnapshot(), children: 'a' })
    expectTypeOf(useStore<typeof store>().bucket('users').name).toEqualTypeOf<string>()
    expectTypeOf(useStore()).toEqualTypeOf<CoreStore>()
    expectTypeOf(useDurable()).toEqualTypeOf<boolean>()
    // @ts-expect-error: no store
    StoreProvider({})
    // @ts-expect-error: no collector
    StoreProvider({ store, collect: {} })
  })
})
