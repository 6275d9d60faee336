import type { StandardSchemaV1 } from '@standard-schema/spec'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { clean, data, filter, index, terms } from '../support/query-cases.js'
import type { StoredRecord } from '../../src/base/value.js'
import type { BucketHandle } from '../../src/commit/bucket-handle.js'
import { Store } from '../../src/core-store.js'
import type { Engine } from '../../src/engine.js'
import { answer } from '../../src/query/answer.js'
import { parseFilter } from '../../src/query/filter.js'
import { specOf } from '../../src/query/query-spec.js'
import type { Question, QuerySpec, Want } from '../../src/query/query-spec.js'
import type { IndexDefinition } from '../../src/schema/definition.js'
import { RowsView } from '../../src/reactive/rows-view.js'
import type { View } from '../../src/reactive/view.js'
import type { Views } from '../../src/reactive/views.js'

const RUNS = Number(process.env['VARVE_ORACLE_RUNS'] ?? 2_000)

const want: fc.Arbitrary<Want> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ kind: 'rows' } as const) },
  fc.constantFrom<Want>({ kind: 'count' }, { kind: 'first' }, { kind: 'exists' }),
  fc.constantFrom('sum', 'avg', 'min', 'max', 'distinct').map((kind) => ({ kind, path: 'a' })),
  fc.constant({
    kind: 'groups',
    by: ['b'],
    aggregates: { n: { kind: 'count' }, s: { kind: 'sum', path: 'a' }, m: { kind: 'min', path: 'a' } },
  }),
)

interface Asked {
  readonly by: object
  readonly order: QuerySpec['order']
  readonly limit: number
  readonly offset: number
  readonly fields: readonly string[] | undefined
  readonly want: Want
}

const asked: fc.Arbitrary<Asked> = fc.record({
  by: filter,
  order: terms,
  limit: fc.oneof({ weight: 2, arbitrary: fc.constant(Infinity) }, { weight: 1, arbitrary: fc.nat(4) }),
  offset: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
  fields: fc.constantFrom(undefined, undefined, ['a'], ['id', 'b']),
  want,
})

type Write =
  | { readonly op: 'put'; readonly isNew: boolean; readonly id: number; readonly data: object }
  | { readonly op: 'delete'; readonly id: number }
  | { readonly op: 'clear' }
  | { readonly op: 'bug' }

const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('put' as const), isNew: fc.boolean(), id: fc.nat(12), data }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('delete' as const), id: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.constantFrom({ op: 'clear' as const }, { op: 'bug' as const }) },
)

interface Case {
  readonly indexes: readonly IndexDefinition[]
  readonly records: readonly object[]
  readonly questions: readonly Asked[]
  /** Each list is one transaction. */
  readonly commits: readonly (readonly Write[])[]
}

