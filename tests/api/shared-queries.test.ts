import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { Store, StorageAdapter } from '../../src/index.js'
import { MemoryAdapter } from '../../src/index.js'
import { LiveQuery } from '../../src/reactive/live-query.js'
import { gate, KEYED, open, rejection, turn } from './opened.js'

interface Counting {
  readonly store: Store
  /** How often the function has run. */
  runs(): number
}

/** A store with the bucket `b` and the query `keys`, which counts its runs. */
async function counting(): Promise<Counting> {
  const store = await open({ buckets: { b: KEYED }, onError: () => undefined })
  let runs = 0
  store.defineQuery('keys', async (ctx, _params: unknown) => {
    runs++
    return ctx.bucket('b').keys()
  })
  return { store, runs: () => runs }
}

describe('equal queries with equal parameters are evaluated once for all who have subscribed', () => {
  test('the first time and after each change', async () => {
    const { store, runs } = await counting()
    const seen: unknown[] = []
    for (let i = 0; i < 50; i++) {
      const params = i % 2 === 0 ? { a: 1, b: [new Date(5), 'x'] } : { b: [new Date(5), 'x'], a: 1 }
      await store.subscribe('keys', params, (keys) => seen.push(keys), { immediate: i < 10 })
    }
    expect([runs(), seen.length]).toEqual([1, 10])
    await store.bucket('b').insert({ id: 'a' })
    await store.settle()
    expect([runs(), seen.length]).toEqual([2, 60])
    expect(seen.slice(10)).toEqual(Array.from({ length: 50 }, () => ['a']))
    expect((await store.getStats()).queries.activeSubscriptions).toBe(50)
  })

  test('also those who come while it is evaluated for the first time', async () => {
    const { store, runs } = await counting()
    const seen: unknown[] = []
    const immediate = { immediate: true }
    await Promise.all([1, 2, 3].map(() => store.subscribe('keys', undefined, (keys) => seen.push(keys), immediate)))
    expect([runs(), seen]).toEqual([1, [[], [], []]])
  })

  test.each([
    ['other parameters', { a: 1 }, { a: 2 }],
    ['none and null', undefined, null],
    ['what only identity tells apart', new Map(), new Map()],
  ])('but not %s', async (_name, one, other) => {
    const { store, runs } = await counting()
    await store.subscribe('keys', one, () => undefined)
    await store.subscribe('keys', other, () => undefined)
    expect(runs()).toBe(2)
  })

  test('nor another query with a name that looks like it', async () => {
    const store = await open()
    const names = ['x', 'x\n1', '1\nx']
    const ran: string[] = []
    for (const name of names) store.defineQuery(name, () => ran.push(name))
    for (const name of names) await store.subscribe(name, 1, () => undefined)
    expect(ran).toEqual(names)
  })

  test('nor one that is run once', async () => {
    const { store, runs } = await counting()
    await store.subscribe('keys', 1, () => undefined)
    expect(await store.runQuery('keys', 1)).toEqual([])
    expect(runs()).toBe(2)
  })
})

test('parameters are those at the time of the subscription, whatever the caller or the function does with them later', async () => {
  const store = await open({ buckets: { b: KEYED } })
  store.defineQuery('filtered', async (ctx, params: { ids: string[] }) => {
    const ids = params.ids.splice(0)
    return (await ctx.bucket('b').keys()).filter((key) => ids.includes(key as string))
  })
  const params = { ids: ['a'] }
  const seen: unknown[] = []
  await store.subscribe('filtered', params, (n) => seen.push(['first', n]))
  params.ids = ['b']
  await store.subscribe('filtered', { ids: ['a'] }, (n) => seen.push(['second', n]))
  for (const id of ['b', 'a', 'c']) await store.bucket('b').insert({ id })
  await store.settle()
  expect(seen).toEqual([
    ['first', ['a']],
    ['second', ['a']],
  ])
})

