import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Key, StoredRecord } from '../base/value.js'
import { Reads } from '../query/reads.js'
import { checkDefinition } from '../schema/check-definition.js'
import type { BucketDefinition } from '../schema/definition.js'
import { RecordSchema } from '../schema/record-schema.js'
import { virtualRuntime } from '../testing/runtime.js'
import { Bucket } from './bucket.js'
import { Overlay } from './overlay.js'
import { checkTable } from '../state/check-table.js'

const KEYS: readonly Key[] = [1, 2, 3, 10, 'a', 'b', true]

function makeBucket(etsType: BucketDefinition['etsType']): Bucket {
  const definition = checkDefinition('things', {
    key: 'id',
    schema: { id: { type: 'string' }, group: { type: 'string' }, amount: { type: 'number' } },
    indexes: ['group'],
    ...(etsType === undefined ? {} : { etsType }),
  })
  return new Bucket('things', definition, new RecordSchema('things', definition, virtualRuntime()), true, () =>
    expect.unreachable(),
  )
}

interface Step {
  readonly op: 'insert' | 'update' | 'delete' | 'clear' | 'page'
  readonly key: Key
  readonly group: string
  readonly amount: number
}

const step = fc.record<Step>({
  op: fc.constantFrom(
    'insert',
    'insert',
    'insert',
    'insert',
    'update',
    'update',
    'delete',
    'delete',
    'page',
    'page',
    'clear',
  ),
  key: fc.constantFrom(...KEYS),
  group: fc.constantFrom('x', 'y'),
  amount: fc.nat(3),
})

/** The same steps on a table, one after the other: what the overlay has to look like. */
function onTable(bucket: Bucket, { op, key, group, amount }: Step, paged: Set<Key>): void {
  const { table } = bucket
  const isThere = table.slot(key) !== undefined
  const record: StoredRecord = Object.freeze({ id: key, group, amount })
  if (op === 'clear') bucket.table = table.emptied()
  else if (op === 'page') page(new Reads<any>(bucket.source), key, isThere, paged)
  else if (op === 'insert' && !isThere) table.insert(record)
  else if (op === 'update' && isThere) table.update(record)
  else if (op === 'delete' && isThere) table.delete(key)
}

function onOverlay(overlay: Overlay, { op, key, group, amount }: Step): void {
  const isThere = overlay.get(key) !== undefined
  const record: StoredRecord = Object.freeze({ id: key, group, amount })
  if (op === 'clear') overlay.clear()
  else if (op === 'page') page(new Reads<any>(overlay), key, isThere, new Set())
  else if (op === 'insert' && !isThere) overlay.insert(key, record)
  else if (op === 'update' && isThere) overlay.update(key, record)
  else if (op === 'delete' && isThere) overlay.delete(key)
}

/** Reads pages up to the one that ends with `key`, which makes it a cursor. */
function page(reads: Reads<any>, key: Key, isThere: boolean, paged: Set<Key>): void {
  if (!isThere) return
  paged.add(key)
  reads.paginate({ limit: reads.keys().indexOf(key) + 1 })
}

function answers(reads: Reads<any>, paged: ReadonlySet<Key>): unknown {
  const filters: Record<string, any>[] = [
    {},
    { group: 'x' },
    { amount: 1 },
    { group: 'y', amount: 2 },
    { id: 'a' },
    { missing: null },
  ]
  return {
    gets: KEYS.map((key) => reads.get(key)),
    has: KEYS.map((key) => reads.has(key)),
    all: reads.all(),
    keys: reads.keys(),
    where: filters.map((by) => [
      reads.where(by),
      reads.findOne(by),
      reads.count(by),
      reads.sum('amount', by),
      reads.avg('amount', by),
    ]),
    bounds: [reads.min('amount'), reads.max('amount'), reads.count()],
    ends: [0, 1, 3, 9].map((n) => [reads.first(n), reads.last(n)]),
    // What comes after a cursor; asking makes its end a cursor too, on both sides alike.
    pages: [...paged].map((after) => reads.paginate({ limit: 9, after })),
  }
}

for (const etsType of ['set', 'ordered_set'] as const) {
  test(`a bucket with a transaction's writes over it reads as a copy with the writes applied: ${etsType}`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), fc.array(step, { maxLength: 15 }), (setup, script) => {
        const [bucket, copy] = [makeBucket(etsType), makeBucket(etsType)]
        const paged = new Set<Key>()
        for (const one of setup) {
          onTable(bucket, one, new Set())
          onTable(copy, one, paged)
        }
        const untouched = bucket.reads.all()
        const overlay = new Overlay(bucket)
        for (const one of script) {
          onOverlay(overlay, one)
          onTable(copy, one, paged)
          expect(answers(new Reads<any>(overlay), paged)).toEqual(answers(new Reads<any>(copy.source), paged))
        }
        expect(bucket.reads.all()).toEqual(untouched)
        checkTable(bucket.table)
      }),
      { numRuns: 300 },
    )
  })
}
