import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VarveError } from '../base/errors.js'
import { virtualRuntime } from '../testing/runtime.js'
import type { RestartType, Strategy } from './child.js'
import { Process } from './process.js'
import { checkSupervisor } from './check.js'
import { Supervisor } from './supervisor.js'

const INTENSITY = { max: 3, withinMs: 1_000 }
const BACKOFF = { firstMs: 50, maxMs: 120 }

/** What a call does: succeeds, is refused, meets a bug. */
type Kind = 'ok' | 'refuse' | 'bug'

type Action =
  | { readonly do: 'start'; readonly restart: RestartType; readonly fails: readonly boolean[] }
  | { readonly do: 'call'; readonly who: number; readonly kind: Kind }
  | { readonly do: 'kill' | 'exit' | 'terminate'; readonly who: number }
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'stop' }

const restart = fc.constantFrom<RestartType>('permanent', 'permanent', 'transient', 'temporary')
const who = fc.nat(3)
const kind = fc.constantFrom<Kind>('ok', 'bug', 'refuse')
const ms = fc.constantFrom(0, 0, 1, 60, 300, 1_000)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('start' as const), restart, fails: fc.array(fc.boolean()) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('call' as const), who, kind }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('kill' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('exit' as const, 'terminate' as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('advance' as const), ms }) },
)

interface Row {
  readonly name: string
  readonly state: string
  readonly restarts: number
  readonly mailbox: number
}

/** What the model and the real thing are compared by. */
interface View {
  readonly state: string
  readonly rows: readonly Row[]
  readonly log: readonly string[]
  readonly outcomes: readonly string[]
}

interface ModelChild {
  readonly name: string
  readonly restart: RestartType
  readonly fails: readonly boolean[]
  state: 'running' | 'restarting' | 'failed'
  begins: number
  restarts: number
  waiting: { id: number; kind: Kind }[]
}

interface ModelPlan {
  members: ModelChild[]
  dueAt: number
}

/** The rules, said as plainly as can be: time is a number, a plan is a list, everything happens at once. */
class Model {
  readonly strategy: Strategy
  state = 'running'
  now = 0
  children: ModelChild[] = []
  plans: ModelPlan[] = []
  spent: { child: ModelChild; at: number }[] = []
  log: string[] = []
  outcomes: string[] = []
  names = 0

  constructor(strategy: Strategy) {
    this.strategy = strategy
  }

  do(action: Action): void {
    if (action.do === 'start') return this.start(action.restart, action.fails)
    if (action.do === 'advance') return this.advance(action.ms)
    if (action.do === 'stop') return this.stop()
    const child = this.children[action.who]
    if (child === undefined) return
    if (action.do === 'call') this.call(child, action.kind)
    else if (action.do === 'terminate') this.forget(child)
    else if (child.state === 'running') this.end(child, action.do === 'kill')
  }

  view(): View {
    const rows = this.children.map(({ name, state, restarts, waiting }) => ({
      name,
      state,
      restarts,
      mailbox: waiting.length,
    }))
    return { state: this.state, rows, log: this.log, outcomes: this.outcomes }
  }

  start(restartType: RestartType, fails: readonly boolean[]): void {
    if (this.state !== 'running') return
    const name = `p${(this.names += 1)}`
    const child: ModelChild = {
      name,
      restart: restartType,
      fails,
      state: 'restarting',
      begins: 0,
      restarts: 0,
      waiting: [],
    }
    this.children.push(child)
    this.begin(child)
  }

  begin(child: ModelChild): void {
    child.begins += 1
    this.log.push(`start ${child.name}`)
    if (child.fails[child.begins - 1] === true) return this.end(child, true)
    child.state = 'running'
    if (child.begins > 1) {
      child.restarts += 1
      this.log.push(`restarted ${child.name}`)
    }
    for (const plan of this.plans) plan.members = plan.members.filter((one) => one !== child)
    while (child.state === 'running') {
      const next = child.waiting.shift()
      if (next === undefined) return
      this.run(child, next)
    }
  }

