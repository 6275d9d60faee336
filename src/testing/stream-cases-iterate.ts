import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import { checkEqual, checkStream, drain, entries, entry, metaRecord } from './stream-fixture.js'

const meta = metaRecord()

/** What iterators promise besides their records. */
export const iteratorCases: readonly StreamCase[] = [
  {
    name: 'next that is called several times without waiting gives the records in order, each once',
    async run({ store }) {
      const records = [meta, ...entries(700)]
      await store.appendMany('doc', records)
      await store.append('other', meta)
      const sources: readonly (readonly [AsyncIterable<unknown>, readonly unknown[]])[] = [
        [store.loadAll('doc'), records],
        [store.loadAll('other'), [meta]],
        [store.listDocIds(), ['doc', 'other']],
      ]
      for (const [source, wanted] of sources) {
        const iterator = source[Symbol.asyncIterator]()
        // Behind a write of the same turn, so that the first answer has to wait.
        const writing = store.append('third', meta)
        const steps = await Promise.all(Array.from({ length: wanted.length + 2 }, () => iterator.next()))
        await writing
        await store.delete('third')
        const found = steps.flatMap((step) => (step.done === true ? [] : [step.value]))
        const listed = found.filter((item) => item !== 'third')
        checkEqual(listed, wanted, 'what they give together')
        check(steps.at(-1)?.done === true, 'the last one is done')
      }
    },
  },
  {
    name: 'return in the middle ends an iterator, with and without a next that waits, and harms nothing',
    async run({ store }) {
      const records = [meta, ...entries(700)]
      await store.appendMany('doc', records)
      for (const source of [store.loadAll('doc'), store.load('doc'), store.listDocIds()]) {
        for (const isWaiting of [false, true]) {
          const iterator: AsyncIterator<unknown> = source[Symbol.asyncIterator]()
          const first = iterator.next()
          if (!isWaiting) await first
          await iterator.return?.()
          check((await first).done === true || (await first).value !== undefined, 'a next before return is answered')
          check((await iterator.next()).done === true, 'next after return is done')
        }
      }
      await store.append('doc', entry('after'))
      await checkStream(store, 'doc', [...records, entry('after')], 'afterwards')
    },
  },
  {
    name: 'two iterators of one iterable are each whole, and a later one reads anew',
    async run({ store }) {
      const records = [meta, ...entries(700)]
      await store.appendMany('doc', records)
      const source = store.loadAll('doc')
      const [one, two] = [source[Symbol.asyncIterator](), source[Symbol.asyncIterator]()]
      const found: unknown[][] = [[], []]
      for (let isOpen = true; isOpen; ) {
        const steps = [await one.next(), await two.next()]
        for (const [i, step] of steps.entries()) if (step.done !== true) found[i]?.push(step.value)
        isOpen = steps.some((step) => step.done !== true)
      }
      checkEqual(found, [records, records], 'both')
      await store.append('doc', entry('later'))
      checkEqual(await drain(source), [...records, entry('later')], 'a third one, after a write')
      const ids = store.listDocIds()
      checkEqual([await drain(ids), await drain(ids)], [['doc'], ['doc']], 'ids, twice')
    },
  },
]
