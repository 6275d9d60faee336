import type { ReplicaType, StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  AUTHORITATIVE,
  checkEqual,
  checkError,
  checkStream,
  COLLABORATIVE,
  entry,
  EPHEMERAL,
  listIds,
  metaRecord,
  oldMetaRecord,
} from './stream-fixture.js'

const meta = metaRecord()

/** Things that are not records, each with what is wrong with it. */
const NOT_RECORDS: readonly (readonly [wrong: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['text', 'meta'],
  ['a kind that does not exist', { kind: 'other' }],
  ['a meta without meta', { kind: 'meta' }],
  ['a replicaType of two', { kind: 'meta', meta: { ...meta.meta, replicaType: ['yjs', 1] } }],
  ['a replicaType with text for a number', { kind: 'meta', meta: { ...meta.meta, replicaType: ['yjs', '1', 0] } }],
  ['a meta without schemaHash', { kind: 'meta', meta: { ...meta.meta, schemaHash: undefined } }],
  ['a meta without a mode', { kind: 'meta', meta: { replicaType: ['yjs', 1, 0], schemaHash: 'h' } }],
  [
    'a mode with an unknown word',
    { kind: 'meta', meta: { ...meta.meta, syncMode: { ...COLLABORATIVE, delivery: 'pigeon' } } },
  ],
  ['an entry without payload', { kind: 'entry', version: 'v' }],
  ['an entry without version', { ...entry('x'), version: undefined }],
  ['a version that is a number', { ...entry('x'), version: 7 }],
  ['an unknown kind of payload', entry('x', 'v', { kind: 'half' as 'since' })],
  ['an unknown encoding', entry('x', 'v', { encoding: 'xml' as 'json' })],
  ['data that is a number', entry(5 as unknown as string)],
  ['data that is null', entry(null as unknown as string)],
  ['data that is an ArrayBuffer', entry(new ArrayBuffer(2) as unknown as Uint8Array)],
  ['a lineage that is a number', entry('x', 'v', { lineage: 5 as unknown as string })],
]

/** What may be appended when. */
export const ruleCases: readonly StreamCase[] = [
  {
    name: 'a document that does not exist has no records and no meta, and is not listed',
    async run({ store }) {
      await checkStream(store, 'nobody', [], 'a document that does not exist')
      checkEqual(await listIds(store), [], 'ids of an empty store')
    },
  },
  {
    name: 'what was appended is read in this order, metas in the stream too',
    async run({ store }) {
      const records = [meta, entry('one'), entry(Uint8Array.of(1, 2), 'v2'), metaRecord('h2'), entry('three', 'v3')]
      for (const record of records) await store.append('doc', record)
      await checkStream(store, 'doc', records, 'the stream')
    },
  },
  {
    name: 'an entry before any meta is refused with the words of kyneta, and nothing is written',
    async run({ store }) {
      const words = /first record for doc 'doc' must be meta, got entry/
      const error = await checkError(store.append('doc', entry('x')), 'StreamFirstRecordError', words, 'an entry')
      checkEqual((error as Error & { id?: unknown }).id, 'doc', 'the id in the error')
      const many = store.appendMany('doc', [entry('x'), meta])
      await checkError(many, 'StreamFirstRecordError', words, 'a batch that begins with an entry')
      await checkStream(store, 'doc', [], 'after the refusals')
    },
  },
  {
    name: 'a meta with another name or major version is refused, and nothing is written',
    async run({ store }) {
      await store.append('doc', meta)
      for (const replicaType of [
        ['loro', 1, 0],
        ['yjs', 2, 0],
        ['yjs', 0, 9],
        ['YJS', 1, 0],
      ] as ReplicaType[]) {
        const words = /replicaType mismatch for document — existing .* vs incoming /s
        await checkError(
          store.append('doc', metaRecord('h2', replicaType)),
          'StreamMismatchError',
          words,
          String(replicaType),
        )
      }
      await checkStream(store, 'doc', [meta], 'after the refusals')
    },
  },
  {
    name: 'a meta with another minor version is accepted, up and down, and counts',
    async run({ store }) {
      const records = [meta, metaRecord('h1', ['yjs', 1, 7]), metaRecord('h1', ['yjs', 1, 3])]
      for (const record of records) await store.append('doc', record)
      await checkStream(store, 'doc', records, 'minor versions')
      await store.replace('doc', [metaRecord('h1', ['yjs', 1, 9])])
      await checkStream(store, 'doc', [metaRecord('h1', ['yjs', 1, 9])], 'replaced by another minor version')
    },
  },
  {
    name: 'a meta that differs in any axis of the mode is refused, and nothing is written',
    async run({ store }) {
      await store.append('doc', meta)
      const modes = [AUTHORITATIVE, EPHEMERAL, { ...COLLABORATIVE, durability: 'transient' as const }]
      for (const mode of [...modes, { ...COLLABORATIVE, delivery: 'snapshot-only' as const }]) {
        for (const record of [metaRecord('h1', ['yjs', 1, 0], mode), oldMetaRecord('h1', ['yjs', 1, 0], mode)]) {
          const words = /syncMode mismatch for document — existing .* vs incoming /s
          await checkError(store.append('doc', record), 'StreamMismatchError', words, JSON.stringify(record))
        }
      }
      await checkStream(store, 'doc', [meta], 'after the refusals')
    },
  },
  {
    name: 'the last schemaHash counts',
    async run({ store }) {
      const records = [meta, metaRecord('h2'), entry('x'), metaRecord('')]
      for (const record of records) await store.append('doc', record)
      await checkStream(store, 'doc', records, 'schema hashes')
    },
  },
  {
    name: 'appendMany adds its records in order; an empty list does nothing',
    async run({ store }) {
      await store.appendMany('doc', [])
      await checkStream(store, 'doc', [], 'an empty list')
      const records = [meta, entry('1'), metaRecord('h2'), entry('2'), entry('3')]
      await store.appendMany('doc', records)
      await store.appendMany('doc', [])
      await store.appendMany('doc', [entry('4')])
      await checkStream(store, 'doc', [...records, entry('4')], 'batches')
    },
  },
  {
    name: 'a batch of appendMany with one record that is refused is not written at all',
    async run({ store }) {
      await store.append('doc', meta)
      const foreign = metaRecord('h1', ['loro', 1, 0])
      const refused = store.appendMany('doc', [entry('1'), foreign, entry('2')])
      await checkError(refused, 'StreamMismatchError', /replicaType mismatch/, 'a foreign meta in the batch')
      const bad = { kind: 'entry' } as unknown as StreamRecord
      const invalid = store.appendMany('doc', [entry('1'), bad])
      await checkError(invalid, 'InvalidArgumentError', /./, 'not a record in the batch')
      await checkStream(store, 'doc', [meta], 'after the refusals')
    },
  },
  {
    name: 'metas of one appendMany are checked against each other',
    async run({ store }) {
      const type = store.appendMany('doc', [meta, metaRecord('h1', ['loro', 1, 0])])
      await checkError(type, 'StreamMismatchError', /replicaType mismatch/, 'two types')
      const mode = store.appendMany('doc', [meta, oldMetaRecord('h1', ['yjs', 1, 0], EPHEMERAL)])
      await checkError(mode, 'StreamMismatchError', /syncMode mismatch/, 'two modes')
      await checkStream(store, 'doc', [], 'after the refusals')
    },
  },
  {
    name: 'what is not a record is refused before anything is written, by every method that takes records',
    async run({ store }) {
      await store.append('doc', meta)
      for (const [wrong, value] of NOT_RECORDS) {
        const record = value as StreamRecord
        await checkError(store.append('doc', record), 'InvalidArgumentError', /./, `append: ${wrong}`)
        await checkError(store.appendMany('doc', [record]), 'InvalidArgumentError', /./, `appendMany: ${wrong}`)
        await checkError(store.replace('doc', [meta, record]), 'InvalidArgumentError', /./, `replace: ${wrong}`)
        await checkError(
          store.compact('doc', () => [meta, record]),
          'InvalidArgumentError',
          /./,
          `compact: ${wrong}`,
        )
      }
      await checkStream(store, 'doc', [meta], 'after the refusals')
    },
  },
  {
    name: 'ids that are not text and lists that are not lists are refused by a rejection, not by a throw',
    async run({ store }) {
      const id = 7 as unknown as string
      const list = { length: 1 } as unknown as StreamRecord[]
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.append(id, meta),
        () => store.appendMany(id, [meta]),
        () => store.appendMany('doc', list),
        () => store.replace(id, [meta]),
        () => store.replace('doc', list),
        () => store.delete(id),
        () => store.currentMeta(id),
        () => store.compact(id, () => [meta]),
        () => store.compact('doc', 'fold' as unknown as () => StreamRecord[]),
      ]
      for (const call of calls) {
        let promise: Promise<unknown> | undefined
        try {
          promise = call()
        } catch (error) {
          check(false, `${String(call)} throws instead of rejecting: ${String(error)}`)
        }
        await checkError(promise, 'InvalidArgumentError', /./, String(call))
      }
      checkEqual(await listIds(store), [], 'nothing was written')
    },
  },
]
