import type { StreamStats, StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  checkEqual,
  checkError,
  checkStream,
  drain,
  entries,
  entry,
  failureOf,
  listIds,
  load,
  metaRecord,
  oldMetaRecord,
} from './stream-fixture.js'

const meta = metaRecord()

/** Every call that there is, on `doc`. */
const CALLS: { readonly [name: string]: (store: StreamStore) => Promise<unknown> } = {
  append: async (store) => store.append('doc', entry('x')),
  appendMany: async (store) => store.appendMany('doc', [entry('x')]),
  'appendMany of nothing': async (store) => store.appendMany('doc', []),
  loadAll: async (store) => drain(store.loadAll('doc')),
  load: async (store) => drain(store.load('doc', { limit: 1 })),
  replace: async (store) => store.replace('doc', [meta]),
  delete: async (store) => store.delete('doc'),
  currentMeta: async (store) => store.currentMeta('doc'),
  listDocIds: async (store) => drain(store.listDocIds()),
  tail: async (store) => store.tail('doc', {}, () => undefined).ended,
  compact: async (store) => store.compact('doc', (all) => all),
  stats: async (store) => store.stats(),
  flush: async (store) => store.flush(),
}

/** Statistics, flush, close. */
const ownCases: readonly StreamCase[] = [
  {
    name: 'stats counts documents, records and bytes, and knows the kind of storage',
    async run({ store }) {
      const empty = await store.stats()
      checkEqual([empty.docs, empty.records], [0, 0], 'an empty store')
      check(typeof empty.backend === 'string' && empty.backend.length > 0, 'the kind of storage has a name')
      await store.appendMany('a', [meta, ...entries(4)])
      await store.append('b', meta)
      const some = await store.stats()
      checkEqual([some.docs, some.records], [2, 6], 'two documents')
      check(some.bytes > empty.bytes, `bytes grow, got ${some.bytes} after ${empty.bytes}`)
      await store.append('b', entry(new Uint8Array(10_000)))
      const more = await store.stats()
      check(more.bytes >= some.bytes + 10_000, `bytes count payloads, got ${more.bytes} after ${some.bytes}`)
      await store.replace('a', [meta])
      await store.delete('b')
      const less = await store.stats()
      checkEqual([less.docs, less.records], [1, 1], 'after replace and delete')
      check(less.bytes < some.bytes, 'bytes shrink')
    },
  },
  {
    name: 'stats counts every call that has resolved',
    async run({ store }) {
      const seen: StreamStats[] = []
      for (let i = 0; i < 5; i++) {
        await store.appendMany(`doc${i}`, [meta, ...entries(i)])
        seen.push(await store.stats())
      }
      checkEqual(
        seen.map(({ docs, records }) => [docs, records]),
        [
          [1, 1],
          [2, 3],
          [3, 6],
          [4, 10],
          [5, 15],
        ],
        'counts',
      )
    },
  },
  {
    name: 'flush resolves, with and without anything to write, and while others write',
    async run({ store }) {
      await store.flush()
      const writes = [meta, ...entries(20)].map((record) => store.append('doc', record))
      await Promise.all([store.flush(), store.flush(), ...writes])
      await store.flush()
      await checkStream(store, 'doc', [meta, ...entries(20)], 'after flush')
    },
  },
  {
    name: 'close is safe twice, one after the other and at once',
    async run({ store }) {
      await store.append('doc', meta)
      await Promise.all([store.close(), store.close()])
      await store.close()
    },
  },
  {
    name: 'every method rejects after close with StreamClosedError',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      await store.close()
      for (const [name, call] of Object.entries(CALLS))
        await checkError(call(store), 'StreamClosedError', /closed/i, name)
      await store.close()
    },
  },
  {
    name: 'calls that were made before close are done',
    async run({ store }) {
      const records = [meta, ...entries(40)]
      const writes = records.map((record) => store.append('doc', record))
      const knowing = store.currentMeta('doc')
      const closing = store.close()
      const late = failureOf(store.append('doc', entry('late')))
      await Promise.all(writes)
      checkEqual(await knowing, meta.meta, 'a read that was made before close')
      await closing
      checkEqual((await late)?.name, 'StreamClosedError', 'a call after close was called')
    },
  },
  {
    name: 'an iterator that is open at close ends with StreamClosedError, or has everything: never silently too early',
    async run({ store }) {
      const records = [meta, ...entries(2000)]
      await store.appendMany('doc', records)
      const readers = [store.loadAll('doc'), store.load('doc'), store.listDocIds()].map((source) =>
        source[Symbol.asyncIterator](),
      )
      for (const reader of readers) await reader.next()
      await store.close()
      for (const [i, wanted] of [2001, 2001, 1].entries()) {
        let count = 1
        const rest = async (): Promise<void> => {
          while ((await readers[i]?.next())?.done === false) count++
        }
        const failure = await failureOf(rest())
        if (failure === undefined) checkEqual(count, wanted, `count of iterator ${i}`)
        else checkEqual(failure.name, 'StreamClosedError', `iterator ${i}: ${failure.message}`)
      }
    },
  },
]

