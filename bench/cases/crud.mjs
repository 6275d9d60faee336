/** Inserts, reads and updates by key, `where` on an index, transactions. In memory. */
import { openMap } from '../contestants/map.mjs'
import { openVarve, Store } from '../contestants/varve.mjs'
import { cityName, DEFINITION, expect, makeRecords, randomKeys, randomNumbers } from '../data.mjs'

export async function crudCases({ records: count, peers, scale }) {
  const records = makeRecords(count)
  const ops = Math.round(100_000 * scale)
  const keys = randomKeys(ops, count)
  const cities = randomNumbers(Math.round(100_000 * scale), 1_000).map(cityName)
  const ageOf = new Map(records.map((record) => [record.id, record.age]))
  const sumOfAges = (some) => some.reduce((sum, key) => sum + ageOf.get(key), 0)
  const inCity = new Map()
  for (const { city } of records) inCity.set(city, (inCity.get(city) ?? 0) + 1)
  const countOf = (some) => some.reduce((sum, city) => sum + (inCity.get(city) ?? 0), 0)

  const contestants = [
    { name: 'Map', open: openMap, durability: 'none' },
    { name: 'Varve', open: openVarve, durability: 'memory' },
    ...peers.map((peer) => ({ ...peer, durability: 'memory', note: peer.note })),
  ]
  const fresh = ({ name, open, durability, note }) => ({
    contestant: name,
    durability,
    note,
    isFresh: true,
    setup: () => open(),
    teardown: (one) => one.close(),
  })

  /** One loaded store per contestant, shared by the cases that leave it as it is. */
  const loaded = new Map()
  const load = (name, open) => async () => {
    if (loaded.has(name)) return loaded.get(name)
    const store = await open()
    expect(await (store.load ?? store.insertMany).call(store, records), count, `${name}: records loaded`)
    loaded.set(name, store)
    return store
  }
  const held = ({ name, open, durability, note }) => ({ contestant: name, durability, note, setup: load(name, open) })
  const limited = (row, target) =>
    row.contestant === 'Map' ? row : { ...row, limit: 'Map', ...(target === undefined ? {} : { target }) }
  const targetFor = (name, target) => (name === 'Varve' ? target : undefined)
  const some = (one, most, of) => (one.slow === undefined ? of : of.slice(0, Math.max(10, Math.round(most * scale))))

  const insertRow = (one, method, most, target) => {
    const own = some(one, most, records)
    return limited(
      {
        ...fresh(one),
        ops: own.length,
        run: (store) => store[method](own),
        check: (size) => expect(size, own.length, one.name),
      },
      targetFor(one.name, target),
    )
  }
  const insert = {
    name: 'insert',
    title: `insert one by one, awaited, validated (${count} into an empty store; the libraries ${Math.round(10_000 * scale)})`,
    rows: contestants.map((one) => insertRow(one, 'insertEach', 10_000, { max: 4 })),
  }
  const insertMany = {
    name: 'insertMany',
    title: `insertMany (${count} at once; the libraries ${Math.round(20_000 * scale)})`,
    rows: contestants.map((one) => insertRow(one, 'insertMany', 20_000, { max: 3 })),
  }
  const varve = contestants[1]
  const sumAll = sumOfAges(keys)
  const getRow = (one) => {
    const own = some(one, 20_000, keys)
    const sum = sumOfAges(own)
    return limited(
      { ...held(one), ops: own.length, run: (store) => store.getEach(own), check: (got) => expect(got, sum, one.name) },
      targetFor(one.name, { max: 3 }),
    )
  }
  const get = {
    name: 'get',
    title: 'get by key, random keys',
    rows: [
      ...contestants.slice(0, 1).map(getRow),
      { ...getRow(varve), contestant: 'Varve, awaited' },
      {
        ...getRow(varve),
        contestant: 'Varve, in store.read',
        run: (store) => store.getEachInRead(keys),
        check: (got) => expect(got, sumAll, 'store.read'),
        target: { max: 1.3 },
      },
      {
        ...getRow(varve),
        contestant: 'Varve, a store.read each',
        run: (store) => store.readEach(keys),
        check: (got) => expect(got, sumAll, 'store.read'),
        target: undefined,
      },
      ...contestants.slice(2).map(getRow),
    ],
  }
  const whereRow = (one) => {
    const own = some(one, 1_000, cities)
    const found = countOf(own)
    return limited(
      {
        ...held(one),
        ops: own.length,
        run: (store) => store.whereEach(own),
        check: (got) => expect(got, found, one.name),
      },
      targetFor(one.name, { max: 4 }),
    )
  }
  // An index may remember what it found. These rows ask for each value once, after a record with it has changed.
  const oneOfEach = new Map(records.map((record) => [record.city, record]))
  const afterChange = {
    ...whereRow(varve),
    contestant: 'Varve, each after a change',
    target: undefined,
    isFresh: true,
    ops: oneOfEach.size,
    setup: async () => {
      const store = await load('Varve', openVarve)()
      for (const { id, age } of oneOfEach.values()) await store.updateEach([id], age)
      return store
    },
    run: (store) => store.whereEach([...oneOfEach.keys()]),
    check: (found) => expect(found, count, 'Varve, each after a change'),
  }
  const foundAll = countOf(cities)
  const where = {
    name: 'where',
    title: `where on an index, ${Math.round(count / 1_000)} matches`,
    rows: [
      ...contestants.slice(0, 1).map(whereRow),
      { ...whereRow(varve), contestant: 'Varve, awaited' },
      {
        ...whereRow(varve),
        contestant: 'Varve, in store.read',
        run: (store) => store.whereEachInRead(cities),
        check: (got) => expect(got, foundAll, 'store.read'),
        target: undefined,
      },
      afterChange,
      ...contestants.slice(2).map(whereRow),
    ],
  }
  const update = {
    name: 'update',
    title: 'update one field by key, random keys',
    rows: contestants.map((one) => {
      const own = some(one, one.slow === 'update' ? 500 : 5_000, keys)
      const row = { ...held(one), ops: own.length, run: (store, round) => store.updateEach(own, round % 100) }
      return limited(
        { ...row, check: (sum, _, round) => expect(sum, (round % 100) * own.length, one.name) },
        targetFor(one.name, { max: 3 }),
      )
    }),
  }
  const cases = [insert, insertMany, get, where, update, transactionCase(records, scale)]
  const close = async () => {
    for (const store of loaded.values()) await store.close()
    loaded.clear()
  }
  return { cases, close }
}

