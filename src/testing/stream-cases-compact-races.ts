import type { SequencedRecord, StreamRecord } from '../streams/record.js'
import type { Fold, StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import { checkTold, listen } from './stream-cases-tail.js'
import {
  checkEqual,
  checkGrowing,
  checkStream,
  entries,
  entry,
  failureOf,
  gate,
  load,
  loadAll,
  metaRecord,
  pause,
  settle,
  textOf,
  withoutSeq,
} from './stream-fixture.js'

const meta = metaRecord()
const secret = entry('secret')

const keepAll: Fold = (records) => records
const redact: Fold = (records) => records.filter((record) => textOf(record) !== textOf(secret))
const keepMeta: Fold = (records) => records.filter((record) => record.kind === 'meta').slice(-1)

/** Rejects only if others kept writing. @returns whether it resolved. */
async function isDone(compacting: Promise<void>, claim: string): Promise<boolean> {
  const failure = await failureOf(compacting)
  check(failure === undefined || failure.name === 'StreamConflictError', `${claim}: ${String(failure)}`)
  return failure === undefined
}

/** Compacts `doc` by a fold that keeps everything, and calls `meanwhile` while it works. @returns whether it compacted. */
async function compactDuring(store: StreamStore, meanwhile: () => Promise<unknown>): Promise<boolean> {
  const [begun, done] = [gate(), gate()]
  const compacting = store.compact('doc', async (records) => {
    begun.open()
    await done.opened
    return records
  })
  await begun.opened
  // It may have to wait for the compact: then it takes effect afterwards.
  const calls = meanwhile()
  await settle()
  done.open()
  const [isCompacted] = await Promise.all([isDone(compacting, 'compact'), calls])
  return isCompacted
}

/** A compact that removes something, at the same time as one that keeps everything. */
async function checkRemoved(store: StreamStore, other: StreamStore): Promise<void> {
  const rest = [meta, entry('x'), entry('y')]
  for (const fold of [keepAll, async (records: readonly StreamRecord[]) => records]) {
    await store.replace('doc', [meta, secret, entry('x'), entry('y')])
    const compacts = [isDone(other.compact('doc', redact), 'redact'), isDone(store.compact('doc', fold), 'keep')]
    if ((await Promise.all(compacts))[0] === true) await checkStream(store, 'doc', rest, 'what was removed is gone')
  }
  await store.replace('doc', [meta, secret, entry('x'), entry('y')])
  let isRemoved = false
  await compactDuring(store, async () => {
    isRemoved = await isDone(other.compact('doc', redact), 'redact')
  })
  if (isRemoved) await checkStream(store, 'doc', rest, 'what was removed while another fold worked is gone')
}

/** A document that is cleared while it is folded: what was acknowledged is what is there. */
async function checkCleared(store: StreamStore, other: StreamStore): Promise<void> {
  // As many as before: counting them does not tell.
  const anew = [metaRecord('new'), entry('n1'), entry('n2')]
  await store.appendMany('doc', [meta, entry('old 1'), entry('old 2')])
  await compactDuring(store, async () => {
    // One after the other: in one transaction they might go on with the seqs of the old one.
    await other.delete('doc')
    await other.appendMany('doc', anew)
  })
  await checkStream(store, 'doc', anew, 'deleted and made anew')
  await store.replace('doc', [meta, entry('old 1'), entry('old 2')])
  await compactDuring(store, () => other.replace('doc', anew))
  await checkStream(store, 'doc', anew, 'replaced')
  await compactDuring(store, () => other.delete('doc'))
  await checkStream(store, 'doc', [], 'deleted')
}

/** Counts the appends in what is there, folded ones too. */
function namesIn(records: readonly StreamRecord[]): string[] {
  return records.flatMap((record) => (record.kind === 'entry' ? record.version.split(';').filter(Boolean) : []))
}

/** Folds entries into one that has the versions of all. */
const join: Fold = (records) => [meta, entry('joined', namesIn(records).join(';'))]

/** Each seq stands for one record only. */
function checkSeqs(seen: Map<number, string>, placed: readonly SequencedRecord[]): void {
  checkGrowing(placed, 'seqs')
  for (const { seq, ...record } of placed) {
    const before = seen.get(seq)
    const now = textOf(record)
    check(before === undefined || before === now, `seq ${seq} was given to ${String(before)} and to ${now}`)
    seen.set(seq, now)
  }
}

/** Compacts among other calls. */
export const compactRaceCases: readonly StreamCase[] = [
  {
    name: 'of two compacts at once on one handle, what one removed does not come back by the other',
    run: ({ store }) => checkRemoved(store, store),
  },
  {
    name: 'of two compacts at once on two handles, what one removed does not come back by the other',
    needs: ['secondHandle'],
    run: async ({ store, open }) => checkRemoved(store, await open()),
  },
  {
    name: 'a document that is deleted and made anew, or replaced, while fold works keeps what was written',
    run: ({ store }) => checkCleared(store, store),
  },
  {
    name: 'a document that another handle deletes and makes anew, or replaces, while fold works keeps what was written',
    needs: ['secondHandle'],
    run: async ({ store, open }) => checkCleared(store, await open()),
  },
  {
    name: 'a compact whose fold answers at once takes its place in the order of calls',
    async run({ store }) {
      const after = entry('AFTER')
      await Promise.all([
        store.appendMany('a', [meta, ...entries(3)]),
        store.compact('a', keepMeta),
        store.append('a', after),
      ])
      await checkStream(store, 'a', [meta, after], 'appended after the call of compact')
      await store.appendMany('b', [meta, ...entries(3)])
      const replaced = [metaRecord('h2'), entry('r1'), entry('r2')]
      await Promise.all([store.compact('b', keepMeta), store.replace('b', replaced)])
      await checkStream(store, 'b', replaced, 'replaced after the call of compact')
      const calls = [store.replace('b', [meta, ...entries(2)]), store.compact('b', keepMeta)]
      const reading = loadAll(store, 'b')
      const current = store.currentMeta('b')
      calls.push(store.delete('b'))
      checkEqual([await reading, await current], [[meta], meta.meta], 'read between compact and delete')
      await Promise.all(calls)
      await checkStream(store, 'b', [], 'deleted after the call of compact')
    },
  },
  {
    name: 'what fold makes takes the last seqs of what it was given, or when it is more, seqs beyond them',
    async run({ store }) {
      await store.append('doc', meta)
      await store.replace('doc', [meta, ...entries(9)])
      const before = await load(store, 'doc')
      const seqs = before.map(({ seq }) => seq)
      await store.compact('doc', (records) => [...records].reverse())
      checkEqual(
        (await load(store, 'doc')).map(({ seq }) => seq),
        seqs,
        'as many: the places stay',
      )
      await store.compact('doc', () => [meta, ...entries(3, 'f')])
      checkEqual(
        (await load(store, 'doc')).map(({ seq }) => seq),
        seqs.slice(-4),
        'less: the last places',
      )
      const told = listen(store, 'doc')
      await checkTold(told, 'doc', [meta, ...entries(3, 'f')], 'before')
      const grown = [meta, ...entries(5, 'g')]
      await store.compact('doc', () => grown)
      const beyond = await load(store, 'doc', { after: seqs.at(-1) ?? 0 })
      checkEqual(beyond.map(withoutSeq), grown, 'more: a reader with the old cursor gets all of them')
      await checkTold(told, 'doc', [meta, ...entries(3, 'f'), ...grown], 'more: a tail is told all of them')
      await store.delete('doc')
      await store.appendMany('doc', [meta, entry('new')])
      const cursor = (await load(store, 'doc')).at(-1)?.seq ?? 0
      await store.compact('doc', () => grown)
      const found = await load(store, 'doc', { after: cursor })
      checkEqual(found.map(withoutSeq), grown, 'more, in a document that was made anew')
    },
  },
  {
    name: 'compacts of one handle lose nothing of what another handle appends meanwhile',
    needs: ['secondHandle'],
    timeoutMs: 240_000,
    async run({ store, open }) {
      const other = await open()
      await store.append('doc', meta)
      const names = Array.from({ length: 500 }, (_, i) => `v${i}`)
      let isOver = false
      const appending = (async () => {
        for (const [i, name] of names.entries()) {
          await other.append('doc', entry('x', name))
          if (i % 3 === 0) await pause(1)
        }
        isOver = true
      })()
      const compacting = (async () => {
        for (let i = 0; !isOver; i++) {
          const slow: Fold = async (records) => {
            await pause(1)
            return join(records)
          }
          await isDone(store.compact('doc', i % 2 === 0 ? join : slow), 'compact')
          await pause(2)
        }
      })()
      await Promise.all([appending, compacting])
      await store.compact('doc', join)
      checkEqual(namesIn(await loadAll(other, 'doc')), names, 'all that was acknowledged, each once, in order')
    },
  },
  {
    name: 'replaces of one handle among appends of another lose nothing that comes after, and no seq is given twice',
    needs: ['secondHandle'],
    timeoutMs: 240_000,
    async run({ store, open }) {
      const other = await open()
      await store.append('doc', meta)
      const seen = new Map<number, string>()
      let appended = 0
      let isOver = false
      const appending = (async () => {
        for (; appended < 300; appended++) {
          await other.append('doc', entry(`a${appended}`))
          if (appended % 3 === 0) await pause(1)
        }
        isOver = true
      })()
      const replacing = (async () => {
        for (let i = 0; !isOver; i++) {
          await store.replace('doc', [meta, entry(`r${i}`)])
          // One that is under way may have taken effect before.
          const sure = appended + 1
          checkSeqs(seen, await load(store, 'doc'))
          await pause(2)
          const end = appended
          const data = new Set((await loadAll(store, 'doc')).map((record) => textOf(record)))
          for (let n = sure; n < end; n++) {
            check(data.has(textOf(entry(`a${n}`))), `a${n} was appended after replace, and is not there`)
          }
        }
      })()
      await Promise.all([appending, replacing])
      checkSeqs(seen, await load(other, 'doc'))
    },
  },
  {
    name: 'close waits for a compact whose fold answers at once that was called before',
    needs: ['reopen'],
    async run({ store, open }) {
      await store.appendMany('doc', [meta, ...entries(3)])
      const calls = [store.compact('doc', keepMeta), store.append('doc', entry('after'))]
      await store.close()
      await Promise.all(calls)
      await checkStream(await open(), 'doc', [meta, entry('after')], 'opened again')
    },
  },
]
