import { isDeepStrictEqual } from 'node:util'
import { ACCOUNTS, FUNDS, MANY, UNTRACED } from './workload.mjs'

/**
 * Follows the log of one store from kill to kill, and says what is wrong with what it finds. It knows nothing but the
 * log: the rows have to be what the log makes of nothing.
 */
export class Judge {
  head = 0
  #rows = new Map()
  /** Traces of the writes that are in the log, since the last check. */
  #found = new Set()
  #lastAt = 0

  /**
   * Looks at an open store.
   *
   * @param told what the child said since the last check: `{ acks, refused, broken }`, lists of traces.
   * @param whole whether the log is read from its first entry instead of from the last check.
   * @returns what is wrong, one sentence each.
   */
  async check(store, told, whole = false) {
    const wrong = [...told.broken]
    this.#found.clear()
    if (whole) this.#forget()
    await this.#follow(store, wrong)
    for (const op of told.acks)
      if (op !== UNTRACED && !this.#found.has(op)) wrong.push(`${op} was acknowledged and is not in the log`)
    for (const op of told.refused)
      if (op !== UNTRACED && this.#found.has(op)) wrong.push(`${op} was refused and is in the log`)
    await this.#compareRows(store, wrong)
    const { quarantined, head } = store.openReport
    for (const one of quarantined) wrong.push(`quarantined on open: ${JSON.stringify(one)}`)
    if (head !== this.head) wrong.push(`openReport says head ${head}, the log ends at ${this.head}`)
    return wrong
  }

  #forget() {
    this.head = 0
    this.#lastAt = 0
    this.#rows.clear()
  }

  async #follow(store, wrong) {
    for await (const entry of store.log.read({ after: this.head })) {
      if (entry.seq !== this.head + 1) wrong.push(`entry ${entry.seq} follows ${this.head}`)
      if (entry.at < this.#lastAt) wrong.push(`entry ${entry.seq} is of ${entry.at}, before the one before it`)
      this.head = entry.seq
      this.#lastAt = entry.at
      for (const bucket of entry.cleared ?? []) this.#bucket(bucket).clear()
      for (const change of entry.changes) this.#apply(entry, change, wrong)
      this.#checkWhole(entry, wrong)
    }
  }

  #bucket(name) {
    if (!this.#rows.has(name)) this.#rows.set(name, new Map())
    return this.#rows.get(name)
  }

  #apply({ seq }, { bucket, key, before, after }, wrong) {
    const rows = this.#bucket(bucket)
    if (!isDeepStrictEqual(rows.get(key), before))
      wrong.push(`entry ${seq}: ${bucket} ${key} was not what it says it was`)
    if (after === undefined) rows.delete(key)
    else rows.set(key, after)
    this.#found.add(after === undefined ? `-${key}` : after.op)
  }

  /** No half transaction: every commit leaves the sum as it was, and brings all that it was to bring. */
  #checkWhole({ seq, changes }, wrong) {
    let sum = 0
    for (const { balance } of this.#bucket('accounts').values()) sum += balance
    if (this.#bucket('accounts').size > 0 && sum !== ACCOUNTS * FUNDS)
      wrong.push(`after entry ${seq} the accounts hold ${sum}`)
    const many = changes.filter(
      ({ bucket, before, after }) => bucket === 'items' && before === undefined && after.id !== after.op,
    )
    if (many.length % MANY !== 0) wrong.push(`entry ${seq} has ${many.length} records of an insertMany of ${MANY}`)
  }

  async #compareRows(store, wrong) {
    for (const name of store.listBuckets()) {
      const expected = [...this.#bucket(name).values()]
      const rows = await store.bucket(name).all()
      const byKey = (a, b) => (a.id < b.id ? -1 : 1)
      if (isDeepStrictEqual([...rows].sort(byKey), expected.sort(byKey))) continue
      wrong.push(`bucket ${name}: ${rows.length} rows are not the ${expected.length} that the log makes`)
    }
  }
}