  call(child: ModelChild, kind: Kind): void {
    const id = this.outcomes.push('waits') - 1
    if (child.state === 'failed') this.outcomes[id] = 'PROCESS_FAILED'
    else if (child.state === 'restarting') child.waiting.push({ id, kind })
    else this.run(child, { id, kind })
  }

  run(child: ModelChild, { id, kind }: { id: number; kind: Kind }): void {
    this.log.push(`call ${id}`)
    this.outcomes[id] = kind === 'ok' ? 'ok' : 'REFUSED'
    if (kind !== 'bug') return
    this.end(child, true)
    this.outcomes[id] = child.state === 'failed' ? 'PROCESS_FAILED' : 'PROCESS_CRASHED'
  }

  end(child: ModelChild, isCrash: boolean): void {
    child.state = 'restarting'
    if (isCrash) this.log.push(`crashed ${child.name}`)
    if (child.restart === 'temporary' || (child.restart === 'transient' && !isCrash)) {
      this.forget(child, isCrash ? 'PROCESS_FAILED' : 'PROCESS_STOPPED')
      if (isCrash) this.fail(child)
      return
    }
    if (this.state === 'failed') return this.fail(child)
    this.spent = this.spent.filter((one) => this.now - one.at < INTENSITY.withinMs)
    if (this.spent.length === INTENSITY.max) return this.giveUp()
    const before = this.spent.filter((one) => one.child === child).length
    this.spent.push({ child, at: this.now })
    this.plan(child, before === 0 ? 0 : Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** (before - 1)))
  }

  plan(child: ModelChild, delayMs: number): void {
    const at = this.children.indexOf(child)
    const from = this.strategy === 'one_for_all' ? 0 : at
    const affected = this.children.slice(from, this.strategy === 'one_for_one' ? at + 1 : undefined)
    for (const one of affected) {
      if (one !== child && one.restart === 'temporary') this.forget(one)
      else one.state = 'restarting'
    }
    const merged = this.plans.filter((plan) => plan.members.some((one) => affected.includes(one)))
    this.plans = this.plans.filter((plan) => !merged.includes(plan))
    const all = new Set([...affected, ...merged.flatMap((plan) => plan.members)])
    const dueAt = Math.max(this.now + delayMs, ...merged.map((plan) => plan.dueAt))
    this.plans.push({ members: this.children.filter((one) => all.has(one)), dueAt })
  }

  giveUp(): void {
    this.state = 'failed'
    this.plans = []
    for (const child of this.children) if (child.state === 'restarting') this.fail(child)
    this.log.push('escalated')
  }

  fail(child: ModelChild): void {
    child.state = 'failed'
    this.log.push(`failed ${child.name}`)
    for (const { id } of child.waiting.splice(0)) this.outcomes[id] = 'PROCESS_FAILED'
  }

  forget(child: ModelChild, outcome = 'PROCESS_STOPPED'): void {
    this.children = this.children.filter((one) => one !== child)
    this.spent = this.spent.filter((one) => one.child !== child)
    for (const plan of this.plans) plan.members = plan.members.filter((one) => one !== child)
    for (const { id } of child.waiting.splice(0)) this.outcomes[id] = outcome
  }

  advance(ms: number): void {
    const target = this.now + ms
    for (;;) {
      // The sort is stable: plans that are due at the same time go in the order in which they were made.
      const due = this.plans.filter((plan) => plan.dueAt <= target).sort((a, b) => a.dueAt - b.dueAt)[0]
      if (due === undefined) break
      this.now = Math.max(this.now, due.dueAt)
      for (const child of [...due.members]) {
        if (this.plans.includes(due) && due.members.includes(child)) this.begin(child)
      }
      this.plans = this.plans.filter((plan) => plan !== due)
    }
    this.now = target
  }

  stop(): void {
    for (const child of [...this.children].reverse()) {
      for (const { id } of child.waiting.splice(0)) this.outcomes[id] = 'PROCESS_STOPPED'
    }
    this.state = 'stopped'
    this.plans = []
  }
}

