import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FAILED_KEEP_MS, KEEP_MS, Resource } from './resource.js'
import type { Receiver } from './resource.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A resource whose subscriptions the test answers. */
function opened(begin: (to: Receiver) => void = () => undefined) {
  const kept: boolean[] = []
  const subscriptions: { readonly to: Receiver; isOver: boolean }[] = []
  const source = (to: Receiver): (() => void) => {
    const subscription = { to, isOver: false }
    subscriptions.push(subscription)
    begin(to)
    return () => {
      subscription.isOver = true
    }
  }
  const resource = new Resource('key', source, (_, isKept) => kept.push(isKept))
  const last = () => subscriptions.at(-1) as (typeof subscriptions)[number]
  return { resource, kept, subscriptions, last }
}

const nobody = (): void => undefined

describe('Resource', () => {
  test('begins when somebody waits or listens, once, and not when it is looked at', () => {
    const { resource, subscriptions } = opened()
    resource.look()
    expect(subscriptions).toHaveLength(0)
    void resource.wait()
    resource.listen(nobody)
    resource.listen(() => undefined)
    expect(subscriptions).toHaveLength(1)
  })

  test('tells each listener of each other status, also one that ends while it is told', () => {
    const { resource, last } = opened()
    const told: string[] = []
    const stopSecond = { now: nobody }
    resource.listen(() => {
      told.push('first')
      stopSecond.now()
    })
    stopSecond.now = resource.listen(() => told.push('second'))
    last().to.result(1)
    expect(told).toEqual(['first'])
    expect(resource.read()).toEqual({ data: 1, error: undefined, isLoading: false })
  })

  test('the first result of a subscription that is what there was is not told; later ones are', () => {
    const { resource, last } = opened()
    resource.seed({ data: [1], error: undefined, isLoading: false })
    const before = resource.read()
    const listener = vi.fn()
    resource.listen(listener)
    last().to.result([1])
    expect(resource.read()).toBe(before)
    expect(listener).not.toHaveBeenCalled()
    last().to.failed(new Error('once'))
    last().to.result([1])
    expect(listener).toHaveBeenCalledTimes(2)
  })

  test('one that was let go begins anew for who comes back, is kept again, and shows what it had meanwhile', () => {
    const { resource, kept, subscriptions, last } = opened()
    const stop = resource.listen(nobody)
    last().to.result('old')
    stop()
    stop()
    vi.advanceTimersByTime(KEEP_MS)
    expect([kept, last().isOver]).toEqual([[true, false], true])
    last().to.result('of a subscription that is over')
    expect(resource.read().data).toBe('old')
    resource.listen(nobody)
    expect([kept, subscriptions.length]).toEqual([[true, false, true], 2])
    last().to.result('new')
    expect(resource.read().data).toBe('new')
    vi.advanceTimersByTime(10 * KEEP_MS)
    expect(last().isOver).toBe(false)
  })

  test('who waits is woken by a result, by an error, and once in a while', async () => {
    const { resource, last } = opened()
    resource.look()
    const first = resource.wait()
    expect(resource.wait()).toBe(first)
    vi.advanceTimersByTime(KEEP_MS)
    await first
    resource.look()
    const second = resource.wait()
    expect(second).not.toBe(first)
    vi.advanceTimersByTime(KEEP_MS)
    await second
    const third = resource.wait()
    last().to.result(1)
    await third
    expect(last().isOver).toBe(false)
    vi.advanceTimersByTime(KEEP_MS)
    expect(last().isOver).toBe(true)
  })

  test('one that cannot begin has failed at once, and is let go after a second', async () => {
    const { resource, kept } = opened(() => {
      throw new Error('no such bucket')
    })
    resource.look()
    await resource.wait()
    expect(resource.read().error?.message).toBe('no such bucket')
    vi.advanceTimersByTime(FAILED_KEEP_MS)
    expect(kept).toEqual([false])
  })

  test.each([
    ['before a result, its end is an error', undefined, 'the store is stopped'],
    ['after a result, its end changes nothing', 'data', undefined],
  ])('%s', (_, data, message) => {
    const { resource, last } = opened()
    const listener = vi.fn()
    resource.listen(listener)
    if (data !== undefined) last().to.result(data)
    last().to.ended(new Error('the store is stopped'))
    expect(resource.read()).toMatchObject({ data, error: message === undefined ? undefined : { message } })
    expect(last().isOver).toBe(true)
    expect(listener).toHaveBeenCalledTimes(1)
  })

  test('one that ends while it begins is over', () => {
    const { resource, last } = opened((to) => to.ended(new Error('at once')))
    resource.listen(nobody)
    expect(last().isOver).toBe(true)
    expect(resource.read().error?.message).toBe('at once')
  })
})
