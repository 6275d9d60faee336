import { expect, it } from 'vitest'
import { checksum } from '../base/checksum.js'
import { bucketMark, decodeEntry, encodeEntry, encodeRedacted, RecordTexts } from './codec.js'
import type { Entry } from './entry.js'

const LOG = 'log'
const a = { id: 'a', n: Infinity }
const b = { id: 'b', text: '"\u0000\ud800' }
const entry: Entry = {
  seq: 7,
  id: 'log-7',
  at: 1_700_000_000_000,
  type: 'store/transaction',
  data: { note: [1, null] },
  meta: { who: 'me' },
  event: {
    version: 2,
    at: 5,
    clock: 6,
    seed: 's',
    events: [{ type: 'sub', data: { n: Infinity }, events: [{ type: 'x' }] }],
  },
  cleared: ['x'],
  changes: [
    { bucket: 'users', key: 'a', before: undefined, after: a },
    { bucket: 'no"tes', key: 3, before: a, after: b },
    { bucket: 'users', key: false, before: b, after: undefined, cause: 'evicted' },
  ],
}

it('the text of an entry is a format: this one is version 1', () => {
  expect(encodeEntry(entry, LOG, new RecordTexts()).text).toBe(
    '{"v":1,"seq":7,"at":1700000000000,"type":"store/transaction","data":{"note":[1,null]},"meta":{"who":"me"},' +
      '"event":{"version":2,"at":5,"clock":6,"seed":"s","events":[{"type":"sub","data":{"n":1e999},"events":[{"type":"x"}]}]},"cleared":["x"],"changes":[' +
      '{"bucket":"users","key":"a","after":{"id":"a","n":1e999}},' +
      '{"bucket":"no\\"tes","key":3,"before":{"id":"a","n":1e999},"after":{"id":"b","text":"\\"\\u0000\\ud800"}},' +
      '{"bucket":"users","key":false,"before":{"id":"b","text":"\\"\\u0000\\ud800"},"cause":"evicted"}]}',
  )
})

it('an entry comes back as it was, with its own id where it came from another log', () => {
  for (const one of [entry, { ...entry, id: 'other-9' }, { ...entry, redacted: ['gone'], changes: [] }]) {
    const { text, sum } = encodeEntry(one, LOG, new RecordTexts())
    expect(decodeEntry(text, LOG)).toEqual(one)
    expect(decodeEntry(JSON.parse(text), LOG)).toEqual(one)
    expect(sum).toBe(checksum(text))
  }
})

it('a record that occurs several times is written out once', () => {
  let reads = 0
  const counted = {
    get id() {
      reads++
      return 'a'
    },
  }
  const texts = new RecordTexts()
  texts.of(counted)
  const changes = [{ bucket: 'users', key: 'a', before: counted, after: counted }]
  encodeEntry({ ...entry, changes }, LOG, texts)
  expect(reads).toBe(1)
})

it('a redacted entry keeps its place in the chain and nothing of the bucket', () => {
  const original = encodeEntry(entry, LOG, new RecordTexts())
  const redacted = encodeRedacted(entry, ['users'], LOG, original.sum)
  expect(redacted.sum).toBe(original.sum)
  expect(redacted.redactedSum).toBe(checksum(redacted.text))
  expect(decodeEntry(redacted.text, LOG)).toEqual({ ...entry, changes: [entry.changes[1]], redacted: ['users'] })
  expect(original.text).toContain(bucketMark('users'))
  expect(original.text).toContain(bucketMark('no"tes'))
  expect(redacted.text).not.toContain(bucketMark('users'))
})

it('what is no entry is refused, saying why', () => {
  const good = JSON.parse(encodeEntry(entry, LOG, new RecordTexts()).text) as Record<string, unknown>
  const bad: [unknown, RegExp][] = [
    ['', /JSON/],
    ['[]', /not a JSON object/],
    [{ ...good, v: 2 }, /format 2/],
    [{ ...good, seq: 1.5 }, /no seq/],
    [{ ...good, at: null }, /no time/],
    [{ ...good, type: 1 }, /no type/],
    [{ ...good, changes: {} }, /no changes/],
    [{ ...good, changes: [{ bucket: 'x', key: 1 }] }, /changes nothing/],
    [{ ...good, changes: [{ bucket: 'x', after: {} }] }, /no key/],
    [{ ...good, changes: [{ key: 1, after: {} }] }, /no bucket/],
    [{ ...good, changes: [{ bucket: 'x', key: 1, after: [] }] }, /not a JSON object/],
    [{ ...good, changes: [{ bucket: 'x', key: 1, after: {}, cause: 'x' }] }, /unknown cause/],
    [{ ...good, cleared: 'x' }, /list of names/],
    [{ ...good, meta: 5 }, /meta is not a JSON object/],
    [{ ...good, event: [] }, /the event is not a JSON object/],
    [{ ...good, event: { events: 5 } }, /sub-events are not a list/],
    [{ ...good, event: { events: [{}] } }, /a sub-event has no type/],
    [{ ...good, event: { events: [{ type: 'a', events: [5] }] } }, /a sub-event is not a JSON object/],
  ]
  for (const [text, reason] of bad) {
    expect(() => decodeEntry(typeof text === 'string' ? text : JSON.stringify(text), LOG)).toThrow(reason)
  }
})