const aCase: fc.Arbitrary<Case> = fc.record({
  indexes: fc.array(index, { maxLength: 3 }),
  records: fc.array(data, { maxLength: 10 }),
  questions: fc.array(asked, { minLength: 1, maxLength: 5 }),
  commits: fc.array(fc.array(write, { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
})

/** Takes whatever it is given. */
const ANYTHING: StandardSchemaV1<any, any> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

function defineThings(store: Store, indexes: readonly IndexDefinition[]): Promise<BucketHandle> {
  return store.defineBucket('things', { key: 'id', schema: ANYTHING, indexes })
}

class OpenStore extends Store {
  get parts(): Engine {
    return this.engine
  }
}

function questionOf({ by, want: wanted, ...spec }: Asked): Question {
  return { spec: { ...specOf('things', parseFilter(by, 'where')), ...spec }, want: wanted }
}

/** Applies the writes of one transaction; one that meets a bug does nothing. */
async function commit(store: Store, writes: readonly Write[]): Promise<void> {
  await store
    .transaction(async (tx) => {
      const things = tx.bucket('things')
      for (const one of writes) {
        if (one.op === 'clear') await things.clear()
        else if (one.op === 'bug') throw new RangeError('taken back')
        else if (one.op === 'delete') await things.delete(one.id)
        else {
          if (one.isNew) await things.delete(one.id)
          await things.upsert(
            clean({ id: one.id, a: undefined, b: undefined, c: undefined, in: undefined, ...one.data }),
          )
        }
      }
    })
    .catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error
    })
}

function checkViews(views: Views, kept: readonly View[], { catalog }: Engine, moment: string): void {
  const { source } = catalog.must('things')
  for (const view of kept) {
    expect(views.read(view), `V1 ${moment}: ${view.text}`).toEqual(answer(source, view.question))
  }
}

async function viewsAgree({ indexes, records, questions, commits }: Case): Promise<void> {
  const store = (await OpenStore.start()) as OpenStore
  const { views } = store.parts
  const things = await defineThings(store, indexes)
  await things.insertMany(records.map((record, id) => clean({ id, ...record })) as never)
  const kept = questions.map((one) => views.acquire(questionOf(one)))
  checkViews(views, kept, store.parts, 'at first')
  for (const [at, writes] of commits.entries()) {
    await commit(store, writes)
    checkViews(views, kept, store.parts, `after commit ${at}`)
  }
  for (const view of kept) views.release(view)
  expect(views.size, 'V2').toBe(0)
  await store.stop()
}

test('a view is what a fresh answer is, after every commit (V1, V2)', async () => {
  await fc.assert(fc.asyncProperty(aCase, viewsAgree), { numRuns: RUNS })
}, 300_000)

describe('the oracle finds planted bugs', () => {
  const finds = async (): Promise<void> => {
    await expect(
      fc.assert(fc.asyncProperty(aCase, viewsAgree), { numRuns: 5_000, endOnFailure: true }),
    ).rejects.toThrow(/Property failed/)
  }

  test('a view that does not see what leaves it', async () => {
    const apply = RowsView.prototype.apply
    const spy = vi.spyOn(RowsView.prototype, 'apply').mockImplementation(function planted(this: RowsView, change) {
      return change.after === undefined ? 'none' : apply.call(this, change)
    })
    await finds().finally(() => spy.mockRestore())
  })
})

interface Seen {
  readonly rows: readonly StoredRecord[]
  readonly added: readonly StoredRecord[]
  readonly removed: readonly StoredRecord[]
  readonly changed: readonly { readonly before: StoredRecord; readonly after: StoredRecord }[]
  readonly position: number
}

test('live results are the fresh ones, and what has changed in each leads from the one before to it', async () => {
  await fc.assert(
    fc.asyncProperty(aCase, async ({ indexes, records, questions, commits }) => {
      const store = await Store.start()
      const things = await defineThings(store, indexes)
      await things.insertMany(records.map((record, id) => clean({ id, ...record })) as never)
      const queries = questions.map(({ by, order, limit, offset }) => {
        let query = things.where(by as never)
        for (const { path, isDescending } of order) query = query.orderBy(path, isDescending ? 'desc' : 'asc')
        return query.limit(limit).offset(offset)
      })
      const seen: Seen[][] = queries.map(() => [])
      const stops = queries.map((query, at) =>
        query.live((rows, changes) => seen[at]?.push({ rows, ...changes } as unknown as Seen)),
      )
      const check = async (): Promise<void> => {
        await store.settle()
        for (const [at, query] of queries.entries()) expect(seen[at]?.at(-1)?.rows).toEqual(await query)
      }
      await check()
      for (const writes of commits) {
        await commit(store, writes)
        await check()
      }
      for (const deliveries of seen) checkSteps(deliveries)
      for (const stop of stops) stop()
      await store.stop()
    }),
    { numRuns: RUNS / 4 },
  )
}, 300_000)

function checkSteps(deliveries: readonly Seen[]): void {
  let before = new Set<StoredRecord>()
  let position = 0
  for (const { rows, added, removed, changed, position: at } of deliveries) {
    expect(at).toBeGreaterThanOrEqual(position)
    position = at
    const after = new Set(before)
    for (const row of removed) expect(after.delete(row)).toBe(true)
    for (const one of changed) {
      expect(after.delete(one.before)).toBe(true)
      after.add(one.after)
    }
    for (const row of added) {
      expect(after.has(row)).toBe(false)
      after.add(row)
    }
    expect(after).toEqual(new Set(rows))
    before = new Set(rows)
  }
}
