import fc from 'fast-check'
import { expect } from 'vitest'
import { anyCall, onHandle, onPlain, outcomeOf, plainOutcome } from './calls.js'
import type { Call, Outcome } from './calls.js'
import { PlainBucket } from './plain-store.js'
import { BUCKETS, RECENT } from './world.js'
import type { World } from './world.js'

const ALL = Object.keys(BUCKETS)
/** Buckets for transactions. What is used in one counts when it commits, so the order of use is left out. */
const SHARED = ALL.filter((name) => name !== 'recent')

/** One step of a script. */
export type Command =
  | { readonly do: 'call'; readonly call: Call }
  | { readonly do: 'transaction'; readonly calls: readonly Call[]; readonly end: 'commit' | 'throw' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash'; readonly bucket: string }
  | { readonly do: 'drop' }

/** Any step. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('call' as const), call: anyCall(ALL) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('transaction' as const),
      calls: fc.array(anyCall(SHARED), { maxLength: 6 }),
      end: fc.constantFrom('commit' as const, 'commit' as const, 'throw' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4_000 }) }) },
  { weight: 1, arbitrary: fc.constant<Command>({ do: 'reopen' }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), bucket: fc.constantFrom(...ALL) }) },
  { weight: 1, arbitrary: fc.constant<Command>({ do: 'drop' }) },
)

/** Does one step with the store and with the model. */
export async function step(world: World, one: Command): Promise<void> {
  const { store, plain } = world
  switch (one.do) {
    case 'call':
      expect(await realCall(world, one.call), one.call.method).toEqual(plainCall(world, one.call))
      return
    case 'transaction':
      return transaction(world, one.calls, one.end)
    case 'pass':
      return world.pass(one.ms)
    case 'reopen':
      return world.reopen()
    case 'crash':
      // More than three crashes within five seconds are one too many.
      await world.pass(5_001)
      expect(store.kill(`bucket:${one.bucket}`)).toBe(true)
      // Whoever asks waits until it is back.
      await world.run(store.bucket(one.bucket).count())
      plain.get(one.bucket)?.reload()
      return
    case 'drop':
      await world.run(store.dropBucket('recent'))
      await world.run(store.defineBucket('recent', RECENT.real))
      plain.set('recent', new PlainBucket(RECENT.plain))
  }
}

function realCall(world: World, call: Call): Promise<Outcome> {
  return world.run(outcomeOf(onHandle(world.store.bucket(call.bucket), call)))
}

/** On the model a write is all or nothing. */
function plainCall(world: World, call: Call): Outcome {
  const plain = world.plain.get(call.bucket) as PlainBucket
  const before = plain.copy()
  const outcome = plainOutcome(() => {
    const value = onPlain(plain, call, world.runtime.now(), true)
    plain.commit()
    return value
  })
  if ('refused' in outcome) plain.restore(before)
  return outcome
}

/** Calls within it see what it has written; a refused one leaves the rest of it as it is. Its end decides about all. */
async function transaction(world: World, calls: readonly Call[], end: 'commit' | 'throw'): Promise<void> {
  const before = new Map([...world.plain].map(([name, bucket]) => [name, bucket.copy()]))
  const expected = calls.map((call) =>
    plainOutcome(() => onPlain(world.plain.get(call.bucket) as PlainBucket, call, world.runtime.now(), false)),
  )
  const outcomes: Outcome[] = []
  const real = world.store.transaction(async (tx) => {
    for (const call of calls) outcomes.push(await outcomeOf(onHandle(tx.bucket(call.bucket), call)))
    if (end === 'throw') throw Object.assign(new Error('no more'), { code: 'MINE' })
  })
  const outcome = await world.run(outcomeOf(real))
  expect(outcomes).toEqual(expected)
  const ended = plainOutcome(() => {
    if (end === 'commit') for (const bucket of world.plain.values()) bucket.commit()
  })
  expect(outcome).toEqual(end === 'throw' ? { refused: 'MINE' } : ended)
  if (end === 'commit' && !('refused' in ended)) return
  for (const [name, bucket] of before) world.plain.get(name)?.restore(bucket)
}
