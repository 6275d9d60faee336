import { InvalidArgumentError } from '../../src/base/errors.js'
import type { SequencedRecord, StreamMeta, StreamRecord, SyncMode } from '../../src/streams/record.js'
import {
  StreamClosedError,
  StreamConflictError,
  StreamFirstRecordError,
  StreamMismatchError,
  StreamNoMetaError,
} from '../../src/streams/errors.js'
import type {
  Fold,
  LoadOptions,
  OnRecord,
  StreamStats,
  StreamStore,
  StreamTail,
  TailOptions,
  TailPrefix,
} from '../../src/streams/stream-store.js'
import { FaultPlan } from '../../src/testing/faults.js'

export interface Doc {
  readonly rows: readonly SequencedRecord[]
  readonly meta: StreamMeta
  /** Seq up to which all that was there has been put into what is there; -1: nothing was. */
  readonly clearedTo: number
}

/** How far a tail has come with a document. */
export interface Seen {
  readonly seq: number
  /** Of the document, when that was told. */
  readonly clearedTo: number
}

/** Where documents are; shared by all handles. */
export class ReferencePlace {
  readonly docs = new Map<string, Doc>()
  /** The next seq of every id that there ever was: a document that is made anew goes on. */
  readonly next = new Map<string, number>()
  readonly listeners = new Set<(id: string) => void>()

  wake(id: string): void {
    for (const listener of this.listeners) listener(id)
  }
}

/** What is to be done to a document. */
export interface Planned {
  readonly clear: boolean
  readonly add: readonly StreamRecord[]
  /** Seq of the first of them. Default: the next one. */
  readonly seqFirst?: number
}

type Change = (doc: Doc | undefined) => Planned | undefined

/**
 * The contract in the simplest way that works: maps in memory. What is protected is there for planted bugs to break.
 */
export class ReferenceStore implements StreamStore {
  protected readonly place: ReferencePlace
  protected readonly plan: FaultPlan
  readonly #queues = new Map<string, Promise<unknown>>()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #tails = new Set<() => void>()
  #closed = false

  constructor(place: ReferencePlace, plan: FaultPlan = new FaultPlan()) {
    this.place = place
    this.plan = plan
  }

  async append(id: string, record: StreamRecord): Promise<void> {
    await this.write(id, [record], (doc, records) => this.planAppend(id, doc, records))
  }

