import { describe, expect, test } from 'vitest'
import { virtualRuntime, type VirtualRuntime } from '../testing/runtime.js'
import type { SupervisionEvent } from './child.js'
import { Process, type ProcessSpec } from './process.js'
import { checkSupervisor } from './check.js'
import { Supervisor, type SupervisorSpec } from './supervisor.js'

interface Setup {
  readonly runtime: VirtualRuntime
  readonly supervisor: Supervisor
  /** `type name`, in order. */
  readonly events: string[]
  /** `+name` for a start, `-name` for a stop. */
  readonly log: string[]
  readonly escalations: Error[]
  add(name: string, spec?: Partial<ProcessSpec>, to?: Supervisor): Process
}

function setup(spec: Partial<SupervisorSpec> = {}): Setup {
  const runtime = virtualRuntime()
  const events: string[] = []
  const log: string[] = []
  const escalations: Error[] = []
  const onEvent = (event: SupervisionEvent): void => void events.push(`${event.type} ${event.process}`)
  const onEscalate = (error: Error): void => void escalations.push(error)
  const supervisor = new Supervisor({ name: 'root', onEvent, onEscalate, ...spec }, runtime)
  const add = (name: string, own: Partial<ProcessSpec> = {}, to: Supervisor = supervisor): Process => {
    const start = (): void => void log.push(`+${name}`)
    const stop = (): void => void log.push(`-${name}`)
    const child = new Process({ name, start, stop, ...own }, runtime)
    void to.startChild(child)
    return child
  }
  return { runtime, supervisor, events, log, escalations, add }
}

/** Lets everything happen that takes at most `ms`, with the invariants checked before and after. */
async function settle({ runtime, supervisor }: Setup, ms = 0): Promise<void> {
  checkSupervisor(supervisor)
  await runtime.advance(ms)
  checkSupervisor(supervisor)
}

function bug(): never {
  throw new TypeError('bug')
}

describe('strategies', () => {
  test('one_for_one restarts the child alone; siblings never notice', async () => {
    const at = setup()
    const [a, b, c] = [at.add('a'), at.add('b'), at.add('c')]
    b.kill('drill')
    expect([a.state, b.state, c.state]).toEqual(['running', 'restarting', 'running'])
    await settle(at)
    expect(at.log).toEqual(['+a', '+b', '+c', '-b', '+b'])
    expect([a.restarts, b.restarts, c.restarts]).toEqual([0, 1, 0])
    expect(at.events).toEqual(['crashed b', 'restarted b'])
  })

  test('one_for_all ends all in reverse order and starts all in order', async () => {
    const at = setup({ strategy: 'one_for_all' })
    const [a, b, c] = [at.add('a'), at.add('b'), at.add('c')]
    b.kill('drill')
    expect([a.state, b.state, c.state]).toEqual(['restarting', 'restarting', 'restarting'])
    const waiting = a.call(() => 'waited')
    await settle(at)
    expect(at.log.slice(3)).toEqual(['-c', '-b', '-a', '+a', '+b', '+c'])
    expect(at.events).toEqual(['crashed b', 'restarted a', 'restarted b', 'restarted c'])
    expect(await waiting).toBe('waited')
  })

  test('rest_for_one restarts the child and those that were started after it', async () => {
    const at = setup({ strategy: 'rest_for_one' })
    const [a, b] = [at.add('a'), at.add('b'), at.add('c')]
    b.kill('drill')
    expect(a.state).toBe('running')
    await settle(at)
    expect(at.log.slice(3)).toEqual(['-c', '-b', '+b', '+c'])
  })

  test('several crashes at the same time make one restart of all that they concern', async () => {
    const at = setup({ strategy: 'rest_for_one' })
    const [a, , c] = [at.add('a'), at.add('b'), at.add('c')]
    c.kill('drill')
    a.kill('drill')
    await settle(at)
    expect(at.log.slice(3)).toEqual(['-c', '-b', '-a', '+a', '+b', '+c'])
  })

  test('a crash during the start of a later child begins that part again, the earlier ones run on', async () => {
    const at = setup({ strategy: 'rest_for_one', backoff: { firstMs: 10, maxMs: 10 } })
    let starts = 0
    const a = at.add('a')
    at.add('b', {
      start: () => {
        at.log.push('+b')
        if ((starts += 1) === 2) bug()
      },
    })
    at.add('c')
    a.kill('drill')
    await settle(at)
    expect(at.log.slice(3)).toEqual(['-c', '-b', '-a', '+a', '+b', '-b', '+b', '+c'])
    expect(at.events).toEqual(['crashed a', 'restarted a', 'crashed b', 'restarted b', 'restarted c'])
  })

  test('a temporary sibling is ended for good', async () => {
    const at = setup({ strategy: 'one_for_all' })
    const [a, t] = [at.add('a'), at.add('t', { restart: 'temporary' })]
    a.kill('drill')
    await settle(at)
    expect([t.state, at.supervisor.child('t')]).toEqual(['stopped', undefined])
    expect(at.log.slice(2)).toEqual(['-t', '-a', '+a'])
  })
})

