import type { StoredRecord } from '../base/value.js'
import { check, checkRejects, checkSame } from './expect.js'
import type { ConformanceCase } from './conformance-case.js'
import type { TestWriter } from './storage-fixture.js'
import {
  clearing,
  defining,
  deleting,
  dropping,
  loadRows,
  putting,
  testContext,
  testRecord,
} from './storage-fixture.js'

const HOSTILE_NAMES: readonly string[] = [
  '',
  ' ',
  'users',
  'Users',
  'sqlite_sequence',
  'varve_log',
  'bucket_3',
  'a"b',
  "it's; DROP TABLE varve_log; --",
  'a.b/c\\d',
  '..',
  'nul\u0000byte',
  'lone \ud800 surrogate',
  'žluťoučký 🐎',
  'constructor',
  '__proto__',
  'select',
  'x'.repeat(500),
]

const HOSTILE_RECORDS: readonly StoredRecord[] = [
  testRecord('empty', { text: '', list: [], object: {} }),
  testRecord('quotes', { text: '\'"`$ ${x} \\ \u0000 \u001f \u2028', 'field "with" \u0000 all': 1 }),
  testRecord('surrogates', { text: '\ud800', more: ['\udfff\ud800', '🐎'], '\ud800': true }),
  testRecord('numbers', { infinite: Infinity, least: -Infinity, big: 2 ** 53, tiny: 5e-324, list: [Infinity, null] }),
  testRecord('json', { text: '],[{"id":"smuggled"},null', bucket: '{"bucket":"users","key":' }),
  testRecord('deep', { one: { two: [{ three: { four: null } }] }, constructor: 'x', toString: false, toJSON: 'no' }),
  testRecord('long', { text: 'ž"\n'.repeat(350_000) }),
]

async function checkRows(writer: TestWriter): Promise<void> {
  for (const [bucket, rows] of writer.model.rows) {
    const expected = [...rows].sort(([x], [y]) => x - y).map(([ordinal, record]) => ({ ordinal, record }))
    checkSame(await writer.load(bucket), expected, `the rows of bucket ${JSON.stringify(bucket)}`)
  }
}

