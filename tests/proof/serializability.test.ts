import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { CommitDraft } from '../../src/commit/draft.js'
import { Sequencer } from '../../src/commit/sequencer.js'
import { ReadSet } from '../../src/query/read-set.js'
import { anyCall, onHandle, onPlain, outcomeOf, plainOutcome } from './support/calls.js'
import type { Call, Outcome } from './support/calls.js'
import { kinds } from './support/places.js'
import type { Place } from './support/places.js'
import { must, runs } from './support/runs.js'
import { BUCKETS, World } from './support/world.js'
import type { BucketOfBoth } from './support/world.js'

const { users, sessions, scratch } = BUCKETS

/** Without counters: whose number is which depends on who asks first, not on who commits first. */
const SHARED: { readonly [name: string]: BucketOfBoth } = {
  users: must(users),
  sessions: must(sessions),
  notes: {
    real: {
      key: 'id',
      schema: { id: { type: 'number' }, role: { type: 'string' } },
      indexes: ['role'],
      etsType: 'ordered_set',
    },
    plain: { key: 'id', byKey: true, persistent: true },
  },
  scratch: {
    real: { ...must(scratch).real, schema: { id: { type: 'string' }, email: { type: 'string', unique: true } } },
    plain: { key: 'id', unique: 'email', persistent: false },
  },
  marks: { real: { key: 'id', schema: { id: { type: 'number' } } }, plain: { key: 'id', persistent: true } },
}
const NAMES = Object.keys(SHARED).filter((name) => name !== 'marks')

interface Unit {
  readonly calls: readonly Call[]
  /** A transaction, and whether it leaves a mark, which tells its place among the commits. */
  readonly transaction:
    | { readonly isMarked: boolean; readonly isAborted: boolean; readonly retries: number }
    | undefined
}

const unit: fc.Arbitrary<Unit> = fc.oneof(
  { weight: 2, arbitrary: anyCall(NAMES, ['pages']).map((call): Unit => ({ calls: [call], transaction: undefined })) },
  {
    weight: 3,
    arbitrary: fc.record<Unit>({
      calls: fc.array(anyCall(NAMES), { minLength: 1, maxLength: 5 }),
      transaction: fc.record({
        isMarked: fc.boolean(),
        isAborted: fc.nat(5).map((n) => n === 0),
        retries: fc.nat(1),
      }),
    }),
  },
)

/** What one unit, or one attempt of a transaction, has seen, and when. */
interface Seen {
  readonly calls: readonly Call[]
  readonly outcomes: readonly Outcome[]
  /** How many commits there were before it began, and before it ended. */
  readonly from: number
  readonly to: number
  /** The number of its commit, where it made one. */
  readonly commit: number | undefined
  readonly isTransaction: boolean
}

/** Runs all scripts at once; `picks` decide who goes on, and when the storage writes. */
class Run {
  readonly world: World
  readonly seen: Seen[] = []
  /** The commits, in the order in which they got their places; the last `undone` of them are gone. */
  readonly drafts: CommitDraft[] = []
  readonly #waiting: (() => void)[] = []
  #mark = 0

  constructor(world: World) {
    this.world = world
  }

  #gate(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async play(scripts: readonly (readonly Unit[])[], picks: readonly number[]): Promise<void> {
    let isOver = false
    const all = Promise.all(scripts.map((script) => this.#act(script))).finally(() => {
      isOver = true
    })
    for (let turn = 0; ; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (isOver) break
      const pick = picks[turn % picks.length] ?? 0
      const [next] = pick % 4 === 0 ? [] : this.#waiting.splice(pick % Math.max(1, this.#waiting.length), 1)
      if (next === undefined) await this.world.runtime.runDeferred()
      else next()
      if (turn > 5_000) throw new Error('the run does not end')
    }
    await all
  }

  async #act(script: readonly Unit[]): Promise<void> {
    for (const { calls, transaction } of script) {
      await this.#gate()
      if (transaction === undefined) await this.#call(must(calls[0]))
      else await this.#transaction(calls, transaction)
    }
  }

  async #call(call: Call): Promise<void> {
    const from = this.drafts.length
    // Runs at once: what it commits, it commits before this goes on.
    const outcome = outcomeOf(onHandle(this.world.store.bucket(call.bucket), call))
    const commit = this.drafts.length > from ? from : undefined
    this.seen.push({ calls: [call], outcomes: [await outcome], from, to: from, commit, isTransaction: false })
  }

  async #transaction(calls: readonly Call[], options: NonNullable<Unit['transaction']>): Promise<void> {
    const attempts: { from: number; to: number; mark: number; outcomes: Outcome[] }[] = []
    const run = this.world.store.transaction(
      async (tx) => {
        const attempt = { from: this.drafts.length, to: 0, mark: ++this.#mark, outcomes: [] as Outcome[] }
        attempts.push(attempt)
        for (const call of calls) {
          await this.#gate()
          const outcome = await outcomeOf(onHandle(tx.bucket(call.bucket), call))
          // A conflict is the answer of a call with `ifVersion`, or says that the transaction is over: then all do.
          if ('refused' in outcome && outcome.refused === 'TRANSACTION_CONFLICT') {
            const next = await outcomeOf(tx.bucket('marks').has(0))
            if ('refused' in next) break
          }
          attempt.outcomes.push(outcome)
          attempt.to = this.drafts.length
        }
        if (options.isMarked) await tx.bucket('marks').insert({ id: attempt.mark })
        if (options.isAborted) throw Object.assign(new Error('no more'), { code: 'MINE' })
      },
      { retries: options.retries },
    )
    const outcome = await outcomeOf(run)
    for (const [at, attempt] of attempts.entries()) {
      const isLast = at === attempts.length - 1
      const found = this.drafts.findIndex(({ changes }) =>
        changes.some(({ bucket, key }) => bucket === 'marks' && key === attempt.mark),
      )
      const commit = found === -1 ? undefined : found
      expect(commit !== undefined, 'a marked transaction is committed when it says so').toBe(
        isLast && options.isMarked && 'value' in outcome,
      )
      const { outcomes, from, to } = attempt
      this.seen.push({
        calls: calls.slice(0, outcomes.length),
        outcomes,
        from,
        to: commit ?? to,
        commit,
        isTransaction: true,
      })
    }
  }
}

