import { describe, expect, test } from 'vitest'
import { TransactionConflictError, TransactionEndedError, UniqueConstraintError } from '../../src/index.js'
import type { BucketDefinition, Store, TransactionBucketHandle } from '../../src/index.js'
import { KEYED, open, openVirtual, rejection, turn } from './opened.js'

const ACCOUNT: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'string' },
    n: { type: 'number' },
    email: { type: 'string', unique: true },
    on: { type: 'boolean' },
  },
  indexes: ['on'],
}
const COUNTED: BucketDefinition = {
  key: 'id',
  schema: { id: { type: 'number', generated: 'autoincrement' }, n: { type: 'number' } },
}

async function accounts(): Promise<Store> {
  const store = await open({ buckets: { a: ACCOUNT, b: ACCOUNT, c: COUNTED } })
  await store.bucket('a').insertMany([
    { id: 'x', n: 100, email: 'x@', on: true },
    { id: 'y', n: 100, email: 'y@', on: true },
  ])
  return store
}

describe('commit and rollback', () => {
  test('writes over several buckets are one commit; the value of the function is returned', async () => {
    const store = await accounts()
    const { visible } = store.position
    const result = await store.transaction(async (tx) => {
      const a = await tx.bucket('a')
      const b = await tx.bucket('b')
      await a.update('x', { n: 1 })
      await b.insert({ id: 'z' })
      return 'done'
    })
    expect(result).toBe('done')
    expect(store.position.visible).toBe(visible + 1)
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 1, _version: 2 })
    expect(await store.bucket('b').count()).toBe(1)
  })

  test('nothing is visible outside before the commit, half of it never', async () => {
    const store = await accounts()
    const totals = new Set<number>()
    const look = (): void => {
      totals.add(store.read((view) => view.bucket('a').sum('n') + view.bucket('b').sum('n')))
    }
    await store.transaction(async (tx) => {
      await tx.bucket('a').update('x', { n: 0 })
      look()
      await turn()
      await tx.bucket('b').insert({ id: 'x', n: 100 })
      look()
      expect(await store.bucket('b').count()).toBe(0)
    })
    look()
    expect([...totals]).toEqual([200])
  })

  test('what the function throws rolls everything back', async () => {
    const store = await accounts()
    const { visible } = store.position
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').update('x', { n: 0 })
        await tx.bucket('b').insert({ id: 'z' })
        await tx.bucket('c').insert({})
        throw new RangeError('mine')
      }),
    )
    expect(error).toBeInstanceOf(RangeError)
    expect(store.position.visible).toBe(visible)
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 100, _version: 1 })
    expect(await store.bucket('b').count()).toBe(0)
    expect(await store.bucket('c').insert({})).toMatchObject({ id: 1 })
  })

  test('a failure of the last bucket undoes the first ones', async () => {
    const store = await accounts()
    await store.bucket('b').insert({ id: 'taken', email: 'e' })
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').delete('x')
        await tx.bucket('a').update('y', { email: 'x@', n: 5 })
        await tx.bucket('c').insert({})
        await tx.bucket('b').insert({ id: 'new', email: 'e' })
      }),
    )
    expect(error).toBeInstanceOf(UniqueConstraintError)
    expect(error).toMatchObject({ bucket: 'b', field: 'email', value: 'e' })
    expect(await store.bucket('a').all()).toMatchObject([
      { id: 'x', email: 'x@', _version: 1 },
      { id: 'y', n: 100, email: 'y@' },
    ])
    expect(await store.bucket('a').where({ email: 'x@' })).toMatchObject([{ id: 'x' }])
    expect(await store.bucket('a').where({ email: 'y@' })).toMatchObject([{ id: 'y' }])
    expect(await store.bucket('c').count()).toBe(0)
    await store.bucket('a').insert({ id: 'w', email: 'w@' })
  })

  test('one without writes is no commit', async () => {
    const store = await accounts()
    const { visible } = store.position
    expect(await store.transaction((tx) => tx.bucket('a').count())).toBe(2)
    expect(await store.transaction(() => 5)).toBe(5)
    expect(store.position.visible).toBe(visible)
  })

  test('work that was begun and not awaited is part of it', async () => {
    const store = await accounts()
    await store.transaction((tx) => {
      void tx.bucket('b').insert({ id: 'one' })
      void tx.bucket('b').insert({ id: 'two' })
    })
    expect(await store.bucket('b').keys()).toEqual(['one', 'two'])
  })

  test('a refused write is refused at once; the function may go on', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      const a = tx.bucket('a')
      expect((await rejection(a.insert({ id: 'z', n: 'no' }))).name).toBe('ValidationError')
      expect((await rejection(a.insert({ id: 'x' }))).name).toBe('DuplicateKeyError')
      expect((await rejection(a.update('nope', {}))).message).toBe('Record with key "nope" not found in bucket "a"')
      await a.delete('nope')
      await a.insert({ id: 'z', n: 1 })
    })
    expect(await store.bucket('a').count()).toBe(3)
  })

  test('a bucket that is not defined', async () => {
    const store = await accounts()
    const error = await rejection(store.transaction(async (tx) => tx.bucket('nope')))
    expect(error).toMatchObject({ name: 'BucketNotDefinedError', message: 'Bucket "nope" is not defined' })
  })

  test.each([[undefined], [null], ['x'], [{}]])('transaction(%j) is refused', async (fn) => {
    const store = await accounts()
    expect((await rejection(store.transaction(fn as never))).name).toBe('InvalidArgumentError')
  })

  test.each([[{ retries: -1 }], [{ retries: 1.5 }], [{ retries: 'x' }], [{ durability: 'sure' }], [5]])(
    'the options %j are refused',
    async (options) => {
      const store = await accounts()
      let ran = false
      const error = await rejection(store.transaction(() => (ran = true), options as never))
      expect([error.name, ran]).toEqual(['InvalidArgumentError', false])
    },
  )
})