test('each callback may change what it is given, and spoils nothing for the others or for what comes next', async () => {
  const store = await open({ buckets: { b: KEYED } })
  store.defineQuery('deep', async (ctx) => ({ rows: await ctx.bucket('b').all(), by: new Map([['n', { list: [1] }]]) }))
  const seen: string[] = []
  const spoil = (result: { rows: unknown[]; by: Map<string, { list: number[] }> }): void => {
    seen.push(`${result.rows.length} ${result.by.get('n')?.list.length}`)
    result.rows.push('junk')
    result.by.get('n')?.list.push(2)
    result.by.clear()
  }
  for (const immediate of [true, true, false, true]) await store.subscribe('deep', spoil, { immediate })
  await store.bucket('b').insert({ id: 'a' })
  await store.settle()
  await store.subscribe('deep', spoil, { immediate: true })
  await store.bucket('b').clear()
  await store.settle()
  expect(seen).toEqual([...Array(3).fill('0 1'), ...Array(4).fill('1 1'), '1 1', ...Array(5).fill('0 1')])
})

describe('who comes later', () => {
  test('is given the last result at once, without another run', async () => {
    const { store, runs } = await counting()
    await store.bucket('b').insert({ id: 'a' })
    await store.subscribe('keys', () => undefined)
    const seen: unknown[] = []
    await store.subscribe('keys', (keys) => seen.push(keys), { immediate: true })
    expect([runs(), seen]).toEqual([1, [['a']]])
  })

  test('is given what is durable at that moment, not a result that has not caught up', async () => {
    const { store, runs } = await counting()
    await store.subscribe('keys', () => undefined)
    const seen: unknown[] = []
    // In the same turn: the evaluation after this write is due, and has not begun.
    await store.bucket('b').insert({ id: 'a' })
    await store.subscribe('keys', (keys) => seen.push(keys), { immediate: true })
    expect([runs(), seen]).toEqual([2, [['a']]])
  })

  test('is not told of what was there before, and is told of what is written right after the call', async () => {
    const { store } = await counting()
    const first: unknown[] = []
    const second: unknown[] = []
    await store.subscribe('keys', (keys) => first.push(keys))
    void store.bucket('b').insert({ id: 'a' })
    const subscribing = store.subscribe('keys', (keys) => second.push(keys))
    await subscribing
    await store.settle()
    expect([first, second]).toEqual([[['a']], []])
    const [third, later]: [unknown[], Promise<unknown>] = [[], store.bucket('b').insert({ id: 'b' })]
    void store.subscribe('keys', (keys) => third.push(keys))
    void store.bucket('b').insert({ id: 'c' })
    await later
    await store.settle()
    expect(third.at(-1)).toEqual(['a', 'b', 'c'])
    expect(third).not.toContainEqual(['a', 'b'])
  })

  test('while an evaluation runs that was overtaken already: neither is what was there told, nor anything missed', async () => {
    const store = await open({ buckets: { b: KEYED } })
    const [read, go] = [gate(), gate()]
    let runs = 0
    store.defineQuery('slow', async (ctx) => {
      const isSecond = runs++ === 1
      const keys = await ctx.bucket('b').keys()
      if (isSecond) {
        read.open()
        await go.opened
      }
      return keys
    })
    const first: unknown[] = []
    await store.subscribe('slow', (keys) => first.push(keys))
    await store.bucket('b').insert({ id: 'a' })
    await read.opened
    await store.bucket('b').insert({ id: 'b' })
    const [quiet, told]: [unknown[], unknown[]] = [[], []]
    const subscribing = [
      store.subscribe('slow', (keys) => quiet.push(keys)),
      store.subscribe('slow', (keys) => told.push(keys), { immediate: true }),
    ]
    await turn()
    go.open()
    await Promise.all(subscribing)
    await store.settle()
    expect([first, quiet, told]).toEqual([[['a', 'b']], [], [['a', 'b']]])
    await store.bucket('b').insert({ id: 'c' })
    await store.settle()
    expect(quiet).toEqual([['a', 'b', 'c']])
  })

  test('after an evaluation that has failed: it runs again, and who was there hears of the failure once', async () => {
    const store = await open({ buckets: { b: KEYED } })
    let fails = true
    store.defineQuery('picky', async (ctx) => {
      const count = await ctx.bucket('b').count()
      if (count > 0 && fails) throw new RangeError('no')
      return count
    })
    const errors: string[] = []
    const seen: unknown[] = []
    await store.subscribe('picky', (n) => seen.push(n), { onError: (error) => errors.push(error.message) })
    await store.bucket('b').insert({ id: 'a' })
    await store.settle()
    expect(await rejection(store.subscribe('picky', () => undefined))).toBeInstanceOf(RangeError)
    expect((await store.getStats()).queries.activeSubscriptions).toBe(1)
    fails = false
    const late: unknown[] = []
    await store.subscribe('picky', (n) => late.push(n), { immediate: true })
    expect([errors, seen, late]).toEqual([['no', 'no'], [1], [1]])
  })
})