/**
 * Replays everything that was committed, one after the other, on the model: each commit has to have seen what it sees
 * there, and everything that was read without a commit has to have been true at one moment while it was read.
 */
function judge(run: Run): void {
  const { world, seen, drafts } = run
  const open = new Set(seen.filter((one) => one.commit === undefined && one.outcomes.length > 0))
  for (let at = 0; at <= drafts.length; at++) {
    for (const one of open) {
      if (one.from > at || at > one.to) continue
      if (isTrue(world, one)) open.delete(one)
      else if (at === one.to)
        expect(outcomes(world, one), `read between ${one.from} and ${one.to}`).toEqual(one.outcomes)
    }
    if (at === drafts.length) break
    const commit = seen.find((one) => one.commit === at)
    if (commit === undefined) applyDraft(world, must(drafts[at]))
    else {
      expect(outcomes(world, commit), `commit ${at}`).toEqual(commit.outcomes)
      const mark = must(drafts[at]).changes.find(({ bucket }) => bucket === 'marks')
      if (mark !== undefined) world.plain.get('marks')?.insert({ id: mark.key }, world.runtime.now())
      for (const bucket of world.plain.values()) bucket.commit()
    }
  }
}

/** The outcomes of the calls on the model. Whoever made no commit leaves no trace there. */
function outcomes(world: World, { calls, commit, isTransaction }: Seen): Outcome[] {
  const before = new Map([...world.plain].map(([name, bucket]) => [name, bucket.copy()]))
  const found = calls.map((call) =>
    plainOutcome(() => {
      const value = onPlain(must(world.plain.get(call.bucket)), call, world.runtime.now(), false)
      if (!isTransaction) world.plain.get(call.bucket)?.commit()
      return value
    }),
  )
  if (commit === undefined) for (const [name, bucket] of before) world.plain.get(name)?.restore(bucket)
  return found
}

function isTrue(world: World, one: Seen): boolean {
  try {
    expect(outcomes(world, one)).toEqual(one.outcomes)
    return true
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AssertionError') throw error
    return false
  }
}

/** A transaction without a mark: its place is known, but not which one it was. Its writes are taken as they are. */
function applyDraft(world: World, { changes, clearedBuckets }: CommitDraft): void {
  for (const { bucket } of clearedBuckets) world.plain.get(bucket.name)?.clear()
  for (const { bucket, key, before, after } of changes) {
    const plain = must(world.plain.get(bucket))
    if (before === undefined) plain.records = [...plain.records, must(after)]
    else if (after === undefined) plain.delete(key)
    else plain.records = plain.records.map((record) => (record[plain.definition.key] === key ? after : record))
  }
}

function property(make: () => Place, plant?: () => void): fc.IAsyncProperty<[Unit[][], number[]]> {
  const scripts = fc.array(fc.array(unit, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 4 })
  const picks = fc.array(fc.nat(20), { minLength: 50, maxLength: 50 })
  return fc.asyncProperty(scripts, picks, async (script, order) => {
    const world = new World(make(), {}, 1, SHARED)
    try {
      plant?.()
      await world.open()
      const run = new Run(world)
      const original = Sequencer.prototype.submit
      vi.spyOn(Sequencer.prototype, 'submit').mockImplementation(function (this: Sequencer, draft, ...rest) {
        run.drafts.push(draft)
        return original.call(this, draft, ...rest)
      })
      await run.play(script, order)
      judge(run)
      await world.check()
      await world.checkLog()
    } finally {
      vi.restoreAllMocks()
      await world.close()
    }
  })
}

describe.each(kinds.filter(({ keepsLog }) => keepsLog))('on $name', ({ name, make }) => {
  test('concurrent transactions and writes read and leave what one after the other would', async () => {
    await fc.assert(property(make), runs(name === 'memory' ? 150 : 25))
  }, 120_000)
})

test.each<[bug: string, plant: () => void]>([
  [
    'no transaction looks at what others commit',
    () => vi.spyOn(ReadSet.prototype, 'touchedBy').mockReturnValue(undefined),
  ],
  [
    'what was not there when it was read does not count',
    () => vi.spyOn(ReadSet.prototype, 'readWhere').mockReturnValue(undefined),
  ],
  ['only what was read by a filter counts', () => vi.spyOn(ReadSet.prototype, 'readKey').mockReturnValue(undefined)],
])('the check finds a planted bug: %s', async (_bug, plant) => {
  const found = property(must(kinds[0]).make, plant)
  await expect(fc.assert(found, { numRuns: 20_000, endOnFailure: true })).rejects.toThrow(/Property failed/)
})