describe('reads see the transaction’s own writes', () => {
  test('every read of the handle', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      const a = tx.bucket('a')
      await a.insert({ id: 'z', n: 7, email: 'z@', on: false })
      await a.update('x', { n: 1, on: false })
      await a.delete('y')
      expect(a.name).toBe('a')
      expect(await a.get('z')).toMatchObject({ n: 7, _version: 1 })
      expect(await a.get('x')).toMatchObject({ n: 1, _version: 2 })
      expect(await a.get('y')).toBeUndefined()
      expect(await a.has('y')).toBe(false)
      expect(await a.keys()).toEqual(['x', 'z'])
      expect((await a.all()).map(({ id }) => id)).toEqual(['x', 'z'])
      expect((await a.where({ on: false })).map(({ id }) => id)).toEqual(['x', 'z'])
      expect(await a.where({ on: true })).toEqual([])
      expect(await a.findOne({ email: 'z@' })).toMatchObject({ id: 'z' })
      expect(await a.findOne({ email: 'y@' })).toBeUndefined()
      expect([await a.count(), await a.count({ on: false }), await a.count({ id: 'x' })]).toEqual([2, 2, 1])
      expect((await a.first(1))[0]?.id).toBe('x')
      expect((await a.last(1))[0]?.id).toBe('z')
      expect([await a.sum('n'), await a.avg('n'), await a.min('n'), await a.max('n')]).toEqual([8, 4, 1, 7])
      const page = await a.paginate({ limit: 1 })
      expect(page).toMatchObject({ hasMore: true, nextCursor: 'x' })
      expect(await a.paginate({ limit: 5, after: 'x' })).toMatchObject({ hasMore: false, nextCursor: 'z' })
    })
  })

  test('in an ordered_set by key', async () => {
    const store = await open()
    await store.defineBucket('o', { key: 'id', schema: { id: { type: 'number' } }, etsType: 'ordered_set' })
    await store.bucket('o').insertMany([{ id: 5 }, { id: 1 }])
    await store.transaction(async (tx) => {
      const o = tx.bucket('o')
      await o.insert({ id: 3 })
      await o.delete(5)
      expect(await o.keys()).toEqual([1, 3])
      expect((await o.paginate({ limit: 5, after: 2 })).records).toMatchObject([{ id: 3 }])
      expect(await o.last(1)).toMatchObject([{ id: 3 }])
    })
  })

  test('several updates of a record are one event and raise the version by each', async () => {
    const store = await accounts()
    const events: unknown[] = []
    await store.on('bucket.a.*', (event) => events.push([event.type, 'newRecord' in event && event.newRecord._version]))
    await store.transaction(async (tx) => {
      for (let n = 0; n < 3; n++) await tx.bucket('a').update('x', { n })
    })
    expect(events).toEqual([['updated', 4]])
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 2, _version: 4 })
  })

  test('many-writes and upsert', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      const a = tx.bucket('a')
      await a.insertMany([
        { id: 'p', n: 1 },
        { id: 'q', n: 2 },
      ])
      expect(await a.upsert({ id: 'p', n: 5 })).toMatchObject({ n: 5, _version: 2 })
      expect(await a.upsert({ id: 'r', n: 6 })).toMatchObject({ n: 6, _version: 1 })
      expect(await a.updateMany({ on: true }, { n: 0 })).toBe(2)
      expect(await a.deleteMany({ n: 0 })).toBe(2)
      expect((await rejection(a.update('p', {}, { ifVersion: 9 }))).name).toBe('TransactionConflictError')
    })
    expect(await store.bucket('a').all()).toMatchObject([
      { id: 'p', n: 5 },
      { id: 'q', n: 2 },
      { id: 'r', n: 6 },
    ])
  })
})

