import { asError, InvalidArgumentError } from '../base/errors.js'
import { type Runtime, systemRuntime } from '../base/runtime.js'
import { CallQueue } from './call-queue.js'
import { checkId, checkRecord, checkRecords, ownBytes, sequenced } from './check-record.js'
import { StreamClosedError, StreamConflictError } from './errors.js'
import { listIds } from './list-ids.js'
import { type Folded, type StreamChange, StreamMovedError } from './plan.js'
import type { SequencedRecord, StreamMeta, StreamRecord } from './record.js'
import { PAGE_RECORDS_MAX, StreamReader } from './read-stream.js'
import { checkTail } from './tail-request.js'
import type { TailSource } from './tail.js'
import { Tails } from './tails.js'
import type { MaybePromise, PlacedRecord, StreamBackend, StreamPage } from './stream-backend.js'
import type {
  Fold,
  LoadOptions,
  OnRecord,
  StreamStats,
  StreamStore,
  StreamTail,
  TailOptions,
  TailPrefix,
} from './stream-store.js'
import { type WriteCall, writeCall } from './write-call.js'

/** How a store of record streams runs. */
export interface StreamStoreOptions {
  /** Clock and timers. Default: the host's. */
  readonly runtime?: Runtime
}

/** A stream that was read to be folded. */
interface WholeStream {
  readonly records: readonly PlacedRecord[]
  readonly folded: Folded
}

/** So often a fold is made anew when others have written meanwhile. */
const FOLDS_MAX = 10

const RUNTIME_METHODS = Object.keys(systemRuntime)
const BACKEND_METHODS = ['commit', 'head', 'page', 'list', 'version', 'stats', 'flush', 'close']

/**
 * A store of record streams on any storage. The backend is the store's own from here on: `close` closes it.
 *
 * @throws {InvalidArgumentError} `backend` lacks a method. Nothing was done.
 */
export function createStreamStore(backend: StreamBackend, options: StreamStoreOptions = {}): StreamStore {
  if (!hasMethods(backend, BACKEND_METHODS)) {
    throw new InvalidArgumentError(
      'createStreamStore(backend)',
      `an object with ${BACKEND_METHODS.join(', ')}`,
      backend,
    )
  }
  return new RecordStreams(backend, checkRuntime('createStreamStore', options.runtime))
}

/** The runtime that was given, or the host's. @throws {InvalidArgumentError} it lacks a method. */
export function checkRuntime(where: string, runtime: Runtime | undefined): Runtime {
  if (runtime === undefined) return systemRuntime
  if (hasMethods(runtime, RUNTIME_METHODS)) return runtime
  throw new InvalidArgumentError(`${where}(options.runtime)`, `an object with ${RUNTIME_METHODS.join(', ')}`, runtime)
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as { readonly [name: string]: unknown })[name] === 'function')
}

/**
 * The one implementation of `StreamStore`, on any backend.
 *
 * Holds RS1: no seq is given twice while its record is there.
 */
export class RecordStreams implements StreamStore {
  readonly #backend: StreamBackend
  readonly #queue: CallQueue
  readonly #source: TailSource
  readonly #tails: Tails
  #closing: Promise<void> | undefined