  async appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
    await this.write(id, records, (doc, copies) => this.planAppend(id, doc, copies))
  }

  async replace(id: string, records: readonly StreamRecord[]): Promise<void> {
    await this.write(id, records, (doc, copies) => this.planReplace(id, doc, copies))
  }

  async delete(id: string): Promise<void> {
    checkText(id)
    await this.ordered(id, () => this.remove(id))
  }

  async currentMeta(id: string): Promise<StreamMeta | null> {
    checkText(id)
    return this.ordered(id, () => this.copyMeta(this.read(id)?.meta ?? null))
  }

  loadAll(id: string): AsyncIterable<StreamRecord> {
    return iterable(() => this.readAll(id))
  }

  load(id: string, options: LoadOptions = {}): AsyncIterable<SequencedRecord> {
    return iterable(() => this.readSome(id, options))
  }

  protected async *readAll(id: string): AsyncGenerator<StreamRecord> {
    for await (const { seq: _seq, ...record } of this.load(id)) yield record
  }

  protected async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
    checkText(id)
    const { after = -1, limit = Number.MAX_SAFE_INTEGER } = checkOptions(options)
    const rows = await this.ordered(id, () => this.read(id)?.rows ?? [])
    yield* rows
      .filter(({ seq }) => seq > after)
      .slice(0, limit)
      .map((row) => this.copy(row))
  }

  listDocIds(prefix = ''): AsyncIterable<string> {
    return iterable(() => this.readIds(prefix))
  }

  protected async *readIds(prefix: string): AsyncGenerator<string> {
    checkText(prefix)
    const ids = await this.ordered('', () => this.operation('list', () => [...this.place.docs.keys()]), false)
    yield* ids.filter((id) => this.hasPrefix(id, prefix)).sort(byCodePoints)
  }

  tail(target: string | TailPrefix, options: TailOptions | undefined = {}, onRecord: OnRecord): StreamTail {
    this.checkOpen()
    checkTail(target, options, onRecord)
    return this.listen(target, options, onRecord)
  }

  async compact(id: string, fold: Fold): Promise<void> {
    checkText(id)
    if (typeof fold !== 'function') throw new InvalidArgumentError('fold', 'a function', fold)
    await this.ordered(id, async () => {
      for (let round = 0; round < 20; round++) {
        const before = this.read(id)
        const made = checkRecords(await fold((before?.rows ?? []).map((row) => bare(this.copy(row)))))
        const copies = made.map((record) => this.copy(record))
        if (this.place.docs.get(id) !== before) continue
        this.commit(id, (doc) => this.planFold(id, doc, copies))
        return
      }
      throw new StreamConflictError('STREAM_CONFLICT', 'others kept writing', { id })
    })
  }

  async stats(): Promise<StreamStats> {
    return this.ordered('', () => this.operation('stats', () => this.count()), false)
  }

  async flush(): Promise<void> {
    await this.ordered('', () => undefined, false)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const end of this.#tails) end()
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
  }

  protected checkOpen(): void {
    if (this.#closed) throw new StreamClosedError('STREAM_CLOSED', 'the store is closed; nothing was done')
  }

  /** Runs `work` after what was called before on this id. */
  protected ordered<T>(id: string, work: () => T | Promise<T>, queued = true): Promise<T> {
    this.checkOpen()
    const before = (queued ? this.#queues.get(id) : undefined) ?? Promise.resolve()
    const result = before.then(work, work)
    if (queued) this.#queues.set(id, result)
    this.#pending.add(result)
    void Promise.allSettled([result]).then(() => this.#pending.delete(result))
    return result
  }

  protected write(
    id: string,
    records: readonly StreamRecord[],
    plan: (doc: Doc | undefined, copies: readonly StreamRecord[]) => ReturnType<Change>,
  ): Promise<void> {
    checkText(id)
    const copies = checkRecords(records).map((record) => this.copy(record))
    return this.ordered(id, () => this.commit(id, (doc) => plan(doc, copies)))
  }

  /** One access of the storage, which may fail. */
  protected operation<T>(name: string, work: () => T): T {
    return this.plan.run(name, work)
  }

  protected read(id: string): Doc | undefined {
    return this.operation('read', () => this.place.docs.get(id))
  }

  protected planAppend(id: string, doc: Doc | undefined, records: readonly StreamRecord[]): ReturnType<Change> {
    const [first] = records
    if (first === undefined) return undefined
    if (doc === undefined && first.kind !== 'meta') throw new StreamFirstRecordError(id)
    let meta = doc?.meta
    for (const record of records) {
      if (record.kind !== 'meta') continue
      if (meta !== undefined) this.compare(id, meta, record.meta, false)
      ;({ meta } = record)
    }
    return { clear: false, add: records }
  }

  protected planReplace(id: string, doc: Doc | undefined, records: readonly StreamRecord[]): ReturnType<Change> {
    const metas = records.flatMap((record) => (record.kind === 'meta' ? [record.meta] : []))
    const [first] = metas
    if (first === undefined) throw new StreamNoMetaError(id)
    for (const meta of metas) {
      if (doc !== undefined) this.compare(id, doc.meta, meta, false)
      this.compare(id, first, meta, true)
    }
    return { clear: true, add: records }
  }

  /** What a fold has made takes the last places of what it was made of. */
  protected planFold(id: string, doc: Doc | undefined, records: readonly StreamRecord[]): Planned | undefined {
    if (doc === undefined) return undefined
    const planned = this.planReplace(id, doc, records)
    const seqFirst = this.nextSeq(id, doc, false) - records.length
    return planned === undefined || seqFirst < 0 || records.length > doc.rows.length
      ? planned
      : { ...planned, seqFirst }
  }

  protected compare(id: string, a: StreamMeta, b: StreamMeta, inBatch: boolean): void {
    const [typeA, typeB] = [a.replicaType, b.replicaType]
    if (typeA[0] !== typeB[0] || typeA[1] !== typeB[1])
      throw new StreamMismatchError(id, 'replicaType', typeA, typeB, inBatch)
    const [modeA, modeB] = [modeOf(a), modeOf(b)]
    const axes = ['writerModel', 'delivery', 'durability'] as const
    if (axes.some((axis) => modeA[axis] !== modeB[axis]))
      throw new StreamMismatchError(id, 'syncMode', modeA, modeB, inBatch)
  }

  protected commit(id: string, change: Change): void {
    const doc = this.read(id)
    const planned = change(doc)
    if (planned === undefined) return
    this.operation('write', () => this.put(id, doc, planned))
    this.place.wake(id)
  }

  protected put(id: string, doc: Doc | undefined, { clear, add, seqFirst }: Planned): void {
    const kept = clear ? [] : (doc?.rows ?? [])
    const first = seqFirst ?? this.nextSeq(id, doc, clear)
    const clearedTo = clear ? this.nextSeq(id, doc, false) - 1 : (doc?.clearedTo ?? -1)
    const rows = [...kept, ...add.map((record, i) => ({ ...record, seq: first + i }))]
    this.place.next.set(id, first + add.length)
    const meta = rows.findLast((row) => row.kind === 'meta')?.meta as StreamMeta
    this.place.docs.set(id, { rows, meta, clearedTo })
  }

  protected nextSeq(id: string, _doc: Doc | undefined, _clear: boolean): number {
    return this.place.next.get(id) ?? 0
  }

  protected remove(id: string): void {
    this.operation('delete', () => this.place.docs.delete(id))
    this.place.wake(id)
  }

  protected hasPrefix(id: string, prefix: string): boolean {
    return id.startsWith(prefix)
  }

  protected copy<R extends StreamRecord>(record: R): R {
    if (record.kind === 'meta') return { ...record, meta: this.copyMeta(record.meta) }
    const { data, lineage, ...rest } = record.payload
    const payload = { ...rest, data: this.copyBytes(data), ...(lineage === undefined ? {} : { lineage }) }
    return { ...record, payload }
  }

  protected copyBytes(data: string | Uint8Array): string | Uint8Array {
    return typeof data === 'string' ? data : Uint8Array.from(data)
  }

  protected copyMeta<M extends StreamMeta | null>(meta: M): M {
    return structuredClone(meta)
  }

  protected count(): StreamStats {
    let [records, bytes] = [0, 0]
    for (const { rows } of this.place.docs.values()) {
      records += rows.length
      for (const row of rows) bytes += row.kind === 'meta' ? 100 : 50 + row.payload.data.length
    }
    return { backend: 'reference', docs: this.place.docs.size, records, bytes }
  }

  /** What a tail has to tell next. */
  protected nextOf(target: string | TailPrefix, seen: Map<string, Seen>): [string, SequencedRecord] | undefined {
    for (const [id, doc] of this.place.docs) {
      if (!isTarget(target, id)) continue
      const last = seen.get(id) ?? { seq: -1, clearedTo: -1 }
      // Who has not seen all that was cleared begins anew.
      const after = doc.clearedTo !== last.clearedTo && last.seq < doc.clearedTo ? -1 : last.seq
      const row = doc.rows.find(({ seq }) => seq > after)
      if (row !== undefined) return [id, row]
    }
    return undefined
  }

  protected listen(target: string | TailPrefix, options: TailOptions, onRecord: OnRecord): StreamTail {
    const { after } = options
    const starts: [string, number][] =
      typeof after === 'number' && typeof target === 'string' ? [[target, after]] : Object.entries(after ?? {})
    const seen = new Map<string, Seen>(starts.map(([id, seq]) => [id, { seq, clearedTo: -1 }]))
    let stopped = false
    let wake: () => void = () => undefined
    const listener = (id: string): void => {
      if (isTarget(target, id)) wake()
    }
    let stop: () => void = () => undefined
    const halted = new Promise<void>((resolve) => {
      stop = () => {
        stopped = true
        resolve()
      }
    })
    const run = async (): Promise<void> => {
      await Promise.resolve()
      while (!stopped) {
        const woken = new Promise<void>((resolve) => (wake = resolve))
        const next = this.operation('tail', () => this.nextOf(target, seen))
        if (next === undefined) await Promise.race([woken, halted])
        else {
          seen.set(next[0], { seq: next[1].seq, clearedTo: this.place.docs.get(next[0])?.clearedTo ?? -1 })
          await Promise.race([onRecord(this.copy(next[1]), next[0]), halted])
        }
      }
    }
    this.place.listeners.add(listener)
    this.#tails.add(stop)
    const ended = run().finally(() => {
      this.place.listeners.delete(listener)
      this.#tails.delete(stop)
    })
    let callbackError: Error | undefined
    ended.catch((error: Error) => options.onError?.(error)).catch((error: Error) => (callbackError = error))
    return {
      stop,
      ended,
      get callbackError() {
        return callbackError
      },
    }
  }
}

/** Something that can be gone through any number of times. */
function iterable<T>(begin: () => AsyncIterator<T>): AsyncIterable<T> {
  return { [Symbol.asyncIterator]: begin }
}

function isTarget(target: string | TailPrefix, id: string): boolean {
  return typeof target === 'string' ? id === target : id.startsWith(target.prefix)
}

function bare({ seq: _seq, ...record }: SequencedRecord): StreamRecord {
  return record
}

function modeOf(meta: StreamMeta): SyncMode {
  return 'syncMode' in meta ? meta.syncMode : meta.syncProtocol
}

/** UTF-16 order differs from that of the bytes for surrogates only. */
function byCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i]?.codePointAt(0) ?? 0) - (right[i]?.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

function refuse(argument: string, expected: string, given: unknown): never {
  throw new InvalidArgumentError(argument, expected, given)
}

function checkText(value: unknown): asserts value is string {
  if (typeof value !== 'string') refuse('id', 'text', value)
}

function isWhole(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= -1)
}

