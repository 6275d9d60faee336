import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryAdapter, Store } from '../../src/index.js'
import type { Entry, EventData, StorageAdapter, SubEvent } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import type { VirtualRuntime } from '../../src/testing/runtime.js'
import { runs } from './support/runs.js'

/** Fails appends while `isBroken`. */
class Breakable extends MemoryAdapter {
  isBroken = false
  override append(...args: Parameters<StorageAdapter['append']>): ReturnType<MemoryAdapter['append']> {
    if (this.isBroken && args[1].entries.length > 0) throw new Error('the storage is broken')
    return super.append(...args)
  }
}

const TALLY = { key: 'id', schema: { id: { type: 'string' }, sum: { type: 'number' } } } as const
const BUCKETS = {
  inline: TALLY,
  async: TALLY,
  accounts: { key: 'id', schema: { id: { type: 'string' }, sum: { type: 'number', min: 0 } } },
  notes: { key: 'id', schema: { id: { type: 'string' }, of: { type: 'string' } }, sourced: true },
} as const

/** How an event of the schedule looks; `fails` is how often handling it fails for no reason of its own. */
interface Order {
  readonly nr: number
  readonly account: string
  readonly amount: number
  readonly also: boolean
  readonly async: boolean
  readonly fails: number
}

/** What is left of each order: how often it still fails. Not part of the store, as the outside world is not. */
type Weather = Map<number, number>

/** What the check has to find: a reducer, or a projection, that does what the event does not say, and a queue that forgets. */
type Bug = 'reducer' | 'projection' | 'queue'

async function start(adapter: Breakable, runtime: VirtualRuntime, weather: Weather, bug?: Bug): Promise<Store> {
  const store = (await Store.start({
    persistence: { adapter },
    // Work that needs the storage for itself makes others wait: what is acknowledged has to be written all the same.
    durability: 'process',
    runtime,
    buckets: BUCKETS,
    onError: () => undefined,
    history: 'forever',
  })) as Store
  store.defineEvent('moved', {
    policy: { retries: 2, backoffMs: 50 },
    lane: ({ account }) => String(account),
    reduce: ({ data }, view) => {
      const { nr, account, amount } = data as unknown as Order
      const left = weather.get(nr) ?? 0
      if (left > 0) {
        weather.set(nr, left - 1)
        throw new Error('not now')
      }
      const before = view.bucket('accounts').get(account) as { sum: number } | undefined
      return {
        accounts: { upsert: { id: account, sum: (before?.sum ?? 0) + amount + (bug === 'reducer' ? 1 : 0) } },
        events: data.also === true ? [{ type: 'noted', data: { nr, of: account } }] : [],
      }
    },
    transact: async ({ data }, tx) => {
      if (data.async !== true) return
      await Promise.resolve()
      await tx.bucket('notes').upsert({ id: `by ${String(data.nr)}`, of: 'transact' })
    },
  })
  store.defineEvent('noted', {
    reduce: ({ data }) => ({ notes: { upsert: { id: `on ${String(data.nr)}`, of: data.of } } }),
  })
  for (const mode of ['inline', 'async'] as const) {
    await store.defineProjection(mode, {
      from: ['moved', 'noted', 'bucket/*'],
      into: [mode],
      mode,
      apply: ({ type, data }, tx) => {
        const id = type === 'moved' ? `of ${String(data.account)}` : type
        const before = Number(tx.bucket(mode).get(id)?.sum ?? 0)
        const planted = bug === 'projection' && mode === 'async' && type === 'noted' ? 1 : 0
        tx.bucket(mode).upsert({ id, sum: before + (type === 'moved' ? Number(data.amount) : 1) + planted })
      },
    })
  }
  if (bug === 'queue') store.enqueue = () => Promise.resolve(0)
  return store
}

/** The state that a plain left fold over the accepted events has. */
function fold(entries: readonly Entry[]): {
  accounts: Map<string, number>
  notes: Map<string, string>
  tally: Map<string, number>
} {
  const tally = new Map<string, number>()
  const accounts = new Map<string, number>()
  const notes = new Map<string, string>()
  const apply = ({ type, data = {}, events = [] }: SubEvent): void => {
    const { nr, account, amount, of } = data as unknown as Order & { readonly of: string }
    const id = type === 'moved' ? `of ${account}` : type
    tally.set(id, (tally.get(id) ?? 0) + (type === 'moved' ? amount : 1))
    if (type === 'moved') accounts.set(account, (accounts.get(account) ?? 0) + amount)
    if (type === 'noted') notes.set(`on ${String(nr)}`, of)
    if (type === 'bucket/notes') {
      const given = data.data as EventData
      notes.set(String(given.id), String(given.of))
    }
    for (const event of events) apply(event)
  }
  for (const { type, data, event } of entries) {
    if (event === undefined || type.startsWith('store/')) continue
    apply({ type, ...(data && { data }), ...(event.events && { events: event.events }) })
  }
  return { accounts, notes, tally }
}

const order = fc.record<Omit<Order, 'nr'>>({
  account: fc.constantFrom('a', 'b'),
  amount: fc.integer({ min: -3, max: 5 }),
  also: fc.boolean(),
  async: fc.boolean(),
  fails: fc.constantFrom(0, 0, 0, 1, 2, 3, 5),
})
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('dispatch' as const, 'enqueue' as const), order) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('advance' as const), fc.integer({ min: 0, max: 200 })) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom('replay', 'drop', 'restart', 'break', 'mend', 'kill', 'plain', 'rebuild'),
      fc.nat(7),
    ),
  },
)