describe('one record, several writes', () => {
  const outcome = async (work: (a: TransactionBucketHandle) => Promise<unknown>) => {
    const store = await accounts()
    const events: string[] = []
    await store.on('bucket.a.*', (event) => events.push(`${event.type} ${'key' in event ? event.key : ''}`))
    await store.transaction((tx) => work(tx.bucket('a')))
    return { events, records: await store.bucket('a').all(), store }
  }

  test('update and delete', async () => {
    const { events, records } = await outcome(async (a) => {
      await a.update('x', { n: 1 })
      await a.delete('x')
    })
    expect([events, records.map(({ id }) => id)]).toEqual([['deleted x'], ['y']])
  })

  test('delete and insert: a new record, at the end', async () => {
    const { events, records } = await outcome(async (a) => {
      await a.delete('x')
      await a.insert({ id: 'x', n: 5, email: 'x@' })
      expect((await a.all()).map(({ id }) => id)).toEqual(['y', 'x'])
    })
    expect(events).toEqual(['deleted x', 'inserted x'])
    expect(records).toMatchObject([{ id: 'y' }, { id: 'x', n: 5, _version: 1 }])
  })

  test('insert and delete: nothing', async () => {
    const { events, records } = await outcome(async (a) => {
      await a.insert({ id: 'z' })
      await a.delete('z')
    })
    expect([events, records.length]).toEqual([[], 2])
  })

  test('insert and update: one insert', async () => {
    const { events, records } = await outcome(async (a) => {
      await a.insert({ id: 'z', n: 1 })
      await a.update('z', { n: 2 })
    })
    expect(events).toEqual(['inserted z'])
    expect(records[2]).toMatchObject({ id: 'z', n: 2 })
  })

  test('two inserts under one key: the second is refused', async () => {
    const { records } = await outcome(async (a) => {
      await a.insert({ id: 'z', n: 1 })
      expect((await rejection(a.insert({ id: 'z', n: 2 }))).name).toBe('DuplicateKeyError')
    })
    expect(records[2]).toMatchObject({ n: 1 })
  })
})

describe('unique values', () => {
  test('can be exchanged', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      await tx.bucket('a').update('x', { email: 'y@' })
      await tx.bucket('a').update('y', { email: 'x@' })
    })
    expect(await store.bucket('a').findOne({ email: 'x@' })).toMatchObject({ id: 'y' })
    expect(await store.bucket('a').findOne({ email: 'y@' })).toMatchObject({ id: 'x' })
  })

  test('can be handed on, whatever the order of the steps', async () => {
    for (const deleteFirst of [true, false]) {
      const store = await accounts()
      await store.transaction(async (tx) => {
        const a = tx.bucket('a')
        if (deleteFirst) await a.delete('x')
        await a.insert({ id: 'z', email: 'x@' })
        if (!deleteFirst) await a.delete('x')
      })
      expect(await store.bucket('a').where({ email: 'x@' })).toMatchObject([{ id: 'z' }])
    }
  })

  test('that two records would have refuse the commit, and stay with their owner', async () => {
    const store = await accounts()
    const error = await rejection(store.transaction((tx) => tx.bucket('a').insert({ id: 'z', email: 'x@' })))
    expect(error).toMatchObject({ name: 'UniqueConstraintError', bucket: 'a', field: 'email', value: 'x@' })
    expect(await store.bucket('a').where({ email: 'x@' })).toMatchObject([{ id: 'x' }])
  })

  test('that somebody else took meanwhile refuse the commit', async () => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').insert({ id: 'z', email: 'z@' })
        await store.bucket('a').insert({ id: 'other', email: 'z@' })
      }),
    )
    expect(error.name).toBe('UniqueConstraintError')
    expect(await store.bucket('a').where({ email: 'z@' })).toMatchObject([{ id: 'other' }])
  })
})