class Refused extends VarveError {
  constructor() {
    super('REFUSED', 'refused')
  }
}

/** The real thing, driven by the same actions. */
class Real {
  readonly runtime = virtualRuntime()
  readonly supervisor: Supervisor
  readonly log: string[] = []
  readonly outcomes: string[] = []
  names = 0

  constructor(strategy: Strategy) {
    const onEvent = ({ type, process }: { type: string; process: string }): void => {
      this.log.push(process === 'root' ? 'escalated' : `${type} ${process}`)
    }
    this.supervisor = new Supervisor(
      { name: 'root', strategy, intensity: INTENSITY, backoff: BACKOFF, onEvent },
      this.runtime,
    )
  }

  async do(action: Action): Promise<void> {
    if (action.do === 'start') return this.start(action.restart, action.fails)
    if (action.do === 'advance') return this.runtime.advance(action.ms)
    if (action.do === 'stop') return this.supervisor.stop()
    const name = this.supervisor.tree().children?.[action.who]?.name
    if (name === undefined) return
    const process = this.supervisor.child(name) as Process
    if (action.do === 'call') this.call(process, action.kind)
    else if (action.do === 'terminate') void this.supervisor.terminateChild(name)
    else if (process.state === 'running' && action.do === 'kill') process.kill('drill')
    else if (process.state === 'running') process.exit()
  }

  start(restartType: RestartType, fails: readonly boolean[]): void {
    if (this.supervisor.state !== 'running') return
    const name = `p${(this.names += 1)}`
    let begins = 0
    const start = (): void => {
      this.log.push(`start ${name}`)
      if (fails[(begins += 1) - 1] === true) throw new TypeError('in start')
    }
    void this.supervisor.startChild(new Process({ name, restart: restartType, start }, this.runtime))
  }

  call(process: Process, kind: Kind): void {
    const id = this.outcomes.push('waits') - 1
    const work = (): void => {
      this.log.push(`call ${id}`)
      if (kind === 'refuse') throw new Refused()
      if (kind === 'bug') throw new TypeError('in call')
    }
    const settled = (outcome: string): void => {
      expect(this.outcomes[id], `call ${id} is answered once`).toBe('waits')
      this.outcomes[id] = outcome
    }
    void process.call(work).then(
      () => settled('ok'),
      (error: VarveError) => settled(error.code),
    )
  }

  view(): View {
    const tree = this.supervisor.tree()
    const children = tree.children ?? []
    const rows = children.map(({ name, state, restarts, mailbox }) => ({ name, state, restarts, mailbox }))
    return { state: tree.state, rows, log: this.log, outcomes: this.outcomes }
  }
}

test.each<Strategy>(['one_for_one', 'one_for_all', 'rest_for_one'])(
  'P1 to P8 any schedule of starts, calls, bugs, kills, exits and terminations equals the model (%s)',
  async (strategy) => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40, size: 'max' }), fc.boolean(), async (actions, stops) => {
        const model = new Model(strategy)
        const real = new Real(strategy)
        for (const one of [...actions, { do: stops ? 'stop' : 'advance', ms: 10_000 } as Action]) {
          model.do(one)
          await real.do(one)
          for (let jobs = 0; jobs < 4; jobs += 1) await undefined
          checkSupervisor(real.supervisor)
          if (one.do === 'stop') break
          expect(real.view()).toEqual(model.view())
        }
        seen.add(model.state)
        expect([real.log, real.outcomes]).toEqual([model.log, model.outcomes])
        expect(real.outcomes).not.toContain('waits')
        expect(real.runtime.pending.timers).toBe(0)
      }),
      { numRuns: 500 },
    )
    // A schedule that never escalates, or never survives, would prove little.
    expect([...seen].sort()).toEqual(['failed', 'running', 'stopped'])
  },
)
