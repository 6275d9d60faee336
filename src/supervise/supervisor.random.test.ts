import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InvariantError } from '../base/assert.js'
import { asError } from '../base/errors.js'
import { virtualRuntime, type VirtualRuntime } from '../testing/runtime.js'
import type { RestartType, Strategy, SupervisionEvent } from './child.js'
import { Process } from './process.js'
import { checkSupervisor } from './check.js'
import { Supervisor } from './supervisor.js'

/** How a start or a stop goes: how long it takes (undefined: it is synchronous), and whether it throws. */
interface Step {
  readonly ms: number | undefined
  readonly throws: boolean
}

interface AddProcess {
  readonly do: 'process'
  readonly in: number
  readonly restart: RestartType
  readonly starts: readonly Step[]
  readonly stops: readonly Step[]
}

type Action =
  | AddProcess
  | { readonly do: 'group'; readonly in: number; readonly strategy: Strategy }
  | { readonly do: 'call' | 'bug' | 'slow bug' | 'kill' | 'exit' | 'terminate'; readonly who: number }
  | { readonly do: 'terminate group'; readonly in: number }
  | { readonly do: 'advance'; readonly ms: number }

const step = fc.record({
  ms: fc.constantFrom(undefined, undefined, 0, 5, 90, 6_000),
  throws: fc.constantFrom(false, false, false, true),
})
const steps = fc.array(step, { maxLength: 6 })
const strategy = fc.constantFrom<Strategy>('one_for_one', 'one_for_all', 'rest_for_one')
const restart = fc.constantFrom<RestartType>('permanent', 'permanent', 'transient', 'temporary')
const where = fc.nat(3)
const ms = fc.constantFrom(0, 0, 1, 10, 100, 1_000, 6_000)
const verb = fc.constantFrom('call' as const, 'call' as const, 'bug' as const, 'slow bug' as const, 'kill' as const)
const process = fc.record({ do: fc.constant('process' as const), in: where, restart, starts: steps, stops: steps })
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: process },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('group' as const), in: where, strategy }) },
  { weight: 8, arbitrary: fc.record({ do: verb, who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('exit' as const, 'terminate' as const), who: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('terminate group' as const), in: where }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('advance' as const), ms }) },
)

/** What one process did, seen from inside its functions. */
class Witness {
  readonly runtime: VirtualRuntime
  readonly problems: string[] = []
  /** When the start or stop under way began. */
  busySince: number | undefined
  isOpen = false
  lastCall = 0

  constructor(runtime: VirtualRuntime) {
    this.runtime = runtime
  }

  async go(what: 'start' | 'stop', { ms, throws }: Step): Promise<void> {
    const now = this.runtime.elapsed()
    // Only what takes longer than five seconds may be overtaken (P4).
    if (this.busySince !== undefined && now - this.busySince < 5_000) this.problems.push(`${what} overlaps (P4)`)
    if (what === 'start' && this.isOpen) this.problems.push('a run was not cleaned up')
    this.isOpen = what === 'start'
    this.busySince = now
    await new Promise<void>((resolve) => this.runtime.setTimer(ms ?? 0, resolve))
    if (this.busySince === now) this.busySince = undefined
    if (throws) throw new TypeError(`in ${what}`)
  }

  now(what: 'start' | 'stop', one: Step): void {
    if (what === 'start' && this.isOpen) this.problems.push('a run was not cleaned up')
    this.isOpen = what === 'start'
    if (one.throws) throw new TypeError(`in ${what}`)
  }

  do(what: 'start' | 'stop', one: Step | undefined): void | Promise<void> {
    const chosen = one ?? { ms: undefined, throws: false }
    return chosen.ms === undefined ? this.now(what, chosen) : this.go(what, chosen)
  }
}

class World {
  readonly runtime = virtualRuntime()
  readonly root: Supervisor
  readonly groups: Supervisor[]
  readonly processes: { process: Process; witness: Witness; group: Supervisor }[] = []
  readonly problems: string[] = []
  calls = 0
  answers = 0
  escalations = 0
  names = 0

  constructor(rootStrategy: Strategy) {
    const onEscalate = (): void => void (this.escalations += 1)
    const onEvent = ({ error }: SupervisionEvent): void => this.expectNoBug(error)
    this.root = new Supervisor({ name: 'root', strategy: rootStrategy, onEscalate, onEvent }, this.runtime)
    this.groups = [this.root]
  }

