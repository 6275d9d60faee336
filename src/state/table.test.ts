import { compoundOn, indexOn } from '../../tests/support/index-on.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Key, StoredRecord, Value } from '../base/value.js'
import type { IndexPredicate, IndexValue } from './field-index.js'
import { compareKeys } from './key-order.js'
import type { Slot } from './slot.js'
import { Table } from './table.js'
import type { TableOptions } from './table.js'
import { checkTable } from './check-table.js'

const KEYS: readonly Key[] = ['a', 'b', 'c', 'd', 'e', 'aa', '1', 1, 2, 10, -1, true, false]

interface Step {
  readonly op: 'insert' | 'update' | 'delete' | 'touch' | 'cursor' | 'undo' | 'settle' | 'due' | 'order'
  readonly key: number
  readonly group: Value | undefined
  readonly score: number | undefined
  readonly expiresAt: number | undefined
  readonly createdAt: number
}

const anyStep = fc.record<Step>({
  op: fc.constantFrom(
    'insert',
    'insert',
    'insert',
    'update',
    'update',
    'delete',
    'delete',
    'touch',
    'cursor',
    'undo',
    'settle',
    'due',
    'order',
  ),
  key: fc.nat(KEYS.length - 1),
  group: fc.constantFrom('x', 'y', 1, true, null, undefined),
  score: fc.constantFrom(1, 2, undefined),
  expiresAt: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
  createdAt: fc.integer({ min: 1, max: 5 }),
})

interface Placed {
  readonly ordinal: number
  record: StoredRecord
}

/** The plainest table: a list of records with their ordinals, scanned for everything. */
class Model {
  placed: Placed[] = []
  used: Key[] = []
  next = 1
  readonly cursors = new Map<Key, number>()
  readonly undo: (readonly Placed[])[] = []

  at(key: Key): Placed | undefined {
    return this.placed.find(({ record }) => record.id === key)
  }

  save(): void {
    this.undo.push(this.placed.map((one) => ({ ...one })))
  }

  restore(): void {
    this.placed = [...(this.undo.pop() as readonly Placed[])]
  }

  get records(): StoredRecord[] {
    return this.placed.map(({ record }) => record)
  }

  ordered(byKey: boolean): Placed[] {
    if (!byKey) return this.placed
    return [...this.placed].sort((a, b) => compareKeys(a.record.id as Key, b.record.id as Key))
  }
}

interface Applied {
  readonly slot: Slot
  readonly before: StoredRecord | undefined
  readonly after: StoredRecord | undefined
}

function valueWhere(where: IndexPredicate, record: StoredRecord): IndexValue | undefined {
  return where.test(record) ? (record.version as number) : undefined
}

class Harness {
  readonly table: Table
  readonly model = new Model()
  readonly applied: Applied[] = []
  readonly options: TableOptions
  version = 0

  constructor(byKey: boolean, eviction: TableOptions['eviction']) {
    const where = { texts: ['"score" eq 1'], test: ({ score }: StoredRecord) => score === 1 }
    const indexes = [
      indexOn('group'),
      indexOn('version', true),
      compoundOn('group', 'score'),
      compoundOn('group', 'version', true),
      compoundOn('group', 'version', false, where),
      { ...indexOn('version'), where, valueIn: (record: StoredRecord) => valueWhere(where, record) },
    ]
    this.options = { bucket: 'things', key: 'id', indexes, byKey, eviction }
    this.table = new Table(this.options)
  }