describe('terminating', () => {
  test('P1 a terminated child is never restarted, and its name is free at once', async () => {
    const at = setup()
    const old = at.add('a')
    old.kill('drill')
    const ended = at.supervisor.terminateChild('a')
    const fresh = at.add('a')
    expect([old.state, fresh.state, at.supervisor.child('a')]).toEqual(['stopped', 'running', fresh])
    await settle(at, 60_000)
    expect(await ended).toBe(true)
    expect([old.state, fresh.restarts, at.log]).toEqual(['stopped', 0, ['+a', '-a', '+a']])
    expect(old.kill('after its end')).toBe(false)
  })

  test('P1 terminating in the middle of a joint restart lets the others come up', async () => {
    const at = setup({ strategy: 'one_for_all' })
    const a = at.add('a')
    let starts = 0
    const never = (): Promise<void> => new Promise(() => undefined)
    at.add('b', { start: () => ((starts += 1) === 1 ? undefined : never()) })
    const c = at.add('c')
    a.kill('drill')
    await settle(at)
    expect([a.state, c.state]).toEqual(['running', 'restarting'])
    const ended = at.supervisor.terminateChild('b')
    await settle(at)
    expect([a.state, c.state]).toEqual(['running', 'running'])
    await settle(at, 5_000)
    expect(await ended).toBe(true)
    expect(at.runtime.pending).toEqual({ timers: 0, deferred: 0 })
  })

  test('dropping many children spends no restarts', async () => {
    const at = setup()
    for (let index = 0; index < 20; index += 1) {
      at.add(`p${index}`)
      await at.supervisor.terminateChild(`p${index}`)
    }
    await settle(at, 60_000)
    expect([at.supervisor.state, at.events, at.supervisor.tree().children]).toEqual(['running', [], []])
  })

  test('an unknown name is answered with false, a taken one with an error', async () => {
    const at = setup()
    at.add('a')
    expect(await at.supervisor.terminateChild('b')).toBe(false)
    const second = new Process({ name: 'a', start: () => undefined }, at.runtime)
    await expect(at.supervisor.startChild(second)).rejects.toMatchObject({ code: 'PROCESS_EXISTS', process: 'a' })
  })
})

describe('stopping', () => {
  test('ends children in reverse order, each when the one after it has ended', async () => {
    const at = setup()
    at.add('a')
    at.add('b', {
      stop: async (): Promise<void> => {
        at.log.push('(b')
        await Promise.resolve()
        at.log.push('b)')
      },
    })
    at.add('c')
    await at.supervisor.stop()
    expect(at.log).toEqual(['+a', '+b', '+c', '-c', '(b', 'b)', '-a'])
    expect(at.supervisor.tree().children?.map((child) => child.state)).toEqual(['stopped', 'stopped', 'stopped'])
    const late = new Process({ name: 'late', start: () => undefined }, at.runtime)
    await expect(at.supervisor.startChild(late)).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
  })

  test('P7 stopping during restarts restarts nothing, answers everybody and leaves no timer', async () => {
    const at = setup({ strategy: 'one_for_all' })
    const a = at.add('a')
    at.add('b')
    a.kill('one')
    await settle(at)
    a.kill('two')
    expect(at.runtime.pending.timers).toBe(1)
    const waiting = a.call(() => 1)
    const stopped = at.supervisor.stop()
    expect(at.supervisor.stop()).toBe(stopped)
    await expect(waiting).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
    await stopped
    const { length } = at.log
    await settle(at, 60_000)
    expect([at.log.length, at.runtime.pending]).toEqual([length, { timers: 0, deferred: 0 }])
  })

  test('a child that crashes while its supervisor stops is not restarted', async () => {
    const at = setup()
    const a = at.add('a')
    at.add('b', { stop: () => void a.kill('in the stop of b') })
    await at.supervisor.stop()
    await settle(at, 60_000)
    expect([a.state, at.log, at.events]).toEqual(['stopped', ['+a', '+b', '-a'], ['crashed a']])
  })
})