describe('listeners come and go', () => {
  test('the last one to leave ends the evaluation, and the next one begins another', async () => {
    const { store, runs } = await counting()
    const offs = [await store.subscribe('keys', () => undefined), await store.subscribe('keys', () => undefined)]
    offs[0]?.()
    offs[0]?.()
    await store.bucket('b').insert({ id: 'a' })
    await store.settle()
    expect(runs()).toBe(2)
    offs[1]?.()
    await store.bucket('b').insert({ id: 'b' })
    await store.settle()
    expect(runs()).toBe(2)
    expect((await store.getStats()).live).toMatchObject({ views: 0, subscriptions: 0 })
    await store.subscribe('keys', () => undefined)
    expect(runs()).toBe(3)
  })

  test('one that throws, one that leaves others, one that joins: the rest are called once each', async () => {
    const { store } = await counting()
    const heard: string[] = []
    const offs = new Map<string, () => void>()
    const listen = async (name: string, then: () => void, immediate = false): Promise<void> => {
      const called = (): void => {
        heard.push(name)
        then()
      }
      offs.set(name, await store.subscribe('keys', called, { immediate, onError: () => heard.push(`${name}: error`) }))
    }
    await listen('throws', () => {
      throw new Error('planted')
    })
    await listen('leaves', () => {
      offs.get('leaves')?.()
      offs.get('left')?.()
    })
    await listen('left', () => undefined)
    await listen('joins', () => {
      if (!offs.has('joined')) void listen('joined', () => undefined, true)
    })
    await listen('last', () => undefined)
    await store.bucket('b').insert({ id: 'a' })
    await store.settle()
    expect(heard.splice(0)).toEqual(['throws', 'throws: error', 'leaves', 'joins', 'joined', 'last'])
    await store.bucket('b').insert({ id: 'b' })
    await store.settle()
    expect(heard).toEqual(['throws', 'throws: error', 'joins', 'last', 'joined'])
  })

  test('one that aborts while it waits for its first result takes it from nobody else', async () => {
    const { store } = await counting()
    const abort = new AbortController()
    const seen: string[] = []
    const both = [
      store.subscribe('keys', () => seen.push('aborted'), { immediate: true, signal: abort.signal }),
      store.subscribe('keys', () => seen.push('stays'), { immediate: true }),
    ]
    abort.abort()
    await Promise.all(both)
    expect(seen).toEqual(['stays'])
  })

  test('an error of the query goes to each once; of the first run, to each who waits for it', async () => {
    const store = await open({ buckets: { b: KEYED } })
    let fails = true
    store.defineQuery('flaky', async (ctx) => {
      const count = await ctx.bucket('b').count()
      if (fails) throw new Error('planted')
      return count
    })
    const waiting = [1, 2].map(() => rejection(store.subscribe('flaky', () => undefined)))
    expect((await Promise.all(waiting)).map(({ message }) => message)).toEqual(['planted', 'planted'])
    fails = false
    const errors: number[] = []
    for (const n of [1, 2, 3]) await store.subscribe('flaky', () => undefined, { onError: () => errors.push(n) })
    fails = true
    await store.bucket('b').insert({ id: 'a' })
    await store.settle()
    expect(errors).toEqual([1, 2, 3])
  })

  test('signals are let go of when the store ends', async () => {
    const { store } = await counting()
    let listeners = 0
    const signal = { aborted: false, addEventListener: () => listeners++, removeEventListener: () => listeners-- }
    for (let i = 0; i < 3; i++) await store.subscribe('keys', () => undefined, { signal: signal as never })
    await store.stop()
    expect(listeners).toBe(0)
  })
})

