import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { ownBytes } from './check-record.js'
import { StreamFirstRecordError } from './errors.js'
import { OpenReads } from './open-reads.js'
import { planGroup, type StreamChange, StreamMovedError } from './plan.js'
import type { StreamEntryRecord } from './record.js'
import type { EntriesToAppend, MaybePromise, PlanWrites, StreamBackend } from './stream-backend.js'
import { type ReadToWrite, whenSettled, type WriteCall, writeCall } from './write-call.js'

type Refusals = readonly (Error | undefined)[]

const DONE = Promise.resolve()

/** More calls than this are not written in one storage transaction, so that the event loop gets its turn. */
const GROUP_CALLS_MAX = 1_000
/** A lone writer gives timers and I/O their turn after this many groups, or milliseconds, whichever comes first. */
const GROUPS_IN_TURN_MAX = 64
const TURN_MS_MAX = 2

/**
 * Gives the calls of a store their order. Writes that come together are one storage transaction; calls on one id take
 * effect in the order in which they came, reads included.
 *
 * With a storage that answers at once a read writes what waits, then and there. With one that does not, a read waits for the
 * writes of its id that came before, and those that come later wait for the read.
 */
export class CallQueue {
  readonly #backend: StreamBackend
  readonly #runtime: Runtime
  readonly #onWritten: (change: StreamChange) => void
  #waiting: WriteCall[] = []
  /** What is being written; empty when nothing is. */
  #running: readonly WriteCall[] = []
  #ticket = 0
  /** The next ticket when what is being written was begun. */
  #ticketBegun = 0
  /** How many of those that wait or run depend on what they have read. */
  #reading = 0
  readonly #reads = new OpenReads(() => this.#rest())
  #isScheduled = false
  #isLone = false
  /** True until those who waited for a write that was made at once go on. */
  #hasJustWritten = false
  readonly #goOn = (): void => void (this.#hasJustWritten = false)
  #turnAt = -Infinity
  #groupsInTurn = 0
  #idle: (() => void)[] = []
  /** Of those who wait for calls that are finished. None of them throws. */
  #turns: (() => void)[] = []
  #isTurning = false

  /** @param onWritten told of each call that has been written, in their order, before its promise is. Must not throw. */
  constructor(backend: StreamBackend, runtime: Runtime, onWritten: (change: StreamChange) => void) {
    this.#backend = backend
    this.#runtime = runtime
    this.#onWritten = onWritten
  }

  /** Takes a call in. It is settled when it is written or refused, and never before this returns. */
  submit(call: WriteCall): void {
    call.ticket = this.#ticket++
    this.#waiting.push(call)
    this.#hurry()
  }

