/**
 * The limit: what a good engineer writes by hand for exactly this record, with everything that Varve promises of a
 * record: all 8 fields checked as the schema says, a copy, metadata, frozen, indexes kept. No events, no log, no
 * transactions, no waiting.
 *
 * Indexes hold the records themselves in arrays, because that makes reading them cheapest; groups are small enough to
 * search.
 */
import { ROLES } from '../data.mjs'

const ROLE_SET = new Set(ROLES)
const WHITE_SPACE = /\s/

function isEmail(value) {
  const at = value.indexOf('@')
  if (at < 1 || value.indexOf('@', at + 1) !== -1 || WHITE_SPACE.test(value)) return false
  return value.slice(at + 2, -1).includes('.')
}

function check(data) {
  if (typeof data.id !== 'string') throw new Error('id is not a string')
  if (typeof data.name !== 'string' || data.name.length < 1 || data.name.length > 100) throw new Error('name is wrong')
  if (typeof data.email !== 'string' || !isEmail(data.email)) throw new Error('email is wrong')
  if (typeof data.age !== 'number' || !(data.age >= 0 && data.age <= 150)) throw new Error('age is wrong')
  if (typeof data.city !== 'string') throw new Error('city is not a string')
  if (typeof data.role !== 'string' || !ROLE_SET.has(data.role)) throw new Error('role is wrong')
  if (typeof data.active !== 'boolean') throw new Error('active is not a boolean')
  if (data.note !== undefined && (typeof data.note !== 'string' || data.note.length > 500))
    throw new Error('note is wrong')
}

export class MapStore {
  static label = 'Map'
  durability = 'none'
  #records = new Map()
  #byCity = new Map()
  #byEmail

  constructor({ twoIndexes = false } = {}) {
    this.#byEmail = twoIndexes ? new Map() : undefined
  }

  insert(data) {
    check(data)
    if (this.#records.has(data.id)) throw new Error('duplicate key')
    if (this.#byEmail?.has(data.email)) throw new Error('email is taken')
    const now = Date.now()
    const record = Object.freeze({
      id: data.id,
      name: data.name,
      email: data.email,
      age: data.age,
      city: data.city,
      role: data.role,
      active: data.active,
      note: data.note,
      _version: 1,
      _createdAt: now,
      _updatedAt: now,
    })
    this.#records.set(record.id, record)
    this.#byEmail?.set(record.email, record)
    this.#addToCity(record)
    return record
  }

  #addToCity(record) {
    const group = this.#byCity.get(record.city)
    if (group === undefined) this.#byCity.set(record.city, [record])
    else group.push(record)
  }

  update(key, changes) {
    const old = this.#records.get(key)
    if (old === undefined) throw new Error('no such record')
    const record = { ...old, ...changes }
    check(record)
    record.id = old.id
    record._version = old._version + 1
    record._createdAt = old._createdAt
    record._updatedAt = Date.now()
    Object.freeze(record)
    if (this.#byEmail !== undefined && record.email !== old.email) {
      if (this.#byEmail.has(record.email)) throw new Error('email is taken')
      this.#byEmail.delete(old.email)
    }
    this.#byEmail?.set(record.email, record)
    this.#records.set(key, record)
    const group = this.#byCity.get(old.city)
    const at = group.indexOf(old)
    if (record.city === old.city) group[at] = record
    else {
      group.splice(at, 1)
      this.#addToCity(record)
    }
    return record
  }

  get(key) {
    return this.#records.get(key)
  }

  where(city) {
    const group = this.#byCity.get(city)
    return group === undefined ? [] : group.slice()
  }

  all() {
    return this.#records.values()
  }

  get size() {
    return this.#records.size
  }

  insertEach(records) {
    for (const record of records) this.insert(record)
    return this.size
  }

  insertMany(records) {
    for (const record of records) this.insert(record)
    return this.size
  }

  getEach(keys) {
    let sum = 0
    for (const key of keys) sum += this.get(key).age
    return sum
  }

  updateEach(keys, age) {
    let sum = 0
    for (const key of keys) sum += this.update(key, { age }).age
    return sum
  }

  whereEach(cities) {
    let found = 0
    for (const city of cities) found += this.where(city).length
    return found
  }

  scan(role) {
    const found = []
    for (const record of this.#records.values()) if (record.role === role) found.push(record)
    return found.length
  }

  findOneEach(cities) {
    let found = 0
    for (const city of cities) if (this.#byCity.get(city)?.[0]?.city === city) found++
    return found
  }

  countEach(cities) {
    let found = 0
    for (const city of cities) found += this.#byCity.get(city)?.length ?? 0
    return found
  }

  /** By hand one keeps the iterator: the cheapest cursor there is. */
  paginate(limit) {
    let found = 0
    const rest = this.#records.values()
    for (;;) {
      const page = []
      while (page.length < limit) {
        const { value, done } = rest.next()
        if (done) break
        page.push(value)
      }
      found += page.length
      if (page.length < limit) return found
    }
  }

  average() {
    let sum = 0
    for (const record of this.#records.values()) sum += record.age
    return sum / this.size
  }

  sum(role) {
    let sum = 0
    for (const record of this.#records.values()) if (record.role === role) sum += record.age
    return sum
  }

  close() {}
}

export function openMap(options) {
  return new MapStore(options)
}
