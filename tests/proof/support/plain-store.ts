/**
 * The plainest store: arrays of records, scanned for everything, one thing after another. It says what the real one has
 * to answer to the same calls. Kept so small that it can be read in one go, because nothing checks it but the reader.
 */
export type Plain = Record<string, any>

/** What the model has to know of a bucket. */
export interface PlainDefinition {
  readonly key: string
  readonly unique?: string
  readonly counter?: string
  readonly defaults?: Plain
  readonly isValid?: (record: Plain) => boolean
  readonly ttlMs?: number
  readonly maxSize?: number
  readonly lru?: boolean
  readonly byKey?: boolean
  readonly persistent: boolean
}

/** A refusal, told by its code. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

const META = ['_version', '_createdAt', '_updatedAt', '_expiresAt']

/** One bucket. Every method does what the handle's method of that name does. */
export class PlainBucket {
  readonly definition: PlainDefinition
  records: Plain[] = []
  counter = 0
  /** Keys by last use, the one used longest ago first. */
  used: unknown[] = []

  constructor(definition: PlainDefinition) {
    this.definition = definition
  }

  copy(): PlainBucket {
    return Object.assign(new PlainBucket(this.definition), {
      records: [...this.records],
      counter: this.counter,
      used: [...this.used],
    })
  }

  restore(saved: PlainBucket): void {
    Object.assign(this, { records: saved.records, counter: saved.counter, used: saved.used })
  }

  get(key: unknown): Plain | undefined {
    return this.records.find((record) => record[this.definition.key] === key)
  }

  use(key: unknown): void {
    this.used = [...this.used.filter((one) => one !== key), key]
  }

  where(filter: Plain = {}): Plain[] {
    const matches = (record: Plain): boolean =>
      Object.entries(filter).every(([field, value]) =>
        value === null ? record[field] == null : record[field] === value,
      )
    return this.records.filter(matches)
  }

  ordered(): Plain[] {
    const { byKey, key } = this.definition
    return byKey === true ? [...this.records].sort((a, b) => (a[key] < b[key] ? -1 : 1)) : this.records
  }

  insert(data: Plain, now: number): Plain {
    const { key, counter, defaults, ttlMs } = this.definition
    const fields: Plain = { ...data }
    for (const name of META) if (name !== '_expiresAt') delete fields[name]
    for (const name of Object.keys(fields)) if (fields[name] === undefined) delete fields[name]
    if (counter !== undefined) fields[counter] ??= this.counter + 1
    for (const [name, value] of Object.entries(defaults ?? {})) fields[name] ??= value
    if (ttlMs !== undefined) fields._expiresAt ??= now + ttlMs
    const record = { ...fields, _version: 1, _createdAt: now, _updatedAt: now }
    this.#validate(record)
    if (this.get(record[key as keyof typeof record]) !== undefined) throw new Refused('DUPLICATE_KEY')
    this.records = [...this.records, record]
    if (counter !== undefined) this.counter = Math.max(this.counter, fields[counter])
    this.use(fields[key])
    return record
  }

  #validate(record: Plain): void {
    if (record[this.definition.key] == null || this.definition.isValid?.(record) === false)
      throw new Refused('VALIDATION')
  }

  update(key: unknown, changes: Plain, now: number, ifVersion?: number): Plain {
    const current = this.get(key)
    if (current === undefined) throw new Refused('RECORD_NOT_FOUND')
    if (ifVersion !== undefined && current._version !== ifVersion) throw new Refused('TRANSACTION_CONFLICT')
    const record: Plain = { ...current, _version: current._version + 1, _updatedAt: now }
    for (const [name, value] of Object.entries(changes)) {
      if (name === this.definition.key || name === this.definition.counter || META.includes(name)) continue
      if (value === undefined) delete record[name]
      else record[name] = value
    }
    this.#validate(record)
    this.records = this.records.map((one) => (one === current ? record : one))
    this.use(key)
    return record
  }

  upsert(data: Plain, now: number): Plain {
    const key = data[this.definition.key]
    return this.get(key) === undefined ? this.insert(data, now) : this.update(key, data, now)
  }

  delete(key: unknown): void {
    this.records = this.records.filter((record) => record[this.definition.key] !== key)
    this.used = this.used.filter((one) => one !== key)
  }

  clear(): void {
    this.records = []
    this.used = []
  }

  /** What a commit does at its end: unique values are checked, and a bucket that is too full lets records go. */
  commit(): void {
    const { unique, maxSize, lru, key } = this.definition
    const values = unique === undefined ? [] : this.records.flatMap((record) => record[unique] ?? [])
    if (new Set(values).size < values.length) throw new Refused('UNIQUE_CONSTRAINT')
    while (maxSize !== undefined && this.records.length > maxSize) {
      const oldest = [...this.records].sort((a, b) => a._createdAt - b._createdAt)[0]
      this.delete(lru === true ? this.used[0] : oldest?.[key])
    }
  }

  /** What a restart of the bucket leaves of the order of use. */
  reload(): void {
    this.used = this.records.map((record) => record[this.definition.key])
  }
}