describe('intensity', () => {
  test('P5 restarts come at once, then after 100, 200 ms; one more than three and the root gives up', async () => {
    const at = setup()
    const [a, b] = [at.add('a'), at.add('b')]
    const times: number[] = []
    for (let crash = 0; crash < 3; crash += 1) {
      const from = at.runtime.elapsed()
      a.kill(`drill ${crash}`)
      await settle(at)
      while (a.state !== 'running') await settle(at, 1)
      times.push(at.runtime.elapsed() - from)
    }
    expect(times).toEqual([0, 100, 200])
    const call = a.call(() => bug())
    const waiting = a.call(() => 1)
    await expect(call).rejects.toMatchObject({ code: 'PROCESS_FAILED' })
    await expect(waiting).rejects.toMatchObject({ code: 'PROCESS_FAILED' })
    expect([at.supervisor.state, a.state, b.state]).toEqual(['failed', 'failed', 'running'])
    expect(at.escalations).toEqual([expect.objectContaining({ code: 'RESTARTS_EXCEEDED', supervisor: 'root' })])
    expect(at.events.slice(-3)).toEqual(['crashed a', 'failed a', 'failed root'])
    expect(await b.call(() => 'still served')).toBe('still served')
    b.kill('drill')
    await settle(at, 60_000)
    expect([b.state, at.events.slice(-2)]).toEqual(['failed', ['crashed b', 'failed b']])
    expect([at.escalations.length, at.runtime.pending]).toEqual([1, { timers: 0, deferred: 0 }])
    await at.supervisor.stop()
    expect(b.state).toBe('failed')
  })

  test('P5 the window moves on with elapsed time, and the wall clock has no say in it', async () => {
    const at = setup()
    const a = at.add('a')
    for (let crash = 0; crash < 10; crash += 1) {
      a.kill('drill')
      await settle(at, 2_000)
      at.runtime.jump(crash % 2 === 0 ? -3_600_000 : 3_600_000)
    }
    expect([a.state, a.restarts, at.supervisor.state]).toEqual(['running', 10, 'running'])
  })

  test('the wait grows up to its cap', async () => {
    const intensity = { max: 100, withinMs: 60_000 }
    const at = setup({ intensity, backoff: { firstMs: 10, maxMs: 40 } })
    const a = at.add('a')
    const times: number[] = []
    for (let crash = 0; crash < 6; crash += 1) {
      const from = at.runtime.elapsed()
      a.kill('drill')
      await settle(at)
      while (a.state !== 'running') await settle(at, 1)
      times.push(at.runtime.elapsed() - from)
    }
    expect(times).toEqual([0, 10, 20, 40, 40, 40])
  })

  test('a start that keeps failing is a crash each time and ends in an escalation', async () => {
    const at = setup()
    let starts = 0
    const start = (): never => {
      starts += 1
      return bug()
    }
    const a = at.add('a', { start })
    const call = expect(a.call(() => 1)).rejects.toThrow('more than 3 restarts within 5000 ms')
    await settle(at, 60_000)
    await call
    await expect(a.started).rejects.toMatchObject({ code: 'PROCESS_FAILED' })
    expect([starts, a.state, at.supervisor.state]).toEqual([4, 'failed', 'failed'])
  })

  test('callbacks that throw harm nobody and are remembered', async () => {
    const at = setup({ intensity: { max: 1, withinMs: 5_000 }, onEvent: bug, onEscalate: bug })
    const [a, b] = [at.add('a'), at.add('b')]
    a.kill('one')
    await settle(at)
    expect(a.state).toBe('running')
    a.kill('two')
    expect([a.state, b.state, at.supervisor.callbackError?.message]).toEqual(['failed', 'running', 'bug'])
  })
})

