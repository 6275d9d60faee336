import type { Entry } from '../log/entry.js'
import { check, checkRejects, checkSame } from './expect.js'
import type { ConformanceCase } from './conformance-case.js'
import {
  clearing,
  defining,
  deleting,
  dropping,
  putting,
  readAll,
  testRecord,
  type TestWriter,
} from './storage-fixture.js'

const a = testRecord('a', { n: 1 })
const b = testRecord('b', { n: 2 })

async function writeSome(writer: TestWriter, count: number): Promise<void> {
  await writer.write(defining('users'))
  for (let i = 1; i < count; i++) await writer.write(putting('users', i, testRecord(`k${i}`, { i })))
}

function seqs(entries: readonly Entry[]): number[] {
  return entries.map((entry) => entry.seq)
}

/** The part of the storage contract that is about the log. */
export const logCases: readonly ConformanceCase[] = [
  {
    name: 'a fresh storage is empty and says so',
    async run({ writer }) {
      const { created, head, first, headAt, buckets, logId, quarantined, truncatedBytes } =
        writer.report ?? ({} as never)
      checkSame(
        { created, head, first, headAt, buckets, quarantined, truncatedBytes },
        {
          created: true,
          head: 0,
          first: 1,
          headAt: 0,
          buckets: [],
          quarantined: [],
          truncatedBytes: 0,
        },
        'the report of a fresh storage',
      )
      check(typeof logId === 'string' && logId.length > 0, 'the log has an id')
      checkSame(await readAll(writer.adapter), [], 'the log of a fresh storage')
    },
  },
  {
    name: 'append answers the new head, and the log gives back what was appended',
    async run({ writer }) {
      checkSame(await writer.write(defining('users')), { appended: true, head: 1 }, 'the first append')
      checkSame(await writer.write(putting('users', 1, a)), { appended: true, head: 2 }, 'the second append')
      const group = [putting('users', 2, b), putting('users', 1, b, a), deleting('users', 2, b)]
      checkSame(await writer.writeGroup(group), { appended: true, head: 5 }, 'a group')
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log')
    },
  },
  {
    name: 'entries keep everything they say: data, cleared, causes, any bucket and key',
    async run({ writer }) {
      await writer.write(defining('users'))
      const changes = [
        { bucket: 'users', key: 'x', before: undefined, after: a },
        { bucket: 'users', key: 1, before: a, after: b },
        { bucket: 'users', key: true, before: b, after: undefined, cause: 'ttl' as const },
        { bucket: '', key: '"\\\u0000\ud800', before: undefined, after: a },
      ]
      await writer.write({ type: 'odd "type"\u0000', data: { n: Infinity, list: [1, null, '\udfff'] }, changes })
      await writer.write({ cleared: ['other', '\u0000'], changes: [] })
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log')
    },
  },
  {
    name: 'append with an old head writes nothing and answers what was missed',
    async run({ writer }) {
      await writeSome(writer, 5)
      const batch = { ...writer.batch([putting('users', 9, testRecord('nine'))]) }
      const outcome = await writer.adapter.append(2, {
        ...batch,
        entries: batch.entries.map((entry) => ({ ...entry, seq: 3 })),
      })
      check(!outcome.appended, 'the append is refused')
      checkSame(outcome.missed, writer.model.entries.slice(2), 'the missed entries')
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log afterwards')
      checkSame(
        (await writer.load('users')).map((row) => row.ordinal),
        [1, 2, 3, 4],
        'the rows afterwards',
      )
    },
  },
  {
    name: 'an entry that leaves a gap is refused and nothing is written',
    async run({ writer }) {
      await writeSome(writer, 2)
      const batch = writer.batch([putting('users', 7, testRecord('seven'))])
      const gap = { ...batch, entries: batch.entries.map((entry) => ({ ...entry, seq: entry.seq + 1 })) }
      // Whether it throws or rejects, the error is the same.
      await checkRejects((async () => await writer.adapter.append(2, gap))(), 'InvariantError', 'a gap')
      await writer.write(putting('users', 2, b))
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log afterwards')
    },
  },
  {
    name: 'readLog starts after a seq, stops at a limit and picks types',
    async run({ writer }) {
      await writeSome(writer, 10)
      checkSame(seqs(await readAll(writer.adapter, 7)), [8, 9, 10], 'after 7')
      checkSame(seqs(await readAll(writer.adapter, 10)), [], 'after the head')
      checkSame(seqs(await readAll(writer.adapter, 99)), [], 'after more than the head')
      checkSame(seqs(await readAll(writer.adapter, 2, { limit: 3 })), [3, 4, 5], 'a limit')
      checkSame(seqs(await readAll(writer.adapter, 0, { limit: 0 })), [], 'a limit of nothing')
      checkSame(seqs(await readAll(writer.adapter, 0, { types: ['store/define'] })), [1], 'a type')
      checkSame(
        seqs(await readAll(writer.adapter, 0, { types: ['store/write'], limit: 2 })),
        [2, 3],
        'a type and a limit',
      )
      checkSame(seqs(await readAll(writer.adapter, 0, { types: [] })), [], 'no type')
    },
  },
  {
    name: 'readLog can be left early, and entries may be appended while it runs',
    async run({ writer }) {
      await writeSome(writer, 20)
      const seen: number[] = []
      for await (const entry of writer.adapter.readLog(0)) {
        seen.push(entry.seq)
        if (entry.seq === 5) await writer.write(putting('users', 50, testRecord('fifty')))
        if (entry.seq === 15) break
      }
      checkSame(
        seen,
        Array.from({ length: 15 }, (_, i) => i + 1),
        'the entries seen',
      )
      await writer.write(putting('users', 51, testRecord('after')))
      checkSame(seqs(await readAll(writer.adapter, 20)), [21, 22], 'the entries after')
    },
  },
  {
    name: 'a long log is read whole, in order',
    async run({ writer }) {
      await writer.write(defining('users'))
      const group = Array.from({ length: 700 }, (_, i) =>
        putting('users', i + 1, testRecord(`k${i}`, { text: 'x'.repeat(i) })),
      )
      await writer.writeGroup(group)
      const entries = await readAll(writer.adapter)
      checkSame(
        seqs(entries),
        Array.from({ length: 701 }, (_, i) => i + 1),
        'the seqs',
      )
      checkSame(entries.at(-1), writer.model.entries.at(-1), 'the last entry')
    },
  },
  {
    name: 'trim lets the oldest entries go by number and by age, and never touches rows',
    async run({ writer }) {
      await writeSome(writer, 12)
      checkSame(await writer.adapter.trim({}), 0, 'without bounds')
      checkSame(await writer.adapter.trim({ rows: 100 }), 0, 'within the budget')
      checkSame(await writer.adapter.trim({ rows: 4 }), 8, 'beyond four entries')
      checkSame(seqs(await readAll(writer.adapter)), [9, 10, 11, 12], 'what is left')
      checkSame(await writer.adapter.trim({ ageMs: 60_000 }), 4, 'entries of long ago')
      checkSame(await readAll(writer.adapter), [], 'nothing is left')
      checkSame((await writer.load('users')).length, 11, 'the rows')
      checkSame(await writer.write(putting('users', 40, b)), { appended: true, head: 13 }, 'the next append')
      checkSame(seqs(await readAll(writer.adapter)), [13], 'the log after it')
    },
  },
  {
    name: 'clear takes what earlier entries say about the bucket out of them, and nothing else',
    async run({ writer }) {
      await writer.writeGroup([defining('users'), defining('notes')])
      await writer.write(putting('users', 1, a))
      await writer.writeGroup([
        putting('notes', 1, b),
        putting('users', 2, b),
        clearing('users'),
        putting('users', 3, a),
      ])
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log')
      check(
        writer.model.entries.some((entry) => entry.redacted !== undefined),
        'something was redacted',
      )
      checkSame(
        (await writer.load('users')).map((row) => row.ordinal),
        [3],
        'the rows of the bucket',
      )
      checkSame(
        (await writer.load('notes')).map((row) => row.ordinal),
        [1],
        'the rows of the other',
      )
      await writer.write(clearing('users'))
      await writer.write(dropping('notes'))
      checkSame(await readAll(writer.adapter), writer.model.entries, 'the log after a second clear and a drop')
    },
  },
  {
    name: 'trimmable tells what trim would let go of, and upTo holds it back, where the adapter can tell',
    async run({ writer }) {
      const { adapter } = writer
      if (adapter.trimmable === undefined) return
      await writeSome(writer, 12)
      checkSame(await adapter.trimmable({ rows: 100 }), 0, 'within the budget')
      checkSame(await adapter.trimmable({ rows: 4 }), 8, 'beyond four entries')
      checkSame(seqs(await readAll(adapter)).length, 12, 'the log, which was only asked')
      checkSame(await adapter.trim({ rows: 4, upTo: 0 }), 0, 'up to nothing')
      checkSame(await adapter.trim({ rows: 4, upTo: 3 }), 3, 'up to the third')
      checkSame(await adapter.trimmable({ rows: 4 }), 8, 'the same end as before')
      checkSame(await adapter.trim({ rows: 4, upTo: 100 }), 5, 'up to more than there is')
      checkSame(await adapter.trimmable({ rows: 4 }), 0, 'nothing left')
      checkSame(seqs(await readAll(adapter)), [9, 10, 11, 12], 'the log')
    },
  },
  {
    name: 'firstSeq and entriesOf, where there are any, say what reading the log says',
    async run({ writer }) {
      const { adapter } = writer
      checkSame((await adapter.firstSeq?.()) ?? 1, 1, 'of an empty log')
      await writer.write(defining('users'))
      await writer.write(defining('notes'))
      const odd = testRecord('a"\\ä', { text: '{"bucket":"users","key":"b",' })
      for (const record of [a, b, odd]) await writer.write(putting('users', Number(record.n ?? 3), record))
      await writer.write(putting('notes', 1, a))
      await writer.write(deleting('users', 1, a))
      await adapter.trim({ rows: 6 })
      checkSame((await adapter.firstSeq?.()) ?? 2, 2, 'of a log that was trimmed')
      for (const [key, expected] of [
        ['a', [7, 3]],
        ['b', [4]],
        [odd.id as string, [5]],
        ['x', []],
      ] as const) {
        const found = (await adapter.entriesOf?.('users', key, 0, 100)) ?? expected
        check(
          expected.every((seq) => found.includes(seq)),
          `every entry about ${key} is found`,
        )
        checkSame(
          found,
          [...found].sort((one, other) => other - one),
          'the latest first',
        )
        check(
          (await adapter.entriesOf?.('users', key, 3, 7))?.every((seq) => seq > 3 && seq < 7) !== false,
          'within bounds',
        )
      }
    },
  },
  {
    name: 'the log outlives the adapter, trimmed and redacted as it was',
    needs: 'durableLog',
    async run({ writer, restart }) {
      const { logId } = writer.report ?? ({} as never)
      await writeSome(writer, 8)
      await writer.write(clearing('users'))
      await writer.adapter.trim({ rows: 6 })
      await writer.adapter.flush()
      const again = await restart()
      const { report } = again
      checkSame([report?.created, report?.logId, report?.head, report?.first], [false, logId, 9, 4], 'the report')
      checkSame(report?.headAt, writer.model.entries.at(-1)?.at, 'the time of the last entry')
      checkSame(await readAll(again.adapter), again.model.entries.slice(3), 'the log')
      await again.adapter.trim({ rows: 0 })
      const third = await restart()
      checkSame([third.report?.head, third.report?.first], [9, 10], 'the report of a log without entries')
      checkSame(await third.write(putting('users', 90, a)), { appended: true, head: 10 }, 'an append to it')
      checkSame(seqs(await readAll(third.adapter)), [10], 'the log after it')
    },
  },
]