  async do(one: Action): Promise<void> {
    if (one.do === 'advance') return this.runtime.advance(one.ms)
    if (one.do === 'process') return this.addProcess(one)
    if (one.do === 'group') return this.addGroup(one.strategy, this.groups[one.in] ?? this.root)
    if (one.do === 'terminate group') {
      const group = this.groups[one.in]
      // Ends with its parent or through it: a group knows its own end.
      if (group !== undefined && group !== this.root) void group.stop()
      return
    }
    const target = this.processes[one.who]
    if (target === undefined) return
    if (one.do === 'kill') target.process.kill('drill')
    else if (one.do === 'exit') target.process.exit()
    else if (one.do === 'terminate') void target.group.terminateChild(target.process.name)
    else this.call(target.process, target.witness, one.do)
  }

  addGroup(own: Strategy, parent: Supervisor): void {
    const group = new Supervisor({ name: `g${(this.names += 1)}`, strategy: own }, this.runtime)
    parent.startChild(group).then(
      () => this.groups.push(group),
      (error: unknown) => this.expectRefusal(error, parent),
    )
  }

  addProcess(one: AddProcess): void {
    const group = this.groups[one.in] ?? this.root
    const witness = new Witness(this.runtime)
    let starts = 0
    let stops = 0
    const start = (): void | Promise<void> => witness.do('start', one.starts[(starts += 1) - 1])
    const stop = (): void | Promise<void> => witness.do('stop', one.stops[(stops += 1) - 1])
    const child = new Process({ name: `p${(this.names += 1)}`, restart: one.restart, start, stop }, this.runtime)
    const isUp = group.state === 'running' || group.state === 'restarting'
    void group.startChild(child).catch((error: unknown) => isUp || this.expectRefusal(error, group))
    if (isUp) this.processes.push({ process: child, witness, group })
  }

  /** A broken invariant would crash what it is in, and a crash is a legal outcome here. */
  expectNoBug(error: unknown): void {
    if (error instanceof InvariantError) this.problems.push(error.message)
    else if (error instanceof Error) this.expectNoBug(error.cause)
  }

  expectRefusal(error: unknown, group: Supervisor): void {
    if (group.state !== 'failed' && group.state !== 'stopped') this.problems.push(asError(error).message)
  }

  call(target: Process, witness: Witness, kind: 'call' | 'bug' | 'slow bug'): void {
    const id = (this.calls += 1)
    const work = (): void | Promise<void> => {
      if (target.state !== 'running') this.problems.push(`call ${id} runs in state ${target.state}`)
      if (id <= witness.lastCall) this.problems.push(`call ${id} runs after call ${witness.lastCall} (P2)`)
      witness.lastCall = id
      if (kind === 'bug') throw new TypeError('bug')
      if (kind === 'slow bug') return Promise.resolve().then(() => Promise.reject(new TypeError('slow bug')))
    }
    const answered = (): void => void (this.answers += 1)
    void target.call(work).then(answered, answered)
  }

  check(): void {
    checkSupervisor(this.root)
    const all = [...this.problems, ...this.processes.flatMap((one) => one.witness.problems)]
    expect(all).toEqual([])
  }
}

const actions = fc.array(action, { maxLength: 60, size: 'max' })

test('P1 to P8 hold whatever takes its time, fails half-way or is ended below nested supervisors', async () => {
  await fc.assert(
    fc.asyncProperty(strategy, actions, fc.boolean(), async (own, schedule, stops) => {
      const world = new World(own)
      for (const one of schedule) {
        await world.do(one)
        world.check()
      }
      const stopped = stops ? world.root.stop() : undefined
      world.check()
      await world.runtime.advance(3_600_000)
      await stopped
      world.check()
      // Nothing is on its way for ever: each process runs, or is over and says why (P6); every call was answered (P8).
      for (const { process: one } of world.processes) expect(one.state).toMatch(/^(running|failed|stopped)$/)
      if (stops) for (const { process: one } of world.processes) expect(one.state).not.toBe('running')
      if (stops) for (const { witness } of world.processes) expect(witness.isOpen).toBe(false)
      expect(world.answers).toBe(world.calls)
      expect(world.runtime.pending).toEqual({ timers: 0, deferred: 0 })
      expect(world.escalations).toBeLessThanOrEqual(1)
    }),
    { numRuns: 500 },
  )
})
