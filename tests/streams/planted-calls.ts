import { StreamConflictError, StreamFirstRecordError } from '../../src/streams/errors.js'
import type { SequencedRecord, StreamRecord } from '../../src/streams/record.js'
import type { Fold, LoadOptions, StreamStats } from '../../src/streams/stream-store.js'
import type { PlantedBug } from './planted-bug.js'
import { type Doc, type Planned, ReferenceStore } from './reference.js'

/** A store whose compacts wait for nobody, and which takes a stream for unchanged when `trace` has not changed. */
abstract class HastyFolds extends ReferenceStore {
  protected abstract trace(doc: Doc | undefined): unknown
  override async compact(id: string, fold: Fold): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const before = this.place.docs.get(id)
      if (before === undefined) return
      const made = await fold(before.rows.map(({ seq: _seq, ...record }) => this.copy(record)))
      if (this.trace(this.place.docs.get(id)) !== this.trace(before)) continue
      this.commit(id, (doc) => this.planFold(id, doc, made))
      return
    }
    throw new StreamConflictError('STREAM_CONFLICT', 'others kept writing', { id })
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Stores that get replace, delete, compact or the order of calls wrong. */
export const callBugs: readonly PlantedBug[] = [
  [
    'replace wants a document that exists',
    ['replace puts a batch in the place of the stream, existing or not'],
    class extends ReferenceStore {
      protected override planReplace(...[id, doc, records]: Parameters<ReferenceStore['planReplace']>) {
        if (doc === undefined) throw new StreamFirstRecordError(id)
        return super.planReplace(id, doc, records)
      }
    },
  ],
  [
    'replace needs no meta where there is one',
    ['a batch without a meta is refused with the words of kyneta, and nothing is written'],
    class extends ReferenceStore {
      protected override planReplace(...[id, doc, add]: Parameters<ReferenceStore['planReplace']>) {
        const hasMeta = doc === undefined || add.some((record) => record.kind === 'meta')
        return hasMeta ? super.planReplace(id, doc, add) : { clear: true, add }
      }
    },
  ],
  [
    'delete empties the stream and leaves the meta',
    [
      'after delete the first record has to be a meta again',
      'a deleted document can be made anew with another replica type and mode',
    ],
    class extends ReferenceStore {
      protected override remove(id: string): void {
        const doc = this.place.docs.get(id)
        if (doc !== undefined) this.place.docs.set(id, { ...doc, rows: [] })
      }
    },
  ],
  [
    'fold is given entries only',
    ['compact gives fold the whole stream and puts in its place what it makes of it, at once or later'],
    class extends ReferenceStore {
      override compact(id: string, fold: Fold): Promise<void> {
        return super.compact(id, (all) => fold(all.filter((record) => record.kind === 'entry')))
      }
    },
  ],
  [
    'what fold makes begins at 0',
    ['seqs go on after compact, and who has seen everything is given all of the folded records or none'],
    class extends ReferenceStore {
      protected override planFold(...args: Parameters<ReferenceStore['planFold']>): Planned | undefined {
        const planned = super.planFold(...args)
        return planned === undefined ? planned : { ...planned, seqFirst: 0 }
      }
    },
  ],
  [
    'an error of fold is taken for nothing to do',
    ['an error of fold rejects compact, as it is, and nothing is written'],
    class extends ReferenceStore {
      override async compact(id: string, fold: Fold): Promise<void> {
        await super.compact(id, fold).catch((error: Error) => {
          if (error instanceof StreamConflictError || 'code' in error) throw error
        })
      }
    },
  ],
  [
    'what fold makes is not checked',
    ['what fold makes has to have a meta that goes with the document, or nothing is written'],
    class extends ReferenceStore {
      protected override planFold(...[, , add]: Parameters<ReferenceStore['planFold']>): Planned | undefined {
        return { clear: true, add }
      }
    },
  ],
  [
    'one queue for all documents',
    ['a fold that waits holds up no other document'],
    class extends ReferenceStore {
      protected override ordered<T>(_id: string, work: () => T | Promise<T>, queued = true): Promise<T> {
        return super.ordered('', work, queued)
      }
    },
  ],
  [
    'fold is given what the store holds',
    ['fold may change what it is given without any effect on the store'],
    class extends ReferenceStore {
      override compact(id: string, fold: Fold): Promise<void> {
        return super.compact(id, () => fold(this.place.docs.get(id)?.rows ?? []))
      }
    },
  ],
  [
    'a compact empties the stream first',
    ['readers see the old stream or the new one while it is compacted, never none and never a mixture'],
    class extends ReferenceStore {
      override compact(id: string, fold: Fold): Promise<void> {
        return super.compact(id, async (all) => {
          const made = await fold(all)
          const doc = this.place.docs.get(id)
          if (doc === undefined) return made
          this.place.docs.set(id, { ...doc, rows: doc.rows.slice(0, 1) })
          await pause(2)
          this.place.docs.set(id, doc)
          return made
        })
      }
      protected override ordered<T>(id: string, work: () => T | Promise<T>, queued = true): Promise<T> {
        return super.ordered(id, work, queued && !/readSome/.test(new Error().stack ?? ''))
      }
    },
  ],
  [
    'a compact goes by the last seq',
    [
      'of two compacts at once on one handle, what one removed does not come back by the other',
      'of two compacts at once on two handles, what one removed does not come back by the other',
      'a compact whose fold answers at once takes its place in the order of calls',
    ],
    class extends HastyFolds {
      protected override trace(doc: Doc | undefined): unknown {
        return doc?.rows.at(-1)?.seq
      }
    },
  ],
  [
    'a compact goes by the number of records',
    [
      'a document that is deleted and made anew, or replaced, while fold works keeps what was written',
      'a document that another handle deletes and makes anew, or replaces, while fold works keeps what was written',
    ],
    class extends HastyFolds {
      protected override trace(doc: Doc | undefined): unknown {
        return doc?.rows.length
      }
    },
  ],
  [
    'what fold makes takes new seqs',
    ['what fold makes takes the last seqs of what it was given, or when it is more, seqs beyond them'],
    class extends ReferenceStore {
      protected override planFold(...args: Parameters<ReferenceStore['planFold']>): Planned | undefined {
        return super.planReplace(...args)
      }
    },
  ],
  [
    'what is more than fold was given ends with the last seq, too',
    ['what fold makes takes the last seqs of what it was given, or when it is more, seqs beyond them'],
    class extends ReferenceStore {
      protected override planFold(...args: Parameters<ReferenceStore['planFold']>): Planned | undefined {
        const planned = super.planFold(...args)
        const seqFirst = this.nextSeq(args[0], args[1], false) - args[2].length
        return planned === undefined || seqFirst < 0 ? planned : { ...planned, seqFirst }
      }
    },
  ],
  [
    'calls beyond fifty at a time are forgotten',
    ['concurrent calls on many documents all take effect'],
    class extends ReferenceStore {
      #running = 0
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        if (this.#running >= 50) return
        this.#running++
        await super.write(...args).finally(() => this.#running--)
      }
    },
  ],
  [
    'writes are answered before they are done',
    ['a write that has resolved is seen by every read that starts after it'],
    class extends ReferenceStore {
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        const [id, records] = args
        if (!this.place.docs.has(id)) return super.write(...args)
        const copies = records.map((record) => this.copy(record))
        setTimeout(() => this.commit(id, (doc) => args[2](doc, copies)), 5)
      }
    },
  ],
  [
    'a call that fails takes the next one with it',
    ['one bad call in a concurrent group rejects alone; its neighbours, on any document, are written'],
    class extends ReferenceStore {
      #last: Promise<unknown> = Promise.resolve()
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        const before = this.#last
        const own = super.write(...args)
        this.#last = own
        await Promise.all([own, before])
      }
    },
  ],
  [
    'rules are checked when the call is made, not when it has its turn',
    ['two first appends of one document at once: the first call wins, the second is checked against it'],
    class extends ReferenceStore {
      protected override async write(...[id, records, plan]: Parameters<ReferenceStore['write']>): Promise<void> {
        const before = this.place.docs.get(id)
        await super.write(id, records, (_doc, copies) => plan(before, copies))
      }
    },
  ],
  [
    'a call of stats is remembered',
    [
      'stats counts every call that has resolved',
      'stats counts documents, records and bytes, and knows the kind of storage',
    ],
    class extends ReferenceStore {
      #counted: StreamStats | undefined
      protected override count(): StreamStats {
        return (this.#counted ??= super.count())
      }
    },
  ],
  [
    'flush fails when there is nothing to write',
    ['flush resolves, with and without anything to write, and while others write'],
    class extends ReferenceStore {
      override async flush(): Promise<void> {
        await super.flush()
        if (this.place.docs.size === 0) throw new Error('nothing to write')
      }
    },
  ],
  [
    'an iterator ends at close',
    ['an iterator that is open at close ends with StreamClosedError, or has everything: never silently too early'],
    class extends ReferenceStore {
      #isClosed = false
      override close(): Promise<void> {
        this.#isClosed = true
        return super.close()
      }
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        for await (const row of super.readSome(id, options)) {
          if (this.#isClosed) return
          yield row
        }
      }
    },
  ],
  [
    'the last record of a stream is not written at close',
    ['everything is there again when the place is opened again'],
    class extends ReferenceStore {
      override async close(): Promise<void> {
        await super.close()
        for (const [id, doc] of this.place.docs) this.place.docs.set(id, { ...doc, rows: doc.rows.slice(0, -1) })
      }
    },
  ],
  [
    'each handle goes by the metas that it has written',
    [
      'the rules hold when the place is opened again',
      'the rules are checked against what the other handle has written',
    ],
    class extends ReferenceStore {
      readonly #known = new Set<string>()
      protected override planAppend(...[id, doc, add]: Parameters<ReferenceStore['planAppend']>) {
        const isKnown = this.#known.has(id) || add[0]?.kind !== 'meta'
        this.#known.add(id)
        return isKnown ? super.planAppend(id, doc, add) : { clear: false, add }
      }
    },
  ],
  [
    'each handle remembers what it has read',
    ['two handles on one place see what the other has written, at once'],
    class extends ReferenceStore {
      readonly #docs = new Map<string, Doc | undefined>()
      protected override read(id: string): Doc | undefined {
        if (!this.#docs.has(id)) this.#docs.set(id, super.read(id))
        return this.#docs.get(id)
      }
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        this.#docs.set(args[0], this.place.docs.get(args[0]))
      }
    },
  ],
  [
    'a stream is read and written without a transaction around both',
    ['concurrent first appends and appends of two handles never collide, and keep the order of each handle'],
    class extends ReferenceStore {
      protected override write(...[id, records, plan]: Parameters<ReferenceStore['write']>): Promise<void> {
        return this.ordered(id, async () => {
          const doc = this.place.docs.get(id)
          await Promise.resolve()
          const planned = plan(doc, records)
          if (planned !== undefined) this.put(id, doc, planned)
        })
      }
    },
  ],
  [
    'a compact gives up and says nothing',
    ['compact gives up with StreamConflictError when another handle never stops writing, and writes nothing'],
    class extends ReferenceStore {
      override async compact(id: string, fold: Fold): Promise<void> {
        await super.compact(id, fold).catch((error: unknown) => {
          if (!(error instanceof StreamConflictError)) throw error
        })
      }
    },
  ],
  [
    'a next that comes too early is given the answer of the one before',
    ['next that is called several times without waiting gives the records in order, each once'],
    class extends ReferenceStore {
      override loadAll(id: string): AsyncIterable<StreamRecord> {
        const source = super.loadAll(id)
        return {
          [Symbol.asyncIterator]: () => {
            const iterator = source[Symbol.asyncIterator]()
            let pending: Promise<IteratorResult<StreamRecord>> | undefined
            return { next: () => (pending ??= iterator.next().finally(() => (pending = undefined))) }
          },
        }
      }
    },
  ],
  [
    'return does not end an iterator',
    ['return in the middle ends an iterator, with and without a next that waits, and harms nothing'],
    class extends ReferenceStore {
      override loadAll(id: string): AsyncIterable<StreamRecord> {
        const source = super.loadAll(id)
        return {
          [Symbol.asyncIterator]: () => {
            const iterator = source[Symbol.asyncIterator]()
            return { next: () => iterator.next(), return: async () => ({ value: undefined, done: true }) }
          },
        }
      }
    },
  ],
  [
    'an iterable is its own iterator',
    ['two iterators of one iterable are each whole, and a later one reads anew'],
    class extends ReferenceStore {
      override loadAll(id: string): AsyncIterable<StreamRecord> {
        return this.readAll(id)
      }
    },
  ],
]
