import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { MemoryAdapter } from '../../src/index.js'
import { FieldIndex } from '../../src/state/field-index.js'
import { anyCall, onHandle, onPlain, outcomeOf, plainOutcome } from './support/calls.js'
import type { Call, Outcome } from './support/calls.js'
import { kinds } from './support/places.js'
import type { Place } from './support/places.js'
import { PlainBucket } from './support/plain-store.js'
import { must, runs } from './support/runs.js'
import { BUCKETS, RECENT, World } from './support/world.js'

const ALL = Object.keys(BUCKETS)
/** Buckets for transactions. What is used in one counts when it commits, so the order of use is left out. */
const SHARED = ALL.filter((name) => name !== 'recent')

type Command =
  | { readonly do: 'call'; readonly call: Call }
  | { readonly do: 'transaction'; readonly calls: readonly Call[]; readonly end: 'commit' | 'throw' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash'; readonly bucket: string }
  | { readonly do: 'drop' }

const command: fc.Arbitrary<Command> = fc.oneof(
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

async function step(world: World, one: Command): Promise<void> {
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

/** Runs a script on a fresh place and checks everything after each step. */
async function play(place: Place, keepsLog: boolean, script: readonly Command[]): Promise<void> {
  const world = new World(place)
  try {
    await world.open()
    for (const one of script) {
      await step(world, one)
      await world.check()
    }
    if (keepsLog) await world.checkLog()
    await checkExport(world)
    await world.reopen()
    await world.check()
  } finally {
    await world.close()
  }
}

/** What is exported and imported elsewhere is exported there to the letter, but for the line at the top. */
async function checkExport(world: World): Promise<void> {
  const text = await world.export()
  const adapter = new MemoryAdapter()
  const other = new World({ adapter: () => adapter, cleanup: () => undefined })
  await other.open()
  await other.run(other.store.import([text]))
  const body = (lines: string): string => lines.slice(lines.indexOf('\n'))
  expect(body(await other.export())).toBe(body(text))
  await other.close()
}

function property(make: () => Place, keepsLog: boolean): fc.IAsyncProperty<[Command[]]> {
  return fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40 }), (script) =>
    play(make(), keepsLog, script),
  )
}

describe.each(kinds)('on $name', ({ name, keepsLog, make }) => {
  test('any calls, transactions, restarts, crashes: the store answers what the model answers', async () => {
    await fc.assert(property(make, keepsLog), runs(name === 'memory' ? 120 : 20))
  }, 120_000)
})

describe('the model finds planted bugs', () => {
  const memory = must(kinds.find(({ name }) => name === 'memory'))
  const finds = (make: () => Place): Promise<void> =>
    expect(fc.assert(property(make, true), { numRuns: 5_000, endOnFailure: true })).rejects.toThrow(/Property failed/)

  test('an index that does not follow updates', async () => {
    const move = vi.spyOn(FieldIndex.prototype, 'move').mockReturnValue(undefined)
    await finds(memory.make).finally(() => move.mockRestore())
  })

  test('a storage that forgets one deletion', async () => {
    await finds(() => {
      const place = memory.make()
      const adapter = place.adapter() as MemoryAdapter
      const append = adapter.append.bind(adapter)
      let isForgotten = false
      adapter.append = (head, batch) => {
        if (isForgotten || !batch.ops.some(({ op }) => op === 'delete')) return append(head, batch)
        isForgotten = true
        return append(head, { ...batch, ops: batch.ops.filter(({ op }) => op !== 'delete') })
      }
      return { ...place, adapter: () => adapter }
    })
  })
})
