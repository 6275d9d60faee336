import { assert } from '../base/assert.js'
import { asError, VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type { Child, Owner, ProcessState, RestartType, StopReason, TreeNode } from './child.js'
import { MailboxFullError, ProcessCrashedError, ProcessFailedError, ProcessStoppedError } from './errors.js'
import { Mailbox } from './mailbox.js'
import { settleWithin } from './settle-within.js'

/** What a process is, said once; the same functions serve each of its runs. */
export interface ProcessSpec {
  readonly name: string
  /**
   * Builds the state of a run from nothing; calls wait until it is done. Runs never overlap: it is called when the
   * `start` and `stop` before it have settled (or were given up after five seconds). What it throws is a crash, except
   * for a `VarveError` before the process has ever run: that is an answer, which `started` rejects with.
   * It must not wait for a call to its own process.
   */
  readonly start: (self: Process) => void | Promise<void>
  /** Releases what `start` took: called once after each run, however it ended, also where `start` failed half-way. */
  readonly stop?: (reason: StopReason) => void | Promise<void>
  /** Default: `permanent`. */
  readonly restart?: RestartType
  /**
   * What a call rejects with that met the bug `cause`; where the process is down for good (`isFinal`), all calls do.
   * Default: `ProcessCrashedError`, `ProcessFailedError`.
   */
  readonly errorOf?: (cause: Error, isFinal: boolean) => VarveError
  /** Calls that may wait at a time; more are refused. Default: 100,000. */
  readonly mailboxMax?: number
}

/** The inside of a process, besides what everybody can see. */
export interface ProcessParts {
  readonly isAlive: boolean
  readonly isDirty: boolean
  readonly opening: Promise<void> | undefined
  readonly refusal: VarveError | undefined
}

const MAILBOX_MAX = 100_000
/** Waiting calls that are run before timers and I/O get their turn. */
const DRAIN_CALLS_MAX = 500
/** How long a `start` or `stop` may hold up the next run, or the end. */
const STOP_WAIT_MS = 5_000

/**
 * A named unit with a state of its own, which is rebuilt when a bug has spoilt it. Calls wait until it is given to
 * `Supervisor.startChild`; from then on the object stays valid across restarts (P3).
 *
 * Calls run one at a time, in order of arrival (P2). While the process starts or restarts they wait.
 */
export class Process implements Child {
  readonly name: string
  readonly restart: RestartType
  /** Resolves when the process has come up once; rejects when it never will. Need not be handled. */
  readonly started: Promise<void>
  readonly #spec: ProcessSpec
  readonly #runtime: Runtime
  readonly #mailbox = new Mailbox()
  #owner: Owner | undefined
  #state: ProcessState = 'starting'
  /** Running, no call in progress, none waiting, none refused: the one thing that the hot path looks at. */
  #ready = false
  /** Grows when a run ends, so that what a past run left behind is known by its number. */
  #run = 0
  #begins = 0
  #restarts = 0
  #hasRun = false
  #isAlive = false
  #isExiting = false
  #isDirty = false
  #drained = 0
  #lastError: Error | undefined
  #refusal: VarveError | undefined
  #opening: Promise<void> | undefined
  #cleaning: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #onClosed: (() => void) | undefined
  #onBegun: (() => void) | undefined
  #onStarted: ((error?: VarveError) => void) | undefined

  constructor(spec: ProcessSpec, runtime: Runtime) {
    this.name = spec.name
    this.restart = spec.restart ?? 'permanent'
    this.#spec = spec
    this.#runtime = runtime
    this.started = new Promise((resolve, reject) => {
      this.#onStarted = (error) => (error === undefined ? resolve() : reject(error))
    })
    // Whoever cares awaits it; for the others a failed start is an event and a state, not an unhandled rejection.
    this.started.then(undefined, () => undefined)
  }

  get state(): ProcessState {
    return this.#state
  }

  /** Whether a call made now runs at once. False inside a call. */
  get isReady(): boolean {
    return this.#ready
  }

  /** How many times it came up again. */
  get restarts(): number {
    return this.#restarts
  }

  /** Calls waiting. */
  get mailbox(): number {
    return this.#mailbox.length
  }

  /** The bug that ended the last run that crashed. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  /**
   * Runs `fn` in the process: at once where it is ready, else in order of arrival, after the (re)start.
   *
   * Only the synchronous part of `fn` holds up other calls. A promise that it returns is passed on to the caller and
   * not waited for, so that many writes can be on their way to the disk together. What `fn` returns is the outcome,
   * even if the process crashes before a promise settles.
   *
   * @throws a `VarveError` from `fn`, as it is. Anything else from `fn` is a bug: the process crashes and is restarted,
   *   and this call rejects with what the spec's `errorOf` makes of it, by default `ProcessCrashedError`.
   * @throws {MailboxFullError} too many calls wait; `fn` was not run.
   * @throws {ProcessStoppedError} or what the process was closed with; `fn` was not run.
   */
  call<T>(fn: () => T | Promise<T>): Promise<T> {
    if (!this.#ready) return this.#enqueue(fn)
    this.#ready = false
    const run = this.#run
    try {
      const result = fn()
      return result instanceof Promise ? this.#follow(run, result) : Promise.resolve(result)
    } catch (thrown) {
      return Promise.reject(this.#failureOf(run, thrown))
    } finally {
      this.#nextTurn()
    }
  }

  /**
   * Ends the run as a crash would, from outside or inside of it. Does nothing where there is no run to end.
   *
   * @returns whether there was one.
   */
  kill(reason: unknown): boolean {
    if (!this.#isAlive) return false
    this.#crash(asError(typeof reason === 'string' ? new Error(`killed: ${reason}`) : reason))
    return true
  }

  /** Ends the run normally, once the start or the call in progress is done. A `permanent` process begins another. */
  exit(): void {
    if (this.#refusal !== undefined) return
    if (this.#ready) this.#exitNow()
    else this.#isExiting = true
  }

  /** See `Child`. */
  adopt(owner: Owner): void {
    assert(this.#owner === undefined, 'P3', `process ${this.name} is started a second time`)
    this.#owner = owner
  }

  /** See `Child`. */
  begin(): Promise<void> {
    assert(this.#refusal === undefined, 'P1', `process ${this.name} is begun in state ${this.#state}`)
    const isOver = !this.#isAlive && this.#opening === undefined && this.#cleaning === undefined && !this.#isDirty
    assert(isOver, 'P4', `process ${this.name} is begun before its last run has ended`)
    this.#isAlive = true
    this.#isDirty = true
    this.#begins += 1
    const run = this.#run
    const begun = new Promise<void>((resolve) => {
      this.#onBegun = resolve
    })
    try {
      const opening = this.#spec.start(this)
      if (opening instanceof Promise) this.#open(run, opening)
      else this.#startDone(run)
    } catch (thrown) {
      this.#startFailed(run, thrown)
    }
    return begun
  }

  /** See `Child`. */
  interrupt(): void {
    if (this.#refusal !== undefined) return
    this.#endRun('restarting')
  }

  /** See `Child`. */
  cleanup(reason: StopReason): Promise<void> {
    if (this.#isAlive) return Promise.resolve()
    this.#cleaning ??= this.#cleanUp(reason).then(() => {
      this.#cleaning = undefined
    })
    return this.#cleaning
  }

  /** See `Child`; calls from now on reject with `error`, by default `ProcessStoppedError`. */
  close(error?: VarveError): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    if (this.#refusal !== undefined) return (this.#closing = this.cleanup('crash'))
    this.#refusal = error ?? new ProcessStoppedError(this.name)
    this.#closing = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    // What came before is done first: a write that nobody awaited is not lost because the store was stopped after it.
    if (this.#state !== 'running' || this.#ready) this.#finishClose(this.#isAlive ? 'shutdown' : 'crash')
    return this.#closing
  }

  /** See `Child`. */
  fail(cause: Error): void {
    if (this.#refusal !== undefined) return
    this.#endRun('failed')
    this.#refusal = this.#errorOf(cause)
    this.#refuseWaiting(this.#refusal)
    void this.cleanup('crash')
  }

  /** See `Child`. */
  tree(): TreeNode {
    return { name: this.name, kind: 'process', state: this.#state, restarts: this.restarts, mailbox: this.mailbox }
  }

  /** For `checkProcess`, which is apart so that no bundle has it. */
  get parts(): ProcessParts {
    return { isAlive: this.#isAlive, isDirty: this.#isDirty, opening: this.#opening, refusal: this.#refusal }
  }

  #enqueue<T>(fn: () => T | Promise<T>): Promise<T> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal)
    const max = this.#spec.mailboxMax ?? MAILBOX_MAX
    if (this.#mailbox.length >= max) return Promise.reject(new MailboxFullError(this.name, this.#state, max))
    return new Promise<T>((resolve, reject) => {
      this.#mailbox.push({ fn, resolve: resolve as (value: unknown) => void, reject, next: undefined })
    })
  }

  #follow<T>(run: number, result: Promise<T>): Promise<T> {
    return result.then(undefined, (thrown: unknown) => {
      throw this.#failureOf(run, thrown)
    })
  }

  /** What the call that threw rejects with. A bug ends the run, unless it is a past run's. */
  #failureOf(run: number, thrown: unknown): VarveError {
    if (thrown instanceof VarveError) return thrown
    const cause = asError(thrown)
    if (run === this.#run) this.#crash(cause)
    return this.#errorOf(cause)
  }

  #errorOf(cause: Error): VarveError {
    const isFinal = this.#state === 'failed'
    const Default = isFinal ? ProcessFailedError : ProcessCrashedError
    try {
      return this.#spec.errorOf?.(cause, isFinal) ?? new Default(this.name, cause)
    } catch (thrown) {
      return new Default(this.name, asError(thrown))
    }
  }

  /** After a call: the process is ready, or goes on with those that came meanwhile. */
  #nextTurn(): void {
    if (this.#state !== 'running') return
    if (this.#mailbox.length === 0 && !this.#isExiting && this.#refusal === undefined) this.#ready = true
    else this.#drain()
  }

  #drain(): void {
    const run = this.#run
    while (this.#run === run) {
      if (this.#isExiting && this.#refusal === undefined) return this.#exitNow()
      if (this.#mailbox.length > 0 && this.#drained >= DRAIN_CALLS_MAX) return this.#drainLater(run)
      const message = this.#mailbox.shift()
      if (message === undefined) {
        if (this.#refusal === undefined) this.#ready = true
        else this.#finishClose('shutdown')
        return
      }
      this.#drained += 1
      try {
        const result = message.fn()
        message.resolve(result instanceof Promise ? this.#follow(run, result) : result)
      } catch (thrown) {
        message.reject(this.#failureOf(run, thrown))
      }
    }
  }

  #drainLater(run: number): void {
    this.#runtime.defer(() => {
      if (this.#run !== run) return
      this.#drained = 0
      this.#drain()
    })
  }

  #open(run: number, opening: Promise<void>): void {
    const settled: Promise<void> = opening.then(
      () => this.#settleOpening(settled, () => this.#startDone(run)),
      (thrown: unknown) => this.#settleOpening(settled, () => this.#startFailed(run, thrown)),
    )
    this.#opening = settled
  }

  #settleOpening(settled: Promise<void>, next: () => void): void {
    if (this.#opening === settled) this.#opening = undefined
    try {
      next()
    } catch (bug) {
      this.#lastError = asError(bug)
      this.kill(bug)
    }
  }

  #startDone(run: number): void {
    if (run !== this.#run) return
    if (this.#begins > 1) this.#restarts += 1
    this.#hasRun = true
    this.#state = 'running'
    this.#onStarted?.()
    this.#owner?.childRunning(this)
    this.#onBegun?.()
    this.#nextTurn()
  }

  #startFailed(run: number, thrown: unknown): void {
    if (run !== this.#run) return
    if (!(thrown instanceof VarveError) || this.#hasRun) return this.#crash(asError(thrown))
    this.#refusal = thrown
    this.#endRun('failed')
    this.#refuseWaiting(thrown)
    void this.cleanup('crash')
    this.#owner?.childRefused(this, thrown)
  }

  #crash(cause: Error): void {
    this.#lastError = cause
    if (this.#refusal !== undefined) return this.#finishClose('crash')
    this.#endRun('restarting')
    this.#owner?.childEnded(this, cause)
  }

  #exitNow(): void {
    this.#endRun('restarting')
    this.#owner?.childEnded(this, undefined)
  }

  #endRun(state: ProcessState): void {
    this.#state = state
    this.#run += 1
    this.#ready = false
    this.#isAlive = false
    this.#isExiting = false
    this.#drained = 0
    this.#onBegun?.()
  }

  #finishClose(reason: StopReason): void {
    if (this.#state === 'stopped') return
    this.#endRun('stopped')
    this.#refuseWaiting(this.#refusal as VarveError)
    void this.cleanup(reason).then(this.#onClosed, this.#onClosed)
  }

  #refuseWaiting(error: VarveError): void {
    this.#onStarted?.(error)
    this.#mailbox.refuse(error)
  }

  async #cleanUp(reason: StopReason): Promise<void> {
    try {
      if (this.#opening !== undefined) await this.#waitFor(this.#opening, 'start')
      this.#opening = undefined
      if (!this.#isDirty) return
      this.#isDirty = false
      const stopping = this.#spec.stop?.(reason)
      if (stopping instanceof Promise) await this.#waitFor(stopping, 'stop')
    } catch (thrown) {
      this.#owner?.childStopFailed(this, asError(thrown))
    }
  }

  async #waitFor(work: Promise<void>, what: 'start' | 'stop'): Promise<void> {
    if (await settleWithin(this.#runtime, STOP_WAIT_MS, work)) return
    const error = new Error(`${what} of process ${this.name} has not settled within ${STOP_WAIT_MS} ms; going on`)
    this.#owner?.childStopFailed(this, error)
  }
}
