import type { StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import { checkReadersDuring } from './stream-cases-replace.js'
import {
  checkEqual,
  checkError,
  checkGrowing,
  checkStream,
  entries,
  entry,
  failureOf,
  gate,
  load,
  metaRecord,
  pause,
  withoutSeq,
} from './stream-fixture.js'

const meta = metaRecord()

/** Folds a stream into its last meta and one entry that counts the entries. */
function countEntries(records: readonly StreamRecord[]): StreamRecord[] {
  const count = records.reduce((sum, record) => sum + countOf(record), 0)
  return [records.findLast((record) => record.kind === 'meta') ?? meta, entry(`count ${count}`, 'folded')]
}

function countOf(record: StreamRecord): number {
  if (record.kind === 'meta') return 0
  const folded = /^count (\d+)$/.exec(String(record.payload.data))
  return folded === null ? 1 : Number(folded[1])
}

/** Making fewer records of many. */
export const compactCases: readonly StreamCase[] = [
  {
    name: 'compact gives fold the whole stream and puts in its place what it makes of it, at once or later',
    async run({ store }) {
      const records = [meta, ...entries(30), metaRecord('h2'), ...entries(5, 'f')]
      await store.appendMany('doc', records)
      let seen: readonly StreamRecord[] = []
      await store.compact('doc', (all) => countEntries((seen = all)))
      checkEqual(seen, records, 'what fold was given')
      await checkStream(store, 'doc', [metaRecord('h2'), entry('count 35', 'folded')], 'a fold that answers at once')
      await store.append('doc', entry('x'))
      await store.compact('doc', async (all) => {
        await pause(3)
        return countEntries(all)
      })
      await checkStream(store, 'doc', [metaRecord('h2'), entry('count 36', 'folded')], 'a fold that takes its time')
    },
  },
  {
    name: 'seqs go on after compact, and who has seen everything is given all of the folded records or none',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(10)])
      const before = await load(store, 'doc')
      await store.compact('doc', countEntries)
      await store.append('doc', entry('x'))
      const all = await load(store, 'doc')
      checkGrowing(all, 'after compact')
      const after = await load(store, 'doc', { after: before.at(-1)?.seq ?? 0 })
      check(
        after.length === 1 || after.length === 3,
        `the appended record, after all of the fold or none: ${after.length}`,
      )
      checkEqual(after.map(withoutSeq).at(-1), entry('x'), 'the appended record is beyond all that was there')
    },
  },
  {
    name: 'an error of fold rejects compact, as it is, and nothing is written',
    async run({ store }) {
      const records = [meta, ...entries(3)]
      await store.appendMany('doc', records)
      const own = new TypeError('fold does not like it')
      const thrown = await failureOf(
        store.compact('doc', () => {
          throw own
        }),
      )
      check(thrown === own || thrown?.cause === own, `the error of fold, got ${String(thrown)}`)
      const rejected = await failureOf(store.compact('doc', () => Promise.reject(own)))
      check(rejected === own || rejected?.cause === own, `the rejection of fold, got ${String(rejected)}`)
      await checkStream(store, 'doc', records, 'after the errors')
      await store.append('doc', entry('x'))
      await store.compact('doc', countEntries)
      await checkStream(store, 'doc', [meta, entry('count 4', 'folded')], 'the next compact')
    },
  },
  {
    name: 'what fold makes has to have a meta that goes with the document, or nothing is written',
    async run({ store }) {
      const records = [meta, ...entries(3)]
      await store.appendMany('doc', records)
      const words = /batch must contain at least one meta record/
      for (const made of [[], [entry('x')]]) {
        await checkError(
          store.compact('doc', () => made),
          'StreamNoMetaError',
          words,
          `${made.length} records`,
        )
      }
      const foreign = store.compact('doc', () => [metaRecord('h1', ['loro', 1, 0])])
      await checkError(foreign, 'StreamMismatchError', /replicaType mismatch/, 'another type')
      const nothing = store.compact('doc', () => undefined as unknown as StreamRecord[])
      await checkError(nothing, 'InvalidArgumentError', /./, 'no list')
      await checkStream(store, 'doc', records, 'after the refusals')
    },
  },
  {
    name: 'what is appended while fold works is not lost',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(10)])
      const begun = gate()
      const done = gate()
      const compacting = store.compact('doc', async (all) => {
        begun.open()
        await done.opened
        return countEntries(all)
      })
      await begun.opened
      const appending = Promise.all(entries(5, 'late').map((record) => store.append('doc', record)))
      await pause(5)
      done.open()
      await Promise.all([compacting, appending])
      await store.compact('doc', countEntries)
      await checkStream(store, 'doc', [meta, entry('count 15', 'folded')], 'all of them were counted')
    },
  },
  {
    name: 'a fold that waits holds up no other document',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const done = gate()
      const compacting = store.compact('doc', async (all) => {
        await done.opened
        return countEntries(all)
      })
      await store.appendMany('other', [meta, entry('b')])
      await checkStream(store, 'other', [meta, entry('b')], 'another document meanwhile')
      done.open()
      await compacting
    },
  },
  {
    name: 'fold may change what it is given without any effect on the store',
    async run({ store }) {
      const fresh = (): StreamRecord[] => [metaRecord(), entry(Uint8Array.of(1, 2, 3))]
      await store.appendMany('doc', fresh())
      const spoil = store.compact('doc', (all) => {
        for (const record of all) {
          if (record.kind === 'entry' && record.payload.data instanceof Uint8Array) record.payload.data.fill(9)
          Reflect.set(record, 'kind', 'spoiled')
        }
        throw new Error('on purpose')
      })
      check((await failureOf(spoil)) !== undefined, 'the error of fold')
      await checkStream(store, 'doc', fresh(), 'after fold spoiled what it was given')
      const bytes = Uint8Array.of(4, 5)
      await store.compact('doc', () => [meta, entry(bytes)])
      bytes.fill(0)
      await checkStream(store, 'doc', [meta, entry(Uint8Array.of(4, 5))], 'after the bytes that fold gave were changed')
    },
  },
  {
    name: 'readers see the old stream or the new one while it is compacted, never none and never a mixture',
    timeoutMs: 120_000,
    async run({ store }) {
      const full = [meta, ...entries(12)]
      const folded = [meta, entry('count 12', 'folded')]
      await store.replace('doc', full)
      await checkReadersDuring(store, 'doc', [full, folded], true, async () => {
        for (let round = 0; round < 15; round++) {
          await store.compact('doc', round % 2 === 0 ? countEntries : async (all) => countEntries(all))
          await store.replace('doc', full)
        }
      })
    },
  },
]
