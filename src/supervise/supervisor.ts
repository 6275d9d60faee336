import { assert } from '../base/assert.js'
import type { VarveError } from '../base/errors.js'
import { asError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import type {
  Child,
  Owner,
  ProcessState,
  RestartType,
  StopReason,
  Strategy,
  SupervisionEvent,
  TreeNode,
} from './child.js'
import { ProcessExistsError, ProcessStoppedError, RestartsExceededError } from './errors.js'
import { RestartBudget, type Backoff, type Intensity } from './restart-budget.js'
import { RestartPlan } from './restart-plan.js'

/** What a supervisor is. */
export interface SupervisorSpec {
  readonly name: string
  /** Default: `one_for_one`. */
  readonly strategy?: Strategy
  /** What its own supervisor does when it gives up. Default: `permanent`. */
  readonly restart?: RestartType
  /** It gives up at more than `max` restarts within `withinMs`. Default: 3 within 5,000. */
  readonly intensity?: Intensity
  /** Default: 100 ms for a child's second restart within the window, up to 5,000 ms. */
  readonly backoff?: Backoff
  /** Told what happens here and below, synchronously, after it has been dealt with. */
  readonly onEvent?: (event: SupervisionEvent) => void
  /** Told when the root has given up. Children that run go on running; those that crash from now on stay down. */
  readonly onEscalate?: (error: RestartsExceededError) => void
}

/** The inside of a supervisor. */
export interface SupervisorParts {
  readonly children: ReadonlyMap<string, Child>
  readonly plans: ReadonlySet<RestartPlan>
  readonly budget: RestartBudget
}

const INTENSITY = { max: 3, withinMs: 5_000 }
const BACKOFF = { firstMs: 100, maxMs: 5_000 }

/**
 * Keeps its children (processes, or supervisors) running, and ends them in reverse order.
 *
 * It never throws into the code that crashed, never ends the program and leaves no timer behind (P7). A child that was
 * terminated is forgotten at once (P1), one that is down is always on its way up again (P6), and no more than `max`
 * restarts happen within `withinMs` (P5).
 */
export class Supervisor implements Child, Owner {
  readonly name: string
  readonly strategy: Strategy
  readonly restart: RestartType
  /** A supervisor is up as soon as it is started; its children have a `started` of their own. */
  readonly started: Promise<void> = Promise.resolve()
  readonly #spec: SupervisorSpec
  readonly #runtime: Runtime
  readonly #children = new Map<string, Child>()
  readonly #plans = new Set<RestartPlan>()
  readonly #budget: RestartBudget
  #owner: Owner | undefined
  #state: ProcessState = 'running'
  #restarts = 0
  #closing: Promise<void> | undefined
  #callbackError: Error | undefined

  constructor(spec: SupervisorSpec, runtime: Runtime) {
    this.name = spec.name
    this.strategy = spec.strategy ?? 'one_for_one'
    this.restart = spec.restart ?? 'permanent'
    this.#spec = spec
    this.#runtime = runtime
    this.#budget = new RestartBudget(spec.intensity ?? INTENSITY, spec.backoff ?? BACKOFF)
  }

  get state(): ProcessState {
    return this.#state
  }

  /** How many times it was restarted by its own supervisor. */
  get restarts(): number {
    return this.#restarts
  }

  /** What `onEvent` or `onEscalate` threw last: a bug in it, kept here because there is nobody else to tell. */
  get callbackError(): Error | undefined {
    return this.#callbackError
  }

  /** The child called `name`, the same object as long as it is a child (P3). */
  child(name: string): Child | undefined {
    return this.#children.get(name)
  }

  /** The process or supervisor called `name`, anywhere below. */
  find(name: string): Child | undefined {
    const own = this.#children.get(name)
    if (own !== undefined) return own
    for (const child of this.#children.values()) {
      const found = child instanceof Supervisor ? child.find(name) : undefined
      if (found !== undefined) return found
    }
    return undefined
  }

  /**
   * Takes `child` under supervision and starts it, before returning where its `start` is synchronous.
   *
   * @returns resolves when it has come up once; rejects when it never will. A crash on the way there is handled as any
   *   other crash; a `VarveError` from a first start is an answer: the child is forgotten and the error passed on.
   *   Need not be handled, except for:
   * @throws {ProcessExistsError} @throws {ProcessStoppedError} as a rejection; nothing was started.
   */
  startChild(child: Child): Promise<void> {
    if (this.#state === 'stopped' || this.#state === 'failed') {
      return Promise.reject(new ProcessStoppedError(this.name))
    }
    if (this.#children.has(child.name)) return Promise.reject(new ProcessExistsError(this.name, child.name))
    child.adopt(this)
    this.#children.set(child.name, child)
    if (this.#state === 'running') void child.begin()
    else child.interrupt()
    return child.started
  }

  /**
   * Ends a child for good: it is forgotten before this returns, and its name is free. Calls that wait for it are done
   * first where it runs; later ones reject with `error`, by default `ProcessStoppedError`.
   *
   * @returns when it has cleaned up: whether there was such a child. Never rejects.
   */
  async terminateChild(name: string, error?: VarveError): Promise<boolean> {
    const child = this.#children.get(name)
    if (child === undefined) return false
    this.#forget(child)
    await child.close(error)
    return true
  }

  /** Ends all children, the last started first, each when the one after it has ended. Never rejects. */
  stop(error?: VarveError): Promise<void> {
    return this.close(error)
  }

  /** What is below it, as it is now. */
  tree(): TreeNode {
    const children = Array.from(this.#children.values(), (child) => child.tree())
    const mailbox = children.reduce((sum, child) => sum + child.mailbox, 0)
    const { name, strategy, state, restarts } = this
    return { name, kind: 'supervisor', state, restarts, mailbox, strategy, children }
  }

  /** For `checkSupervisor`, which is apart so that no bundle has it. */
  get parts(): SupervisorParts {
    return { children: this.#children, plans: this.#plans, budget: this.#budget }
  }

  /** See `Child`. */
  adopt(owner: Owner): void {
    assert(this.#owner === undefined, 'P3', `supervisor ${this.name} is started a second time`)
    this.#owner = owner
  }

  /** See `Child`. */
  async begin(): Promise<void> {
    const isRestart = this.#state === 'restarting'
    assert(this.#closing === undefined && this.#state !== 'failed', 'P1', `supervisor ${this.name} is begun`)
    this.#state = 'running'
    this.#budget.clear()
    if (isRestart) this.#restarts += 1
    const down = [...this.#children.values()].filter((child) => child.state === 'restarting')
    const plan = this.#addPlan(down, this.#runtime.elapsed())
    this.#owner?.childRunning(this)
    await this.#execute(plan)
  }

  /** See `Child`. */
  interrupt(): void {
    if (this.#state !== 'running' && this.#state !== 'restarting') return
    this.#state = 'restarting'
    this.#cancelPlans()
    this.#interruptAll([...this.#children.values()])
  }

  /** See `Child`. */
  async cleanup(reason: StopReason): Promise<void> {
    for (const child of [...this.#children.values()].reverse()) await child.cleanup(reason)
  }

  /** See `Child`. */
  close(error?: VarveError): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    this.#state = 'stopped'
    this.#cancelPlans()
    this.#owner?.childClosed(this)
    this.#closing = this.#closeChildren(error)
    return this.#closing
  }

  /** See `Child`. */
  fail(cause: Error): void {
    if (this.#state === 'stopped' || this.#state === 'failed') return
    this.#state = 'failed'
    this.#cancelPlans()
    for (const child of this.#children.values()) {
      if (child.state === 'restarting') this.#failChild(child, cause)
    }
  }

  /** See `Owner`. */
  childRunning(child: Child): void {
    for (const plan of this.#plans) plan.pending.delete(child)
    if (child.restarts > 0) this.#emit({ type: 'restarted', process: child.name, restarts: child.restarts })
  }

  /** See `Owner`. */
  childEnded(child: Child, cause: Error | undefined): void {
    const isWanted = child.restart === 'permanent' || (child.restart === 'transient' && cause !== undefined)
    if (!isWanted) return this.#letGo(child, cause)
    if (this.#state !== 'running') {
      this.#emitCrash(child, cause)
      if (this.#state === 'failed') this.#failChild(child, cause ?? new ProcessStoppedError(child.name))
      return
    }
    const delayMs = this.#budget.take(child, this.#runtime.elapsed())
    if (delayMs !== undefined) this.#plan(child, delayMs)
    this.#emitCrash(child, cause)
    // The listener may have stopped everything meanwhile.
    if (delayMs === undefined && this.#state === 'running') this.#giveUp(cause ?? new Error(`${child.name} ended`))
  }

  /** See `Owner`. */
  childRefused(child: Child, error: VarveError): void {
    this.#forget(child)
    this.#emit({ type: 'failed', process: child.name, error, restarts: child.restarts })
  }

  /** See `Owner`. */
  childStopFailed(child: Child, error: Error): void {
    this.#emit({ type: 'stop-failed', process: child.name, error, restarts: child.restarts })
  }

  /** See `Owner`. */
  childEvent(event: SupervisionEvent): void {
    this.#emit(event)
  }

  /** See `Owner`. */
  childClosed(child: Child): void {
    this.#forget(child)
  }

  /** A child that is not to come back after how it ended. */
  #letGo(child: Child, cause: Error | undefined): void {
    this.#forget(child)
    this.#emitCrash(child, cause)
    if (cause === undefined) void child.close()
    else this.#failChild(child, cause)
  }

  #forget(child: Child): void {
    if (this.#children.get(child.name) !== child || this.#state === 'stopped') return
    this.#children.delete(child.name)
    this.#budget.forget(child)
    for (const plan of this.#plans) plan.pending.delete(child)
  }

  #plan(crashed: Child, delayMs: number): void {
    const now = this.#runtime.elapsed()
    const affected = new Set(this.#affectedBy(crashed))
    this.#interruptAll([...affected].filter((child) => child !== crashed))
    crashed.interrupt()
    let dueAt = now + delayMs
    for (const plan of this.#plans) {
      if (![...plan.pending].some((child) => affected.has(child))) continue
      for (const child of plan.pending) affected.add(child)
      dueAt = Math.max(dueAt, plan.dueAt)
      this.#cancel(plan)
    }
    const down = [...this.#children.values()].filter((child) => affected.has(child))
    const plan = this.#addPlan(down, dueAt)
    // Never at once: the crash may have happened in the middle of something that spans several processes.
    const go = (): void => {
      if (!plan.isCancelled) void this.#execute(plan)
    }
    if (dueAt <= now) this.#runtime.defer(go)
    else plan.timer = this.#runtime.setTimer(dueAt - now, go, true)
  }

  #affectedBy(crashed: Child): Child[] {
    const all = [...this.#children.values()]
    if (this.strategy === 'one_for_one') return [crashed]
    return this.strategy === 'one_for_all' ? all : all.slice(all.indexOf(crashed))
  }

  /** The last started first; a temporary child does not outlive the run of those that it was started with. */
  #interruptAll(children: readonly Child[]): void {
    for (const child of [...children].reverse()) {
      if (child.restart === 'temporary') void this.terminateChild(child.name)
      else child.interrupt()
    }
  }

  async #execute(plan: RestartPlan): Promise<void> {
    try {
      await plan.execute()
      this.#plans.delete(plan)
    } catch (bug) {
      if (this.#state === 'running') this.#giveUp(asError(bug))
    }
  }

  #addPlan(children: readonly Child[], dueAt: number): RestartPlan {
    const plan = new RestartPlan(children, dueAt)
    this.#plans.add(plan)
    return plan
  }

  #cancel(plan: RestartPlan): void {
    plan.cancel()
    this.#plans.delete(plan)
  }

  #cancelPlans(): void {
    for (const plan of this.#plans) this.#cancel(plan)
  }

  #giveUp(cause: Error): void {
    const { max, withinMs } = this.#budget.intensity
    const error = new RestartsExceededError(this.name, max, withinMs, cause)
    if (this.#owner !== undefined) {
      // Children that run go on until the supervisor above has decided: it may have to give up as well.
      this.#state = 'restarting'
      this.#cancelPlans()
      return this.#owner.childEnded(this, error)
    }
    this.fail(error)
    this.#emit({ type: 'failed', process: this.name, error, restarts: this.#restarts })
    this.#callOut(() => this.#spec.onEscalate?.(error))
  }

  #failChild(child: Child, cause: Error): void {
    child.fail(cause)
    this.#emit({ type: 'failed', process: child.name, error: cause, restarts: child.restarts })
  }

  async #closeChildren(error: VarveError | undefined): Promise<void> {
    for (const child of [...this.#children.values()].reverse()) await child.close(error)
  }

  #emitCrash(child: Child, error: Error | undefined): void {
    if (error !== undefined) this.#emit({ type: 'crashed', process: child.name, error, restarts: child.restarts })
  }

  #emit(event: SupervisionEvent): void {
    this.#callOut(() => this.#spec.onEvent?.(event))
    this.#owner?.childEvent(event)
  }

  #callOut(callback: () => void): void {
    try {
      callback()
    } catch (thrown) {
      this.#callbackError = asError(thrown)
    }
  }
}
