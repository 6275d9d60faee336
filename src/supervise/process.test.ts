import { describe, expect, test } from 'vitest'
import { VarveError } from '../base/errors.js'
import { virtualRuntime } from '../testing/runtime.js'
import { checkProcess, checkSupervisor } from './check.js'
import { Process, type ProcessSpec } from './process.js'
import type { SupervisionEvent } from './child.js'
import { Supervisor } from './supervisor.js'

class Refused extends VarveError {
  constructor() {
    super('REFUSED', 'refused')
  }
}

interface Setup {
  readonly runtime: ReturnType<typeof virtualRuntime>
  readonly supervisor: Supervisor
  readonly process: Process
  readonly events: SupervisionEvent[]
}

function setup(spec: Partial<ProcessSpec> = {}): Setup {
  const runtime = virtualRuntime()
  const events: SupervisionEvent[] = []
  const supervisor = new Supervisor({ name: 'root', onEvent: (event) => events.push(event) }, runtime)
  const process = new Process({ name: 'p', start: () => undefined, ...spec }, runtime)
  void supervisor.startChild(process)
  return { runtime, supervisor, process, events }
}

function bug(message = 'bug'): never {
  throw new TypeError(message)
}

/** Promises that a test ends by hand. */
function gates(): { open: () => Promise<void>; release: (error?: Error) => void } {
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  return {
    open: () => new Promise<void>((resolve, reject) => waiting.push({ resolve, reject })),
    release(error) {
      const one = waiting.shift()
      if (error === undefined) one?.resolve()
      else one?.reject(error)
    },
  }
}

describe('calls', () => {
  test('P2 a ready process runs a call at once, before `call` returns', async () => {
    const { process } = setup()
    let ran = false
    const result = process.call(() => {
      ran = true
      return process.isReady
    })
    expect(ran).toBe(true)
    expect(await result).toBe(false)
    expect(process.isReady).toBe(true)
    checkProcess(process)
  })

  test('P2 a call made inside a call runs after it, in order, before anything that comes later', async () => {
    const { process } = setup()
    const seen: string[] = []
    const inner: Promise<unknown>[] = []
    await process.call(() => {
      inner.push(process.call(() => seen.push('first inner')))
      inner.push(process.call(() => seen.push('second inner')))
      seen.push('outer')
      expect(process.mailbox).toBe(2)
    })
    await process.call(() => seen.push('later'))
    await Promise.all(inner)
    expect(seen).toEqual(['outer', 'first inner', 'second inner', 'later'])
  })

  test('P2 a promise that a call returns does not hold up the next call', async () => {
    const { process } = setup()
    const gate = gates()
    const seen: string[] = []
    const slow = process.call(() => gate.open().then(() => seen.push('slow')))
    await process.call(() => seen.push('quick'))
    gate.release()
    await slow
    expect(seen).toEqual(['quick', 'slow'])
  })

  test('an operating error rejects its call and nothing else', async () => {
    const { process, events } = setup()
    const error = new Refused()
    const throwing = (): never => {
      throw error
    }
    await expect(process.call(throwing)).rejects.toBe(error)
    await expect(process.call(async () => throwing())).rejects.toBe(error)
    expect([process.state, process.isReady, events.length]).toEqual(['running', true, 0])
  })

  test('P3 a bug rejects its call with its cause, and the process restarts under the same handle', async () => {
    const starts: number[] = []
    const { process, runtime, supervisor, events } = setup({ start: () => void starts.push(starts.length) })
    await expect(process.call(() => bug())).rejects.toMatchObject({
      name: 'ProcessCrashedError',
      code: 'PROCESS_CRASHED',
      process: 'p',
      cause: expect.any(TypeError),
    })
    expect([process.state, process.lastError?.message]).toEqual(['restarting', 'bug'])
    const waiting = process.call(() => 'after')
    checkSupervisor(supervisor)
    await runtime.runDeferred()
    expect(await waiting).toBe('after')
    expect([process.state, process.restarts, starts]).toEqual(['running', 1, [0, 1]])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'restarted'])
    expect(supervisor.child('p')).toBe(process)
  })

  test('a bug in the asynchronous part of a call crashes the process too, but not a later run of it', async () => {
    const { process, runtime, events } = setup()
    const gate = gates()
    const first = process.call(() => gate.open())
    const second = process.call(() => gate.open())
    gate.release(new TypeError('late bug'))
    await expect(first).rejects.toThrow('late bug')
    expect(process.state).toBe('restarting')
    await runtime.runDeferred()
    gate.release(new TypeError('bug of the past run'))
    await expect(second).rejects.toThrow('bug of the past run')
    expect([process.state, events.filter((event) => event.type === 'crashed').length]).toEqual(['running', 1])
  })

  test('a call that was done keeps its result though the process crashes before that arrives', async () => {
    const { process } = setup()
    const gate = gates()
    const slow = process.call(() => gate.open().then(() => 'written'))
    const inside = process.call(() => {
      process.kill('inside')
      return 'done'
    })
    gate.release()
    expect(await inside).toBe('done')
    expect(await slow).toBe('written')
    expect(process.state).toBe('restarting')
  })

  test('the error of a crash is what the spec makes of it', async () => {
    const { process } = setup({ errorOf: () => new Refused() })
    await expect(process.call(() => bug())).rejects.toBeInstanceOf(Refused)
    const { process: other } = setup({ errorOf: () => bug('in errorOf') })
    await expect(other.call(() => bug())).rejects.toThrow('in errorOf')
  })

  test('a thrown value that is no error is a bug as well', async () => {
    const { process } = setup()
    const throwing = (): never => {
      throw 'text'
    }
    await expect(process.call(throwing)).rejects.toThrow('a non-error was thrown: string "text"')
    expect(process.state).toBe('restarting')
  })
})

