/** Reads beyond the key: scans, first matches, counts, paging, aggregates. No targets: the ratios say what they cost. */
import { openMap } from '../contestants/map.mjs'
import { openVarve } from '../contestants/varve.mjs'
import { cityName, expect, makeRecords, randomNumbers, ROLES } from '../data.mjs'

const PAGE = 100

export async function queryCases({ records: count, peers, scale }) {
  const records = makeRecords(count)
  const cities = randomNumbers(Math.max(20, Math.round(20_000 * scale)), Math.min(1_000, count)).map(cityName)
  const role = ROLES[3]
  const ofRole = records.filter((record) => record.role === role)
  const inCity = new Map()
  for (const { city } of records) inCity.set(city, (inCity.get(city) ?? 0) + 1)
  const sum = (some) => some.reduce((total, record) => total + record.age, 0)

  const contestants = [
    { name: 'Map', open: openMap, durability: 'none' },
    { name: 'Varve', open: openVarve, durability: 'memory' },
    ...peers.map((peer) => ({ ...peer, durability: 'memory' })),
  ]
  const loaded = new Map()
  const load =
    ({ name, open }) =>
    async () => {
      if (loaded.has(name)) return loaded.get(name)
      const store = await open()
      expect(await (store.load ?? store.insertMany).call(store, records), count, `${name}: records loaded`)
      loaded.set(name, store)
      return store
    }
  /** @param most how many of the inputs a slow contestant gets. */
  const compare = (name, title, method, { inputs, most, argument, ops, expected }) => ({
    name,
    title,
    rows: contestants
      .filter(({ name: one, methods }) => one === 'Map' || one === 'Varve' || methods.includes(method))
      .map((one) => {
        const given = inputs === undefined ? argument : one.slow === undefined ? inputs : inputs.slice(0, most)
        return {
          contestant: one.name,
          durability: one.durability,
          note: one.note,
          ...(one.name === 'Map' ? {} : { limit: 'Map' }),
          ops: inputs === undefined ? ops : given.length,
          setup: load(one),
          run: (store) => store[method](given),
          check: (found) => expect(found, expected(given), `${one.name}: ${name}`),
        }
      }),
  })
  const cases = [
    compare('scan', 'where without an index, 10 % match', 'scan', {
      argument: role,
      ops: 1,
      expected: () => ofRole.length,
    }),
    compare('findOne', 'findOne on an index', 'findOneEach', {
      inputs: cities,
      most: 500,
      expected: (given) => given.length,
    }),
    compare('count', `count on an index, ${Math.round(count / 1_000)} matches`, 'countEach', {
      inputs: cities,
      most: 500,
      expected: (given) => given.reduce((total, city) => total + inCity.get(city), 0),
    }),
    compare('paginate', `paginate through everything, ${PAGE} at a time, per page`, 'paginate', {
      argument: PAGE,
      ops: Math.ceil(count / PAGE),
      expected: () => count,
    }),
    compare('average', 'average of a field over everything', 'average', {
      ops: 1,
      expected: () => sum(records) / count,
    }),
    compare('sum', 'sum of a field where 10 % match, without an index', 'sum', {
      argument: role,
      ops: 1,
      expected: () => sum(ofRole),
    }),
  ]
  const close = async () => {
    for (const store of loaded.values()) await store.close()
  }
  return { cases, close }
}