describe('isolation: what was read and then changed by somebody else is a conflict', () => {
  test('lost update', async () => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        const { n } = (await tx.bucket('a').get('x')) as unknown as { n: number }
        await store.bucket('a').update('x', { n: 2 })
        await tx.bucket('a').update('x', { n: n + 1 })
      }),
    )
    expect(error).toBeInstanceOf(TransactionConflictError)
    expect(error).toMatchObject({ name: 'TransactionConflictError', bucket: 'a', key: 'x', field: undefined })
    expect(error.message).toBe('Transaction conflict in bucket "a" for key "x": Version mismatch: expected 1, got 2')
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 2, _version: 2 })
  })

  test('an update of a record that is deleted meanwhile', async () => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').update('x', { n: 1 })
        await store.bucket('a').delete('x')
      }),
    )
    expect(error.message).toBe('Transaction conflict in bucket "a" for key "x": Record with key "x" not found')
  })

  test('an insert under a key that is taken meanwhile', async () => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').insert({ id: 'z', n: 1 })
        await store.bucket('a').insert({ id: 'z', n: 2 })
      }),
    )
    expect(error.message).toBe('Transaction conflict in bucket "a" for key "z": Record with key "z" already exists')
    expect(await store.bucket('a').get('z')).toMatchObject({ n: 2 })
  })

  test('write skew: of two that each rely on what the other changes, one is refused', async () => {
    const store = await accounts()
    const leave = (id: string) =>
      store.transaction(async (tx) => {
        const onDuty = await tx.bucket('a').count({ on: true })
        await turn()
        if (onDuty > 1) await tx.bucket('a').update(id, { on: false })
      })
    const outcomes = await Promise.allSettled([leave('x'), leave('y')])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await store.bucket('a').count({ on: true })).toBe(1)
  })

  test.each<[string, (a: TransactionBucketHandle) => Promise<unknown>]>([
    ['count', (a) => a.count()],
    ['count of a filter', (a) => a.count({ on: false })],
    ['where', (a) => a.where({ on: false })],
    ['findOne', (a) => a.findOne({ on: false })],
    ['all', (a) => a.all()],
    ['keys', (a) => a.keys()],
    ['first', (a) => a.first(10)],
    ['last', (a) => a.last(1)],
    ['paginate', (a) => a.paginate({ limit: 10 })],
    ['sum', (a) => a.sum('n')],
    ['max of a filter', (a) => a.max('n', { on: false })],
    ['get of a missing record', (a) => a.get('z')],
    ['has', (a) => a.has('z')],
    ['updateMany', (a) => a.updateMany({ on: false }, { n: 1 })],
    ['deleteMany', (a) => a.deleteMany({ on: false })],
  ])('phantom: a record that %s would have met', async (_, read) => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        await read(tx.bucket('a'))
        await store.bucket('a').insert({ id: 'z', on: false, n: 1_000 })
        await tx.bucket('b').insert({ id: 'based on it' })
      }),
    )
    expect(error.name).toBe('TransactionConflictError')
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('read-only anomaly: three transactions have an order, or one is refused', async () => {
    // Fekete, O'Neil, O'Neil: A Read-Only Transaction Anomaly Under Snapshot Isolation (2004).
    const store = await accounts()
    await store.bucket('a').updateMany({}, { n: 0 })
    let seen: number[] = []
    const withdraw = store.transaction(async (tx) => {
      const before = await tx.bucket('a').all()
      expect(before.map(({ n }) => n)).toEqual([0, 0])
      await store.transaction((deposit) => deposit.bucket('a').update('y', { n: 20 }))
      seen = await store.transaction(async (report) =>
        ((await report.bucket('a').all()) as unknown as { n: number }[]).map(({ n }) => n),
      )
      await tx.bucket('a').update('x', { n: -11 })
    })
    expect((await rejection(withdraw)).name).toBe('TransactionConflictError')
    expect(seen).toEqual([0, 20])
  })

  test('a read after the change says so at once', async () => {
    const store = await accounts()
    const error = await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').get('x')
        await store.bucket('a').update('x', { n: 0 })
        expect((await rejection(tx.bucket('b').count())).name).toBe('TransactionConflictError')
        await tx.bucket('a').get('x')
      }),
    )
    expect(error.name).toBe('TransactionConflictError')
  })

  test('a clear, and a drop, of a bucket that was read', async () => {
    for (const change of [(store: Store) => store.bucket('a').clear(), (store: Store) => store.dropBucket('a')]) {
      const store = await accounts()
      const error = await rejection(
        store.transaction(async (tx) => {
          await tx.bucket('a').get('x')
          await change(store)
          await tx.bucket('b').insert({ id: 'z' })
        }),
      )
      expect(error).toMatchObject({ name: 'TransactionConflictError', bucket: 'a' })
    }
  })

  test('what was not read does not matter', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      await tx.bucket('a').get('x')
      await tx.bucket('a').where({ on: false })
      await store.bucket('a').update('y', { n: 5 })
      await store.bucket('b').insert({ id: 'z' })
      await tx.bucket('a').update('x', { n: 1 })
    })
    expect(await store.bucket('a').sum('n')).toBe(6)
  })

  test('a rejected commit of somebody else is no conflict', async () => {
    const store = await accounts()
    await store.transaction(async (tx) => {
      await tx.bucket('a').get('x')
      await rejection(store.bucket('a').update('x', { email: 'y@' }))
      await tx.bucket('a').update('x', { n: 1 })
    })
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 1 })
  })
})

