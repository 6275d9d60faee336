import type { Runtime } from '../base/runtime.js'
import { hasIdPrefix } from './id-order.js'
import type { StreamChange } from './plan.js'
import type { StreamTail } from './stream-store.js'
import { Tail, type TailSource } from './tail.js'
import type { TailRequest } from './tail-request.js'
import { VersionWatch } from './version-watch.js'

/** Timers and I/O get their turn after this long. */
const TURN_MS_MAX = 5

/**
 * The tails of one store. Those who have something to do take turns, and what this store writes is told to those alone whom it
 * concerns, so that ten thousand of them cost no more than what they tell.
 */
export class Tails {
  readonly #source: TailSource
  readonly #runtime: Runtime
  readonly #byId = new Map<string, Set<Tail>>()
  readonly #byPrefix = new Set<Tail>()
  readonly #watch: VersionWatch
  /** Those who have something to do, in the order in which they said so. */
  #due: Tail[] = []
  #isScheduled = false
  /** When the turns that are taken, or were taken last, began. */
  #begin = 0
  readonly #turn = (): void => this.#takeTurns()

  constructor(source: TailSource, runtime: Runtime) {
    this.#source = source
    this.#runtime = runtime
    this.#watch = new VersionWatch({
      runtime,
      version: () => source.version(),
      onMoved: () => this.#each((tail) => tail.moved()),
      onError: (error) => this.#each((tail) => tail.fail(error)),
    })
  }

  /** Begins a tail. Nothing is told, or read, before this returns. */
  open(request: TailRequest): StreamTail {
    const tail = new Tail(this.#source, this, request)
    const { target, pollMs } = request
    if (!('id' in target)) this.#byPrefix.add(tail)
    else {
      const same = this.#byId.get(target.id)
      if (same === undefined) this.#byId.set(target.id, new Set([tail]))
      else same.add(tail)
    }
    const watching = this.#watch.add(pollMs)
    if (watching === undefined) tail.begin()
    else void watching.then(() => tail.begin())
    return tail
  }

  /** Tells those whom it concerns what this store has written. */
  written(change: StreamChange): void {
    const { id } = change
    const same = this.#byId.get(id)
    if (same !== undefined) for (const tail of same) tail.written(change)
    for (const tail of this.#byPrefix) if (hasIdPrefix(id, tail.prefix)) tail.written(change)
  }

  /** Ends all of them. */
  stop(): void {
    this.#each((tail) => tail.stop())
  }

  /** `tail.advance` is called soon, once. */
  enqueue(tail: Tail): void {
    this.#due.push(tail)
    if (this.#isScheduled) return
    this.#isScheduled = true
    void Promise.resolve().then(this.#turn)
  }

  /** `tail.advance` is called again; not before timers and I/O have had their turn, when it is late. */
  requeue(tail: Tail): void {
    if (this.#isScheduled || !this.isLate()) return this.enqueue(tail)
    this.#due.push(tail)
    this.#isScheduled = true
    this.#runtime.defer(this.#turn)
  }

  /** Whether those who have their turn have kept timers and I/O waiting for long enough. */
  isLate(): boolean {
    return this.#runtime.elapsed() - this.#begin >= TURN_MS_MAX
  }

  /** A tail is over. */
  remove(tail: Tail, { target, pollMs }: TailRequest): void {
    this.#watch.remove(pollMs)
    if (!('id' in target)) this.#byPrefix.delete(tail)
    else {
      const same = this.#byId.get(target.id)
      same?.delete(tail)
      if (same?.size === 0) this.#byId.delete(target.id)
    }
  }

  #takeTurns(): void {
    this.#begin = this.#runtime.elapsed()
    const due = this.#due
    // It may grow meanwhile.
    for (let i = 0; i < due.length; i++) {
      if (this.isLate()) {
        this.#due = due.slice(i)
        return this.#runtime.defer(this.#turn)
      }
      ;(due[i] as Tail).advance()
    }
    this.#due = []
    this.#isScheduled = false
  }

  #each(work: (tail: Tail) => void): void {
    for (const same of [...this.#byId.values()]) for (const tail of [...same]) work(tail)
    for (const tail of [...this.#byPrefix]) work(tail)
  }
}