/** What outlives a handle, and what shares a database. */
const placeCases: readonly StreamCase[] = [
  {
    name: 'everything is there again when the place is opened again',
    needs: ['reopen'],
    async run({ store, open }) {
      const streams = [
        ['text', [meta, entry('a'), entry('', '', { lineage: '' })]],
        ['bytes', [oldMetaRecord('h1'), entry(Uint8Array.of(0, 1, 255)), entry(new Uint8Array(0)), metaRecord('h2')]],
        ['a\0', [meta, entry('\ud800')]],
        ['\u{10ffff}', [meta, entry('x'.repeat(100_000))]],
      ] as const
      for (const [id, records] of streams) await store.appendMany(id, records)
      await store.append('gone', meta)
      await store.delete('gone')
      const ids = await listIds(store)
      const stats = await store.stats()
      await store.close()
      const again = await open()
      for (const [id, records] of streams) await checkStream(again, id, records, JSON.stringify(id))
      checkEqual(await listIds(again), ids, 'ids')
      checkEqual(await again.stats(), stats, 'stats')
      await checkStream(again, 'gone', [], 'a deleted document')
    },
  },
  {
    name: 'seqs are the same when the place is opened again, and go on, after replace and compact too',
    needs: ['reopen'],
    async run({ store, open }) {
      await store.appendMany('doc', [meta, ...entries(5)])
      let before = await load(store, 'doc')
      let handle = store
      const changes = [
        (on: StreamStore) => on.append('doc', entry('x')),
        (on: StreamStore) => on.replace('doc', [meta, entry('y')]),
        (on: StreamStore) => on.append('doc', entry('z')),
        (on: StreamStore) => on.compact('doc', () => [meta]),
        (on: StreamStore) => on.append('doc', metaRecord('h2')),
      ]
      for (const [i, change] of changes.entries()) {
        await handle.close()
        handle = await open()
        checkEqual(await load(handle, 'doc'), before, `the stream before change ${i}`)
        await change(handle)
        const after = before.at(-1)?.seq ?? 0
        before = await load(handle, 'doc')
        const last = before.at(-1)?.seq ?? 0
        // The records of a fold may stand where those were that it was made of.
        check(i === 3 ? last >= after : last > after, `seqs go on in change ${i}`)
      }
    },
  },
  {
    name: 'the rules hold when the place is opened again',
    needs: ['reopen'],
    async run({ store, open }) {
      await store.append('doc', meta)
      await store.close()
      const again = await open()
      const words = /replicaType mismatch for document/
      await checkError(again.append('doc', metaRecord('h', ['loro', 1, 0])), 'StreamMismatchError', words, 'a type')
      await again.append('doc', entry('no meta needed'))
      await checkStream(again, 'doc', [meta, entry('no meta needed')], 'the document')
    },
  },
  {
    name: 'stores in one database share nothing: documents, lists, stats, tails',
    needs: ['namespaces'],
    async run({ openNamespace }) {
      const [one, two] = [await openNamespace('one'), await openNamespace('two')]
      const told: string[] = []
      two.tail({ prefix: '' }, { pollMs: 5 }, (_record, id) => void told.push(id))
      await one.appendMany('doc', [meta, entry('of one')])
      await one.append('only one', meta)
      await checkStream(two, 'doc', [], 'the other store')
      await two.appendMany('doc', [metaRecord('h', ['loro', 1, 0]), entry('of two')])
      await checkStream(one, 'doc', [meta, entry('of one')], 'one')
      await checkStream(two, 'doc', [metaRecord('h', ['loro', 1, 0]), entry('of two')], 'two')
      checkEqual([await listIds(one), await listIds(two)], [['doc', 'only one'], ['doc']], 'ids')
      checkEqual([(await one.stats()).records, (await two.stats()).records], [3, 2], 'records')
      await one.delete('doc')
      await one.replace('only one', [meta, entry('x')])
      await checkStream(two, 'doc', [metaRecord('h', ['loro', 1, 0]), entry('of two')], 'two, after changes of one')
      await one.close()
      await two.append('doc', entry('after one was closed'))
      checkEqual(new Set(told), new Set(['doc']), 'ids told')
      check((await load(two, 'doc')).length === 3, 'two goes on when one is closed')
    },
  },
]

/** From opening to closing. */
export const lifeCases: readonly StreamCase[] = [...ownCases, ...placeCases]