describe('a supervisor below a supervisor', () => {
  function nested(spec: Partial<SupervisorSpec> = {}): Setup & { readonly group: Supervisor } {
    const at = setup()
    const intensity = { max: 1, withinMs: 5_000 }
    const group = new Supervisor({ name: 'group', strategy: 'one_for_all', intensity, ...spec }, at.runtime)
    void at.supervisor.startChild(group)
    return { ...at, group }
  }

  test('gives up upwards: it is restarted as a whole, with a new budget, under the same handles', async () => {
    const at = nested()
    const outside = at.add('outside')
    const [a, b] = [at.add('a', {}, at.group), at.add('b', {}, at.group)]
    a.kill('one')
    await settle(at)
    a.kill('two')
    expect([at.group.state, a.state, b.state, outside.state]).toEqual([
      'restarting',
      'restarting',
      'restarting',
      'running',
    ])
    const waiting = b.call(() => 'waited')
    await settle(at)
    expect(await waiting).toBe('waited')
    expect([at.group.state, at.group.restarts, a.restarts, b.restarts]).toEqual(['running', 1, 2, 2])
    expect(at.events.slice(3)).toEqual(['crashed a', 'crashed group', 'restarted group', 'restarted a', 'restarted b'])
    a.kill('three')
    await settle(at)
    expect([a.state, at.supervisor.state]).toEqual(['running', 'running'])
  })

  test('fails with the root when that gives up too; what runs goes on', async () => {
    const at = nested({ strategy: 'one_for_one' })
    const [a, b] = [at.add('a', {}, at.group), at.add('b', {}, at.group)]
    for (let round = 0; round < 8; round += 1) {
      a.kill(`drill ${round}`)
      await settle(at, 400)
    }
    expect([a.state, b.state, at.group.state, at.supervisor.state]).toEqual(['failed', 'running', 'failed', 'failed'])
    expect([at.escalations.length, at.runtime.pending]).toEqual([1, { timers: 0, deferred: 0 }])
    expect(at.events.slice(-4)).toEqual(['crashed group', 'failed a', 'failed group', 'failed root'])
  })

  test('is ended with everything below it, in reverse order, and shows in the tree', async () => {
    const at = nested()
    at.add('a', {}, at.group)
    at.add('b', {}, at.group)
    const last = at.add('last')
    last.kill('drill')
    last.call(() => 1).catch(() => undefined)
    const child = { kind: 'process', state: 'running', restarts: 0, mailbox: 0 }
    expect(at.supervisor.tree()).toEqual({
      name: 'root',
      kind: 'supervisor',
      state: 'running',
      restarts: 0,
      mailbox: 1,
      strategy: 'one_for_one',
      children: [
        {
          name: 'group',
          kind: 'supervisor',
          state: 'running',
          restarts: 0,
          mailbox: 0,
          strategy: 'one_for_all',
          children: [
            { ...child, name: 'a' },
            { ...child, name: 'b' },
          ],
        },
        { ...child, name: 'last', state: 'restarting', mailbox: 1 },
      ],
    })
    await at.supervisor.stop()
    expect(at.log).toEqual(['+a', '+b', '+last', '-last', '-b', '-a'])
    expect(at.group.state).toBe('stopped')
  })

  test('takes children while it waits for its own restart, and starts them with the others', async () => {
    const at = nested({ intensity: { max: 0, withinMs: 5_000 } })
    const a = at.add('a', {}, at.group)
    a.kill('drill')
    const b = at.add('b', {}, at.group)
    expect([at.group.state, b.state, at.log]).toEqual(['restarting', 'restarting', ['+a']])
    await settle(at)
    expect([b.state, b.restarts, at.log]).toEqual(['running', 0, ['+a', '-a', '+a', '+b']])
  })

  test('P4 a clean-up that was overtaken by a larger restart does not touch the runs of that', async () => {
    const at = nested({ intensity: { max: 0, withinMs: 5_000 } })
    const wide = new Supervisor({ name: 'wide', strategy: 'rest_for_one' }, at.runtime)
    void at.supervisor.startChild(wide)
    const first = at.add('first', {}, wide)
    const inner = new Supervisor({ name: 'inner', intensity: { max: 0, withinMs: 5_000 } }, at.runtime)
    void wide.startChild(inner)
    const a = at.add('a', {}, inner)
    const slow = at.add('slow', { stop: () => new Promise((resolve) => at.runtime.setTimer(3_000, resolve)) }, inner)
    slow.kill('drill')
    await settle(at)
    void inner.terminateChild('slow')
    first.kill('drill')
    await settle(at, 10)
    expect([first.state, a.state]).toEqual(['running', 'running'])
    const { length } = at.log
    await settle(at, 10_000)
    expect(at.log.slice(length)).toEqual([])
  })

  test('may have its children before it is started itself', async () => {
    const at = setup()
    const group = new Supervisor({ name: 'group' }, at.runtime)
    const a = at.add('a', {}, group)
    const b = at.add('b', { start: () => Promise.resolve() }, group)
    await at.supervisor.startChild(group)
    await settle(at)
    expect([a.state, b.state, a.restarts, b.restarts, group.restarts]).toEqual(['running', 'running', 0, 0, 0])
  })

  test('stopped on its own, it is forgotten by the one above', async () => {
    const at = nested()
    const a = at.add('a', {}, at.group)
    await at.group.stop()
    expect([a.state, at.supervisor.child('group')]).toEqual(['stopped', undefined])
    await settle(at, 60_000)
  })
})
