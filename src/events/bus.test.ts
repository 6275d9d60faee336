import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bus } from './bus.js'
import { matchesTopic, parsePattern } from './topic.js'
import { checkBus } from './check-bus.js'

function busWithErrors(): { bus: Bus<number>; errors: string[] } {
  const errors: string[] = []
  const bus = new Bus<number>((error, topic) => errors.push(`${topic}: ${error.message}`))
  return { bus, errors }
}

describe('Bus', () => {
  test('handlers are called at once, in order of subscription, with message and topic', () => {
    const { bus } = busWithErrors()
    const seen: string[] = []
    bus.on('bucket.*', (message, topic) => seen.push(`first ${message} ${topic}`))
    bus.on('*', (message) => seen.push(`second ${message}`))
    bus.on('other.*', () => seen.push('never'))
    bus.publish(['bucket', 'a.b', 'inserted'], 1)
    expect(seen).toEqual(['first 1 bucket.a.b.inserted', 'second 1'])
    checkBus(bus)
  })

  test('E1 a message published by a handler reaches everybody after the current one', () => {
    const { bus } = busWithErrors()
    const seen: string[] = []
    bus.on('a', (message) => {
      seen.push(`x${message}`)
      if (message < 3) bus.publish(['a'], message + 1)
    })
    bus.on('a', (message) => seen.push(`y${message}`))
    bus.publish(['a'], 1)
    expect(seen).toEqual(['x1', 'y1', 'x2', 'y2', 'x3', 'y3'])
    checkBus(bus)
  })

  test('E2 a handler removed by another is not called any more, one that was added misses the current message', () => {
    const { bus } = busWithErrors()
    const seen: string[] = []
    const stops: (() => void)[] = []
    bus.on('a', (message) => {
      seen.push(`x${message}`)
      stops[0]?.()
      if (message === 1) bus.on('a', (later) => seen.push(`added${later}`))
    })
    stops.push(bus.on('a', (message) => seen.push(`removed${message}`)))
    bus.publish(['a'], 1)
    bus.publish(['a'], 2)
    expect(seen).toEqual(['x1', 'x2', 'added2'])
  })

  test('E2 a handler may remove itself, twice, and be subscribed twice', () => {
    const { bus } = busWithErrors()
    let calls = 0
    const handler = (): void => {
      calls += 1
      stop()
      stop()
    }
    const stop = bus.on('a', handler)
    const stopSecond = bus.on('a', handler)
    bus.publish(['a'], 1)
    expect(calls).toBe(2)
    bus.publish(['a'], 1)
    expect(calls).toBe(3)
    stopSecond()
    expect(bus.isIdle).toBe(true)
  })

  test('a handler that throws or rejects is reported and harms nobody', async () => {
    const { bus, errors } = busWithErrors()
    const seen: number[] = []
    bus.on('a', () => {
      throw new Error('thrown')
    })
    bus.on('a', async () => {
      throw new Error('rejected')
    })
    bus.on('a', () => ({
      get then(): never {
        throw new Error('hostile then')
      },
    }))
    bus.on('a', () => {
      throw 7
    })
    bus.on('a', (message) => seen.push(message))
    bus.publish(['a'], 1)
    expect(seen).toEqual([1])
    await Promise.resolve().then(() => undefined)
    expect(errors.sort()).toEqual([
      'a: a non-error was thrown: number 7',
      'a: hostile then',
      'a: rejected',
      'a: thrown',
    ])
  })

  test('an error callback that throws harms nobody either, and is remembered', () => {
    const bus = new Bus<number>(() => {
      throw new Error('in onError')
    })
    const seen: number[] = []
    bus.on('a', () => {
      throw new Error('thrown')
    })
    bus.on('a', (message) => seen.push(message))
    bus.publish(['a'], 1)
    bus.publish(['a'], 2)
    expect(seen).toEqual([1, 2])
    expect(bus.callbackError?.message).toBe('in onError')
  })

  test('tells whether anybody listens, so that a message need not be built', () => {
    const { bus } = busWithErrors()
    expect([bus.isIdle, bus.hasListeners(['bucket', 'a', 'inserted'])]).toEqual([true, false])
    const stop = bus.on('bucket.b.*', () => undefined)
    expect([bus.isIdle, bus.hasListeners(['bucket', 'a', 'inserted'])]).toEqual([false, false])
    expect(bus.hasListeners(['bucket', 'b', 'inserted'])).toBe(true)
    stop()
    expect([bus.isIdle, bus.hasListeners(['bucket', 'b', 'inserted'])]).toEqual([true, false])
  })

  test('topics with the same text and different segments are kept apart', () => {
    const { bus } = busWithErrors()
    const seen: number[] = []
    bus.on('bucket.*.*', (message) => seen.push(message))
    bus.publish(['bucket', 'a.b', 'inserted'], 1)
    bus.publish(['bucket', 'a', 'b', 'inserted'], 2)
    bus.publish(['bucket', 'a.b', 'inserted'], 3)
    expect(seen).toEqual([1, 3])
    checkBus(bus)
  })

  test('the memory of topics is bounded', () => {
    const { bus } = busWithErrors()
    let calls = 0
    bus.on('bucket.*', () => (calls += 1))
    for (let index = 0; index < 5_000; index += 1) bus.publish(['bucket', String(index)], index)
    expect(calls).toBe(5_000)
    checkBus(bus)
  })
})