  /**
   * True when an entry may be written there and then (`appendNow`): whoever writes does so alone, and nothing has to be waited
   * for. That takes two thirds of the time of a call that goes through the queue.
   */
  isAlone(): boolean {
    const { append, appendsAtOnce } = this.#backend
    if (appendsAtOnce !== true || append === undefined || !this.#isLone || !this.#isIdle()) return false
    if (!this.#hasJustWritten) return !this.#isTurnOver()
    // Somebody else writes as well: from here on they share transactions.
    this.#isLone = false
    return false
  }

  /**
   * Writes an entry, after `isAlone` has said so.
   *
   * @param record may have borrowed its bytes.
   * @returns as the promise of a call that was submitted; `undefined`: other calls have come since, nothing was done.
   */
  appendNow(id: string, record: StreamEntryRecord): Promise<void> | undefined {
    const { append } = this.#backend
    if (append === undefined || !this.#isIdle()) return undefined
    this.#groupsInTurn++
    this.#hasJustWritten = true
    const change: StreamChange = { kind: 'append', id, records: [record] }
    let answer: MaybePromise<readonly boolean[]>
    try {
      answer = append.call(this.#backend, [{ id, records: [record] }])
    } catch (error) {
      return DONE.then(() => {
        this.#goOn()
        throw asError(error)
      })
    }
    if (answer instanceof Promise) {
      ownBytes(record)
      return this.#await(change, answer)
    }
    if (answer[0] !== true) return DONE.then(() => this.#noDocument(id))
    this.#onWritten(change)
    return DONE.then(this.#goOn)
  }

  #noDocument(id: string): never {
    this.#goOn()
    throw new StreamFirstRecordError(id)
  }

  /** A write that was begun at once, and is not done yet, is like any other from here on. */
  #await(change: StreamChange, answer: Promise<readonly boolean[]>): Promise<void> {
    this.#goOn()
    return new Promise((resolve, reject) => {
      const call = writeCall(change, resolve, reject)
      call.ticket = this.#ticket++
      const calls = [call]
      this.#running = calls
      this.#ticketBegun = this.#ticket
      const refused = (error: unknown): void => void this.#refused(calls, asError(error))
      const written = ([existed]: readonly boolean[]): void =>
        this.#settle(calls, [existed === true ? undefined : new StreamFirstRecordError(call.id)])
      void answer.then(written, refused).then(() => this.#done())
    })
  }

  #isIdle(): boolean {
    return !this.#isScheduled && this.#waiting.length === 0 && this.#running.length === 0 && this.#reads.isEmpty
  }

  /**
   * Reads, after every write of `id` that came before, and before those that come later.
   *
   * @param id `undefined`: after every write of any id that came before.
   */
  read<T>(id: string | undefined, work: () => MaybePromise<T>): MaybePromise<T> {
    this.#drainIdle()
    const before = this.#unsettled(id)
    if (before.length === 0) {
      const result = work()
      return result instanceof Promise ? this.#reads.hold(id, this.#ticket++, result) : result
    }
    const turns = before.map((call) => new Promise<void>((resolve) => whenSettled(call, resolve)))
    const turn: Promise<unknown> = turns.length === 1 ? (turns[0] as Promise<void>) : Promise.all(turns)
    return this.#reads.hold(id, this.#ticket++, turn.then(work))
  }

  /**
   * A call that has to read before it is known what it writes. It has its place in the order from here on: no other call on its id
   * is written between. Where somebody else has written, all of it happens once more, in the same place.
   *
   * @param read runs when every write of the id that came before is done; at once where nothing has to be waited for.
   */
  readAndWrite(call: WriteCall, read: ReadToWrite): void {
    this.#drainIdle()
    const [last] = this.#unsettled(call.id)
    call.ticket = this.#ticket++
    call.again = read
    this.#reading++
    this.#waiting.push(call)
    if (last === undefined) this.#prepare(call, read)
    else whenSettled(last, () => this.#prepare(call, read))
  }

  #prepare(call: WriteCall, read: ReadToWrite): void {
    if (call.isSettled) return
    const found = (isReady: boolean): void => {
      if (call.isSettled) return
      if (!isReady) return this.#withdraw(call)
      call.isReady = true
      this.#hurry()
    }
    const failed = (error: unknown): void => {
      if (call.isSettled) return
      call.reject(asError(error))
      this.#withdraw(call)
    }
    try {
      const isReady = read()
      if (isReady instanceof Promise) isReady.then(found, failed)
      else found(isReady)
    } catch (error) {
      failed(error)
    }
  }

  #withdraw(call: WriteCall): void {
    this.#waiting = this.#waiting.filter((other) => other !== call)
    this.#reading--
    this.#finish(call)
    this.#rest()
  }

  /** Resolves when every call so far has been settled, reads included. */
  async settled(): Promise<void> {
    this.#drain()
    while (this.#running.length > 0 || this.#waiting.length > 0 || !this.#reads.isQuiet) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  /** Those to wait for: the last one of `id`, since they are settled in their order, or all. */
  #unsettled(id: string | undefined): readonly WriteCall[] {
    if (id === undefined) return [...this.#waiting, ...this.#running].filter(({ isSettled }) => !isSettled)
    const touches = (call: WriteCall): boolean => !call.isSettled && call.id === id
    const last = this.#waiting.findLast(touches) ?? this.#running.findLast(touches)
    return last === undefined ? [] : [last]
  }

  /** As the sequencer of a store does it, see there (src/commit/sequencer.ts): a lone writer need not wait for a task. */
  #hurry(): void {
    if (this.#isScheduled || this.#running.length > 0) return
    if (!this.#isLone || this.#isTurnOver()) return this.#schedule()
    this.#isScheduled = true
    void Promise.resolve().then(() => this.#writeDue())
  }

  #isTurnOver(): boolean {
    return this.#groupsInTurn >= GROUPS_IN_TURN_MAX || this.#runtime.elapsed() - this.#turnAt >= TURN_MS_MAX
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running.length > 0) return
    this.#isScheduled = true
    this.#runtime.defer(() => {
      this.#turnAt = this.#runtime.elapsed()
      this.#groupsInTurn = 0
      this.#writeDue()
    })
  }

  #writeDue(): void {
    this.#isScheduled = false
    if (this.#running.length === 0) this.#writeNext()
  }

  #drainIdle(): void {
    if (this.#waiting.length > 0 && this.#running.length === 0) this.#drain()
  }

  /** Writes all that waits, as far as the storage answers at once. */
  #drain(): void {
    while (this.#running.length === 0 && this.#writeNext());
  }

  /** @returns false when there was nothing to write. */
  #writeNext(): boolean {
    const group = this.#takeGroup()
    if (group.length === 0) return false
    this.#isLone = group.length === 1
    this.#groupsInTurn++
    this.#running = group
    this.#ticketBegun = this.#ticket
    const done = this.#write(group)
    if (done === undefined) this.#done()
    else void done.then(() => this.#done())
    return true
  }

  #takeGroup(): readonly WriteCall[] {
    const waiting = this.#waiting
    if (this.#reads.isEmpty && this.#reading === 0) {
      this.#waiting = waiting.length > GROUP_CALLS_MAX ? waiting.slice(GROUP_CALLS_MAX) : []
      return waiting.length > GROUP_CALLS_MAX ? waiting.slice(0, GROUP_CALLS_MAX) : waiting
    }
    const group: WriteCall[] = []
    /** Ids of calls that stay, or that may have to be made again: those that came later wait. */
    const held = new Set<string>()
    this.#waiting = waiting.filter((call) => {
      const isFree = call.isReady && !held.has(call.id) && this.#reads.firstOf(call.id) > call.ticket
      const isTaken = isFree && group.length < GROUP_CALLS_MAX
      if (!isTaken || call.again !== undefined) held.add(call.id)
      if (isTaken) group.push(call)
      return !isTaken
    })
    return group
  }