describe('the mailbox', () => {
  test('P2 calls made while it starts wait and run in order of arrival', async () => {
    const gate = gates()
    const { process, runtime } = setup({ start: () => gate.open() })
    const seen: number[] = []
    const calls = [1, 2, 3].map((one) => process.call(() => seen.push(one)))
    expect([process.state, process.mailbox, seen]).toEqual(['starting', 3, []])
    gate.release()
    await runtime.runDeferred()
    await Promise.all([process.started, ...calls])
    expect([process.state, process.mailbox, seen]).toEqual(['running', 0, [1, 2, 3]])
  })

  test('more than its limit are refused with an error that says so, and the rest is served', async () => {
    const gate = gates()
    const { process, runtime } = setup({ start: () => gate.open(), mailboxMax: 2 })
    const calls = [process.call(() => 1), process.call(() => 2)]
    await expect(process.call(() => 3)).rejects.toMatchObject({ code: 'MAILBOX_FULL', callsMax: 2 })
    gate.release()
    await runtime.runDeferred()
    expect(await Promise.all(calls)).toEqual([1, 2])
    expect(await process.call(() => 4)).toBe(4)
  })

  test('a long one gives timers their turn, and keeps its order meanwhile', async () => {
    const gate = gates()
    const { process, runtime } = setup({ start: () => gate.open() })
    const seen: number[] = []
    for (let index = 0; index < 1_200; index += 1) void process.call(() => seen.push(index))
    gate.release()
    const counts: number[] = []
    const watch = (): void => {
      counts.push(seen.length)
      checkProcess(process)
      if (counts.length < 4) runtime.defer(watch)
    }
    await Promise.resolve().then(() => undefined)
    expect(seen.length).toBe(500)
    runtime.defer(watch)
    const late = process.call(() => seen.push(-1))
    await runtime.runDeferred()
    await late
    expect(counts).toEqual([1_000, 1_201, 1_201, 1_201])
    expect(seen).toEqual([...Array.from({ length: 1_200 }, (_, index) => index), -1])
  })

  test('100,000 waiting calls are served in time that grows with their number only', async () => {
    const gate = gates()
    const { process, runtime } = setup({ start: () => gate.open() })
    const calls = Array.from({ length: 100_000 }, (_, index) => process.call(() => index))
    gate.release()
    await runtime.advance(0)
    expect((await Promise.all(calls)).at(-1)).toBe(99_999)
  })

  test('P2 a crash between two parts of a long one makes the rest wait for the next run', async () => {
    const gate = gates()
    const { process, runtime } = setup({ start: () => gate.open() })
    const states: string[] = []
    for (let index = 0; index < 1_200; index += 1) void process.call(() => states.push(process.state))
    gate.release()
    await Promise.resolve().then(() => undefined)
    expect(states.length).toBe(500)
    process.kill('between')
    await runtime.runDeferred()
    expect([states.length, process.state]).toEqual([500, 'restarting'])
    gate.release()
    await runtime.runDeferred()
    expect([states.length, new Set(states)]).toEqual([1_200, new Set(['running'])])
  })

  test('P3 a crash half-way leaves the waiting calls to the next run', async () => {
    const gate = gates()
    let starts = 0
    const { process, runtime } = setup({ start: () => ((starts += 1) === 1 ? gate.open() : undefined) })
    const calls = [process.call(() => 1), process.call(() => bug()), process.call(() => 3)]
    const outcomes = Promise.allSettled(calls)
    gate.release()
    await runtime.runDeferred()
    expect((await outcomes).map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(starts).toBe(2)
  })
})

describe('the end', () => {
  test('P8 after it was terminated calls are refused with the given error, those before it are done', async () => {
    const { process, supervisor } = setup()
    const inside: Promise<string>[] = []
    await process.call(() => {
      inside.push(process.call(() => 'made before'))
      void supervisor.terminateChild('p', new Refused())
      inside.push(process.call(() => 'made after'))
      inside[1]?.catch(() => undefined)
    })
    expect(await inside[0]).toBe('made before')
    await expect(inside[1]).rejects.toBeInstanceOf(Refused)
    await expect(process.call(() => 1)).rejects.toBeInstanceOf(Refused)
    expect(process.state).toBe('stopped')
    checkProcess(process)
  })

  test('P8 a bug in one of the last calls ends it all the same', async () => {
    const { process, supervisor, events } = setup()
    const last: Promise<unknown>[] = []
    let ended: Promise<boolean> | undefined
    await process.call(() => {
      last.push(
        process.call(() => bug()),
        process.call(() => 'never run'),
      )
      ended = supervisor.terminateChild('p')
    })
    await expect(last[0]).rejects.toMatchObject({ code: 'PROCESS_CRASHED' })
    await expect(last[1]).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
    expect([await ended, process.state, events]).toEqual([true, 'stopped', []])
  })

  test('P8 calls that wait for a start are refused when it is terminated, and `started` rejects', async () => {
    const gate = gates()
    const stops: string[] = []
    const { process, supervisor } = setup({ start: () => gate.open(), stop: (reason) => void stops.push(reason) })
    const call = process.call(() => 1)
    const ended = supervisor.terminateChild('p')
    await expect(call).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
    await expect(process.started).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
    expect(stops).toEqual([])
    gate.release()
    await ended
    expect([process.state, stops]).toEqual(['stopped', ['shutdown']])
  })

  test('`stop` is called once after each run, and a failure in it is an event', async () => {
    const stops: string[] = []
    const { process, runtime, supervisor, events } = setup({
      stop: (reason) => {
        stops.push(reason)
        if (reason === 'crash') bug('in stop')
      },
    })
    process.kill('drill')
    await runtime.runDeferred()
    expect([process.state, stops]).toEqual(['running', ['crash']])
    await supervisor.terminateChild('p')
    expect(stops).toEqual(['crash', 'shutdown'])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'stop-failed', 'restarted'])
  })

  test('P4 a restart waits for the start and the stop of the run before, but not for ever', async () => {
    const gate = gates()
    let starts = 0
    let inStart = 0
    const { process, runtime, events } = setup({
      start: async () => {
        starts += 1
        inStart += 1
        await gate.open()
        inStart -= 1
      },
      stop: () => gate.open(),
    })
    expect(process.kill('in start')).toBe(true)
    expect(process.kill('no run to end')).toBe(false)
    await runtime.advance(1_000)
    expect([starts, process.state]).toEqual([1, 'restarting'])
    gate.release()
    await runtime.advance(1_000)
    expect([starts, inStart, process.state]).toEqual([1, 0, 'restarting'])
    expect(runtime.pending.timers).toBe(1)
    await runtime.advance(5_000)
    expect([starts, inStart, process.state]).toEqual([2, 1, 'restarting'])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'stop-failed'])
    gate.release()
    gate.release()
    await runtime.advance(0)
    expect([process.state, runtime.pending.timers]).toEqual(['running', 0])
  })

  test('P4 a start that was given up has no say any more', async () => {
    const gate = gates()
    let starts = 0
    const { process, runtime, events } = setup({ start: () => ((starts += 1) === 1 ? gate.open() : undefined) })
    process.kill('in start')
    await runtime.advance(5_000)
    expect([starts, process.state]).toEqual([2, 'running'])
    gate.release(new TypeError('too late'))
    await runtime.advance(0)
    expect([starts, process.state]).toEqual([2, 'running'])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'stop-failed', 'restarted'])
  })

  test('an operating error of the first start is an answer: no restart, the child is forgotten', async () => {
    const runtime = virtualRuntime()
    const events: SupervisionEvent[] = []
    const supervisor = new Supervisor({ name: 'root', onEvent: (event) => events.push(event) }, runtime)
    const stops: string[] = []
    const process = new Process(
      { name: 'p', start: () => Promise.reject(new Refused()), stop: (reason) => void stops.push(reason) },
      runtime,
    )
    const started = supervisor.startChild(process)
    const call = process.call(() => 1)
    await expect(started).rejects.toBeInstanceOf(Refused)
    await expect(call).rejects.toBeInstanceOf(Refused)
    expect([process.state, supervisor.child('p'), stops]).toEqual(['failed', undefined, ['crash']])
    expect(events.map((event) => event.type)).toEqual(['failed'])
    expect(runtime.pending).toEqual({ timers: 0, deferred: 0 })
  })

  test('an operating error of a later start is a crash', async () => {
    let starts = 0
    const { process, runtime, events } = setup({
      start: () => {
        starts += 1
        if (starts === 2) throw new Refused()
      },
    })
    process.kill('drill')
    await runtime.advance(1_000)
    expect([process.state, starts]).toEqual(['running', 3])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'crashed', 'restarted'])
  })

  test('`exit` restarts a permanent process and ends a transient one, after the call in progress', async () => {
    const permanent = setup()
    await permanent.process.call(() => permanent.process.exit())
    expect(permanent.process.state).toBe('restarting')
    await permanent.runtime.runDeferred()
    expect(permanent.process.state).toBe('running')

    const stops: string[] = []
    const { process, supervisor } = setup({ restart: 'transient', stop: (reason) => void stops.push(reason) })
    let inner: Promise<unknown> | undefined
    await process.call(() => {
      process.exit()
      inner = process.call(() => 1)
      inner.catch(() => undefined)
      return process.state
    })
    await expect(inner).rejects.toMatchObject({ code: 'PROCESS_STOPPED' })
    expect([process.state, supervisor.child('p')]).toEqual(['stopped', undefined])
  })

  test('a temporary process that crashes is failed and forgotten', async () => {
    const { process, supervisor, runtime, events } = setup({ restart: 'temporary' })
    await expect(process.call(() => bug())).rejects.toMatchObject({ code: 'PROCESS_FAILED' })
    await expect(process.call(() => 1)).rejects.toThrow('bug')
    expect([process.state, supervisor.child('p'), runtime.pending.deferred]).toEqual(['failed', undefined, 0])
    expect(events.map((event) => event.type)).toEqual(['crashed', 'failed'])
  })
})