  constructor(backend: StreamBackend, runtime: Runtime) {
    this.#backend = backend
    this.#queue = new CallQueue(backend, runtime, (call) => this.#tails.written(call))
    const queue = this.#queue
    this.#source = {
      page: (id, after, limit, mark) => queue.read(id, () => backend.page(id, after, limit, mark)),
      list: (prefix, after, limit) => queue.read(undefined, () => backend.list(prefix, after, limit)),
      version: () => backend.version(),
    }
    this.#tails = new Tails(this.#source, runtime)
  }

  append(id: string, record: StreamRecord): Promise<void> {
    let copy: StreamRecord
    let isAlone: boolean
    try {
      this.#mustBeOpen()
      checkId('StreamStore.append', id)
      isAlone = this.#queue.isAlone()
      copy = checkRecord('StreamStore.append(record)', record, isAlone)
    } catch (error) {
      return Promise.reject(asError(error))
    }
    if (isAlone && copy.kind === 'entry') {
      const done = this.#queue.appendNow(id, copy)
      if (done !== undefined) return done
      ownBytes(copy)
    }
    return this.#write('append', id, () => [copy])
  }

  appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
    return this.#write('append', id, () => {
      checkId('StreamStore.appendMany', id)
      const copies = checkRecords('StreamStore.appendMany(records)', records)
      return copies.length === 0 ? undefined : copies
    })
  }

  loadAll(id: string): AsyncIterable<StreamRecord> {
    return this.#reader(
      () => checkId('StreamStore.loadAll', id),
      ({ record }) => record,
      () => ({}),
    )
  }

  load(id: string, options: LoadOptions = {}): AsyncIterable<SequencedRecord> {
    return this.#reader(
      () => checkId('StreamStore.load', id),
      sequenced,
      () => checkLoadOptions(options),
    )
  }

  replace(id: string, records: readonly StreamRecord[]): Promise<void> {
    return this.#write('replace', id, () => {
      checkId('StreamStore.replace', id)
      return checkRecords('StreamStore.replace(records)', records)
    })
  }

  delete(id: string): Promise<void> {
    return this.#write('delete', id, () => {
      checkId('StreamStore.delete', id)
      return []
    })
  }

  async currentMeta(id: string): Promise<StreamMeta | null> {
    this.#mustBeOpen()
    checkId('StreamStore.currentMeta', id)
    const head = this.#queue.read(id, () => this.#backend.head(id))
    return head instanceof Promise ? (await head).meta : head.meta
  }

  listDocIds(prefix = ''): AsyncIterable<string> {
    const read = (after: string | undefined, limit: number): MaybePromise<readonly string[]> => {
      this.#mustBeOpen()
      if (typeof prefix !== 'string')
        throw new InvalidArgumentError('StreamStore.listDocIds(prefix)', 'a string', prefix)
      return this.#source.list(prefix, after, limit)
    }
    return listIds(read, () => this.#mustBeOpen())
  }

  tail(target: string | TailPrefix, options: TailOptions | undefined, onRecord: OnRecord): StreamTail {
    this.#mustBeOpen()
    return this.#tails.open(checkTail(target, options, onRecord))
  }

  compact(id: string, fold: Fold): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#mustBeOpen()
      checkId('StreamStore.compact', id)
      if (typeof fold !== 'function') throw new InvalidArgumentError('StreamStore.compact(fold)', 'a function', fold)
      const call = writeCall({ kind: 'compact', id, records: [] }, resolve, reject)
      call.isReady = false
      let folds = 0
      const read = (): MaybePromise<boolean> => {
        if (++folds > FOLDS_MAX) throw conflict(id, FOLDS_MAX)
        return andThen(this.#readWhole(id), (whole) => this.#fold(call, whole, fold))
      }
      this.#queue.readAndWrite(call, read)
    })
  }

  /** Makes a call of what was folded. @returns false when it need not wait for that: there is nothing, or the fold takes its time. */
  #fold(call: WriteCall, whole: WholeStream | undefined, fold: Fold): boolean {
    const { id, resolve, reject } = call
    if (whole === undefined) {
      resolve()
      return false
    }
    const { records, folded } = whole
    // What fold does to the records is nobody's business but its own: they are copies.
    const answer = fold(records.map(({ record }) => record))
    const check = (results: unknown): StreamRecord[] => checkRecords('StreamStore.compact(fold)', results)
    if (!isThenable(answer)) {
      call.records = check(answer)
      call.folded = folded
      return true
    }
    void this.#foldLater(id, answer, folded, fold, check).then(resolve, reject)
    return false
  }

  /** Others may write while a fold takes its time; then it is made anew. */
  async #foldLater(
    id: string,
    first: PromiseLike<readonly StreamRecord[]>,
    foldedFirst: Folded,
    fold: Fold,
    check: (results: unknown) => StreamRecord[],
  ): Promise<void> {
    let [answer, folded]: [Promise<unknown>, Folded] = [Promise.resolve(first), foldedFirst]
    for (let folds = 1; ; folds++) {
      const records = check(await answer)
      this.#mustBeOpen()
      try {
        await new Promise<void>((resolve, reject) => {
          this.#queue.submit(writeCall({ kind: 'compact', id, records, folded }, resolve, reject))
        })
        return
      } catch (error) {
        if (!(error instanceof StreamMovedError)) throw error
        if (folds >= FOLDS_MAX) throw conflict(id, folds, error)
      }
      const whole = await this.#queue.read(id, () => this.#readWhole(id))
      if (whole === undefined) return
      folded = whole.folded
      answer = Promise.resolve(fold(whole.records.map(({ record }) => record)))
      // It is awaited in the next round.
    }
  }

  async stats(): Promise<StreamStats> {
    this.#mustBeOpen()
    const stats = await this.#queue.read(undefined, () => this.#backend.stats())
    return { backend: this.#backend.name, docs: stats.docs, records: stats.records, bytes: stats.bytes }
  }

  async flush(): Promise<void> {
    this.#mustBeOpen()
    await this.#queue.read(undefined, () => this.#backend.flush())
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#tails.stop()
    await this.#queue.settled()
    await this.#backend.close()
  }

  /** @param check looks at the arguments; `undefined`: there is nothing to do. */
  #write(kind: StreamChange['kind'], id: string, check: () => readonly StreamRecord[] | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#mustBeOpen()
      const records = check()
      if (records === undefined) return resolve()
      this.#queue.submit(writeCall({ kind, id, records }, resolve, reject))
    })
  }

  /** Nothing is looked at before the first record is asked for, and an error is what that answers. */
  #reader<T>(check: () => string, show: (placed: PlacedRecord) => T, options: () => LoadOptions): AsyncIterable<T> {
    return {
      [Symbol.asyncIterator]: () => {
        let id: string
        let limits: LoadOptions
        try {
          id = check()
          limits = options()
        } catch (error) {
          return { next: () => Promise.reject(asError(error)) }
        }
        const read = (after: number, limit: number, mark: unknown): MaybePromise<StreamPage | undefined> =>
          this.#source.page(id, after, limit, mark)
        const { after = -1, limit = Infinity } = limits
        return new StreamReader(id, read, () => this.#mustBeOpen(), show, after, limit)
      },
    }
  }

  /** One state of a whole stream; `undefined`: it has no records. */
  #readWhole(
    id: string,
    records: PlacedRecord[] = [],
    mark?: unknown,
    reads = 1,
  ): MaybePromise<WholeStream | undefined> {
    const after = records.at(-1)?.seq ?? -1
    return andThen(this.#backend.page(id, after, PAGE_RECORDS_MAX, mark), (page) => {
      if (page === undefined) {
        if (reads >= FOLDS_MAX) throw conflict(id, reads)
        return this.#readWhole(id, [], undefined, reads + 1)
      }
      for (const placed of page.records) records.push(placed)
      if (page.more) return this.#readWhole(id, records, page.mark, reads)
      const last = records.at(-1)
      if (last === undefined) return undefined
      const trace = this.#backend.traceOf?.(records)
      return { records, folded: { id, seqLast: last.seq, mark: page.mark, trace, count: records.length } }
    })
  }

  #mustBeOpen(): void {
    if (this.#closing === undefined) return
    const message = `stream store (${this.#backend.name}): it has been closed; nothing was done; open another one`
    throw new StreamClosedError('STREAM_CLOSED', message)
  }
}

/** `use` of an answer, at once where it is there. */
function andThen<T, R>(answer: MaybePromise<T>, use: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return answer instanceof Promise ? answer.then(use) : use(answer)
}

function isThenable(value: unknown): value is PromiseLike<readonly StreamRecord[]> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function conflict(id: string, folds: number, cause?: Error): StreamConflictError {
  const message =
    `stream ${JSON.stringify(id)}: others wrote to it each of the ${folds} times that it was folded; nothing was ` +
    'written; compact it when less is written'
  return new StreamConflictError('STREAM_CONFLICT', message, { id, cause })
}

function checkLoadOptions(options: LoadOptions): LoadOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('StreamStore.load(options)', 'an object with after and limit', options)
  }
  const { after = -1, limit = Infinity } = options
  if (!Number.isSafeInteger(after) || after < -1) {
    throw new InvalidArgumentError('StreamStore.load(options.after)', 'a seq, or -1', after)
  }
  if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new InvalidArgumentError('StreamStore.load(options.limit)', 'an integer from 0 up', limit)
  }
  return { after, limit }
}