describe('retries', () => {
  const increment = (store: Store, retries?: number) =>
    store.transaction(
      async (tx) => {
        const { n } = (await tx.bucket('a').get('x')) as unknown as { n: number }
        await turn()
        await tx.bucket('a').update('x', { n: n + 1 })
      },
      retries === undefined ? undefined : { retries },
    )

  test('by default there are none', async () => {
    const store = await accounts()
    const outcomes = await Promise.allSettled([increment(store), increment(store)])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 101 })
  })

  test('with them, ten counters in parallel all count', async () => {
    const store = await accounts()
    await Promise.all(Array.from({ length: 10 }, () => increment(store, 100)))
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 110, _version: 11 })
  })

  test('other errors are not tried again', async () => {
    const store = await accounts()
    let runs = 0
    await rejection(
      store.transaction(
        () => {
          runs++
          throw new Error('mine')
        },
        { retries: 5 },
      ),
    )
    expect(runs).toBe(1)
  })

  test('when they are used up the conflict is thrown', async () => {
    const store = await accounts()
    let runs = 0
    const error = await rejection(
      store.transaction(
        async (tx) => {
          runs++
          await tx.bucket('a').get('x')
          await store.bucket('a').update('x', { n: runs })
          await tx.bucket('a').update('x', { n: -1 })
        },
        { retries: 2 },
      ),
    )
    expect([error.name, runs]).toEqual(['TransactionConflictError', 3])
  })
})

describe('autoincrement', () => {
  test('in transactions at the same time never conflicts and never repeats', async () => {
    const store = await accounts()
    await Promise.all([
      ...Array.from({ length: 5 }, () =>
        store.transaction(async (tx) => {
          await tx.bucket('c').insert({})
          await turn()
          await tx.bucket('c').insert({})
        }),
      ),
      ...Array.from({ length: 5 }, () => turn().then(() => store.bucket('c').insert({}))),
    ])
    const ids = await store.bucket('c').keys()
    expect(ids).toHaveLength(15)
    expect(new Set(ids).size).toBe(15)
  })

  test('numbers of a transaction that is rolled back go back when nobody has taken one since', async () => {
    const store = await accounts()
    await rejection(
      store.transaction(async (tx) => {
        expect(await tx.bucket('c').insert({})).toMatchObject({ id: 1 })
        throw new Error('no')
      }),
    )
    expect(await store.bucket('c').insert({})).toMatchObject({ id: 1 })
    await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('c').insert({})
        await store.bucket('c').insert({})
        throw new Error('no')
      }),
    )
    expect((await store.bucket('c').insert({})).id).toBeGreaterThan(3)
  })
})

