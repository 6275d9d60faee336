/** Found by attacking events: what handlers and callers can change of what the log says. */
import { expect, test } from 'vitest'
import type { Entry, Store } from '../../src/index.js'
import { open, turn } from './opened.js'

const THINGS = { key: 'id', schema: { id: { type: 'string' } } } as const

function things(): Promise<Store> {
  return open({ buckets: { things: THINGS } })
}

async function lastEntry(store: Store): Promise<Entry> {
  return (await store.log.read()).at(-1) as Entry
}

/** Does what a program in strict mode is not allowed to, and what handlers in plain JavaScript might. */
function meddle(event: object): void {
  const target = event as { [field: string]: unknown }
  for (const field of ['data', 'type', 'at', 'meta', 'subs', 'hasWritten', 'result', 'parent', 'index']) {
    Reflect.set(target, field, { n: 10n })
    Reflect.deleteProperty(target, field)
  }
}

test.each(['preprocess', 'reduce', 'derive', 'transact'] as const)('%s cannot change its event', async (phase) => {
  const store = await things()
  const seen: boolean[] = []
  store.defineEvent('meddled', {
    [phase]: (event: object) => {
      meddle(event)
      const { changes = [] } = event as { changes?: unknown[] }
      seen.push(Object.isFrozen(event), phase === 'preprocess' || phase === 'reduce' || Object.isFrozen(changes))
    },
  } as object)
  await store.dispatch('meddled', { n: 1 })
  expect(seen).toEqual([true, true])
  expect(await lastEntry(store)).toMatchObject({ type: 'meddled', data: { n: 1 } })
})

test('what a receipt and the log say cannot be changed', async () => {
  const store = await things()
  store.defineEvent('sub', { reduce: ({ data }) => ({ things: { insert: data } }) })
  store.defineEvent('main', { reduce: () => ({ events: [{ type: 'sub', data: { id: 'a' } }] }) })
  const { events, changes } = await store.dispatch('main')
  for (const part of [events, events[0], events[0]?.data, changes, changes[0], changes[0]?.after]) {
    expect(Object.isFrozen(part)).toBe(true)
  }
})

test('nor what the log says of a transaction that writes to a sourced bucket', async () => {
  const store = await open({ buckets: { things: { ...THINGS, sourced: true } } })
  await store.transaction((tx) => tx.bucket('things').insert({ id: 'a' }))
  const { event } = await lastEntry(store)
  expect(Object.isFrozen(event?.events) && Object.isFrozen(event?.events?.[0])).toBe(true)
})

test('the log has every sub-event, also one that its parent has not waited for', async () => {
  const store = await things()
  let late: Promise<unknown> | undefined
  store.defineEvent('main', {
    reduce: () => ({ events: [{ type: 'sub' }] }),
    transact: async () => {
      for (let i = 0; i < 3; i++) await turn()
    },
  })
  store.defineEvent('sub', {
    transact: (_, tx) => {
      late = (async () => {
        await turn()
        await tx.dispatch('deep', { id: 'x' })
      })()
    },
  })
  store.defineEvent('deep', { reduce: ({ data }) => ({ things: { insert: data } }) })
  const { events } = await store.dispatch('main')
  await late
  expect(events).toEqual([{ type: 'sub', events: [{ type: 'deep', data: { id: 'x' } }] }])
  expect((await lastEntry(store)).event?.events).toEqual(events)
})