test('what a function throws over what was no one state is not told: it runs again', async () => {
  const store = await open({ buckets: { b: KEYED } })
  const [read, go] = [gate(), gate()]
  store.defineQuery('checks', async (ctx) => {
    const one = await ctx.bucket('b').count()
    read.open()
    await go.opened
    if ((await ctx.bucket('b').count()) !== one) throw new Error('two states')
    return one
  })
  const answer = store.runQuery('checks')
  const subscribing = store.subscribe('checks', () => undefined)
  await read.opened
  await store.bucket('b').insert({ id: 'a' })
  go.open()
  expect(await answer).toBe(1)
  await subscribing
})

test('a change that comes and goes while the first run is under way is no news', async () => {
  const store = await open({ buckets: { b: KEYED } })
  const [read, go] = [gate(), gate()]
  store.defineQuery('slow', async (ctx) => {
    const keys = await ctx.bucket('b').keys()
    read.open()
    await go.opened
    return keys
  })
  const seen: unknown[] = []
  const subscribing = store.subscribe('slow', (keys) => seen.push(keys))
  await read.opened
  await store.bucket('b').insert({ id: 'a' })
  await store.bucket('b').delete('a')
  go.open()
  await subscribing
  await store.settle()
  expect(seen).toEqual([])
})

test('a query that runs again and again because others write is not taken for one that is overtaken', async () => {
  const errors: string[] = []
  const store = await open({ buckets: { b: KEYED }, onError: (error) => errors.push(error.message) })
  store.defineQuery('count', (ctx) => ctx.bucket('b').count())
  let last = 0
  await store.subscribe('count', (count: number) => {
    last = count
    if (count < 250) void store.bucket('b').insert({ id: String(count) })
  })
  await store.bucket('b').insert({ id: 'first' })
  await store.settle()
  expect([last, errors]).toEqual([250, []])
})

type Step =
  | { readonly do: 'put' | 'delete'; readonly id: number }
  | { readonly do: 'join' | 'quiet' | 'leave' | 'turn' | 'fail' | 'tick' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('put' as const, 'put' as const, 'delete' as const), id: fc.nat(3) }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'join',
        'quiet',
        'join',
        'quiet',
        'turn',
        'turn',
        'turn',
        'leave',
        'fail',
        'tick',
      ) as fc.Arbitrary<'join'>,
    }),
  },
)

/** Takes a turn for each append, and fails when it is told to. */
function slow(): { readonly adapter: StorageAdapter; readonly fail: () => void } {
  let failing = 0
  const adapter = new Proxy<StorageAdapter>(new MemoryAdapter(), {
    get: (target, name): unknown => {
      if (name === 'immediate') return false
      const value: unknown = Reflect.get(target, name)
      if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value
      return async (...args: Parameters<StorageAdapter['append']>) => {
        await turn()
        if (failing > 0) {
          failing--
          throw new Error('the disk')
        }
        return target.append(...args)
      }
    },
  })
  return { adapter, fail: () => failing++ }
}

interface Told {
  readonly isQuiet: boolean
  /** The states from what was durable to what could be read when it subscribed. */
  readonly states: readonly string[]
  /** These, and all that came later. */
  readonly possible: Set<string>
  readonly results: string[]
  isOver: boolean
  /** Something was written after it subscribed. */
  isLater: boolean
}

