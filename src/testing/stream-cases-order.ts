import type { StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  checkEqual,
  checkError,
  checkGrowing,
  checkStream,
  drain,
  entries,
  entry,
  failureOf,
  load,
  loadAll,
  metaRecord,
} from './stream-fixture.js'

const meta = metaRecord()

/** Many calls at once. */
export const orderCases: readonly StreamCase[] = [
  {
    name: 'concurrent appends to one document take effect in the order of the calls',
    async run({ store }) {
      const records = [meta, ...entries(300)]
      await Promise.all(records.map((record) => store.append('doc', record)))
      await checkStream(store, 'doc', records, 'appends')
      checkGrowing(await load(store, 'doc'), 'seqs')
    },
  },
  {
    name: 'concurrent calls of all kinds on one document take effect in the order of the calls, reads included',
    async run({ store }) {
      const loro = metaRecord('l1', ['loro', 1, 0])
      const results = await Promise.all([
        store.append('doc', meta),
        loadAll(store, 'doc'),
        store.appendMany('doc', [entry('a'), entry('b')]),
        store.append('doc', metaRecord('h2')),
        store.currentMeta('doc'),
        loadAll(store, 'doc'),
        store.replace('doc', [metaRecord('h3'), entry('c')]),
        loadAll(store, 'doc'),
        store.append('doc', entry('d')),
        store.currentMeta('doc'),
        store.delete('doc'),
        store.currentMeta('doc'),
        loadAll(store, 'doc'),
        store.append('doc', loro),
        loadAll(store, 'doc'),
        store.append('doc', entry('e')),
        drain(store.load('doc')).then((placed) => placed.length),
        loadAll(store, 'doc'),
      ])
      const before = [meta, entry('a'), entry('b'), metaRecord('h2')]
      const wanted: readonly unknown[] = [
        [meta],
        metaRecord('h2').meta,
        before,
        [metaRecord('h3'), entry('c')],
        metaRecord('h3').meta,
        null,
        [],
        [loro],
        2,
        [loro, entry('e')],
      ]
      checkEqual(
        results.filter((result) => result !== undefined),
        wanted,
        'what the reads saw, in order',
      )
    },
  },
  {
    name: 'concurrent calls on many documents all take effect',
    async run({ store }) {
      const ids = Array.from({ length: 60 }, (_, i) => `doc${i}`)
      const calls: Promise<void>[] = []
      for (const record of [meta, ...entries(8)]) for (const id of ids) calls.push(store.append(id, record))
      await Promise.all(calls)
      for (const id of ids) await checkStream(store, id, [meta, ...entries(8)], id)
    },
  },
  {
    name: 'a write that has resolved is seen by every read that starts after it',
    async run({ store }) {
      await store.append('doc', meta)
      for (let i = 0; i < 20; i++) {
        const others = entries(5, `o${i}-`).map((record) => store.append('doc', record))
        await store.append('doc', entry(`x${i}`))
        const seen = (await loadAll(store, 'doc')).some(
          (record) => record.kind === 'entry' && record.payload.data === `x${i}`,
        )
        check(seen, `x${i} is seen after its append resolved`)
        await Promise.all(others)
      }
    },
  },
  {
    name: 'one bad call in a concurrent group rejects alone; its neighbours, on any document, are written',
    async run({ store }) {
      const settled = await Promise.allSettled([
        store.append('a', meta),
        store.append('a', entry('1')),
        store.append('b', entry('no meta yet')),
        store.append('a', metaRecord('h', ['loro', 1, 0])),
        store.append('a', entry('2')),
        store.append('b', meta),
        store.append('c', null as unknown as StreamRecord),
        store.replace('a', [entry('no meta')]),
        store.appendMany('c', [meta, entry('3')]),
        store.append('a', entry('4')),
      ])
      checkEqual(
        settled.map(({ status }) => status === 'fulfilled'),
        [true, true, false, false, true, true, false, false, true, true],
        'which calls resolved',
      )
      await checkStream(store, 'a', [meta, entry('1'), entry('2'), entry('4')], 'a')
      await checkStream(store, 'b', [meta], 'b')
      await checkStream(store, 'c', [meta, entry('3')], 'c')
    },
  },
  {
    name: 'a refused call does not poison the next on its document',
    async run({ store }) {
      for (let round = 0; round < 3; round++) {
        await checkError(store.append('doc', entry('x')), 'StreamFirstRecordError', /./, 'an entry')
        check((await failureOf(store.append('doc', {} as StreamRecord))) !== undefined, 'not a record')
      }
      await store.append('doc', meta)
      await store.append('doc', entry('x'))
      await checkStream(store, 'doc', [meta, entry('x')], 'after the refusals')
    },
  },
  {
    name: 'two first appends of one document at once: the first call wins, the second is checked against it',
    async run({ store }) {
      const first = store.append('doc', meta)
      const second = store.append('doc', metaRecord('h1', ['loro', 1, 0]))
      await Promise.all([first, checkError(second, 'StreamMismatchError', /replicaType mismatch/, 'the second')])
      await checkStream(store, 'doc', [meta], 'the document')
    },
  },
]
