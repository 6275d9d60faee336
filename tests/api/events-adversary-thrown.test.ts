/** Found by attacking events: what handlers may throw, and how much they may ask for. */
import { describe, expect, test } from 'vitest'
import { open, rejection } from './opened.js'

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable(new Error('gone'), {})
  revoke()
  return proxy
}

function throwing(property: string): Error {
  return Object.defineProperty(new Error('hidden'), property, {
    get: () => {
      throw new Error('getter')
    },
  })
}

describe.each<[name: string, thrown: () => unknown]>([
  ['an error whose message is a number', () => Object.assign(new Error('x'), { message: 5 })],
  ['an error whose message is a symbol', () => Object.assign(new Error('x'), { message: Symbol('m') })],
  ['an error whose name is a symbol', () => Object.assign(new Error('x'), { name: Symbol('n') })],
  ['an error whose message cannot be read', () => throwing('message')],
  ['an error whose name cannot be read', () => throwing('name')],
  ['a proxy that was revoked', revoked],
  ['a proxy that hides what it is', () => new Proxy({}, { getPrototypeOf: () => revoked().constructor })],
  ['a symbol', () => Symbol('s')],
  ['nothing', () => undefined],
])('%s', (_name, make) => {
  test.each(['reduce', 'transact'] as const)('thrown by %s fails the event, and is kept', async (phase) => {
    const store = await open({ onError: () => undefined })
    const handler = (): never => {
      throw make()
    }
    store.defineEvent('fails', { [phase]: handler, recordFailures: true, policy: { retries: 0 } } as object)
    expect(await rejection(store.dispatch('fails'))).toMatchObject({ code: 'EVENT_FAILED', phase, path: ['fails'] })
    await store.enqueue('fails')
    await store.queue.idle()
    expect(store.parked.list()).toMatchObject([{ type: 'fails', error: { phase, name: expect.any(String) } }])
    expect((await store.log.read({ types: ['store/failure'] })).length).toBe(2)
  })
})

test('more sub-events than arguments fit into a call are too many, and nothing else', async () => {
  const store = await open()
  const many = Array.from({ length: 500_000 }, () => ({ type: 'sub' }))
  store.defineEvent('sub', {})
  store.defineEvent('reduces', { reduce: () => ({ events: many }) })
  store.defineEvent('derives', { derive: () => ({ events: many }) })
  for (const type of ['reduces', 'derives']) {
    const error = await rejection(store.dispatch(type))
    expect(error).toMatchObject({ code: 'EVENT_FAILED', phase: 'events', cause: { code: 'EVENT_RECURSION' } })
  }
})

test('the failure of another event, let through by a handler, is a cause and not a path', async () => {
  const store = await open()
  store.defineEvent('other', {
    reduce: () => {
      throw new Error('no')
    },
  })
  store.defineEvent('mine', { transact: () => store.dispatch('other') })
  const error = await rejection(store.dispatch('mine'))
  expect(error).toMatchObject({ type: 'mine', phase: 'transact', path: ['mine'], cause: { path: ['other'] } })
})

test('what happened to the data is said once', async () => {
  const store = await open({ buckets: { things: { key: 'id', schema: { id: { type: 'string' } } } } })
  store.defineEvent('bad', { reduce: () => ({ things: { remove: [{}] } }) })
  const { message } = await rejection(store.dispatch('bad'))
  expect(message).toMatch(
    /^event "bad": apply failed: things\.remove: expected .*, got an object; nothing was written$/,
  )
})
