/**
 * Libraries that people use for the same work, each the way its documentation shows, with an index on `city`. Only
 * tinybase checks records (types only); the checks of rxdb and @tanstack/db are extras and are off, in their favour.
 *
 * `slow` makes a case give them fewer operations, so that a run ends; the time per operation stays comparable.
 */
import Loki from 'lokijs'
import { addRxPlugin, createRxDatabase } from 'rxdb/plugins/core'
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory'
import { RxDBUpdatePlugin } from 'rxdb/plugins/update'
import {
  BasicIndex,
  createCollection,
  createLiveQueryCollection,
  eq,
  localOnlyCollectionOptions,
  queryOnce,
} from '@tanstack/db'
import { createIndexes, createQueries, createStore } from 'tinybase'
import { seeded } from '../data.mjs'

addRxPlugin(RxDBUpdatePlugin)
const random = seeded(7)
const FIELDS = ['id', 'name', 'email', 'age', 'city', 'role', 'active', 'note']
const EVERY = ['scan', 'findOneEach', 'countEach']

class LokiStore {
  #people = new Loki('bench').addCollection('people', { unique: ['id'], indices: ['city'] })

  insertEach(records) {
    // It keeps and changes what it is given.
    for (const record of records) this.#people.insert({ ...record })
    return this.#people.count()
  }

  insertMany(records) {
    this.#people.insert(records.map((record) => ({ ...record })))
    return this.#people.count()
  }

  getEach(keys) {
    let sum = 0
    for (const key of keys) sum += this.#people.by('id', key).age
    return sum
  }

  updateEach(keys, age) {
    let sum = 0
    for (const key of keys) {
      const record = this.#people.by('id', key)
      record.age = age
      this.#people.update(record)
      sum += this.#people.by('id', key).age
    }
    return sum
  }

  whereEach(cities) {
    let found = 0
    for (const city of cities) found += this.#people.find({ city }).length
    return found
  }

  scan(role) {
    return this.#people.find({ role }).length
  }

  findOneEach(cities) {
    let found = 0
    for (const city of cities) if (this.#people.findOne({ city })?.city === city) found++
    return found
  }

  countEach(cities) {
    let found = 0
    for (const city of cities) found += this.#people.count({ city })
    return found
  }

  /** A subscription to the rows of a query; the callback gets them all whenever one changes. */
  async live({ where, orderBy, isDescending, limit }, callback) {
    const view = this.#people.addDynamicView(`live-${random()}`)
    view.applyFind(where)
    if (orderBy !== undefined) view.applySimpleSort(orderBy, isDescending)
    view.data()
    const notify = () => callback(limit === undefined ? view.data() : view.data().slice(0, limit))
    view.on('rebuild', notify)
    return () => this.#people.removeDynamicView(view.name)
  }

  top(n) {
    return this.#people.chain().simplesort('age', true).limit(n).data().length
  }

  close() {}
}

class TinyStore {
  #store = createStore().setTablesSchema({
    people: {
      id: { type: 'string' },
      name: { type: 'string' },
      email: { type: 'string' },
      age: { type: 'number' },
      city: { type: 'string' },
      role: { type: 'string' },
      active: { type: 'boolean' },
      note: { type: 'string' },
    },
  })
  #indexes = createIndexes(this.#store).setIndexDefinition('byCity', 'people', 'city')
  #queries = createQueries(this.#store)
  #shared = new Map()

  insertEach(records) {
    for (const record of records) this.#store.setRow('people', record.id, record)
    return this.#store.getRowCount('people')
  }

  insertMany(records) {
    this.#store.transaction(() => {
      for (const record of records) this.#store.setRow('people', record.id, record)
    })
    return this.#store.getRowCount('people')
  }

  getEach(keys) {
    let sum = 0
    for (const key of keys) sum += this.#store.getRow('people', key).age
    return sum
  }

  updateEach(keys, age) {
    let sum = 0
    for (const key of keys) {
      this.#store.setPartialRow('people', key, { age })
      sum += this.#store.getCell('people', key, 'age')
    }
    return sum
  }

  whereEach(cities) {
    let found = 0
    for (const city of cities) found += this.#of(city).length
    return found
  }

  #of(city) {
    return this.#indexes.getSliceRowIds('byCity', city).map((id) => this.#store.getRow('people', id))
  }

  scan(role) {
    const found = []
    this.#store.forEachRow('people', (id) => {
      if (this.#store.getCell('people', id, 'role') === role) found.push(this.#store.getRow('people', id))
    })
    return found.length
  }

  findOneEach(cities) {
    let found = 0
    for (const city of cities) {
      const [id] = this.#indexes.getSliceRowIds('byCity', city)
      if (this.#store.getRow('people', id).city === city) found++
    }
    return found
  }

  countEach(cities) {
    let found = 0
    for (const city of cities) found += this.#indexes.getSliceRowIds('byCity', city).length
    return found
  }

  /** By a listener to the row, or to the rows in order; else by a query, which all who ask the same share. */
  async live({ where, orderBy, isDescending = false, limit }, callback) {
    const store = this.#store
    if (where.id !== undefined) {
      const id = store.addRowListener('people', where.id, () => callback([store.getRow('people', where.id)]))
      return () => store.delListener(id)
    }
    const conditions = Object.entries(where)
    if (conditions.length === 0) {
      const id = store.addSortedRowIdsListener('people', orderBy, isDescending, 0, limit, (...[, , , , , , rowIds]) =>
        callback(rowIds.map((one) => store.getRow('people', one))),
      )
      return () => store.delListener(id)
    }
    const name = JSON.stringify({ where, orderBy, isDescending, limit })
    return share(this.#shared, name, callback, (tell) => {
      const queries = this.#queries
      queries.setQueryDefinition(name, 'people', ({ select, where: whereCell }) => {
        for (const field of FIELDS) select(field)
        for (const [field, value] of conditions) whereCell(field, value)
      })
      const read =
        orderBy === undefined
          ? () => Object.values(queries.getResultTable(name))
          : () =>
              queries
                .getResultSortedRowIds(name, orderBy, isDescending, 0, limit)
                .map((id) => queries.getResultRow(name, id))
      const listener = queries.addResultTableListener(name, () => tell(read()))
      return () => {
        queries.delListener(listener)
        queries.delQueryDefinition(name)
      }
    })
  }

  top(n) {
    return this.#store.getSortedRowIds('people', 'age', true, 0, n).map((id) => this.#store.getRow('people', id)).length
  }

  close() {}
}

