import type { SequencedRecord } from '../../src/streams/record.js'
import type { OnRecord, StreamTail, TailOptions, TailPrefix } from '../../src/streams/stream-store.js'
import type { PlantedBug } from './planted-bug.js'
import { type Doc, type ReferencePlace, ReferenceStore, type Seen } from './reference.js'

type Listen = [target: string | TailPrefix, options: TailOptions, onRecord: OnRecord]

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A tail that ends otherwise. Nobody has to look at how. */
function ending(tail: StreamTail, ended: Promise<void>): StreamTail {
  ended.catch(() => undefined)
  return { stop: () => tail.stop(), ended, callbackError: undefined }
}

/** Stores whose tails get something wrong. */
export const tailBugs: readonly PlantedBug[] = [
  [
    'a tail begins with the seq that it is given',
    ['a tail starts after a seq'],
    class extends ReferenceStore {
      protected override listen(target: string | TailPrefix, options: TailOptions, onRecord: OnRecord): StreamTail {
        const { after } = options
        return super.listen(target, typeof after === 'number' ? { ...options, after: after - 1 } : options, onRecord)
      }
    },
  ],
  [
    'a tail of nothing ends',
    ['a tail of a document that does not exist tells it when it is made'],
    class extends ReferenceStore {
      protected override listen(...args: Listen): StreamTail {
        const tail = super.listen(...args)
        if (typeof args[0] === 'string' && !this.place.docs.has(args[0])) tail.stop()
        return tail
      }
    },
  ],
  [
    'a tail of a prefix begins at the beginning',
    ['a tail of a prefix starts after a seq for each id that is given one'],
    class extends ReferenceStore {
      protected override listen(...[target, { after, ...rest }, onRecord]: Listen): StreamTail {
        return super.listen(target, typeof after === 'number' ? { ...rest, after } : rest, onRecord)
      }
    },
  ],
  [
    'a tail does not wait for its callback',
    ['the next record waits for the promise of the callback, and writing in a callback works'],
    class extends ReferenceStore {
      protected override listen(...[target, options, onRecord]: Listen): StreamTail {
        return super.listen(target, options, (record, id) => void onRecord(record, id))
      }
    },
  ],
  [
    'a tail counts records, not seqs',
    [
      'a replaced, compacted or deleted stream is told on: what is new, each once',
      'a document that was deleted and made anew is told',
      'a tail tells what another handle puts in the place of a stream',
      'a document that another handle deletes and makes anew is told, whatever was done to it before',
    ],
    class extends ReferenceStore {
      readonly #counts = new WeakMap<object, Map<string, number>>()
      protected override nextOf(...[target, seen]: Parameters<ReferenceStore['nextOf']>) {
        const counts = this.#counts.get(seen) ?? new Map<string, number>()
        this.#counts.set(seen, counts)
        for (const [id, doc] of this.place.docs) {
          if (typeof target === 'string' ? id !== target : !id.startsWith(target.prefix)) continue
          const after = seen.get(id)?.seq ?? -1
          const count = counts.get(id) ?? doc.rows.filter(({ seq }) => seq <= after).length
          counts.set(id, count + 1)
          const row = doc.rows[count]
          if (row !== undefined) return [id, row] as [string, SequencedRecord]
          counts.set(id, count)
        }
        return undefined
      }
    },
  ],
  [
    'a tail that is stopped catches up first',
    ['no record is told after stop, in the callback or outside; stop is safe twice, and ended resolves'],
    class extends ReferenceStore {
      protected override listen(...args: Listen): StreamTail {
        const tail = super.listen(...args)
        return { stop: () => void setTimeout(() => tail.stop(), 20), ended: tail.ended, callbackError: undefined }
      }
    },
  ],
  [
    'onError is told twice',
    ['a callback that throws or rejects ends its tail alone, told once, and ended rejects with it'],
    class extends ReferenceStore {
      protected override listen(...[target, options, onRecord]: Listen): StreamTail {
        const tail = super.listen(target, options, onRecord)
        tail.ended.catch((error: Error) => options.onError?.(error))
        return tail
      }
    },
  ],
  [
    'an error of the storage ends a tail as if it had been stopped',
    ['a tail that cannot read ends with the error, told once; the store goes on'],
    class extends ReferenceStore {
      protected override listen(...args: Listen): StreamTail {
        const tail = super.listen(...args)
        return ending(
          tail,
          tail.ended.catch(() => undefined),
        )
      }
    },
  ],
  [
    'a tail fails when the store is closed',
    ['close ends tails: nothing more is told, and ended resolves'],
    class extends ReferenceStore {
      protected override listen(...args: Listen): StreamTail {
        const tail = super.listen(...args)
        return ending(
          tail,
          tail.ended.then(() => this.checkOpen()),
        )
      }
    },
  ],
  [
    'close waits for callbacks',
    ['close does not wait for a callback that never ends'],
    class extends ReferenceStore {
      readonly #running = new Set<unknown>()
      protected override listen(...[target, options, onRecord]: Listen): StreamTail {
        return super.listen(target, options, async (record, id) => {
          const running = onRecord(record, id)
          this.#running.add(running)
          await running
          this.#running.delete(running)
        })
      }
      override async close(): Promise<void> {
        await super.close()
        await Promise.race([Promise.all(this.#running), pause(11_000)])
      }
    },
  ],
  [
    'what a tail is given is not checked',
    ['what is not a target, a place to start or a callback is refused'],
    class extends ReferenceStore {
      override tail(...args: Listen): StreamTail {
        return this.listen(...args)
      }
    },
  ],
  [
    'a tail looks when its own store has written',
    ['a tail tells what another handle writes, in order, each once, of a document and of a prefix'],
    class extends ReferenceStore {
      readonly #looked = new WeakMap<object, number>()
      #writes = 0
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        this.#writes++
      }
      protected override nextOf(...[target, seen]: Parameters<ReferenceStore['nextOf']>) {
        if (this.#looked.get(seen) === this.#writes) return undefined
        const next = super.nextOf(target, seen)
        if (next === undefined) this.#looked.set(seen, this.#writes)
        return next
      }
    },
  ],
  [
    'close ends the tails of all handles',
    ['closing one handle leaves the other one working'],
    class extends ReferenceStore {
      override close(): Promise<void> {
        this.place.listeners.clear()
        return super.close()
      }
    },
  ],
  [
    'each write of a store puts off its next look at what others have written',
    ['a tail hears of another handle while its own store writes all the time'],
    class extends ReferenceStore {
      #at = 0
      #writes = new Set<string>()
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        this.#at = performance.now()
        this.#writes.add(args[0])
      }
      protected override listen(...[target, options, onRecord]: Listen): StreamTail {
        let isStopped = false
        const tail = super.listen(target, options, async (record, id) => {
          while (!isStopped && record.kind === 'entry' && id === 'foreign' && performance.now() - this.#at < 200)
            await pause(10)
          if (!isStopped) await onRecord(record, id)
        })
        tail.ended.finally(() => (isStopped = true)).catch(() => undefined)
        return tail
      }
    },
  ],
  [
    'a tail begins anew whenever the stream was cleared',
    ['what another handle folds is not told again to who has seen all of it'],
    class extends ReferenceStore {
      protected override nextOf(...[target, seen]: Parameters<ReferenceStore['nextOf']>) {
        for (const [id, doc] of this.place.docs) {
          const last = seen.get(id)
          if (last !== undefined && last.clearedTo !== doc.clearedTo && last.clearedTo >= -1)
            seen.set(id, { seq: -1, clearedTo: doc.clearedTo })
        }
        return super.nextOf(target, seen)
      }
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        const doc = this.place.docs.get(args[0]) as Doc
        // Tells two clears of the same place apart.
        if (args[2].clear) this.place.docs.set(args[0], { ...doc, clearedTo: doc.clearedTo + ++clears / 1e6 })
      }
    },
  ],
  [
    'a tail goes by seqs alone',
    ['what another handle folds is told whole to who has seen a part'],
    class extends ReferenceStore {
      protected override nextOf(...[target, seen]: Parameters<ReferenceStore['nextOf']>) {
        for (const [id, doc] of this.place.docs) {
          const last: Seen = seen.get(id) ?? { seq: -1, clearedTo: -1 }
          seen.set(id, { ...last, clearedTo: doc.clearedTo })
        }
        return super.nextOf(target, seen)
      }
    },
  ],
  [
    'ended waits for onError',
    ['onError that throws harms nobody: ended rejects with what ended the tail, and the store goes on'],
    class extends ReferenceStore {
      protected override listen(...[target, { onError, ...options }, onRecord]: Listen): StreamTail {
        const tail = super.listen(target, options, onRecord)
        const ended = new Promise<void>((resolve, reject) => {
          const fail = (error: Error): void => {
            onError?.(error)
            reject(error)
          }
          tail.ended.then(resolve, fail).catch(() => undefined)
        })
        return ending(tail, ended)
      }
    },
  ],
  [
    'every write wakes every tail',
    ['a thousand tails of documents are not woken by writes to others'],
    class extends ReferenceStore {
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        for (let i = 0; i < this.place.listeners.size; i++) this.operation('look', () => undefined)
      }
    },
  ],
  [
    'a tail asks again and again while there is nothing',
    ['a tail that has told everything comes to rest: it asks nothing more of the storage'],
    class extends ReferenceStore {
      protected override listen(...args: Listen): StreamTail {
        const tail = super.listen(...args)
        const timer = setInterval(() => this.operation('tail', () => undefined), 1)
        tail.ended.finally(() => clearInterval(timer)).catch(() => undefined)
        return tail
      }
    },
  ],
  [
    'a tail leaves out what is larger than a megabyte',
    ['a tail tells a stream with large records whole, and what comes after them'],
    class extends ReferenceStore {
      protected override listen(...[target, options, onRecord]: Listen): StreamTail {
        return super.listen(target, options, (record, id) =>
          record.kind === 'entry' && record.payload.data.length > 1_000_000 ? undefined : onRecord(record, id),
        )
      }
    },
  ],
]

let clears = 0

/** How far the making of a place has come. */
const made = new WeakMap<ReferencePlace, 'half' | 'whole'>()

/** Stores that bear neither faults nor crashes. */
export const faultBugs: readonly PlantedBug[] = [
  [
    'a write that failed is tried again',
    [
      'a write whose n-th storage operation fails after it was done rejects, leaves the old state or the new one, and the next call works',
    ],
    class extends ReferenceStore {
      protected override commit(...args: Parameters<ReferenceStore['commit']>): void {
        try {
          super.commit(...args)
        } catch (error) {
          if (!/fault/.test(String(error))) throw error
          super.commit(...args)
        }
      }
    },
  ],
  [
    'what cannot be read is taken for nothing',
    ['a read whose n-th storage operation fails rejects or answers right, changes nothing, and the next call works'],
    class extends ReferenceStore {
      protected override read(id: string): Doc | undefined {
        try {
          return super.read(id)
        } catch (error) {
          void error
          return undefined
        }
      }
    },
  ],
  [
    'what is known about a document is written first, its records later',
    [
      'a crash at any point of the first append leaves the whole old state or the whole new one',
      'a crash at any point of an append of a meta leaves the whole old state or the whole new one',
      'a crash at any point of replace of no document leaves the whole old state or the whole new one',
    ],
    class extends ReferenceStore {
      protected override put(...[id, doc, planned]: Parameters<ReferenceStore['put']>): void {
        const meta = planned.add.findLast((record) => record.kind === 'meta')?.meta ?? doc?.meta
        if (meta !== undefined) this.place.docs.set(id, { rows: [], clearedTo: -1, ...doc, meta })
        this.operation('records', () => super.put(id, doc, planned))
      }
    },
  ],
  [
    'records are written first, their data later',
    [
      'a crash at any point of an append of an entry leaves the whole old state or the whole new one',
      'a crash at any point of appendMany leaves the whole old state or the whole new one',
      'a crash at any point of compact leaves the whole old state or the whole new one',
    ],
    class extends ReferenceStore {
      protected override put(...[id, doc, planned]: Parameters<ReferenceStore['put']>): void {
        const next = this.place.next.get(id) ?? 0
        const add = planned.add.map((record) =>
          record.kind === 'meta' ? record : { ...record, payload: { ...record.payload, data: '' } },
        )
        super.put(id, doc, { ...planned, add })
        this.operation('data', () => {
          this.place.next.set(id, next)
          super.put(id, doc, planned)
        })
      }
    },
  ],
  [
    'delete removes the records first and the document later',
    ['a crash at any point of delete leaves the whole old state or the whole new one'],
    class extends ReferenceStore {
      protected override remove(id: string): void {
        const doc = this.place.docs.get(id)
        if (doc === undefined) return
        this.operation('records', () => this.place.docs.set(id, { ...doc, rows: [] }))
        super.remove(id)
      }
    },
  ],
  [
    'a place that was made in part is not opened again',
    ['a place whose first opening crashed at any point can be opened, and is empty'],
    class extends ReferenceStore {
      constructor(...args: ConstructorParameters<typeof ReferenceStore>) {
        super(...args)
        if (made.get(this.place) === 'half') throw new Error('the tables are there in part')
        if (made.get(this.place) === undefined) this.operation('first table', () => made.set(this.place, 'half'))
        this.operation('second table', () => made.set(this.place, 'whole'))
      }
    },
  ],
]
