import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkDefinition } from '../schema/check-definition.js'
import type { BucketDefinition } from '../schema/definition.js'
import { RecordSchema } from '../schema/record-schema.js'
import { virtualRuntime } from '../testing/runtime.js'
import { Bucket } from './bucket.js'
import { CommitDraft } from './draft.js'
import { DuplicateKeyError, UniqueConstraintError } from './errors.js'
import { checkTable } from '../state/check-table.js'
import type { Slot } from '../state/slot.js'

const DEFINITION: BucketDefinition = {
  key: 'id',
  schema: {
    id: { type: 'number' },
    code: { type: 'string', unique: true },
    group: { type: 'string' },
    number: { type: 'number', generated: 'autoincrement' },
  },
  indexes: ['group'],
  ttl: 1_000,
}

const runtime = virtualRuntime()

function makeBucket(name: string, more: Partial<BucketDefinition> = {}): Bucket {
  const definition = checkDefinition(name, { ...DEFINITION, ...more })
  const bucket = new Bucket(
    name,
    definition,
    new RecordSchema(name, definition, runtime),
    definition.persistent !== false,
    () => expect.unreachable(),
  )
  bucket.process = {
    kill: (bug: unknown) => {
      throw bug
    },
  } as never
  return bucket
}

/** Everything that can be asked of a bucket, and that nothing but records decides. */
function stateOf({ table, source, counterStored }: Bucket): unknown {
  checkTable(table)
  const records: unknown[] = []
  table.forEach(({ ordinal, record }) => {
    records.push([ordinal, record])
  })
  const byIndex = table.indexes.map((index) =>
    [...'abcdef'].map((value) => {
      const ordinals: number[] = []
      index.hash?.forEach(value, ({ ordinal }) => {
        ordinals.push(ordinal)
      })
      return ordinals
    }),
  )
  const order = [...table.order.from()].map(({ ordinal }) => ordinal)
  const oldest = table.options.eviction === 'oldest' ? table.evictable(0) : undefined
  return [records, byIndex, order, oldest, source.keys(), table.due(1e15, 100), table.counter, counterStored]
}

interface Step {
  readonly op: 'insert' | 'update' | 'delete' | 'clear'
  readonly id: number
  readonly code: string | undefined
  readonly group: string | undefined
}

const letter = fc.option(fc.constantFrom(...'abcdef'), { nil: undefined })
const step = fc.record<Step>({
  op: fc.constantFrom('insert', 'insert', 'insert', 'update', 'update', 'delete', 'clear'),
  id: fc.nat(6),
  code: letter,
  group: letter,
})

/** Does a step where it is possible; a key that is taken is refused, as the store would. */
function take(draft: CommitDraft, bucket: Bucket, { op, id, code, group }: Step, isFirst: boolean): void {
  const slot = bucket.table.slot(id)
  if (op === 'insert')
    draft.insert(bucket, bucket.schema.prepareInsert({ id, code, group }, runtime.now(), bucket.table.counter + 1))
  else if (op === 'clear') {
    if (isFirst) draft.clear(bucket, 1)
  } else if (slot === undefined) return
  else if (op === 'delete') draft.delete(bucket, id)
  else draft.update(bucket, slot, bucket.schema.prepareUpdate(slot.record, { code, group }, runtime.now()))
}

const drafts = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 12 })

for (const [name, more] of [
  ['a plain bucket', {}],
  ['a bucket that lets go of the oldest', { maxSize: 4, eviction: 'oldest' }],
  ['an ordered set', { etsType: 'ordered_set' }],
  ['a bucket in memory only', { persistent: false }],
] as const) {
  test(`any drafts, each refused or made, all undone in reverse: ${name} is as it was after each (C1, S4)`, () => {
    fc.assert(
      fc.property(drafts, (scripts) => {
        const bucket = makeBucket('things', more)
        const made: [draft: CommitDraft, before: unknown][] = []
        for (const script of scripts) {
          const before = stateOf(bucket)
          const draft = new CommitDraft('store/write')
          try {
            draft.make(() => script.forEach((one, at) => take(draft, bucket, one, at === 0)))
            made.push([draft, before])
            const codes = (bucket.reads.all() as { code?: string }[]).flatMap(({ code }) => code ?? [])
            expect(new Set(codes).size).toBe(codes.length)
            if (more.maxSize !== undefined) expect(bucket.table.size).toBeLessThanOrEqual(more.maxSize)
            stateOf(bucket)
          } catch (error) {
            if (!(error instanceof DuplicateKeyError || error instanceof UniqueConstraintError)) throw error
            expect(stateOf(bucket)).toEqual(before)
          }
        }
        for (const [draft, before] of made.reverse()) {
          draft.undo()
          expect(stateOf(bucket)).toEqual(before)
        }
      }),
      { numRuns: 100 },
    )
  })
}