function transactionCase(records, scale) {
  const transactions = Math.max(10, Math.min(Math.round(5_000 * scale), Math.floor(records.length / 10)))
  const openTwo = () => [openMap(), openMap()]
  const begin = (durability) => ({ isFresh: true, ops: transactions, durability })
  const total = transactions * 10
  return {
    name: 'transaction',
    title: 'transaction of 10 writes over 2 buckets (limit: ten plain inserts)',
    rows: [
      {
        ...begin('none'),
        contestant: 'Map',
        setup: openTwo,
        run: ([people, staff]) => {
          for (let i = 0; i < total; i += 2) {
            people.insert(records[i])
            staff.insert(records[i + 1])
          }
          return people.size + staff.size
        },
        check: (size) => expect(size, total, 'Map'),
      },
      ...[true, false].map((isAwaited) => ({
        ...begin('memory'),
        contestant: isAwaited ? 'Varve, each write awaited' : 'Varve, writes not awaited',
        limit: 'Map',
        target: isAwaited ? { max: 4 } : undefined,
        setup: () => Store.start({ buckets: { people: DEFINITION, staff: DEFINITION } }),
        run: async (store) => {
          for (let i = 0; i < total; i += 10) {
            await store.transaction(async (tx) => {
              const people = tx.bucket('people')
              const staff = tx.bucket('staff')
              for (let k = i; k < i + 10; k += 2) {
                if (isAwaited) {
                  await people.insert(records[k])
                  await staff.insert(records[k + 1])
                } else {
                  void people.insert(records[k])
                  void staff.insert(records[k + 1])
                }
              }
            })
          }
          return store.read((view) => view.bucket('people').count() + view.bucket('staff').count())
        },
        check: (size) => expect(size, total, 'Varve'),
        teardown: (store) => store.stop(),
      })),
    ],
  }
}
