import type { SequencedRecord, StreamRecord } from '../streams/record.js'
import type { OnRecord, StreamStore, StreamTail, TailOptions, TailPrefix } from '../streams/stream-store.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  checkEqual,
  checkError,
  checkGrowing,
  entries,
  entry,
  failureOf,
  gate,
  load,
  metaRecord,
  pause,
  settle,
  until,
  withoutSeq,
} from './stream-fixture.js'

const meta = metaRecord()

/** What a tail has told. */
export interface Told {
  readonly tail: StreamTail
  readonly records: (SequencedRecord & { readonly id: string })[]
  /** The records of a document, without seqs. */
  of(id: string): StreamRecord[]
}

/** A poll that never comes: what is told is told at once. */
const NEVER_MS = 1_000_000

/** Tails `target`, and keeps what is told. */
export function listen(store: StreamStore, target: string | TailPrefix, options: TailOptions = {}): Told {
  const records: (SequencedRecord & { readonly id: string })[] = []
  const tail = store.tail(target, { pollMs: NEVER_MS, ...options }, (record, id) => {
    records.push({ ...record, id })
  })
  return {
    tail,
    records,
    of: (id) => records.filter((record) => record.id === id).map(({ id: _id, ...record }) => withoutSeq(record)),
  }
}

/** Waits until exactly `wanted` has been told of `id`, and nothing follows. */
export async function checkTold(told: Told, id: string, wanted: readonly StreamRecord[], claim: string): Promise<void> {
  await until(() => told.of(id).length >= wanted.length, `${claim}: ${wanted.length} records of ${id} told`)
  await settle()
  checkEqual(told.of(id), wanted, claim)
  checkGrowing(
    told.records.filter((record) => record.id === id),
    claim,
  )
}