describe('ttl and maxSize', () => {
  test('hold in transactions too', async () => {
    const { store, runtime } = await openVirtual()
    await store.defineBucket('b', { ...KEYED, ttl: 1_000, maxSize: 2 })
    await store.transaction(async (tx) => {
      const inserted = await tx.bucket('b').insert({ id: 'a' })
      expect(inserted._expiresAt).toBe(runtime.now() + 1_000)
      await tx.bucket('b').insertMany([{ id: 'b' }, { id: 'c' }])
    })
    expect(await store.bucket('b').keys()).toEqual(['b', 'c'])
    await runtime.advance(3_000)
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('a transaction that is refused evicts nothing', async () => {
    const store = await open()
    await store.defineBucket('b', { ...ACCOUNT, maxSize: 1 })
    await store.bucket('b').insert({ id: 'a', email: 'x' })
    await rejection(store.transaction((tx) => tx.bucket('b').insert({ id: 'b', email: 'x' })))
    expect(await store.bucket('b').keys()).toEqual(['a'])
  })
})

describe('clear', () => {
  test('empties the bucket at the commit, with what was written before', async () => {
    const store = await accounts()
    const events: string[] = []
    await store.on('bucket.a.*', (event) => events.push(event.type))
    await store.transaction(async (tx) => {
      const a = tx.bucket('a')
      await a.insert({ id: 'early' })
      await a.clear()
      expect([await a.count(), await a.get('x'), await a.where({ on: true })]).toEqual([0, undefined, []])
      await a.insert({ id: 'x', email: 'x@', n: 1 })
      expect(await a.keys()).toEqual(['x'])
      expect(await store.bucket('a').count()).toBe(2)
    })
    expect(events).toEqual(['cleared', 'inserted'])
    expect(await store.bucket('a').all()).toMatchObject([{ id: 'x', n: 1, _version: 1 }])
    expect(await store.bucket('a').where({ email: 'y@' })).toEqual([])
  })

  test('that is rolled back leaves everything', async () => {
    const store = await accounts()
    await store.bucket('b').insert({ id: 'taken', email: 'e' })
    await rejection(
      store.transaction(async (tx) => {
        await tx.bucket('a').clear()
        await tx.bucket('b').insert({ id: 'new', email: 'e' })
      }),
    )
    expect(await store.bucket('a').keys()).toEqual(['x', 'y'])
    expect(await store.bucket('a').where({ email: 'x@' })).toHaveLength(1)
  })
})

describe('the end', () => {
  test('a handle that is used afterwards is refused', async () => {
    const store = await accounts()
    let handle: TransactionBucketHandle | undefined
    await store.transaction((tx) => {
      handle = tx.bucket('a')
    })
    for (const call of [() => handle?.get('x'), () => handle?.insert({ id: 'z' }), () => handle?.clear()]) {
      const error = await rejection(call() as Promise<unknown>)
      expect(error).toBeInstanceOf(TransactionEndedError)
    }
    await rejection(
      store.transaction(() => {
        throw new Error('rolled back')
      }),
    )
    expect(await store.bucket('a').count()).toBe(2)
  })

  test('a transaction inside another is one of its own', async () => {
    const store = await accounts()
    await rejection(
      store.transaction(async (outer) => {
        await outer.bucket('b').insert({ id: 'outer' })
        await store.transaction(async (inner) => {
          expect(await inner.bucket('b').count()).toBe(0)
          await inner.bucket('a').update('x', { n: 1 })
        })
        throw new Error('no')
      }),
    )
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 1 })
    expect(await store.bucket('b').count()).toBe(0)
  })

  test('the numbers of commits add up when many run at once', async () => {
    const store = await accounts()
    const move = (from: string, to: string) =>
      store.transaction(
        async (tx) => {
          const a = tx.bucket('a')
          const [one, two] = [Number((await a.get(from))?.n), Number((await a.get(to))?.n)]
          await turn()
          await a.update(from, { n: one - 1 })
          await a.update(to, { n: two + 1 })
        },
        { retries: 200 },
      )
    await Promise.all(Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? move('x', 'y') : move('y', 'x'))))
    expect(await store.bucket('a').sum('n')).toBe(200)
    expect(await store.bucket('a').get('x')).toMatchObject({ n: 100, _version: 31 })
  })
})
