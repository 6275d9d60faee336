import { expectTypeOf, test } from 'vitest'
import { event, Store } from '../../src/index.js'
import { compiled } from './compiled.js'

const DAILY = { key: 'day', schema: { day: { type: 'string' }, sum: { type: 'number', required: true } } } as const

test('projections that are given to start know the data of their events, and their buckets', () => {
  compiled(async () => {
    const store = await Store.start({
      buckets: { daily: { key: 'day', schema: { day: { type: 'string' }, sum: { type: 'number', required: true } } } },
      events: {
        sold: event({
          schema: { day: { type: 'string', required: true }, price: { type: 'number', required: true } },
        }),
        returned: { schema: { day: { type: 'string', required: true }, late: { type: 'boolean', default: false } } },
      },
      projections: {
        one: {
          from: ['sold'],
          into: ['daily'],
          apply: ({ data: { day, price } }, tx) => {
            expectTypeOf(day).toEqualTypeOf<string>()
            expectTypeOf(price).toEqualTypeOf<number>()
            const sum = tx.bucket('daily').get(day)?.sum ?? 0
            expectTypeOf(sum).toEqualTypeOf<number>()
            tx.bucket('daily').upsert({ day, sum: sum + price })
          },
        },
        two: {
          from: ['sold', 'returned'],
          into: ['daily'],
          mode: 'async',
          apply: (happened) => {
            expectTypeOf(happened.data.day).toEqualTypeOf<string>()
            if (happened.type === 'returned') expectTypeOf(happened.data.late).toEqualTypeOf<boolean>()
            else expectTypeOf(happened.data.price).toEqualTypeOf<number>()
            return { daily: { upsert: { day: happened.data.day, sum: 1 } } }
          },
        },
        every: { from: ['*'], into: ['daily'], apply: ({ type }) => void expectTypeOf(type).toEqualTypeOf<string>() },
      },
    })
    expectTypeOf((await store.bucket('daily').get('a'))?.sum).toEqualTypeOf<number | undefined>()
  })
})

test('wrong projections are errors where they are wrong', () => {
  compiled(async () => {
    await Store.start({
      buckets: { daily: DAILY },
      events: { sold: event({ schema: { day: { type: 'string', required: true } } }) },
      projections: {
        one: {
          from: ['sold'],
          into: ['daily'],
          // @ts-expect-error there is no such field
          apply: ({ data: { dya } }) => void dya,
        },
        two: {
          from: ['sold'],
          into: ['daily'],
          // @ts-expect-error a sum is a number
          apply: ({ data: { day } }, tx) => tx.bucket('daily').upsert({ day, sum: 'x' }),
        },
        // @ts-expect-error there is no such event
        five: { from: ['solt'], into: ['daily'], apply: () => undefined },
        six: { from: ['so*', 'bucket/daily'], into: ['daily'], apply: () => undefined },
        // @ts-expect-error there is nothing to apply
        three: { from: ['sold'], into: ['daily'] },
      },
    })
  })
})
