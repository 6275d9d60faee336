import { expectTypeOf, test } from 'vitest'
import { event, Store } from '../../src/index.js'
import type { EventReceipt, Store as AnyStore } from '../../src/index.js'
import { compiled } from './compiled.js'

const start = () =>
  Store.start({
    buckets: {
      orders: {
        key: 'id',
        schema: { id: { type: 'string', generated: 'uuid' }, total: { type: 'number', required: true } },
      },
    },
    events: {
      'order/placed': event({
        schema: {
          item: { type: 'string', required: true },
          n: { type: 'number', default: 1 },
          note: { type: 'string' },
        },
        reduce: ({ data }) => {
          expectTypeOf(data.item).toEqualTypeOf<string>()
          expectTypeOf(data.n).toEqualTypeOf<number>()
          return { orders: { insert: { total: data.n } } }
        },
      }),
      'order/sent': {
        schema: { item: { type: 'string', required: true } },
        reduce: (_, view) => {
          expectTypeOf(view.bucket('orders').get('a')?.total).toEqualTypeOf<number | undefined>()
          return {}
        },
      },
    },
  })

declare const store: Awaited<ReturnType<typeof start>>

test('types of events that are given to start flow into reducers and dispatch', () => {
  compiled(async () => {
    const receipt = await store.dispatch('order/placed', { item: 'a' })
    expectTypeOf(receipt.data.n).toEqualTypeOf<number>()
    expectTypeOf(receipt.data.note).toEqualTypeOf<string | undefined>()
    // @ts-expect-error an item is needed
    void store.dispatch('order/placed', {})
    // @ts-expect-error data is needed
    void store.dispatch('order/placed')
    // @ts-expect-error the wrong type
    void store.dispatch('order/placed', { item: 5 })
    // @ts-expect-error the wrong type, in the form with one object
    void store.dispatch({ type: 'order/placed', data: { item: 5 } })
    void store.dispatch('order/sent', { item: 'a' })
    // @ts-expect-error an item is needed
    void store.dispatch('order/sent', {})
    void store.dispatch('anything/else', { at: 'all' })
    void store.enqueue('order/placed', { item: 'a' }, { lane: 'a' })
    // @ts-expect-error an item is needed
    void store.enqueue('order/placed', {})
    store.extendEvent('order/placed', {
      derive: ({ data }) => {
        expectTypeOf(data.item).toEqualTypeOf<string>()
      },
    })
  })
})

test('handlers of a sourced bucket know what its writes say', () => {
  compiled(() => {
    store.extendEvent('bucket/orders', {
      reduce: ({ data }) => {
        expectTypeOf(data.key).toEqualTypeOf<string | undefined>()
        if (data.action === 'delete') return { orders: { remove: data.keys } }
        // @ts-expect-error there is no such action
        if (data.action === 'remove') return {}
        return undefined
      },
    })
    store.extendEvent('bucket/others', { reduce: ({ data }) => void expectTypeOf(data.key).toEqualTypeOf<unknown>() })
  })
})

test('a reference carries the types of data and result', () => {
  compiled(async () => {
    const placed = store.defineEvent('placed', {
      schema: { item: { type: 'string', required: true }, kind: { type: 'string', enum: ['a', 'b'], default: 'a' } },
      transact: async ({ data }, tx) => {
        expectTypeOf(data.kind).toEqualTypeOf<'a' | 'b'>()
        return tx.bucket('orders').count()
      },
    })
    const { data, result } = await store.dispatch(placed, { item: 'x' })
    expectTypeOf(result).toEqualTypeOf<number>()
    expectTypeOf(data.kind).toEqualTypeOf<'a' | 'b'>()
    // @ts-expect-error an item is needed
    void store.dispatch(placed, { kind: 'a' })
    store.extendEvent(placed, { reduce: ({ data: own }) => void expectTypeOf(own.item).toEqualTypeOf<string>() })
    const open = store.defineEvent('open', {})
    void store.dispatch(open)
    void store.dispatch(open, { what: 'ever' })
  })
})

test('results are checked against the buckets, versions against the steps to them', () => {
  compiled(() => {
    // @ts-expect-error a total is a number
    store.defineEvent('a', { reduce: () => ({ orders: { insert: { total: 'x' } } }) })
    // @ts-expect-error an update needs the key
    store.defineEvent('b', { reduce: () => ({ orders: { update: { total: 1 } } }) })
    store.defineEvent('c', {
      reduce: () => ({ orders: { update: { id: 'a', total: 1 }, remove: ['a'] }, events: [{ type: 'x' }] }),
    })
    // @ts-expect-error the step from 1 to 2 is missing
    store.defineEvent('d', { version: 2 })
    // @ts-expect-error the step from 2 to 3 is missing
    store.defineEvent('e', { version: 3, upcast: { 1: (data: object) => data } })
    store.defineEvent('f', { version: 3, upcast: { 1: (data: object) => data, 2: (data: object) => data } })
  })
})

test('a store with events is a store', () => {
  compiled(() => expectTypeOf(store).toExtend<AnyStore>())
  expectTypeOf<EventReceipt['seq']>().toEqualTypeOf<number>()
})