  #done(): void {
    this.#running = []
    this.#rest()
  }

  #rest(): void {
    if (this.#waiting.length > 0) this.#schedule()
    else if (this.#running.length === 0 && this.#idle.length > 0) for (const tell of this.#idle.splice(0)) tell()
  }

  /** Writes calls in one transaction and settles them; where the storage refuses that, one by one. Never throws. */
  #write(calls: readonly WriteCall[]): Promise<void> | undefined {
    let outcome: MaybePromise<Refusals>
    try {
      outcome = this.#commit(calls)
    } catch (error) {
      return this.#refused(calls, asError(error))
    }
    if (!(outcome instanceof Promise)) {
      this.#settle(calls, outcome)
      return undefined
    }
    return outcome.then(
      (refusals) => this.#settle(calls, refusals),
      (error: unknown) => this.#refused(calls, asError(error)),
    )
  }

  #commit(calls: readonly WriteCall[]): MaybePromise<Refusals> {
    const { append } = this.#backend
    if (append !== undefined && calls.every((call) => call.isPlain)) {
      const batch = calls.map(({ id, records }): EntriesToAppend => {
        return { id, records: records as readonly StreamEntryRecord[] }
      })
      const answer = append.call(this.#backend, batch)
      const refusals = (existed: readonly boolean[]): Refusals =>
        calls.map(({ id }, i) => (existed[i] === true ? undefined : new StreamFirstRecordError(id)))
      return answer instanceof Promise ? answer.then(refusals) : refusals(answer)
    }
    const ids = [...new Set(calls.map(({ id }) => id))]
    const read = calls.flatMap(({ folded }) => folded ?? [])
    let refusals: Refusals = []
    const plan: PlanWrites = (heads, unmoved) => {
      const planned = planGroup(calls, heads, unmoved)
      refusals = planned.refusals
      return planned.writes
    }
    const done = this.#backend.commit(ids, plan, read)
    return done instanceof Promise ? done.then(() => refusals) : refusals
  }

  #refused(calls: readonly WriteCall[], error: Error): Promise<void> | undefined {
    // Who does not know whether it was written must not write it again.
    const isUnknown = (error as { outcome?: unknown }).outcome === 'unknown'
    const isOfAll = this.#backend.isOfAll?.(error) === true
    if (calls.length === 1 || isUnknown || isOfAll) {
      // Those that have waited behind it all the time do not begin to try now.
      const late = isOfAll ? this.#takeLate() : []
      const all = [...calls, ...late]
      this.#settle(
        all,
        all.map(() => error),
      )
      return undefined
    }
    let before: Promise<void> | undefined
    for (const call of calls) {
      before = before === undefined ? this.#write([call]) : before.then(() => this.#write([call]))
    }
    return before
  }

  #takeLate(): readonly WriteCall[] {
    const isLate = ({ ticket }: WriteCall): boolean => ticket < this.#ticketBegun
    const late = this.#waiting.filter(isLate)
    if (late.length > 0) this.#waiting = this.#waiting.filter((call) => !isLate(call))
    for (const call of late) call.isSettled = true
    return late
  }

  #settle(calls: readonly WriteCall[], refusals: Refusals): void {
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i] as WriteCall
      const refusal = refusals[i]
      if (refusal instanceof StreamMovedError && call.again !== undefined) {
        this.#retake(call, call.again)
        continue
      }
      if (call.again !== undefined) this.#reading--
      if (refusal === undefined) {
        this.#onWritten(call)
        call.resolve()
      } else call.reject(refusal)
      this.#finish(call)
    }
  }

  #retake(call: WriteCall, read: ReadToWrite): void {
    call.isReady = false
    this.#waiting.unshift(call)
    this.#prepare(call, read)
  }

  /** Whoever waits for a call gets its turn: one after another, since what one does may finish the next call. */
  #finish(call: WriteCall): void {
    call.isSettled = true
    for (const turn of call.waiting ?? []) this.#turns.push(turn)
    call.waiting = undefined
    if (this.#isTurning) return
    this.#isTurning = true
    for (let i = 0; i < this.#turns.length; i++) this.#turns[i]?.()
    this.#turns = []
    this.#isTurning = false
  }
}
