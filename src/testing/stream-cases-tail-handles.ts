import type { StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import { FaultPlan } from './faults.js'
import type { StreamCase } from './stream-case.js'
import { checkTold, listen } from './stream-cases-tail.js'
import { checkEqual, entries, entry, load, loadAll, metaRecord, pause, settle, until } from './stream-fixture.js'

const meta = metaRecord()

const sum = (records: readonly StreamRecord[]): StreamRecord[] => [...records.slice(0, 1), entry('sum')]

/** Tails, and what else goes on at the same time. */
export const tailHandleCases: readonly StreamCase[] = [
  {
    name: 'a tail hears of another handle while its own store writes all the time',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      for (const id of ['own', 'foreign']) await store.append(id, meta)
      const tails = [listen(store, { prefix: '' }, { pollMs: 200 }), listen(store, 'foreign', { pollMs: 200 })]
      let isOver = false
      const writing = (async () => {
        for (let i = 0; !isOver; i++) {
          await store.append('own', entry(`own ${i}`))
          await pause(1)
        }
      })()
      try {
        await pause(50)
        await other.append('foreign', entry('hello'))
        await until(() => tails.every((told) => told.of('foreign').length === 2), 'both tails are told')
      } finally {
        isOver = true
        await writing
      }
      for (const told of tails) await checkTold(told, 'foreign', [meta, entry('hello')], 'what the other has written')
    },
  },
  {
    name: 'what another handle folds is not told again to who has seen all of it',
    needs: ['secondHandle', 'keepsClears'],
    async run({ store, open }) {
      const other = await open()
      const all = [meta, ...entries(4)]
      await store.appendMany('doc', all)
      const told = listen(store, 'doc', { pollMs: 5 })
      await checkTold(told, 'doc', all, 'before')
      for (const fold of [(records: readonly StreamRecord[]) => records, sum, sum]) {
        await other.compact('doc', fold)
        await settle()
        checkEqual(told.of('doc'), all, 'after a compact of the other handle')
      }
      await other.append('doc', entry('new'))
      await checkTold(told, 'doc', [...all, entry('new')], 'what comes after')
    },
  },
  {
    name: 'what another handle folds is told whole to who has seen a part',
    needs: ['secondHandle', 'keepsClears'],
    async run({ store, open }) {
      const other = await open()
      await store.appendMany('doc', [meta, ...entries(9)])
      const before = await load(store, 'doc')
      const folded = [meta, ...entries(4, 'f')]
      await other.compact('doc', () => folded)
      const told = listen(store, 'doc', { after: before[7]?.seq ?? 0, pollMs: 5 })
      await checkTold(told, 'doc', folded, 'from a place in the middle of what was folded')
      const behind = listen(store, 'doc', { after: before.at(-1)?.seq ?? 0, pollMs: 5 })
      await other.append('doc', entry('new'))
      await checkTold(behind, 'doc', [entry('new')], 'from the end of what was folded')
    },
  },
  {
    name: 'a document that another handle deletes and makes anew is told, whatever was done to it before',
    needs: ['secondHandle'],
    async run({ store, open }) {
      const other = await open()
      const anew = [metaRecord('new'), entry('n1'), entry('n2')]
      const preparations: readonly (readonly [name: string, run: (id: string) => Promise<void>])[] = [
        ['nothing', async () => undefined],
        ['compact of the other', (id) => other.compact(id, sum)],
        ['compact of its own store', (id) => store.compact(id, sum)],
      ]
      for (const [id, prepare] of preparations) {
        for (const isFromCursor of [false, true]) {
          const doc = `${id} ${isFromCursor}`
          await store.appendMany(doc, [meta, ...entries(4)])
          const after = isFromCursor ? ((await load(store, doc)).at(-1)?.seq ?? 0) : -1
          const told = listen(store, doc, { after, pollMs: 5 })
          await settle()
          await prepare(doc)
          await settle()
          await other.delete(doc)
          await settle()
          const count = told.records.length
          await other.appendMany(doc, anew)
          await until(() => told.records.length >= count + 3, `${doc}: the new document is told`)
          await settle()
          checkEqual(told.of(doc).slice(count), anew, `${doc}: what is told of the new document`)
          told.tail.stop()
        }
      }
    },
  },
  {
    name: 'onError that throws harms nobody: ended rejects with what ended the tail, and the store goes on',
    async run({ store }) {
      await store.append('doc', meta)
      const own = new RangeError('the callback does not like it')
      const onError = (): void => {
        throw new Error('and onError neither')
      }
      const fail = (): void => {
        throw own
      }
      const tail = store.tail('doc', { onError }, fail)
      const settled = tail.ended.then(
        () => 'it resolved',
        (error: unknown) => error,
      )
      const outcome = await Promise.race([settled, pause(1_000).then(() => 'it does not settle')])
      check(outcome === own || (outcome as Error).cause === own, `ended rejects with the error, got ${String(outcome)}`)
      await settle()
      checkEqual(tail.callbackError?.message, 'and onError neither', 'what onError has thrown is the callbackError')
      const told = listen(store, 'doc')
      await store.append('doc', entry('x'))
      await checkTold(told, 'doc', [meta, entry('x')], 'another tail')
    },
  },
  {
    name: 'a thousand tails of documents are not woken by writes to others',
    needs: ['faults'],
    async run({ openFaulty }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      const tails = Array.from({ length: 1_000 }, (_, i) => listen(store, `quiet ${i}`))
      await store.append('busy', meta)
      await settle()
      await settle()
      plan.arm({ failAt: Infinity, error: () => new Error('never') })
      for (let i = 0; i < 20; i++) await store.append('busy', entry(`e${i}`))
      await settle()
      const { calls } = plan
      plan.arm(undefined)
      // Where a storage does not tell own writes from others', each look for those of others is one at every document.
      check(calls < 8_000, `twenty appends elsewhere made ${calls} calls of the storage`)
      await store.append('quiet 7', meta)
      await until(() => tails[7]?.records.length === 1, 'the one that is concerned is told')
      checkEqual((await loadAll(store, 'busy')).length, 21, 'the busy document')
    },
  },
]