  #record(key: Key, { group, score, expiresAt, createdAt }: Step): StoredRecord {
    return Object.freeze({
      id: key,
      version: ++this.version,
      _createdAt: createdAt,
      ...(group === undefined ? {} : { group }),
      ...(score === undefined ? {} : { score }),
      ...(expiresAt === undefined ? {} : { _expiresAt: expiresAt }),
    })
  }

  run(step: Step): void {
    const { table, model } = this
    const key = KEYS[step.key] ?? 'a'
    const found = model.at(key)
    switch (step.op) {
      case 'insert': {
        if (found !== undefined) return
        const record = this.#record(key, step)
        model.save()
        model.placed.push({ ordinal: model.next++, record })
        model.used.push(key)
        this.applied.push({ slot: table.insert(record), before: undefined, after: record })
        return
      }
      case 'update': {
        if (found === undefined) return
        // Creation is for ever: an update keeps it.
        const record = this.#record(key, { ...step, createdAt: found.record._createdAt as number })
        model.save()
        const before = found.record
        found.record = record
        this.#use(key)
        table.update(record)
        this.applied.push({ slot: table.slot(key) as Slot, before, after: record })
        return
      }
      case 'delete': {
        if (found === undefined) return
        model.save()
        model.placed.splice(model.placed.indexOf(found), 1)
        model.used.splice(model.used.indexOf(key), 1)
        this.applied.push({ slot: table.delete(key), before: found.record, after: undefined })
        return
      }
      case 'touch':
        table.touch(key)
        if (found !== undefined) this.#use(key)
        return
      case 'cursor':
        table.rememberCursor(key)
        if (found !== undefined) model.cursors.set(key, found.ordinal)
        return
      case 'undo':
        this.undo()
        return
      case 'settle':
        model.undo.length = 0
        this.applied.length = 0
        return
      case 'order':
        // From now on the order of this index is kept.
        expect(table.indexes[step.key % table.indexes.length]?.ordered.size).toBeLessThanOrEqual(table.size)
        return
      case 'due':
        expect(table.due(step.createdAt, step.key)).toEqual(
          this.#due()
            .filter(([at]) => at <= step.createdAt)
            .slice(0, step.key)
            .map(([, due]) => due),
        )
    }
  }

  #use(key: Key): void {
    const { used } = this.model
    used.splice(used.indexOf(key), 1)
    used.push(key)
  }

  #due(): [at: number, key: Key][] {
    const expiring = this.model.placed.filter(({ record }) => record._expiresAt !== undefined)
    expiring.sort((a, b) => (a.record._expiresAt as number) - (b.record._expiresAt as number) || a.ordinal - b.ordinal)
    return expiring.map(({ record }) => [record._expiresAt as number, record.id as Key])
  }

  undo(): void {
    const applied = this.applied.pop()
    if (applied === undefined) return
    this.table.undo(applied.slot, applied.before, applied.after)
    this.model.restore()
    // What use a step made of records is not taken back: it is a hint for eviction, and only its set is compared then.
    this.model.used = this.#lru() ?? []
  }

  #lru(): Key[] | undefined {
    if (this.options.eviction !== 'lru') return undefined
    return Array.from({ length: this.table.size }, (_, skip) => this.table.evictable(skip)?.id as Key)
  }

  compare(): void {
    const { table, model } = this
    checkTable(table)
    expect(table.size).toBe(model.placed.length)
    for (const key of KEYS) expect(table.get(key)).toBe(model.at(key)?.record)
    const inserted: StoredRecord[] = []
    table.forEach((slot) => {
      inserted.push(slot.record)
    })
    expect(inserted).toEqual(model.records)
    expect([...table.order.from()].map(({ record }) => record)).toEqual(
      model.ordered(this.options.byKey).map(({ record }) => record),
    )
    expect(table.nextDue).toBe(this.#due()[0]?.[0])
    for (const key of KEYS) {
      expect(table.cursor(key)?.ordinal).toBe(model.cursors.get(key) ?? model.at(key)?.ordinal)
    }
    this.#compareOrders()
    this.#compareEviction()
  }

  /** What an index is kept in order of is what a filter and a sort of all records give (S8). */
  #compareOrders(): void {
    for (const { options, orderedIfKept } of this.table.indexes) {
      const { where, order } = options
      const expected = this.model.placed.filter(({ record }) => where?.test(record) !== false).sort(order)
      if (orderedIfKept === undefined) expect(options.unique || options.fields.length === 1).toBe(true)
      else expect([...orderedIfKept.from()].map(({ record }) => record)).toEqual(expected.map(({ record }) => record))
    }
  }

  #compareEviction(): void {
    const { eviction } = this.options
    if (eviction === undefined) return expect(this.table.evictable(0)).toBeUndefined()
    const order = Array.from({ length: this.table.size + 1 }, (_, skip) => this.table.evictable(skip)?.id)
    const oldest = [...this.model.placed].sort(
      (a, b) => (a.record._createdAt as number) - (b.record._createdAt as number) || a.ordinal - b.ordinal,
    )
    const expected = eviction === 'lru' ? this.model.used : oldest.map(({ record }) => record.id)
    expect(order).toEqual([...expected, undefined])
  }
}

for (const byKey of [false, true]) {
  for (const eviction of [undefined, 'oldest', 'lru'] as const) {
    test(`any steps and undos, ${byKey ? 'by key' : 'by insertion'}, eviction ${eviction ?? 'none'}: as the model (S1, S2, S4, S5, S8)`, () => {
      fc.assert(
        fc.property(fc.array(anyStep, { maxLength: 60 }), (script) => {
          const harness = new Harness(byKey, eviction)
          for (const one of script) {
            harness.run(one)
            harness.compare()
          }
          while (harness.applied.length > 0) {
            harness.undo()
            harness.compare()
          }
        }),
        { numRuns: 60 },
      )
    })
  }
}

test('an index on several fields is in order from the start, one on a single field when that is first asked for', () => {
  const indexes = [indexOn('group'), compoundOn('group', 'score'), compoundOn('group', 'score', true)]
  const table = new Table({ bucket: 'things', key: 'id', indexes, byKey: false, eviction: undefined })
  const kept = () => table.indexes.map(({ orderedIfKept }) => orderedIfKept?.size)
  table.insert({ id: 1, group: 'b', score: 2 })
  table.insert({ id: 2, group: 'a' })
  expect(kept()).toEqual([undefined, 2, undefined])
  const ids = (at: number) => table.indexes[at]?.ordered.map(({ record }) => record.id)
  expect([ids(0), ids(1), ids(2)]).toEqual([
    [2, 1],
    [2, 1],
    [2, 1],
  ])
  table.update({ id: 2, group: 'c' })
  expect([kept(), ids(0), ids(1), ids(2)]).toEqual([
    [2, 2, 2],
    [1, 2],
    [1, 2],
    [1, 2],
  ])
})