test('a value that was refused stays taken: the record that has it does not lose it (S4)', () => {
  const bucket = makeBucket('things')
  const insert = (id: number): void =>
    new CommitDraft('store/write').make((draft) =>
      draft.insert(bucket, bucket.schema.prepareInsert({ id, code: 'a' }, runtime.now(), 1)),
    )
  insert(1)
  expect(() => insert(2)).toThrow(UniqueConstraintError)
  expect(() => insert(3)).toThrow(UniqueConstraintError)
  expect(bucket.reads.where({ code: 'a' })).toEqual([expect.objectContaining({ id: 1 })])
})

test('two records may exchange their unique values in one draft, and get them back when it is undone', () => {
  const bucket = makeBucket('things')
  const record = (id: number, code: string) => bucket.schema.prepareInsert({ id, code }, runtime.now(), 1)
  new CommitDraft('store/write').make((draft) => [
    draft.insert(bucket, record(1, 'a')),
    draft.insert(bucket, record(2, 'b')),
  ])
  const before = stateOf(bucket)
  const swap = new CommitDraft('store/transaction')
  swap.make((draft) => {
    for (const [id, code] of [
      [1, 'b'],
      [2, 'a'],
    ] as const) {
      const slot = bucket.table.slot(id) as Slot
      draft.update(bucket, slot, bucket.schema.prepareUpdate(slot.record, { code }, runtime.now()))
    }
  })
  expect(bucket.reads.findOne({ code: 'a' })).toMatchObject({ id: 2 })
  swap.undo()
  expect(stateOf(bucket)).toEqual(before)
})

test('numbers that an open transaction has taken since stay taken when a draft before it is undone', () => {
  const bucket = makeBucket('things')
  const draft = new CommitDraft('store/write')
  draft.make(() =>
    draft.insert(bucket, bucket.schema.prepareInsert({ id: 1 }, runtime.now(), bucket.table.counter + 1)),
  )
  expect(bucket.table.counter).toBe(1)
  bucket.table.counter = 2
  draft.undo()
  expect(bucket.table.counter).toBe(2)
})

test('the log says nothing of buckets in memory only', () => {
  const [stored, kept] = [makeBucket('stored'), makeBucket('kept', { persistent: false })]
  const draft = new CommitDraft('store/transaction')
  draft.make(() => {
    for (const bucket of [stored, kept]) draft.insert(bucket, bucket.schema.prepareInsert({ id: 1 }, runtime.now(), 1))
  })
  expect(draft.loggedChanges.map(({ bucket }) => bucket)).toEqual(['stored'])
  expect(draft.changes.map(({ bucket }) => bucket)).toEqual(['stored', 'kept'])
  expect(new Set(draft.ops.map((op) => 'bucket' in op && op.bucket))).toEqual(new Set(['stored']))
})

test('what the storage knows of a counter is known again when a draft is undone', () => {
  const bucket = makeBucket('things')
  const insert = (): CommitDraft => {
    const draft = new CommitDraft('store/write')
    draft.make(() => draft.insert(bucket, bucket.schema.prepareInsert({ id: bucket.table.size }, runtime.now(), 1)))
    return draft
  }
  // An open transaction has taken the number 1, so the counter is ahead of the storage.
  bucket.table.counter = 1
  const draft = insert()
  expect(draft.ops).toContainEqual({ op: 'counter', bucket: 'things', counter: 1 })
  draft.undo()
  expect(insert().ops).toContainEqual({ op: 'counter', bucket: 'things', counter: 1 })
})
