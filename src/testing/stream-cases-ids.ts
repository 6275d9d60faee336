import type { StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import { checkEqual, checkError, checkStream, drain, entry, listIds, metaRecord } from './stream-fixture.js'

/** Ids that storages like to confuse. All differ. */
const HARD_IDS: readonly string[] = [
  '',
  '\0',
  '\0\0',
  'a',
  'a\0',
  'a\0b',
  'a\0b\0c',
  'ab',
  'A',
  'Ab',
  'a%',
  'a_',
  'a\\',
  'a\\%',
  '%',
  '_',
  '\\',
  "'",
  '"',
  "it's; DROP TABLE x; --",
  '../a',
  '/a/../b',
  'a/',
  'a/b',
  'a:b',
  'é',
  'e\u0301',
  'É',
  'ß',
  'ss',
  'İ',
  'i',
  'I',
  '\u00ff',
  '\u00ff\u00ff',
  '日本',
  'Ω',
  '\u2126',
  '\ufffd',
  '\uffff',
  '\u{10000}',
  '😀',
  '\u{10ffff}',
  '\u{10ffff}\u{10ffff}',
  ' ',
  ' a',
  'a ',
  '\n',
  '1',
  '01',
  '1.0',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
]

const LONE_SURROGATES: readonly string[] = ['\ud800', '\udc00', '\udfff', 'a\ud800', 'a\ud801', '\ud800\ud800']

/** UTF-8, for ids without lone surrogates: the code points in order are the bytes in order. */
function byBytes(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** Ids, and listing them. */
export const idCases: readonly StreamCase[] = [
  {
    name: 'ids that differ in anything are different documents',
    async run({ store }) {
      const ids = [...HARD_IDS, ...LONE_SURROGATES]
      for (const [i, id] of ids.entries()) await store.appendMany(id, [metaRecord(`h${i}`), entry(`data of ${i}`)])
      for (const [i, id] of ids.entries())
        await checkStream(store, id, [metaRecord(`h${i}`), entry(`data of ${i}`)], JSON.stringify(id))
      const listed = await listIds(store)
      checkEqual(listed.length, ids.length, 'count of the ids')
      check(
        ids.every((id) => listed.includes(id)),
        'every id is listed as it is',
      )
    },
  },
  {
    name: 'replacing, deleting and appending to one of several similar ids leaves the others alone',
    async run({ store }) {
      const ids = ['a', 'a\0', 'a\0b', 'A', 'ab', '', 'a\ud800', 'a\ufffd', '__proto__']
      const streams = new Map<string, StreamRecord[]>()
      const checkAll = async (claim: string): Promise<void> => {
        for (const [id, records] of streams)
          await checkStream(store, id, records, `${JSON.stringify(id)} after ${claim}`)
      }
      for (const id of ids) {
        streams.set(id, [metaRecord(), entry(`of ${JSON.stringify(id)}`)])
        await store.appendMany(id, streams.get(id) ?? [])
      }
      for (const id of ids) {
        await store.replace(id, [metaRecord('h2')])
        await store.append(id, entry('after'))
        streams.set(id, [metaRecord('h2'), entry('after')])
        await checkAll(`a change of ${JSON.stringify(id)}`)
        await store.delete(id)
        streams.set(id, [])
        await checkAll(`${JSON.stringify(id)} was deleted`)
      }
    },
  },
  {
    name: 'a very long id is an id, and keeps apart from one that differs at its end',
    async run({ store, options }) {
      const long = 'x'.repeat((options.idBytesMax ?? 100_000) - 1)
      for (const end of ['a', 'b']) await store.appendMany(`${long}${end}`, [metaRecord(), entry(end)])
      for (const end of ['a', 'b'])
        await checkStream(store, `${long}${end}`, [metaRecord(), entry(end)], `ends in ${end}`)
      checkEqual((await listIds(store, long)).length, 2, 'count under the long prefix')
    },
  },
  {
    name: 'listDocIds gives all ids in the order of their UTF-8 bytes',
    async run({ store }) {
      for (const id of HARD_IDS) await store.append(id, metaRecord())
      checkEqual(await listIds(store), [...HARD_IDS].sort(byBytes), 'all ids')
      checkEqual(await listIds(store, ''), [...HARD_IDS].sort(byBytes), 'the empty prefix')
    },
  },
  {
    name: 'listDocIds(prefix) compares bytes: case, accents and wildcards count, and nothing that begins so is missing',
    async run({ store }) {
      const ids = [
        ...HARD_IDS,
        'users/a',
        'users/\u00ff',
        'users/日本',
        'users/\u{10ffff}x',
        'users/',
        'Users/a',
        'users0',
      ]
      for (const id of ids) await store.append(id, metaRecord())
      const prefixes = [
        'users/',
        'Users',
        'USERS',
        'a',
        'A',
        'a\0',
        '\0',
        'a%',
        '%',
        '_',
        '\\',
        'é',
        'e',
        '\u00ff',
        '日',
      ]
      for (const prefix of [...prefixes, 'users/\u00ff', '\uffff', '\u{10ffff}', 'zzz', "'", '"', ' ']) {
        const wanted = ids.filter((id) => id.startsWith(prefix)).sort(byBytes)
        checkEqual(await listIds(store, prefix), wanted, `prefix ${JSON.stringify(prefix)}`)
      }
    },
  },
  {
    name: 'an id with a lone surrogate is found under its prefix',
    async run({ store }) {
      for (const id of ['p\ud800x', 'p\ud801x', 'p\ufffdx']) await store.append(id, metaRecord())
      checkEqual(await listIds(store, 'p\ud800'), ['p\ud800x'], 'a lone surrogate in the prefix')
      checkEqual(await listIds(store, 'p\ufffd'), ['p\ufffdx'], 'the replacement character as prefix')
    },
  },
  {
    name: 'listDocIds gives many ids, each once, and bears writes meanwhile',
    async run({ store }) {
      const ids = Array.from({ length: 1500 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
      await Promise.all(ids.map((id) => store.append(id, metaRecord())))
      checkEqual(await listIds(store, 'many/'), ids, 'many ids')
      const seen: string[] = []
      for await (const id of store.listDocIds('many/')) {
        seen.push(id)
        if (seen.length === 3) {
          await store.append('many/00000x', metaRecord())
          await store.delete('many/00001')
        }
      }
      const untouched = ids.filter((id) => id !== 'many/00001')
      checkEqual(
        seen.filter((id) => untouched.includes(id)),
        untouched,
        'ids that were there all the time',
      )
      checkEqual(new Set(seen).size, seen.length, 'count of different ids')
    },
  },
  {
    name: 'a document is listed from its first record until it is deleted, and not for a call that was refused',
    async run({ store }) {
      await checkError(store.append('doc', entry('x')), 'StreamFirstRecordError', /./, 'an entry')
      await store.delete('doc')
      checkEqual(await listIds(store), [], 'after a refusal')
      await store.replace('doc', [metaRecord()])
      checkEqual(await listIds(store, 'do'), ['doc'], 'after replace')
      await store.delete('doc')
      checkEqual(await listIds(store), [], 'after delete')
    },
  },
  {
    name: 'a prefix that is not text is refused',
    async run({ store }) {
      const listing = async (): Promise<unknown> => drain(store.listDocIds(5 as unknown as string))
      await checkError(listing(), 'InvalidArgumentError', /./, 'a number')
    },
  },
]