class RxStore {
  #database
  #people

  async open() {
    this.#database = await createRxDatabase({
      name: `bench-${Math.floor(random() * 1e9)}`,
      storage: getRxStorageMemory(),
      multiInstance: false,
    })
    const string = { type: 'string', maxLength: 100 }
    const schema = {
      version: 0,
      primaryKey: 'id',
      type: 'object',
      properties: {
        id: string,
        name: string,
        email: string,
        age: { type: 'number' },
        city: string,
        role: string,
        active: { type: 'boolean' },
        note: { type: 'string' },
      },
      required: ['id', 'name', 'email', 'age', 'city', 'role', 'active'],
      indexes: ['city'],
    }
    const collections = await this.#database.addCollections({ people: { schema } })
    this.#people = collections.people
    return this
  }

  async insertEach(records) {
    for (const record of records) await this.#people.insert({ ...record })
    return this.#people.count().exec()
  }

  async insertMany(records) {
    await this.#people.bulkInsert(records.map((record) => ({ ...record })))
    return this.#people.count().exec()
  }

  async getEach(keys) {
    let sum = 0
    for (const key of keys) sum += (await this.#people.findOne(key).exec()).age
    return sum
  }

  async updateEach(keys, age) {
    let sum = 0
    for (const key of keys) {
      const record = await this.#people.findOne(key).exec()
      sum += (await record.patch({ age })).age
    }
    return sum
  }

  async whereEach(cities) {
    let found = 0
    for (const city of cities) found += (await this.#people.find({ selector: { city } }).exec()).length
    return found
  }

  async scan(role) {
    return (await this.#people.find({ selector: { role } }).exec()).length
  }

  async findOneEach(cities) {
    let found = 0
    for (const city of cities) if ((await this.#people.findOne({ selector: { city } }).exec())?.city === city) found++
    return found
  }

  async countEach(cities) {
    let found = 0
    for (const city of cities) found += await this.#people.count({ selector: { city } }).exec()
    return found
  }

  #find({ where, orderBy, isDescending, limit }) {
    const sort = orderBy === undefined ? {} : { sort: [{ [orderBy]: isDescending ? 'desc' : 'asc' }] }
    return this.#people.find({ selector: where, ...sort, ...(limit === undefined ? {} : { limit }) })
  }

  async top(n) {
    return (await this.#find({ where: {}, orderBy: 'age', isDescending: true, limit: n }).exec()).length
  }

  async live(query, callback) {
    let isFirst = true
    const { promise, resolve } = deferred()
    const subscription = this.#find(query).$.subscribe((found) => {
      if (isFirst) resolve()
      else callback(found)
      isFirst = false
    })
    await promise
    return () => subscription.unsubscribe()
  }

  async close() {
    await this.#database.close()
  }
}

class TanStackStore {
  #people = createCollection(
    localOnlyCollectionOptions({
      id: `people-${random()}`,
      getKey: (record) => record.id,
      defaultIndexType: BasicIndex,
      autoIndex: 'eager',
    }),
  )

  #shared = new Map()

  constructor() {
    this.#people.createIndex((record) => record.city, { indexType: BasicIndex })
  }

  async insertEach(records) {
    for (const record of records) await this.#people.insert(record).isPersisted.promise
    return this.#people.size
  }

  async insertMany(records) {
    await this.#people.insert(records).isPersisted.promise
    return this.#people.size
  }

  getEach(keys) {
    let sum = 0
    for (const key of keys) sum += this.#people.get(key).age
    return sum
  }

  async updateEach(keys, age) {
    let sum = 0
    for (const key of keys) {
      const written = this.#people.update(key, (draft) => {
        draft.age = age
      })
      await written.isPersisted.promise
      sum += this.#people.get(key).age
    }
    return sum
  }

  async whereEach(cities) {
    let found = 0
    for (const city of cities) found += (await this.#query('city', city)).length
    return found
  }

  #query(field, value) {
    return queryOnce((q) => q.from({ people: this.#people }).where(({ people }) => eq(people[field], value)))
  }

  async scan(role) {
    return (await this.#query('role', role)).length
  }

  async findOneEach(cities) {
    let found = 0
    for (const city of cities) {
      const one = await queryOnce((q) =>
        q
          .from({ people: this.#people })
          .where(({ people }) => eq(people.city, city))
          .findOne(),
      )
      if (one?.city === city) found++
    }
    return found
  }

  async countEach(cities) {
    let found = 0
    for (const city of cities) found += (await this.#query('city', city)).length
    return found
  }

  #from(q, { where, orderBy, isDescending, limit }) {
    let query = q.from({ people: this.#people })
    for (const [field, value] of Object.entries(where)) query = query.where(({ people }) => eq(people[field], value))
    if (orderBy !== undefined) query = query.orderBy(({ people }) => people[orderBy], isDescending ? 'desc' : 'asc')
    return limit === undefined ? query : query.limit(limit)
  }

  async top(n) {
    return (await queryOnce((q) => this.#from(q, { where: {}, orderBy: 'age', isDescending: true, limit: n }))).length
  }

  live(wanted, callback) {
    return share(this.#shared, JSON.stringify(wanted), callback, async (tell) => {
      const query = createLiveQueryCollection((q) => this.#from(q, wanted))
      await query.preload()
      const subscription = query.subscribeChanges(() => tell(query.toArray))
      return () => {
        subscription.unsubscribe()
        return query.cleanup()
      }
    })
  }

  async close() {
    await this.#people.cleanup()
  }
}

/** Those who ask the same share one query, and the rows that are read from it after a change. */
async function share(shared, name, callback, open) {
  let one = shared.get(name)
  if (one === undefined) {
    shared.set(name, (one = { callbacks: [] }))
    one.close = open((rows) => one.callbacks.forEach((each) => each(rows)))
  }
  one.callbacks.push(callback)
  const close = await one.close
  return () => {
    one.callbacks.splice(one.callbacks.indexOf(callback), 1)
    if (one.callbacks.length > 0) return undefined
    shared.delete(name)
    return close()
  }
}

function deferred() {
  let resolve
  const promise = new Promise((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

export const peers = [
  { name: 'lokijs', open: () => new LokiStore(), slow: 'update', note: 'checks nothing', methods: EVERY, isLive: true },
  { name: 'tinybase', open: () => new TinyStore(), slow: 'where', note: 'checks types', methods: EVERY },
  {
    name: 'rxdb',
    open: () => new RxStore().open(),
    slow: 'update',
    note: 'memory storage, checks nothing; repeats come from its cache',
    methods: EVERY,
    isLive: true,
  },
  {
    name: '@tanstack/db',
    open: () => new TanStackStore(),
    slow: 'update',
    note: 'checks nothing',
    methods: EVERY,
    isLive: true,
  },
]