/** The part of the storage contract that is about rows and buckets. */
export const rowCases: readonly ConformanceCase[] = [
  {
    name: 'rows come by rising ordinal, whatever order they were put in',
    async run({ writer }) {
      await writer.write(defining('users'))
      for (const ordinal of [5, 2, 9, 1_000_000_000_000, 1])
        await writer.write(putting('users', ordinal, testRecord(`k${ordinal}`)))
      await checkRows(writer)
      checkSame(await writer.load('nobody'), [], 'a bucket that is not there')
    },
  },
  {
    name: 'put replaces the row, delete removes it, in the order of the steps',
    async run({ writer }) {
      await writer.write(defining('users'))
      const [one, two, three] = [testRecord('1'), testRecord('2'), testRecord('3')]
      await writer.writeGroup([putting('users', 1, one), putting('users', 1, two, one), putting('users', 2, one)])
      await checkRows(writer)
      await writer.writeGroup([deleting('users', 2, one), putting('users', 3, three), deleting('users', 3, three)])
      await checkRows(writer)
      await writer.writeGroup([deleting('users', 1, two), putting('users', 1, three)])
      await checkRows(writer)
    },
  },
  {
    name: 'many rows over several buckets load whole',
    async run({ writer }) {
      await writer.writeGroup([defining('users'), defining('notes')])
      const group = Array.from({ length: 2_501 }, (_, i) =>
        putting(i % 3 === 0 ? 'notes' : 'users', i + 1, testRecord(`k${i}`, { i })),
      )
      await writer.writeGroup(group)
      await checkRows(writer)
    },
  },
  {
    name: 'a delete of a row that is not there is refused and nothing of the batch is written',
    async run({ writer }) {
      await writer.writeGroup([defining('users'), putting('users', 1, testRecord('1'))])
      const batch = writer.batch([putting('users', 2, testRecord('2')), deleting('users', 77, testRecord('77'))])
      await checkRejects((async () => await writer.adapter.append(2, batch))(), 'InvariantError', 'the delete')
      await checkRows(writer)
      checkSame(
        await writer.write(putting('users', 3, testRecord('3'))),
        { appended: true, head: 3 },
        'the next append',
      )
      await checkRows(writer)
    },
  },
  {
    name: 'a row of a bucket that is not defined is refused and nothing of the batch is written',
    async run({ writer }) {
      await writer.writeGroup([defining('users'), putting('users', 1, testRecord('1'))])
      const batch = writer.batch([putting('users', 2, testRecord('2')), putting('nobody', 1, testRecord('1'))])
      await checkRejects((async () => await writer.adapter.append(2, batch))(), 'InvariantError', 'the put')
      await checkRows(writer)
    },
  },
  {
    name: 'define keeps rows, and what is kept about a bucket changes with it',
    needs: 'durable',
    async run({ writer, restart }) {
      await writer.write(defining('users', { fields: ['id', 'name'] }))
      await writer.write(putting('users', 1, testRecord('1')))
      await writer.write(defining('users', { key: 'id', counter: 3, fields: ['id', 'na"me', 'other'] }))
      await writer.write({ ops: [{ op: 'counter', bucket: 'users', counter: 41 }] })
      await writer.write(defining('notes'))
      const again = await restart()
      const [users, notes] = again.report?.buckets ?? []
      checkSame(
        [users?.bucket, users?.counter, notes?.bucket],
        ['users', 41, 'notes'],
        'the buckets, in order of creation',
      )
      await checkRows(again)
    },
  },
  {
    name: 'a batch without entries changes rows and leaves the head',
    async run({ writer }) {
      await writer.write(defining('users'))
      const ops = [{ op: 'put', bucket: 'users', ordinal: 1, record: testRecord('1') } as const]
      const outcome = await writer.adapter.append(1, { entries: [], ops, durability: writer.durability })
      checkSame(outcome, { appended: true, head: 1 }, 'the append')
      checkSame((await writer.load('users')).length, 1, 'the rows')
    },
  },
  {
    name: 'clear and drop remove rows; a bucket of the same name starts empty',
    async run({ writer }) {
      await writer.writeGroup([defining('users'), putting('users', 1, testRecord('1'))])
      await writer.write(clearing('users'))
      await checkRows(writer)
      await writer.writeGroup([putting('users', 2, testRecord('2')), dropping('users')])
      checkSame(await writer.load('users'), [], 'the rows of a dropped bucket')
      await writer.writeGroup([defining('users', { key: 'name' }), putting('users', 1, testRecord('again'))])
      await writer.writeGroup([dropping('users'), defining('users'), putting('users', 5, testRecord('five'))])
      await checkRows(writer)
    },
  },
  {
    name: 'any string is a bucket name',
    async run({ writer, restart, durableLog }) {
      for (const name of HOSTILE_NAMES)
        await writer.write(defining(name, { key: name, fields: [name, 'x"y', 'record'] }))
      let n = 0
      for (const name of HOSTILE_NAMES)
        await writer.write(putting(name, ++n, testRecord(name, { [name === '__proto__' ? 'p' : name]: n })))
      await checkRows(writer)
      if (!durableLog) return
      const again = await restart()
      checkSame(
        again.report?.buckets.map((meta) => meta.bucket),
        HOSTILE_NAMES,
        'the names',
      )
      await checkRows(again)
      for (const name of HOSTILE_NAMES) await again.write(dropping(name))
      checkSame((await restart()).report?.buckets, [], 'the buckets, after all were dropped')
    },
  },
  {
    name: 'any record comes back as it was',
    async run({ writer, restart, durableLog }) {
      await writer.write(defining('users'))
      await writer.writeGroup(HOSTILE_RECORDS.map((record, i) => putting('users', i + 1, record)))
      await checkRows(writer)
      const entries: unknown[] = []
      for await (const entry of writer.adapter.readLog(1)) entries.push(entry)
      checkSame(entries, writer.model.entries.slice(1), 'the log')
      if (durableLog) await checkRows(await restart())
    },
  },
  {
    name: 'rows outlive the adapter, and flush and close may be called at any time',
    needs: 'durable',
    async run({ writer, restart }) {
      await writer.adapter.flush()
      await writer.writeGroup([defining('users'), defining('empty'), putting('users', 1, testRecord('1'))])
      await writer.adapter.flush()
      await writer.adapter.flush()
      await writer.write(putting('users', 2, testRecord('2')))
      const again = await restart()
      check(again.report?.created === false, 'it was not created again')
      checkSame(again.report?.quarantined, [], 'nothing was damaged')
      await checkRows(again)
      await again.adapter.close()
      await again.adapter.close()
      await again.open()
      await checkRows(again)
    },
  },
  {
    name: 'a second store on the same place is refused while the first is open, and harms nothing',
    needs: 'exclusive',
    async run({ writer, another }) {
      await writer.writeGroup([defining('users'), putting('users', 1, testRecord('1'))])
      const second = another()
      await checkRejects(second.open(testContext('second')), 'StorageLockedError', 'the second open')
      await second.close()
      await writer.write(putting('users', 2, testRecord('2')))
      await checkRows(writer)
      await writer.adapter.close()
      await second.open(testContext('second'))
      checkSame(
        (await loadRows(second, 'users')).length,
        2,
        'the rows that the second finds, after the first has closed',
      )
      await second.close()
      await writer.open()
    },
  },
  {
    name: 'an adapter that is open cannot be opened again',
    async run({ writer }) {
      await checkRejects(writer.adapter.open(testContext('second')), 'StorageLockedError', 'the second open')
      await writer.write(defining('users'))
    },
  },
]
