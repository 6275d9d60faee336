/** Varve, used as its README says. `VARVE_DIST` names another build to measure. */
import { pathToFileURL } from 'node:url'
import { DEFINITION, DEFINITION_TWO_INDEXES } from '../data.mjs'

export const DIST = process.env.VARVE_DIST ?? new URL('../../dist', import.meta.url).pathname
export const { Store } = await import(pathToFileURL(`${DIST}/index.js`).href)

export class VarveStore {
  durability = 'memory'
  store
  #people

  constructor(store) {
    this.store = store
    this.#people = store.bucket('people')
  }

  async insertEach(records) {
    const people = this.#people
    for (const record of records) await people.insert(record)
    return people.count()
  }

  async insertMany(records) {
    await this.#people.insertMany(records)
    return this.#people.count()
  }

  async getEach(keys) {
    const people = this.#people
    let sum = 0
    for (const key of keys) sum += (await people.get(key)).age
    return sum
  }

  /** All in one `store.read`. */
  getEachInRead(keys) {
    return this.store.read((view) => {
      const people = view.bucket('people')
      let sum = 0
      for (const key of keys) sum += people.get(key).age
      return sum
    })
  }

  /** A `store.read` for each. */
  readEach(keys) {
    let sum = 0
    for (const key of keys) sum += this.store.read((view) => view.bucket('people').get(key)).age
    return sum
  }

  async updateEach(keys, age) {
    const people = this.#people
    let sum = 0
    for (const key of keys) sum += (await people.update(key, { age })).age
    return sum
  }

  async whereEach(cities) {
    const people = this.#people
    let found = 0
    for (const city of cities) found += (await people.where({ city })).length
    return found
  }

  whereEachInRead(cities) {
    return this.store.read((view) => {
      const people = view.bucket('people')
      let found = 0
      for (const city of cities) found += people.where({ city }).length
      return found
    })
  }

  async scan(role) {
    return (await this.#people.where({ role })).length
  }

  async findOneEach(cities) {
    const people = this.#people
    let found = 0
    for (const city of cities) if ((await people.findOne({ city }))?.city === city) found++
    return found
  }

  async countEach(cities) {
    const people = this.#people
    let found = 0
    for (const city of cities) found += await people.count({ city })
    return found
  }

  async paginate(limit) {
    let found = 0
    let after
    for (;;) {
      const page = await this.#people.paginate({ limit, after })
      found += page.records.length
      if (!page.hasMore) return found
      after = page.nextCursor
    }
  }

  average() {
    return this.#people.avg('age')
  }

  sum(role) {
    return this.#people.sum('age', { role })
  }

  close() {
    return this.store.stop()
  }
}

export async function openVarve({ twoIndexes = false, ...options } = {}) {
  const people = twoIndexes ? DEFINITION_TWO_INDEXES : DEFINITION
  return new VarveStore(await Store.start({ buckets: { people }, ...options }))
}
