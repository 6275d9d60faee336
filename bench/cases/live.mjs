/**
 * Live results: from the call of a write until the last callback that it concerns has been called, with the rows. The limit
 * is lists over a Map that are kept by hand. All write the field `age`, which stands for a score.
 */
import { openLiveMap } from '../contestants/live-map.mjs'
import { openLiveVarve } from '../contestants/live-varve.mjs'
import { includeCase } from './live-include.mjs'
import { cityName, expect, makeRecords, randomNumbers, ROLES, seeded } from '../data.mjs'

const QUERIES = 1_000
const SHARED = 100
const IDLE = 10_000
const TOP = 20

export function liveCases({ records: count, peers, scale }) {
  const records = makeRecords(count)
  const subscribed = Math.min(QUERIES, Math.round(count / 2))
  const times = (n) => Math.max(5, Math.round(n * scale))
  const cities = Array.from({ length: subscribed }, (_, i) => cityName(i))
  const role = ROLES[3]
  const ofRole = records.filter((record) => record.role === role).map(({ id }) => id)
  const ofCities = records.filter(({ city }) => cities.includes(city)).map(({ id }) => id)
  const pick = (from, n, seed) => randomNumbers(n, from.length, seed).map((i) => from[i])

  const limit = { name: 'Map', open: openLiveMap, durability: 'none' }
  const varve = { name: 'Varve', open: () => openLiveVarve(), durability: 'memory' }
  const varveByAge = { name: 'Varve, index on age', open: () => openLiveVarve(true), durability: 'memory' }
  const others = peers.map((peer) => ({ ...peer, durability: 'memory' }))
  const loaded = new Map()
  const load = async ({ name, open }) => {
    if (!loaded.has(name)) {
      const store = await open()
      expect(await (store.load ?? store.insertMany).call(store, records), count, `${name}: records loaded`)
      loaded.set(name, store)
    }
    return loaded.get(name)
  }
  /** Live queries of one contestant, all of which tell `state`. */
  const subscribe = (contestant, queries) => async () => {
    const store = await load(contestant)
    const state = { store, ends: [], called: 0, awaited: 0, wake: undefined, rows: undefined, turn: 0 }
    const listen = (rows) => {
      state.rows = rows
      if (++state.called === state.awaited) state.wake?.()
    }
    for (const query of queries) state.ends.push(await store.live(query, listen))
    // Some tell by a timer that a first result is there.
    await new Promise((resolve) => setTimeout(resolve, 20))
    return state
  }
  const end = async ({ ends }) => {
    for (const one of ends) await one()
  }
  /** Waits until so many have been called. */
  const called = async (state, awaited) => {
    if (state.called < awaited) {
      await new Promise((resolve) => {
        state.awaited = awaited
        state.wake = resolve
      })
    }
    state.awaited = 0
    state.wake = undefined
  }
  const random = seeded(11)
  const anyAge = () => random() * 100

  /** One write after the other, each with the `calls` callbacks that it causes. @param few how many a library makes. */
  const react = ({
    name,
    title,
    queries,
    keys,
    few,
    calls = 1,
    age = anyAge,
    target,
    own = varve,
    rowCount,
    skipped,
  }) => {
    const rowFor = (contestant) => {
      const isOwn = contestant === own
      const some = isOwn || contestant === limit ? keys : keys.slice(0, few)
      const run = async (state) => {
        let total = 0
        for (const key of some) {
          state.called = 0
          state.key = key
          state.age = age(state.turn++)
          await (contestant.durability === 'none' || isOwn
            ? state.store.write(key, state.age)
            : state.store.updateEach([key], state.age))
          await called(state, calls)
          total += state.called
        }
        return total
      }
      const runAtOnce = (state) => {
        let total = 0
        for (const key of some) {
          state.called = 0
          state.key = key
          state.age = age(state.turn++)
          state.store.write(key, state.age)
          total += state.called
        }
        return total
      }
      return {
        contestant: contestant.name,
        durability: contestant.durability,
        note: contestant.note,
        ...(contestant === limit ? {} : { limit: 'Map' }),
        ...(isOwn ? { target } : {}),
        ops: some.length,
        setup: subscribe(contestant, queries),
        run: contestant === limit ? runAtOnce : run,
        check: (total, { rows, key, age: last }) => {
          expect(total, some.length * calls, `${contestant.name}: callbacks of ${name}`)
          expect(rows.length, rowCount, `${contestant.name}: rows of ${name}`)
          expect(rows.find(({ id }) => id === key)?.age, last, `${contestant.name}: the row of ${name}`)
        },
        teardown: end,
      }
    }
    const able = others.filter(({ name: one }) => !skipped?.includes(one))
    return { name, title, warmups: 1, rows: [limit, own, ...able].map(rowFor) }
  }

  const ids = records.slice(0, subscribed).map(({ id }) => id)
  const byCity = cities.map((city) => ({ where: { city } }))
  const perCity = records.filter(({ city }) => city === cities[0]).length
  const list = { where: { role } }
  const reacting = [
    react({
      name: 'one-of-queries',
      title: `write to callback, concerns 1 of ${cities.length} live queries of ${perCity} rows`,
      queries: byCity,
      keys: pick(ofCities, times(2_000)),
      few: 20,
      rowCount: perCity,
      target: { atMost: 45_000, max: 8 },
      // Each of its queries goes through all records to begin with: a minute and more.
      skipped: ['tinybase'],
    }),
    react({
      name: 'one-of-records',
      title: `write to callback, concerns 1 of ${ids.length} live queries of one record`,
      queries: ids.map((id) => ({ where: { id } })),
      keys: pick(ids, times(4_000)),
      few: 20,
      rowCount: 1,
      target: { atMost: 12_000, max: 3 },
    }),
    react({
      name: 'shared-list',
      title: `write to the last of ${SHARED} callbacks, all live on the same ${ofRole.length} rows`,
      queries: Array.from({ length: SHARED }, () => list),
      keys: pick(ofRole, times(1_000)),
      few: 2,
      calls: SHARED,
      rowCount: ofRole.length,
      target: { atMost: 300_000 },
    }),
    react({
      name: 'sorted-list',
      title: `write to callback, a sorted list of ${ofRole.length} of ${count} rows`,
      queries: [{ ...list, orderBy: 'age' }],
      keys: pick(ofRole, times(1_000)),
      few: 5,
      rowCount: ofRole.length,
      target: { atMost: 100_000 },
    }),
    react({
      name: 'top',
      title: `write to callback, a row enters the top ${TOP} of ${count}`,
      queries: [{ where: {}, orderBy: 'age', isDescending: true, limit: TOP }],
      keys: records
        .filter((_, i) => i % 37 === 5)
        .map(({ id }) => id)
        .slice(0, times(1_000)),
      few: 10,
      rowCount: TOP,
      age: (turn) => 100 + turn / 1_000,
      own: varveByAge,
      target: { atMost: 60_000 },
    }),
  ]

  /** Writes under `idle` live queries, none of which they concern. */
  const idleRow = (idle) => {
    const name = idle === 0 ? 'Varve, no live query' : `Varve, ${idle} live queries`
    const nowhere = Array.from({ length: idle }, (_, i) => ({ where: { city: `nowhere-${i}` } }))
    const keys = pick(ofCities, times(5_000))
    return {
      contestant: name,
      durability: 'memory',
      ...(idle === 0 ? {} : { limit: 'Varve, no live query', target: { max: 2 } }),
      ops: keys.length,
      setup: subscribe({ ...varve, name }, nowhere),
      run: async (state) => {
        for (const key of keys) await state.store.write(key, anyAge())
        return state.called
      },
      check: (total) => expect(total, 0, 'callbacks'),
      teardown: end,
    }
  }

  const transactionWrites = pick(ofCities, Math.min(QUERIES, Math.round(count / 4)), 5)
  const concerned = new Set(records.filter(({ id }) => transactionWrites.includes(id)).map(({ city }) => city)).size
  const transactionRow = (contestant) => ({
    contestant: contestant.name,
    durability: contestant.durability,
    ...(contestant === limit ? {} : { limit: 'Map' }),
    ops: 1,
    setup: subscribe(contestant, byCity),
    run: async (state) => {
      state.called = 0
      const writes = transactionWrites.map((key) => [key, anyAge()])
      await state.store.writeAll(writes)
      await called(state, concerned)
      return state
    },
    // One delivery for each query that it concerns, and none after that.
    check: async (state) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(state.called, concerned, `${contestant.name}: deliveries of one transaction`)
    },
    teardown: end,
  })

  const subscribeRow = (contestant) => {
    const isOwn = contestant === varve
    const queries = isOwn ? byCity : byCity.slice(0, times(100))
    return {
      contestant: contestant.name,
      durability: contestant.durability,
      note: contestant.note,
      // 100 ms for all of them.
      ...(isOwn ? { target: { atMost: 100_000 } } : {}),
      ops: queries.length,
      setup: () => load(contestant),
      run: async (store) => {
        const ends = []
        for (const query of queries) ends.push(await store.live(query, () => undefined))
        return ends
      },
      check: async (ends) => {
        expect(ends.length, queries.length, `${contestant.name}: subscriptions`)
        await end({ ends })
      },
    }
  }

  const tops = times(1_000)
  const topRow = (name, contestant, read, against) => ({
    contestant: name,
    durability: contestant.durability,
    note: contestant.note,
    ...(against === undefined ? {} : { limit: against, ...(contestant === varveByAge ? { target: { max: 2 } } : {}) }),
    ops: contestant === varveByAge ? tops : times(5),
    setup: () => load(contestant),
    run: async (store) => {
      let found = 0
      for (let i = 0; i < (contestant === varveByAge ? tops : times(5)); i++) {
        const some = read(store, i)
        found += typeof some === 'number' ? some : await some
      }
      return found
    },
    check: (found) => expect(found, TOP * (contestant === varveByAge ? tops : times(5)), `${name}: rows`),
  })
  const keysOfTop = Array.from({ length: tops }, (_, i) => pick(ofCities, TOP, i + 1))
  const getEach = async (store, i) => {
    const people = store.store.bucket('people')
    let found = 0
    for (const key of keysOfTop[i]) found += (await people.get(key)).id === key ? 1 : 0
    return found
  }
  const getInRead = ({ store }, i) =>
    store.read((view) => {
      const people = view.bucket('people')
      let found = 0
      for (const key of keysOfTop[i]) found += people.get(key).id === key ? 1 : 0
      return found
    })

  const cases = [
    ...reacting,
    includeCase(scale),
    {
      name: 'idle',
      title: `write that concerns none of ${IDLE} live queries`,
      warmups: 1,
      rows: [idleRow(0), idleRow(Math.max(100, Math.round(IDLE * scale)))],
    },
    {
      name: 'one-transaction',
      title: `a transaction of ${transactionWrites.length} writes under ${byCity.length} live queries, ${concerned} callbacks`,
      warmups: 1,
      rows: [limit, varve].map(transactionRow),
    },
    {
      name: 'subscribe-live',
      title: `subscribe to ${byCity.length} live queries of ${perCity} rows, each (the libraries ${times(100)})`,
      warmups: 1,
      rows: [varve, ...others.filter(({ name }) => name !== 'tinybase')].map(subscribeRow),
    },
    {
      name: 'top-once',
      title: `the top ${TOP} of ${count} once, on an index (limit: as many reads by key)`,
      warmups: 1,
      rows: [
        topRow(`Varve, ${TOP} reads by key`, varveByAge, getEach),
        topRow('Varve', varveByAge, (store) => store.top(TOP), `Varve, ${TOP} reads by key`),
        topRow(`Varve, ${TOP} by key in store.read`, varveByAge, getInRead),
        topRow(
          'Varve in store.read',
          varveByAge,
          (store) => store.topInRead(TOP),
          `Varve, ${TOP} by key in store.read`,
        ),
        ...others.map((one) => topRow(one.name, one, (store) => store.top(TOP), `Varve, ${TOP} reads by key`)),
      ],
    },
  ]
  const close = async () => {
    for (const store of loaded.values()) await store.close()
  }
  return { cases, close }
}
