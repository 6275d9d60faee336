/** Live queries of Varve, as its README says. */
import { DEFINITION } from '../data.mjs'
import { Store, VarveStore } from './varve.mjs'

class LiveVarve extends VarveStore {
  #people

  constructor(store) {
    super(store)
    this.#people = store.bucket('people')
  }

  #query({ where, orderBy, isDescending, limit }) {
    let query = this.#people.where(where)
    if (orderBy !== undefined) query = query.orderBy(orderBy, isDescending ? 'desc' : 'asc')
    return limit === undefined ? query : query.limit(limit)
  }

  async live(query, callback) {
    const end = this.#query(query).live(callback, { immediate: false })
    await end.ready
    return end
  }

  write(key, age) {
    return this.#people.update(key, { age })
  }

  writeAll(writes) {
    return this.store.transaction(async (tx) => {
      const people = tx.bucket('people')
      for (const [key, age] of writes) await people.update(key, { age })
    })
  }

  async top(n) {
    return (await this.#people.query().orderBy('age', 'desc').limit(n)).length
  }

  topInRead(n) {
    return this.store.read((view) => view.bucket('people').query().orderBy('age', 'desc').limit(n).run()).length
  }
}

/** @param isByAge with an index on `age` as well. */
export async function openLiveVarve(isByAge = false) {
  const people = isByAge ? { ...DEFINITION, indexes: ['city', 'age'] } : DEFINITION
  return new LiveVarve(await Store.start({ buckets: { people } }))
}