function checkOptions(options: LoadOptions): LoadOptions {
  if (typeof options !== 'object' || options === null) refuse('options', 'an object', options)
  if (!isWhole(options.after)) refuse('after', 'a seq', options.after)
  if (!isWhole(options.limit) || options.limit === -1) refuse('limit', 'a count', options.limit)
  return options
}

function checkTail(target: string | TailPrefix, options: TailOptions, onRecord: OnRecord): void {
  if (typeof target !== 'string') checkText(target.prefix)
  const { after, pollMs } = options
  const seqs = typeof after === 'object' ? Object.values(after) : [after]
  if (!seqs.every(isWhole)) refuse('after', 'seqs', after)
  if (pollMs !== undefined && !(pollMs >= 0)) refuse('pollMs', 'milliseconds', pollMs)
  if (typeof onRecord !== 'function') refuse('onRecord', 'a function', onRecord)
}

function checkRecords(records: readonly StreamRecord[]): readonly StreamRecord[] {
  if (!Array.isArray(records)) refuse('records', 'a list', records)
  return records.map((record) => (isRecord(record) ? record : refuse('record', 'a record', record)))
}

function isRecord(record: any): boolean {
  if (record?.kind === 'entry') {
    const { payload, version } = record
    if (typeof version !== 'string' || typeof payload !== 'object' || payload === null) return false
    const { kind, encoding, data, lineage } = payload
    if (!['entirety', 'since'].includes(kind) || !['json', 'binary'].includes(encoding)) return false
    return (typeof data === 'string' || data instanceof Uint8Array) && ['string', 'undefined'].includes(typeof lineage)
  }
  if (record?.kind !== 'meta' || typeof record.meta !== 'object') return false
  const { replicaType: type, schemaHash, syncMode, syncProtocol } = record.meta
  if (!Array.isArray(type) || type.length !== 3 || typeof schemaHash !== 'string') return false
  if (typeof type[0] !== 'string' || !Number.isInteger(type[1]) || !Number.isInteger(type[2])) return false
  const mode = syncMode ?? syncProtocol
  return (
    ['serialized', 'concurrent'].includes(mode?.writerModel) &&
    ['delta-capable', 'snapshot-only'].includes(mode?.delivery) &&
    ['persistent', 'transient'].includes(mode?.durability)
  )
}
