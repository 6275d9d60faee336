import { systemRuntime } from '../base/runtime.js'
import type { SequencedRecord, StreamRecord } from '../streams/record.js'
import type { LoadOptions } from '../streams/stream-store.js'
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
  textOf,
} from './stream-fixture.js'

const meta = metaRecord()

/** Bounds that are none. */
const BAD_OPTIONS: readonly unknown[] = [
  { after: 1.5 },
  { after: Number.NaN },
  { after: '1' },
  { after: null },
  { limit: -1 },
  { limit: 0.5 },
  { limit: Number.NaN },
  { limit: '5' },
  null,
  7,
]

/** Reading: bounds, pages, iterators. */
export const readCases: readonly StreamCase[] = [
  {
    name: 'load gives the records with their seqs, those that loadAll gives',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(5)])
      const placed = await load(store, 'doc')
      checkGrowing(placed, 'load')
      checkEqual(
        placed.map(({ seq: _seq, ...record }) => record as StreamRecord),
        await loadAll(store, 'doc'),
        'records',
      )
      checkEqual(await load(store, 'doc'), placed, 'seqs when it is read again')
      checkEqual(await load(store, 'nobody'), [], 'a document that does not exist')
    },
  },
  {
    name: 'load starts after a seq and stops at a limit',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(9)])
      const all = await load(store, 'doc')
      const seqAt = (i: number): number => all[i]?.seq ?? -1
      const parts: readonly (readonly [LoadOptions, readonly SequencedRecord[]])[] = [
        [{}, all],
        [{ after: seqAt(0) }, all.slice(1)],
        [{ after: seqAt(4) }, all.slice(5)],
        [{ after: seqAt(9) }, []],
        [{ after: seqAt(9) + 1000 }, []],
        [{ after: Number.MAX_SAFE_INTEGER }, []],
        [{ limit: 0 }, []],
        [{ limit: 1 }, all.slice(0, 1)],
        [{ limit: 10 }, all],
        [{ limit: 11 }, all],
        [{ limit: Number.MAX_SAFE_INTEGER }, all],
        [{ after: seqAt(2), limit: 3 }, all.slice(3, 6)],
        [{ after: seqAt(8), limit: 3 }, all.slice(9)],
      ]
      for (const [options, wanted] of parts) checkEqual(await load(store, 'doc', options), wanted, textOf(options))
    },
  },
  {
    name: 'a long stream is read in pages of any size without losing or repeating a record',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(2500)])
      const all = await load(store, 'doc')
      checkEqual(all.length, 2501, 'count')
      checkGrowing(all, 'all')
      for (const limit of [1, 500, 1000, 1024]) {
        const pages: SequencedRecord[] = []
        for (;;) {
          if (limit === 1 && pages.length >= 20) break
          const page = await load(store, 'doc', {
            limit,
            ...(pages.length > 0 ? { after: pages.at(-1)?.seq ?? 0 } : {}),
          })
          pages.push(...page)
          if (page.length < limit) break
        }
        checkEqual(pages, limit === 1 ? all.slice(0, 20) : all, `pages of ${limit}`)
      }
    },
  },
  {
    name: 'bounds that are not whole numbers are refused by load',
    async run({ store }) {
      await store.append('doc', meta)
      for (const options of BAD_OPTIONS) {
        const loading = async (): Promise<unknown> => drain(store.load('doc', options as LoadOptions))
        await checkError(loading(), 'InvalidArgumentError', /./, textOf(options))
      }
    },
  },
  {
    name: 'seqs grow over appends, and go on after replace',
    async run({ store }) {
      await store.append('doc', meta)
      await store.appendMany('doc', entries(3))
      await store.append('doc', entry('x'))
      const before = await load(store, 'doc')
      checkGrowing(before, 'appends')
      await store.replace('doc', [metaRecord('h2'), entry('new')])
      const replaced = await load(store, 'doc', { after: before.at(-1)?.seq ?? 0 })
      checkEqual(replaced.length, 2, 'count of records beyond the old ones, after replace')
      await store.append('doc', entry('newer'))
      const after = await load(store, 'doc')
      checkGrowing(after, 'after replace')
      checkEqual(after.slice(0, 2), replaced, 'the replaced records keep their seqs')
      await store.replace('doc', [meta])
      const last = await load(store, 'doc', { after: after.at(-1)?.seq ?? 0 })
      checkEqual(last.length, 1, 'count of records beyond the old ones, after the second replace')
    },
  },
  {
    name: 'a seq that a failed call might have had does no harm: seqs still grow',
    async run({ store }) {
      await store.append('doc', meta)
      await failureOf(store.append('doc', metaRecord('h', ['loro', 1, 0])))
      await store.append('doc', entry('x'))
      checkGrowing(await load(store, 'doc'), 'seqs')
      await checkStream(store, 'doc', [meta, entry('x')], 'the stream')
    },
  },
  {
    name: 'an iterator that is abandoned early holds nothing: writing and reading go on',
    async run({ store }) {
      const records = [meta, ...entries(600)]
      await store.appendMany('doc', records)
      for (let round = 0; round < 5; round++) {
        for await (const record of store.loadAll('doc')) if (record.kind === 'entry') break
        for await (const record of store.load('doc')) if (record.kind === 'entry') break
        for await (const id of store.listDocIds()) if (id === 'doc') break
        const never = store.loadAll('doc')[Symbol.asyncIterator]()
        await never.next()
      }
      await store.append('doc', entry('after'))
      await store.append('other', meta)
      await checkStream(store, 'doc', [...records, entry('after')], 'after iterators were abandoned')
    },
  },
  {
    name: 'two iterators at once, of one document and of two, are whole, and so is each that runs twice',
    async run({ store }) {
      const [one, two] = [
        [meta, ...entries(700, 'a')],
        [meta, ...entries(650, 'b')],
      ]
      await store.appendMany('one', one)
      await store.appendMany('two', two)
      const runs = [store.loadAll('one'), store.loadAll('one'), store.loadAll('two')].map((source) =>
        source[Symbol.asyncIterator](),
      )
      const got: StreamRecord[][] = runs.map(() => [])
      for (let open = runs.length; open > 0; ) {
        open = 0
        for (const [i, run] of runs.entries()) {
          const step = await run.next()
          if (step.done === true) continue
          got[i]?.push(step.value)
          open++
        }
      }
      checkEqual(got, [one, one, two], 'interleaved')
      checkEqual(await Promise.all(['one', 'two', 'one'].map((id) => loadAll(store, id))), [one, two, one], 'together')
    },
  },
  {
    name: 'writing while somebody reads works, and the reader sees one state',
    async run({ store }) {
      const first = [meta, ...entries(600)]
      await store.appendMany('doc', first)
      const states = new Set([textOf(first)])
      const seen: StreamRecord[] = []
      let written: StreamRecord[] = first
      for await (const record of store.loadAll('doc')) {
        seen.push(record)
        if (seen.length % 100 !== 0 || seen.length > 600) continue
        const more = [entry(`more ${seen.length}`), metaRecord(`h${seen.length}`)]
        await store.appendMany('doc', more)
        await store.appendMany('other', more.reverse())
        written = [...written, ...more.reverse()]
        states.add(textOf(written))
      }
      check(states.has(textOf(seen)), `the reader has seen ${seen.length} records, which was never a state`)
      await checkStream(store, 'doc', written, 'afterwards')
    },
  },
  {
    name: 'a reader that takes its time holds up nobody',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(600)])
      const iterator = store.loadAll('doc')[Symbol.asyncIterator]()
      await iterator.next()
      await store.append('doc', entry('x'))
      await store.append('other', meta)
      checkEqual(await store.currentMeta('doc'), meta.meta, 'currentMeta meanwhile')
      checkEqual((await loadAll(store, 'doc')).length, 602, 'count for another reader')
      await new Promise<void>((resolve) => systemRuntime.defer(resolve))
      check((await iterator.next()).done !== true, 'the slow reader goes on')
      await iterator.return?.()
    },
  },
]