const KILLED = [
  'queue',
  'bucket:varve/queue',
  'bucket:accounts',
  'projection:async',
  'bucket:inline',
  'bucket:varve/projections',
  'rebuild:inline',
]

/** Runs a schedule and checks the outcome. */
async function run(schedule: readonly [string, unknown][], seed: number, bug?: Bug): Promise<void> {
  const runtime = virtualRuntime({ seed })
  const adapter = new Breakable()
  const weather: Weather = new Map()
  let store = await start(adapter, runtime, weather, bug)
  const accepted = new Set<number>()
  const refused = new Set<number>()
  const queued = new Set<number>()
  const dropped = new Set<number>()
  const open: Promise<unknown>[] = []
  let nr = 0
  for (const [name, arg] of schedule) {
    if (name === 'dispatch' || name === 'enqueue') {
      const own = nr++
      const data = { ...(arg as Order), nr: own }
      weather.set(own, data.fails)
      if (name === 'enqueue')
        open.push(
          store.enqueue('moved', data).then(
            () => queued.add(own),
            () => undefined,
          ),
        )
      else
        open.push(
          store.dispatch('moved', data).then(
            () => accepted.add(own),
            () => refused.add(own),
          ),
        )
    } else if (name === 'advance') await runtime.advance(arg as number)
    else if (name === 'break') adapter.isBroken = true
    else if (name === 'mend') adapter.isBroken = false
    else if (name === 'kill') store.kill(KILLED[arg as number] ?? 'queue')
    else if (name === 'rebuild')
      open.push(store.rebuild((arg as number) % 2 === 0 ? 'inline' : 'async').catch(() => undefined))
    else if (name === 'plain')
      open.push(
        store
          .bucket('notes')
          .upsert({ id: 'plain', of: String(arg) })
          .catch(() => undefined),
      )
    else if (name === 'restart') {
      const stopping = store.stop()
      await runtime.advance(0)
      await stopping
      store = await start(adapter, runtime, weather, bug)
    } else {
      const parked = store.parked.list()[arg as number]
      if (parked === undefined) continue
      const gone = () => name === 'drop' && dropped.add((parked.data as unknown as Order).nr)
      open.push((store.parked[name as 'drop'](parked.id) as Promise<unknown>).then(gone, () => undefined))
    }
  }
  adapter.isBroken = false
  await runtime.advance(60_000)
  await Promise.all(open)
  await runtime.advance(60_000)
  const entries = await store.log.read()
  const handled = entries.filter(({ type }) => type === 'moved').map(({ data }) => (data as unknown as Order).nr)
  expect(new Set(handled).size, 'an event was handled twice').toBe(handled.length)
  for (const own of accepted) expect(handled).toContain(own)
  for (const own of refused) expect(handled).not.toContain(own)
  const parked = store.parked.list().map(({ data }) => (data as unknown as Order).nr)
  const lanes = new Set(store.parked.list().map(({ lane }) => lane))
  for (const own of queued) {
    const isWaiting = !handled.includes(own) && !parked.includes(own) && !dropped.has(own)
    if (isWaiting) expect(lanes.size, `event ${own} was lost, or waits for nothing`).toBeGreaterThan(0)
    expect([handled, parked, [...dropped]].filter((some) => some.includes(own)).length).toBeLessThanOrEqual(1)
  }
  expect(store.queue.stats).toMatchObject({ running: 0, parked: parked.length })
  let isProjected = false
  const projected = store.projected().then(() => (isProjected = true))
  for (let i = 0; i < 1_000 && !isProjected; i++) await runtime.advance(100)
  expect(isProjected, 'a projection does not come to its end').toBe(true)
  await projected
  const { accounts, notes, tally } = fold(entries)
  for (const mode of ['inline', 'async']) {
    const rows = await store.bucket(mode).all()
    expect(new Map(rows.map(({ id, sum }) => [id, sum])), `the ${mode} projection`).toEqual(tally)
  }
  expect(store.projections).toMatchObject(
    Array.from({ length: 2 }, () => ({ state: 'running', lag: 0, error: undefined })),
  )
  const [accountsNow, notesNow] = [await store.bucket('accounts').all(), await store.bucket('notes').all()]
  expect(new Map(accountsNow.map(({ id, sum }) => [id, sum]))).toEqual(accounts)
  expect(new Map(notesNow.map(({ id, of }) => [id, of]))).toEqual(notes)
  await store.stop()
}

const property = (bug?: Bug): fc.IAsyncProperty<[[string, unknown][], number]> =>
  fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(), (steps, own) => run(steps, own, bug))

test('any schedule of dispatches, failures, retries and restarts is a left fold over the accepted events (EV1)', async () => {
  await fc.assert(property(), runs(200))
}, 120_000)

test.each<Bug>(['reducer', 'projection', 'queue'])(
  'the check finds a planted bug of a %s',
  async (bug) => {
    await expect(fc.assert(property(bug), { numRuns: 200, endOnFailure: true })).rejects.toThrow(/Property failed/)
  },
  120_000,
)
