import type { StreamRecord } from '../streams/record.js'
import type { StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import { checkReadersDuring } from './stream-cases-replace.js'
import { checkTold, listen } from './stream-cases-tail.js'
import {
  checkEqual,
  checkError,
  checkGrowing,
  checkStream,
  entries,
  entry,
  failureOf,
  listIds,
  load,
  loadAll,
  metaRecord,
  settle,
  until,
} from './stream-fixture.js'

const meta = metaRecord()

/** The data of entries that begin with `tag`, in order. */
function dataOf(records: readonly StreamRecord[], tag: string): unknown[] {
  const data = records.map((record) => (record.kind === 'entry' ? record.payload.data : ''))
  return data.filter((text) => typeof text === 'string' && text.startsWith(tag))
}

/** Several handles on one place. */
export const handleCases: readonly StreamCase[] = [
  {
    name: 'two handles on one place see what the other has written, at once',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      await store.appendMany('doc', [meta, entry('a')])
      await checkStream(other, 'doc', [meta, entry('a')], 'the other, after an append')
      await other.append('doc', metaRecord('h2'))
      await checkStream(store, 'doc', [meta, entry('a'), metaRecord('h2')], 'the first, after an append of the other')
      await other.replace('doc', [metaRecord('h3'), entry('b')])
      await checkStream(store, 'doc', [metaRecord('h3'), entry('b')], 'the first, after a replace')
      await store.compact('doc', () => [metaRecord('h4')])
      await checkStream(other, 'doc', [metaRecord('h4')], 'the other, after a compact')
      await store.delete('doc')
      await checkStream(other, 'doc', [], 'the other, after a delete')
      checkEqual((await other.stats()).docs, 0, 'stats of the other')
    },
  },
  {
    name: 'alternate appends of two handles never collide: nothing is lost, seqs grow',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const handles = [store, await open(), await open()]
      const records: StreamRecord[] = [meta, ...entries(60)]
      for (const [i, record] of records.entries()) await handles[i % 3]?.append('doc', record)
      for (const handle of handles) await checkStream(handle, 'doc', records, 'a handle')
      await handles[1]?.replace('doc', [meta])
      await handles[0]?.append('doc', entry('x'))
      await handles[2]?.append('doc', entry('y'))
      for (const handle of handles) await checkStream(handle, 'doc', [meta, entry('x'), entry('y')], 'after a replace')
    },
  },
  {
    name: 'concurrent first appends and appends of two handles never collide, and keep the order of each handle',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const handles = [store, await open()]
      const calls = handles.flatMap((handle, i) =>
        [meta, ...entries(50, `h${i}-`)].map((record) => handle.append('doc', record)),
      )
      await Promise.all(calls)
      const records = await loadAll(store, 'doc')
      checkEqual(records.length, 102, 'count of the records')
      for (const i of [0, 1])
        checkEqual(
          dataOf(records, `h${i}-`),
          entries(50, `h${i}-`).map(({ payload }) => payload.data),
          `order of handle ${i}`,
        )
      checkGrowing(await load(handles[1] ?? store, 'doc'), 'seqs')
      await checkStream(handles[1] ?? store, 'doc', records, 'the other handle')
    },
  },
  {
    name: 'the rules are checked against what the other handle has written',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      checkEqual(await other.currentMeta('doc'), null, 'before')
      await store.append('doc', meta)
      const words = /replicaType mismatch for document/
      await checkError(other.append('doc', metaRecord('h', ['loro', 1, 0])), 'StreamMismatchError', words, 'a type')
      await other.append('doc', entry('no meta needed'))
      await store.delete('doc')
      await checkError(other.append('doc', entry('x')), 'StreamFirstRecordError', /must be meta/, 'after a delete')
      await other.append('doc', metaRecord('h', ['loro', 1, 0]))
      const again = store.append('doc', meta)
      await checkError(again, 'StreamMismatchError', words, 'the first handle, after the document was made anew')
      await checkStream(store, 'doc', [metaRecord('h', ['loro', 1, 0])], 'the document')
    },
  },
  {
    name: 'readers of another handle see the old stream or the new one while it is replaced',
    needs: ['secondHandle'],
    timeoutMs: 120_000,
    async run({ store, open }) {
      const other = await open()
      const states = [0, 1].map((i) => [metaRecord(`h${i}`), ...entries(20 + 10 * i, `s${i}-`)])
      await store.replace('doc', states[0] ?? [])
      await checkReadersDuring(other, 'doc', states, true, async () => {
        for (let round = 1; round <= 20; round++) await store.replace('doc', states[round % 2] ?? [])
      })
    },
  },
  {
    name: 'what another handle appends while fold works is not lost: fold is called again with it',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      await store.appendMany('doc', [meta, entry('a')])
      const seen: number[] = []
      await store.compact('doc', async (records) => {
        seen.push(records.length)
        if (seen.length === 1) await other.append('doc', entry('late'))
        return [meta, entry(`of ${records.length}`)]
      })
      checkEqual(seen, [2, 3], 'what fold was given')
      await checkStream(other, 'doc', [meta, entry('of 3')], 'the document')
    },
  },
  {
    name: 'compact gives up with StreamConflictError when another handle never stops writing, and writes nothing',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      const records: StreamRecord[] = [meta]
      await store.append('doc', meta)
      const compacting = store.compact('doc', async () => {
        const record = entry(`late ${records.length}`)
        records.push(record)
        check(records.length < 1000, 'compact gives up')
        await other.append('doc', record)
        return [metaRecord('folded')]
      })
      await checkError(compacting, 'StreamConflictError', /./, 'compact')
      await checkStream(other, 'doc', records, 'nothing is lost')
    },
  },
  {
    name: 'a document that another handle deletes while fold works does not come back',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      await store.appendMany('doc', [meta, entry('a')])
      let calls = 0
      await failureOf(
        store.compact('doc', async (records) => {
          if (calls++ === 0) await other.delete('doc')
          return records.length === 0 ? [] : [meta, entry('folded')]
        }),
      )
      await checkStream(store, 'doc', [], 'the deleted document')
    },
  },
  {
    name: 'a tail tells what another handle writes, in order, each once, of a document and of a prefix',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      await other.appendMany('p/a', [meta, entry('a1')])
      const tails = [listen(store, 'p/a', { pollMs: 5 }), listen(store, { prefix: 'p/' }, { pollMs: 5 })]
      const records: StreamRecord[] = [meta, entry('a1')]
      for (let i = 0; i < 20; i++) {
        const record = entry(`x${i}`)
        records.push(record)
        await (i % 2 === 0 ? other : store).append('p/a', record)
      }
      for (const told of tails) await checkTold(told, 'p/a', records, 'a tail')
      await other.appendMany('p/new', [meta, entry('n')])
      await checkTold(tails[1] ?? tails[0]!, 'p/new', [meta, entry('n')], 'a new document of another handle')
    },
  },
  {
    name: 'a tail tells what another handle puts in the place of a stream',
    needs: ['secondHandle'],
    async run({ store, open, options }) {
      const other = await open()
      await store.appendMany('doc', [meta, entry('a')])
      const told = listen(store, 'doc', { pollMs: 5 })
      await checkTold(told, 'doc', [meta, entry('a')], 'before')
      await other.replace('doc', [metaRecord('h2'), entry('b')])
      await checkTold(told, 'doc', [meta, entry('a'), metaRecord('h2'), entry('b')], 'replaced')
      await other.compact('doc', () => [metaRecord('h3')])
      await other.append('doc', entry('c'))
      await until(() => told.of('doc').some((record) => record.kind === 'entry' && record.payload.data === 'c'), 'c')
      await settle()
      // Who has seen all that was folded is spared what the fold made of it where the storage knows up to where that was; else it
      // may be told once more, from the beginning.
      const folded = told.records.length > 5 ? [metaRecord('h3')] : []
      const wanted = [meta, entry('a'), metaRecord('h2'), entry('b'), ...folded, entry('c')]
      if (options.keepsClears === true) return checkTold(told, 'doc', wanted, 'compacted')
      // Told once more, seqs do not grow.
      checkEqual(told.of('doc'), wanted, 'compacted')
    },
  },
  {
    name: 'closing one handle leaves the other one working',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other: StreamStore = await open()
      await store.append('doc', meta)
      const told = listen(other, 'doc', { pollMs: 5 })
      await checkTold(told, 'doc', [meta], 'what is there')
      await store.close()
      await other.append('doc', entry('a'))
      await checkStream(other, 'doc', [meta, entry('a')], 'the other handle')
      await checkTold(told, 'doc', [meta, entry('a')], 'its tail')
      checkEqual(await listIds(other), ['doc'], 'its ids')
    },
  },
]
