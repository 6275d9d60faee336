/**
 * What a write costs when queries are live: from the call of the write until the one callback that it concerns has been
 * called. The limit is a Map of listeners by city, or by key, kept by hand; for queries that a write does not concern it is
 * the same write where there are none.
 */
import { openMap } from '../contestants/map.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { expect, makeRecords, randomNumbers } from '../data.mjs'

const SUBSCRIPTIONS = 1_000
const IDLE = 10_000

export function reactiveCases({ records: count, peers, scale }) {
  const records = makeRecords(count)
  const inCity = new Map()
  for (const record of records) inCity.set(record.city, [...(inCity.get(record.city) ?? []), record.id])
  const writes = Math.max(10, Math.round(1_000 * scale))
  const targets = randomNumbers(writes, Math.min(SUBSCRIPTIONS, inCity.size)).map((i) => [...inCity.values()][i][0])
  const subscribed = [...inCity.keys()].slice(0, SUBSCRIPTIONS)
  const keys = records.slice(0, SUBSCRIPTIONS).map((record) => record.id)
  const keyTargets = randomNumbers(writes, keys.length).map((i) => keys[i])

  /** Makes each write and waits for the callback that it has to cause. */
  const react = async (state, updates, some, round) => {
    for (const key of some) {
      state.called = 0
      await updates(key, (round * 7 + state.turn++) % 150)
      while (state.called === 0) await new Promise((resolve) => setImmediate(resolve))
      if (state.called !== 1) throw new Error(`${state.called} callbacks for one write`)
      state.total++
    }
    return state.total
  }
  const counted = (some) => (total, _, round) => expect(total, some.length * (round + 1), 'callbacks')

  const liveMap = (byKey) => ({
    contestant: 'Map',
    durability: 'none',
    ops: writes,
    setup: () => {
      const store = openMap()
      store.insertMany(records)
      const state = { store, called: 0, total: 0, turn: 0, listeners: new Map() }
      const listen = () => state.called++
      for (const one of byKey ? keys : subscribed) state.listeners.set(one, [listen])
      return state
    },
    run: (state) => {
      const { store, listeners } = state
      for (const key of byKey ? keyTargets : targets) {
        state.called = 0
        const record = store.update(key, { age: state.turn++ % 150 })
        const found = byKey ? record : store.where(record.city)
        for (const listen of listeners.get(byKey ? key : record.city)) listen(found)
        state.total += state.called
      }
      return state.total
    },
    check: counted(targets),
  })

  const liveVarve = (byKey) => ({
    contestant: 'Varve',
    durability: 'memory',
    limit: 'Map',
    target: { atMost: byKey ? 12_000 : 45_000 },
    ops: writes,
    setup: async () => {
      const opened = await openVarve()
      await opened.insertMany(records)
      const { store } = opened
      const state = { store, called: 0, total: 0, turn: 0 }
      store.defineQuery('inCity', (context, city) => context.bucket('people').where({ city }))
      store.defineQuery('one', (context, key) => context.bucket('people').get(key))
      for (const one of byKey ? keys : subscribed)
        await store.subscribe(byKey ? 'one' : 'inCity', one, () => state.called++)
      return state
    },
    run: (state, round) => {
      const people = state.store.bucket('people')
      return react(
        state,
        (key, age) => people.update(key, { age: age + 0.5 * (round % 2) }),
        byKey ? keyTargets : targets,
        round,
      )
    },
    check: counted(targets),
    teardown: ({ store }) => store.stop(),
  })

  const livePeer = ({ name, open, note }) => {
    const some = targets.slice(0, Math.max(10, Math.round(100 * scale)))
    return {
      contestant: name,
      durability: 'memory',
      limit: 'Map',
      note,
      ops: some.length,
      setup: async () => {
        const store = await open()
        await store.insertMany(records)
        const state = { store, called: 0, total: 0, turn: 0 }
        state.ends = []
        for (const city of subscribed) state.ends.push(await store.live({ where: { city } }, () => state.called++))
        return state
      },
      run: (state, round) =>
        react(state, (key, age) => state.store.updateEach([key], age + 0.5 * (round % 2)), some, round),
      check: counted(some),
      teardown: async ({ store, ends }) => {
        for (const end of ends) await end()
        await store.close()
      },
    }
  }

  const churn = {
    name: 'subscribe',
    title: `subscribe to a query of one record and end it again, ${SUBSCRIPTIONS} others live`,
    rows: [
      {
        contestant: 'Varve',
        durability: 'memory',
        ops: writes,
        setup: liveVarve(true).setup,
        run: async ({ store }) => {
          let ended = 0
          for (const key of keyTargets) {
            const end = await store.subscribe('one', key, () => undefined)
            end()
            ended++
          }
          return ended
        },
        check: async (ended, { store }) => {
          expect(ended, writes, 'subscriptions ended')
          expect((await store.getStats()).queries.activeSubscriptions, keys.length, 'subscriptions left')
        },
        teardown: ({ store }) => store.stop(),
      },
    ],
  }

  /** Writes under `idle` live queries, none of which they concern. */
  const idleVarve = (idle) => ({
    contestant: idle === 0 ? 'Varve, no live query' : `Varve, ${idle} live queries`,
    durability: 'memory',
    ...(idle === 0 ? {} : { limit: 'Varve, no live query', target: { max: 2 } }),
    ops: writes,
    setup: async () => {
      const opened = await openVarve()
      await opened.insertMany(records)
      const { store } = opened
      const state = { store, called: 0, turn: 0 }
      store.defineQuery('inCity', (context, city) => context.bucket('people').where({ city }))
      for (let i = 0; i < idle; i++) await store.subscribe('inCity', `nowhere-${i}`, () => state.called++)
      return state
    },
    run: async (state) => {
      const people = state.store.bucket('people')
      for (const key of targets) await people.update(key, { age: state.turn++ % 150 })
      return state.called
    },
    check: (called) => expect(called, 0, 'callbacks'),
    teardown: ({ store }) => store.stop(),
  })

  const subscribe = {
    contestant: 'Varve',
    durability: 'memory',
    target: { atMost: 100_000 },
    isFresh: true,
    ops: subscribed.length,
    setup: async () => {
      const opened = await openVarve()
      await opened.insertMany(records)
      opened.store.defineQuery('inCity', (context, city) => context.bucket('people').where({ city }))
      return opened
    },
    run: async ({ store }) => {
      for (const city of subscribed) await store.subscribe('inCity', city, () => undefined)
      return store
    },
    check: async (store) =>
      expect((await store.getStats()).queries.activeSubscriptions, subscribed.length, 'subscriptions'),
    teardown: ({ store }) => store.stop(),
  }
  const live = peers.filter(({ isLive }) => isLive)
  const cases = [
    {
      name: 'live-queries',
      title: `write that concerns 1 of ${subscribed.length} live queries of ${Math.round(count / 1_000)} records`,
      rows: [liveMap(false), liveVarve(false), ...live.map(livePeer)],
    },
    {
      name: 'live-records',
      title: `write that concerns 1 of ${keys.length} subscriptions to a record`,
      rows: [liveMap(true), liveVarve(true)],
    },
    {
      name: 'idle',
      title: `write that concerns none of ${IDLE} live queries`,
      rows: [idleVarve(0), idleVarve(Math.max(100, Math.round(IDLE * scale)))],
    },
    { name: 'subscribe-all', title: `subscribe to ${subscribed.length} queries of a city each`, rows: [subscribe] },
    churn,
  ]
  const hasWarmup = ['subscribe', 'subscribe-all', 'idle']
  return { cases: cases.map((one) => ({ ...one, warmups: hasWarmup.includes(one.name) ? 1 : 0 })) }
}
