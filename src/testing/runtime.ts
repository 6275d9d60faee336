import { assert } from '../base/assert.js'
import { systemRuntime, type Runtime, type Timer } from '../base/runtime.js'
import { splitmix32, uuidOf, xoshiro128starstar } from '../base/seeded-random.js'

/** How a virtual runtime begins. */
export interface VirtualRuntimeOptions {
  /** Any number; the same seed gives the same random numbers and UUIDs. Default 1. */
  readonly seed?: number
  /** Wall clock at the beginning, milliseconds since 1970. Default 2024-01-01T00:00:00Z. */
  readonly startAt?: number
}

/** A `Runtime` whose time stands still until the test moves it, and whose randomness is drawn from a seed. */
export interface VirtualRuntime extends Runtime {
  /** What is set and has not run. */
  readonly pending: { readonly timers: number; readonly deferred: number }
  /**
   * Moves time forward by `ms`, running every timer and deferred task that falls due on the way, by due time and, where
   * that is equal, in the order in which they were set; after each, promise jobs run until none is left.
   *
   * @throws whatever a timer or task throws; time then stands where it was due, and the rest is still pending.
   */
  advance(ms: number): Promise<void>
  /** Runs what is due now: deferred tasks, those that they add, timers at their time. Time does not move. */
  runDeferred(): Promise<void>
  /** Sets the wall clock forth or back by `ms`; runs nothing, and `elapsed()` and the timers do not notice. */
  jump(ms: number): void
}

interface Task {
  readonly dueAt: number
  readonly order: number
  readonly kind: 'timer' | 'deferred'
  readonly fn: () => void
}

const START_AT = Date.UTC(2024, 0, 1)
const TIMER_MS_MAX = 2 ** 31 - 1
/** Tasks that run at one moment; more are taken for a chain that never ends. */
const TASKS_AT_ONCE_MAX = 100_000

/**
 * Makes a runtime for tests. Nothing happens by itself: without `advance` or `runDeferred` no timer fires. Promise jobs
 * are the host's; real I/O is not waited for.
 */
export function virtualRuntime(options: VirtualRuntimeOptions = {}): VirtualRuntime {
  // Both halves of the double count, so that large and fractional seeds differ too.
  const words = new Uint32Array(new Float64Array([options.seed ?? 1]).buffer)
  const next = xoshiro128starstar(splitmix32((words[0] as number) ^ Math.imul(words[1] as number, 0x9e3779b1)))
  const tasks = new TaskQueue()
  let elapsedMs = 0
  let wallAt = options.startAt ?? START_AT

  const advance = async (ms: number): Promise<void> => {
    const target = elapsedMs + Math.max(0, ms)
    await promiseJobs()
    for (let atOnce = 1; ; atOnce += 1) {
      const task = tasks.first()
      if (task === undefined || task.dueAt > target) break
      if (task.dueAt > elapsedMs) atOnce = 1
      assert(atOnce <= TASKS_AT_ONCE_MAX, 'T1', `${TASKS_AT_ONCE_MAX} tasks were due at once and set more`)
      tasks.take()
      wallAt += task.dueAt - elapsedMs
      elapsedMs = task.dueAt
      task.fn()
      await promiseJobs()
    }
    wallAt += target - elapsedMs
    elapsedMs = target
  }

  return {
    now: () => wallAt,
    elapsed: () => elapsedMs,
    random: () => next() / 2 ** 32,
    uuid: () => uuidOf([next(), next(), next(), next()]),
    setTimer: (ms, fn) => tasks.add(elapsedMs + (ms > 0 ? Math.min(ms, TIMER_MS_MAX) : 0), 'timer', fn),
    defer(fn) {
      tasks.add(elapsedMs, 'deferred', fn)
    },
    get pending() {
      return { timers: tasks.count('timer'), deferred: tasks.count('deferred') }
    },
    advance,
    runDeferred: () => advance(0),
    jump(ms) {
      wallAt += ms
    },
  }
}

/** A host task runs only after all promise jobs, so one turn of it settles every chain that needs no outside help. */
function promiseJobs(): Promise<void> {
  return new Promise((resolve) => systemRuntime.defer(resolve))
}

/** A binary heap by due time, then order of insertion. */
class TaskQueue {
  readonly #heap: Task[] = []
  readonly #counts = { timer: 0, deferred: 0 }
  readonly #cancelled = new Set<Task>()
  #order = 0

  add(dueAt: number, kind: Task['kind'], fn: () => void): Timer {
    const task: Task = { dueAt, order: (this.#order += 1), kind, fn }
    let waiting = true
    const run = { ...task, fn: () => ((waiting = false), fn()) }
    this.#counts[kind] += 1
    this.#push(run)
    return {
      cancel: () => {
        if (!waiting) return
        waiting = false
        this.#counts[kind] -= 1
        this.#cancelled.add(run)
      },
    }
  }

  count(kind: Task['kind']): number {
    return this.#counts[kind]
  }

  first(): Task | undefined {
    while (this.#heap[0] !== undefined && this.#cancelled.delete(this.#heap[0])) this.#pop()
    return this.#heap[0]
  }

  take(): void {
    const task = this.#pop()
    this.#counts[task.kind] -= 1
  }

  #push(task: Task): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(task)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(task, heap[parent] as Task)) break
      heap[at] = heap[parent] as Task
      at = parent
    }
    heap[at] = task
  }

  #pop(): Task {
    const heap = this.#heap
    const top = heap[0] as Task
    const last = heap.pop() as Task
    if (heap.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Task, heap[child] as Task)) child += 1
      if (!before(heap[child] as Task, last)) break
      heap[at] = heap[child] as Task
      at = child
    }
    heap[at] = last
    return top
  }
}

function before(a: Task, b: Task): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order)
}