test('a record enters and leaves a partial index as it begins and ceases to match', () => {
  const where = { texts: ['"score" eq 1'], test: ({ score }: StoredRecord) => score === 1 }
  const indexes = [compoundOn('group', 'id', true, where)]
  const table = new Table({ bucket: 'things', key: 'id', indexes, byKey: false, eviction: undefined })
  const [index] = table.indexes
  const sizes = () => [index?.hash?.size, index?.ordered.size]
  table.insert(Object.freeze({ id: 1, group: 'a', score: 2 }))
  expect(sizes()).toEqual([0, 0])
  table.update(Object.freeze({ id: 1, group: 'a', score: 1 }))
  expect(sizes()).toEqual([1, 1])
  table.update(Object.freeze({ id: 1, score: 1 }))
  // It lacks a field: nothing finds it by value, and it is the first in order.
  expect(sizes()).toEqual([0, 1])
  checkTable(table)
  table.update(Object.freeze({ id: 1, group: 'a' }))
  expect(sizes()).toEqual([0, 0])
})

test('ordinals are never given twice, also after deletion, undo and emptying (S6)', () => {
  const table = new Table({ bucket: 'things', key: 'id', indexes: [], byKey: false, eviction: undefined })
  const first = table.insert({ id: 1 })
  table.undo(first, undefined, first.record)
  const second = table.insert({ id: 1 })
  table.delete(1)
  const next = table.emptied()
  const third = next.insert({ id: 1 })
  expect([first, second, third].map(({ ordinal }) => ordinal)).toEqual([1, 2, 3])
  expect(() => next.load(3, { id: 2 })).toThrow(/S6/)
  next.load(9, { id: 2 })
  expect(next.insert({ id: 3 }).ordinal).toBe(10)
})

test('an emptied table goes on with the counter and the cursors of the old one, which stays as it was', () => {
  const table = new Table({ bucket: 'things', key: 'id', indexes: [], byKey: false, eviction: undefined })
  table.counter = 7
  table.insert({ id: 1 })
  table.rememberCursor(1)
  const next = table.emptied()
  expect([next.counter, next.size, next.cursor(1)?.ordinal]).toEqual([7, 0, 1])
  next.insert({ id: 2 })
  next.rememberCursor(2)
  expect([table.size, table.cursor(2)]).toEqual([1, undefined])
})

test('only so many deleted cursors are remembered, the latest ones', () => {
  const table = new Table({ bucket: 'things', key: 'id', indexes: [], byKey: false, eviction: undefined })
  for (let id = 1; id <= 10_500; id++) {
    table.insert({ id })
    table.rememberCursor(id)
    table.delete(id)
  }
  expect([table.cursor(500), table.cursor(501)?.ordinal, table.cursor(10_500)?.ordinal]).toEqual([
    undefined,
    501,
    10_500,
  ])
})

test.each<[what: string, damage: (table: Table) => void, invariant: RegExp]>([
  [
    'a record that can be changed',
    (table) => Object.assign(table.slot(1) as object, { record: { id: 1, group: 'x' } }),
    /S7/,
  ],
  [
    'a record under another key',
    (table) => Object.assign(table.slot(1) as object, { record: Object.freeze({ id: 9 }) }),
    /S1/,
  ],
  [
    'a record that an index misses',
    (table) => table.indexes[0]?.hash?.remove(table.slot(1) as never, { group: 'x' }),
    /S2/,
  ],
  [
    'a record in an index that is gone',
    (table) => table.indexes[0]?.hash?.add({ ordinal: 99, record: {} }, { group: 'q' }),
    /S2/,
  ],
  [
    'a record that the order of an index misses',
    (table) => table.indexes[0]?.ordered.delete(table.slot(1) as never),
    /S8/,
  ],
  [
    'a record in the order of an index that is gone',
    (table) => table.indexes[0]?.ordered.add({ ordinal: 99, record: {} }),
    /S8/,
  ],
  [
    'a due time that is not listed',
    (table) => Object.assign(table.slot(1) as object, { record: Object.freeze({ id: 1, group: 'x', _expiresAt: 5 }) }),
    /S5/,
  ],
])('check finds a planted fault: %s', (_what, damage, invariant) => {
  const indexes = [indexOn('group')]
  const table = new Table({ bucket: 'things', key: 'id', indexes, byKey: false, eviction: undefined })
  table.insert(Object.freeze({ id: 1, group: 'x' }))
  checkTable(table)
  damage(table)
  expect(() => checkTable(table)).toThrow(invariant)
})