/** Whoever subscribes, whenever, ends with what there is; only a quiet one for whom that is what there was may hear nothing. */
async function missesNothing(steps: readonly Step[]): Promise<void> {
  const { adapter, fail } = slow()
  const store = await open({ buckets: { b: KEYED }, persistence: { adapter }, onError: () => undefined })
  const b = store.bucket('b')
  store.defineQuery('keys', async (ctx) => {
    const keys = await ctx.bucket('b').keys()
    await turn()
    return keys.map(Number).toSorted((a, b) => a - b)
  })
  const read = (): string =>
    String(
      store.read((view) =>
        view
          .bucket('b')
          .keys()
          .map(Number)
          .toSorted((a, b) => a - b),
      ),
    )
  const all: Told[] = []
  let states = ['']
  const { engine } = store as unknown as {
    engine: Record<'applied' | 'published' | 'undone', (commit: unknown) => void>
  }
  for (const name of ['applied', 'published', 'undone'] as const) {
    const hear = engine[name].bind(engine)
    engine[name] = (commit) => {
      hear(commit)
      const { visible, durable } = store.position
      const state = read()
      states = visible === durable ? [state] : [...states, state]
      for (const { possible } of all) possible.add(state)
    }
  }
  const offs: (() => void)[] = []
  for (const one of steps) {
    if ('id' in one) for (const told of all) told.isLater = true
    if (one.do === 'put') void b.upsert({ id: String(one.id) }).catch(() => undefined)
    else if (one.do === 'delete') void b.delete(String((one as { id: number }).id)).catch(() => undefined)
    else if (one.do === 'fail') fail()
    else if (one.do === 'turn') await turn()
    else if (one.do === 'tick') await undefined
    else if (one.do === 'leave') offs.shift()?.()
    else {
      const isQuiet = one.do === 'quiet'
      const told: Told = { isQuiet, states, possible: new Set(states), results: [], isOver: false, isLater: false }
      all.push(told)
      const abort = new AbortController()
      offs.push(() => {
        told.isOver = true
        abort.abort()
      })
      const options = { immediate: !isQuiet, signal: abort.signal }
      void store.subscribe<number[]>('keys', (keys) => told.results.push(String(keys)), options)
    }
  }
  await store.settle()
  await turn()
  await store.settle()
  const end = read()
  for (const { isQuiet, states: before, possible, results, isOver, isLater } of all) {
    for (const result of results) expect(possible).toContain(result)
    // Nothing was under way, and nothing came: it hears of this one state, or, a quiet one, of nothing.
    if (!isOver && !isLater && before.length === 1) expect(results).toEqual(isQuiet ? [] : before)
    if (isOver) continue
    if (results.length > 0) expect(results.at(-1)).toBe(end)
    else {
      expect(isQuiet).toBe(true)
      expect(before).toContain(end)
    }
    // The same twice in a row would be news of nothing.
    for (let at = 1; at < results.length; at++) expect(results[at]).not.toBe(results[at - 1])
  }
  await store.stop()
}

test('whoever subscribes at whatever moment misses nothing', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), missesNothing), {
    numRuns: Number(process.env['VARVE_ORACLE_RUNS'] ?? 1_500),
  })
}, 300_000)

test.each(['isFresh', 'willBeFresh'] as const)(
  'the check finds a planted bug: who joins takes any result for new enough (%s)',
  async (name) => {
    const spy = vi.spyOn(LiveQuery.prototype, name, 'get').mockImplementation(function planted(this: LiveQuery) {
      return name === 'isFresh' ? this.isCurrent : this.isEvaluating
    })
    await expect(
      fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), missesNothing), {
        numRuns: 100_000,
        endOnFailure: true,
      }),
    )
      .rejects.toThrow(/Property failed/)
      .finally(() => spy.mockRestore())
  },
  300_000,
)