type Action =
  | { readonly do: 'on'; readonly pattern: string; readonly then: Reaction }
  | { readonly do: 'off'; readonly which: number }
  | { readonly do: 'publish'; readonly topic: readonly string[] }

interface Reaction {
  readonly publish?: readonly string[]
  readonly stop?: number
  readonly throws?: boolean
}

const segment = fc.constantFrom('bucket', 'a', 'a.b', 'inserted')
const topic = fc.array(segment, { minLength: 1, maxLength: 4 })
const patternText = fc.array(fc.constantFrom('bucket', 'a', 'b', 'inserted', '*'), { minLength: 1, maxLength: 5 })
const reaction: fc.Arbitrary<Reaction> = fc.record(
  { publish: topic, stop: fc.nat(8), throws: fc.boolean() },
  { requiredKeys: [] },
)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant('on' as const), pattern: patternText.map((one) => one.join('.')), then: reaction }),
  fc.record({ do: fc.constant('off' as const), which: fc.nat(8) }),
  fc.record({ do: fc.constant('publish' as const), topic }),
)

/** The plainest bus that could be right: no cache, a list, and a queue of everything. */
class ModelBus {
  readonly listeners: { pattern: string; handler: (m: number) => void; active: boolean }[] = []
  readonly queue: (() => void)[] = []
  busy = false

  on(pattern: string, handler: (m: number) => void): () => void {
    const listener = { pattern, handler, active: true }
    this.listeners.push(listener)
    return () => {
      listener.active = false
    }
  }

  publish(segments: readonly string[], message: number): void {
    const now = this.listeners.filter((one) => one.active && matchesTopic(parsePattern(one.pattern), segments))
    this.queue.push(() => now.forEach((one) => one.active && one.handler(message)))
    if (this.busy) return
    this.busy = true
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) next()
    this.busy = false
  }
}

interface AnyBus {
  on(pattern: string, handler: (message: number) => void): () => void
  publish(segments: readonly string[], message: number): void
}

function play(bus: AnyBus, actions: readonly Action[], thrown: (thrown: boolean) => void, check: () => void): string[] {
  const log: string[] = []
  const stops: (() => void)[] = []
  let messages = 0
  const publish = (segments: readonly string[]): void => {
    if (messages < 200) bus.publish(segments, (messages += 1))
  }
  actions.forEach((one, index) => {
    if (one.do === 'off') stops[one.which]?.()
    else if (one.do === 'publish') publish(one.topic)
    else {
      stops.push(
        bus.on(one.pattern, (message) => {
          log.push(`${index}:${message}`)
          if (one.then.publish !== undefined) publish(one.then.publish)
          if (one.then.stop !== undefined) stops[one.then.stop]?.()
          thrown(one.then.throws === true)
        }),
      )
    }
    check()
  })
  return log
}

test('E1, E2 any program of subscriptions, removals and nested messages equals the plain model', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30, size: 'max' }), (actions) => {
      let errors = 0
      let throws = 0
      const bus = new Bus<number>(() => (errors += 1))
      const throwing = (doIt: boolean): void => {
        if (!doIt) return
        throws += 1
        throw new Error('handler')
      }
      const real = play(bus, actions, throwing, () => checkBus(bus))
      const model = play(
        new ModelBus(),
        actions,
        () => undefined,
        () => undefined,
      )
      expect(real).toEqual(model)
      expect(errors).toBe(throws)
    }),
    { numRuns: 1_000 },
  )
})