/** Hearing of records as they come: tails of one handle. */
export const tailCases: readonly StreamCase[] = [
  {
    name: 'a tail tells what is there and then what comes, own writes without waiting for a poll',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const told = listen(store, 'doc')
      await checkTold(told, 'doc', [meta, entry('a')], 'what is there')
      await store.append('doc', entry('b'))
      await store.appendMany('doc', [entry('c'), metaRecord('h2')])
      await checkTold(told, 'doc', [meta, entry('a'), entry('b'), entry('c'), metaRecord('h2')], 'what came')
      checkEqual(
        told.records.map(({ id: _id, ...record }) => record),
        await load(store, 'doc'),
        'seqs as load gives them',
      )
    },
  },
  {
    name: 'a tail starts after a seq',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(5)])
      const after = (await load(store, 'doc'))[3]?.seq ?? 0
      const told = listen(store, 'doc', { after })
      await store.append('doc', entry('x'))
      await checkTold(told, 'doc', [...entries(5).slice(3), entry('x')], 'after a seq')
    },
  },
  {
    name: 'a tail of a document that does not exist tells it when it is made',
    async run({ store }) {
      const told = listen(store, 'doc')
      await settle()
      await store.append('doc', meta)
      await store.append('other', meta)
      await checkTold(told, 'doc', [meta], 'a new document')
      checkEqual(told.of('other'), [], 'another document')
    },
  },
  {
    name: 'a tail of a prefix tells every document under it, new ones too, and no other',
    async run({ store }) {
      await store.appendMany('room/a', [meta, entry('a1')])
      await store.appendMany('room/b', [meta, entry('b1')])
      await store.appendMany('Room/c', [meta, entry('c1')])
      const told = listen(store, { prefix: 'room/' })
      await checkTold(told, 'room/b', [meta, entry('b1')], 'b, there before')
      await Promise.all([
        store.append('room/a', entry('a2')),
        store.append('room/b', entry('b2')),
        store.append('room', meta),
        store.appendMany('room/\u{10ffff}', [meta, entry('d1')]),
        store.append('Room/c', entry('c2')),
      ])
      await checkTold(told, 'room/a', [meta, entry('a1'), entry('a2')], 'a')
      await checkTold(told, 'room/b', [meta, entry('b1'), entry('b2')], 'b')
      await checkTold(told, 'room/\u{10ffff}', [meta, entry('d1')], 'a new document')
      checkEqual([told.of('room'), told.of('Room/c')], [[], []], 'documents outside of the prefix')
    },
  },
  {
    name: 'a tail of a prefix starts after a seq for each id that is given one',
    async run({ store }) {
      for (const id of ['p/a', 'p/b', '__proto__']) await store.appendMany(id, [meta, ...entries(3)])
      const after = (await load(store, 'p/a'))[2]?.seq ?? 0
      const told = listen(store, { prefix: '' }, { after: { 'p/a': after } })
      await checkTold(told, 'p/b', [meta, ...entries(3)], 'an id that is given none')
      await checkTold(told, '__proto__', [meta, ...entries(3)], 'an id that objects know')
      await checkTold(told, 'p/a', entries(3).slice(2), 'an id that is given one')
    },
  },
  {
    name: 'what is written between catching up and waiting is told once and not lost',
    timeoutMs: 120_000,
    async run({ store }) {
      const records: StreamRecord[] = [meta, ...entries(700)]
      await store.appendMany('doc', records)
      const tails: Told[] = []
      const writes: Promise<void>[] = []
      for (let i = 0; i < 40; i++) {
        tails.push(listen(store, i % 2 === 0 ? 'doc' : { prefix: 'd' }))
        for (const record of entries(2, `w${i}-`)) {
          records.push(record)
          writes.push(store.append('doc', record))
        }
        if (i % 5 === 0) await pause(1)
      }
      await Promise.all(writes)
      for (const [i, told] of tails.entries()) {
        await until(() => told.records.length >= records.length, `tail ${i} tells everything`)
        checkEqual(told.of('doc'), records, `tail ${i}`)
      }
      await settle()
      for (const [i, told] of tails.entries()) checkEqual(told.records.length, records.length, `count of tail ${i}`)
    },
  },
  {
    name: 'the next record waits for the promise of the callback, and writing in a callback works',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(5)])
      let running = 0
      let most = 0
      let told = 0
      const onRecord: OnRecord = async (record, id) => {
        running++
        // Looked at later: a store that does not wait for the promise does not hear of it, either.
        most = Math.max(most, running)
        if (record.kind === 'entry' && record.payload.data === 'e2') await store.append(id, entry('from the callback'))
        await pause(1)
        running--
        told++
      }
      const tail = store.tail('doc', { pollMs: NEVER_MS }, onRecord)
      await until(() => told === 7, 'all records and the one from the callback')
      checkEqual(most, 1, 'callbacks at a time')
      tail.stop()
      await tail.ended
    },
  },
  {
    name: 'a replaced, compacted or deleted stream is told on: what is new, each once',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const told = listen(store, 'doc')
      await checkTold(told, 'doc', [meta, entry('a')], 'before')
      await store.replace('doc', [metaRecord('h2'), entry('b')])
      const replaced = [meta, entry('a'), metaRecord('h2'), entry('b')]
      await checkTold(told, 'doc', replaced, 'replaced')
      await store.compact('doc', () => [metaRecord('h3')])
      await settle()
      // Who has seen all that was folded may be spared what the fold made of it.
      const folded = told.records.length > replaced.length ? [metaRecord('h3')] : []
      await store.append('doc', entry('c'))
      await checkTold(told, 'doc', [...replaced, ...folded, entry('c')], 'compacted')
      await store.delete('doc')
      await checkTold(told, 'doc', [...replaced, ...folded, entry('c')], 'deleted')
    },
  },
  {
    name: 'a document that was deleted and made anew is told',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(4)])
      const tails = [listen(store, 'doc'), listen(store, { prefix: 'doc' })]
      for (const told of tails) await checkTold(told, 'doc', [meta, ...entries(4)], 'before')
      await store.delete('doc')
      await settle()
      await store.appendMany('doc', [metaRecord('new'), entry('new')])
      for (const told of tails) {
        await until(() => told.records.length >= 7, 'the new document is told')
        await settle()
        checkEqual(told.of('doc'), [meta, ...entries(4), metaRecord('new'), entry('new')], 'with the new document')
      }
    },
  },
  {
    name: 'no record is told after stop, in the callback or outside; stop is safe twice, and ended resolves',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(5)])
      let inside = 0
      const tail: StreamTail = store.tail('doc', { pollMs: NEVER_MS }, (record) => {
        inside++
        if (record.kind === 'entry') tail.stop()
      })
      await tail.ended
      checkEqual(inside, 2, 'count told before stop in the callback')
      const told = listen(store, { prefix: 'd' })
      await checkTold(told, 'doc', [meta, ...entries(5)], 'before stop')
      told.tail.stop()
      told.tail.stop()
      await told.tail.ended
      await store.append('doc', entry('x'))
      await settle()
      checkEqual([inside, told.records.length], [2, 6], 'counts after stop')
      const never = listen(store, 'doc')
      never.tail.stop()
      await never.tail.ended
      await settle()
      checkEqual(never.records.length, 0, 'count of a tail that was stopped at once')
    },
  },
  {
    name: 'a callback that throws or rejects ends its tail alone, told once, and ended rejects with it',
    async run({ store }) {
      await store.appendMany('doc', [meta, ...entries(3)])
      const own = new RangeError('the callback does not like it')
      const other = listen(store, 'doc')
      for (const fail of [
        () => {
          throw own
        },
        () => Promise.reject(own),
      ]) {
        const errors: Error[] = []
        let calls = 0
        const tail = store.tail('doc', { pollMs: NEVER_MS, onError: (error) => void errors.push(error) }, () => {
          calls++
          return calls === 2 ? fail() : undefined
        })
        const failure = await failureOf(tail.ended)
        check(failure === own || failure?.cause === own, `ended rejects with the error, got ${String(failure)}`)
        await settle()
        checkEqual([calls, errors.length], [2, 1], 'calls, and errors told')
        check(errors[0] === failure, 'onError is told the same error')
      }
      // Who is told need not look at `ended`: that must not end the program.
      const heard: Error[] = []
      store.tail('doc', { pollMs: NEVER_MS, onError: (error) => void heard.push(error) }, () => Promise.reject(own))
      await until(() => heard.length === 1, 'the error is told')
      await settle()
      await store.append('doc', entry('x'))
      await checkTold(other, 'doc', [meta, ...entries(3), entry('x')], 'another tail')
    },
  },
  {
    name: 'close ends tails: nothing more is told, and ended resolves',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const tails = [listen(store, 'doc'), listen(store, { prefix: '' }), listen(store, 'nobody')]
      await until(() => tails[1]?.records.length === 2, 'what is there is told')
      await store.close()
      await Promise.all(tails.map(({ tail }) => tail.ended))
      const counts = tails.map(({ records }) => records.length)
      await settle()
      checkEqual(
        tails.map(({ records }) => records.length),
        counts,
        'counts after close',
      )
    },
  },
  {
    name: 'close does not wait for a callback that never ends',
    async run({ store }) {
      await store.append('doc', meta)
      const begun = gate()
      store.tail('doc', { pollMs: NEVER_MS }, () => {
        begun.open()
        return new Promise<void>(() => undefined)
      })
      await begun.opened
      let closed = false
      void store.close().then(() => (closed = true))
      await until(() => closed, 'close resolves')
    },
  },
  {
    name: 'what is not a target, a place to start or a callback is refused',
    async run({ store }) {
      const bad: readonly (readonly unknown[])[] = [
        [5, {}, () => undefined],
        [{}, {}, () => undefined],
        [{ prefix: 5 }, {}, () => undefined],
        ['doc', { after: 1.5 }, () => undefined],
        ['doc', { after: 'x' }, () => undefined],
        [{ prefix: '' }, { after: { a: 'x' } }, () => undefined],
        ['doc', { pollMs: -1 }, () => undefined],
        ['doc', {}, 'callback'],
      ]
      for (const [i, args] of bad.entries()) {
        const calling = async (): Promise<void> => {
          const [target, options, onRecord] = args as Parameters<StreamStore['tail']>
          await store.tail(target, options, onRecord).ended
        }
        await checkError(calling(), 'InvalidArgumentError', /./, `arguments ${i}`)
      }
    },
  },
]
