import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { ChangesSince } from '../../src/history/changes-since.js'
import { HistoryGoneError } from '../../src/index.js'
import type { Entry, StorageAdapter } from '../../src/index.js'
import { outcomeOf } from './support/calls.js'
import { kinds } from './support/places.js'
import type { Place } from './support/places.js'
import type { Plain } from './support/plain-store.js'
import { must, runs } from './support/runs.js'
import { command, step } from './support/script.js'
import type { Command } from './support/script.js'
import { BUCKETS, World } from './support/world.js'

/** Buckets that the log knows. */
const STORED = Object.keys(BUCKETS).filter((name) => BUCKETS[name]?.plain.persistent === true)

type Rows = { readonly [bucket: string]: readonly Plain[] }

/** A world that remembers what the model had after each commit. */
class Remembering extends World {
  readonly states = new Map<number, Rows>()

  override async open(): Promise<void> {
    await super.open()
    this.remember()
    // A step may make several commits: what the store has after each of them is checked against the model at its end.
    this.store.onPosition(({ visible }) => {
      if (this.states.has(visible)) return
      const rows = this.store.read((view) =>
        STORED.filter((name) => this.store.hasBucket(name)).map((name) => [name, view.bucket(name).all()]),
      )
      this.states.set(visible, Object.fromEntries(rows) as Rows)
    })
  }

  /** The model is where the store is. */
  remember(): void {
    const rows = STORED.map((name) => [name, this.plain.get(name)?.records ?? []] as const)
    this.states.set(this.store.position.visible, Object.fromEntries(rows))
  }

  entries(): Promise<Entry[]> {
    return this.run(Promise.resolve(this.store.log.read()))
  }

  /** Every state that history has is seen as it was; of what was erased, exactly that is said. */
  async checkPast(): Promise<void> {
    const entries = await this.entries()
    const oldest = (entries[0]?.seq ?? this.store.position.durable + 1) - 1
    for (const [seq, rows] of this.states) {
      const asked = this.run(this.store.at(seq))
      if (seq < oldest) {
        await expect(asked).rejects.toThrow(HistoryGoneError)
        continue
      }
      const view = await asked
      for (const name of Object.keys(rows)) {
        const erasedBy = entries.findLast((entry) => entry.seq > seq && empties(entry, name))?.seq
        if (erasedBy === undefined) {
          expect(view.bucket(name).all(), `${name} after ${seq}`).toEqual(rows[name])
          expect(view.bucket(name).keys().length).toBe(rows[name]?.length)
        } else {
          expect(() => view.bucket(name)).toThrow(expect.objectContaining({ code: 'HISTORY_GONE', oldest: erasedBy }))
        }
      }
    }
  }

  /** The state at a time is that after the last commit at or before it. */
  async checkTimes(): Promise<void> {
    const entries = await this.entries()
    for (const { at } of entries) {
      const last = must(entries.findLast((entry) => entry.at <= at))
      expect((await this.run(this.store.at(new Date(at)))).seq).toBe(last.seq)
      const before = entries.findLast((entry) => entry.at <= at - 1)?.seq
      const asked = await this.run(outcomeOf(this.store.at(new Date(at - 1))))
      if (before !== undefined) expect(asked).toMatchObject({ value: { seq: before } })
      else if (entries[0]?.seq === 1) expect(asked).toMatchObject({ value: { seq: 0 } })
      else expect(asked).toEqual({ refused: 'HISTORY_GONE' })
    }
  }

  /** A record's versions are its changes in the log, from the end back to where they were erased. */
  async checkVersions(): Promise<void> {
    const entries = (await this.entries()).reverse()
    for (const name of STORED) {
      const keys = new Set(
        entries.flatMap(({ changes }) => changes.flatMap(({ bucket, key }) => (bucket === name ? [key] : []))),
      )
      for (const key of keys) {
        const changes = entries.flatMap(({ seq, changes: all }) =>
          all
            .filter((change) => change.bucket === name && change.key === key)
            .map((change) => ({ seq, ...change }))
            .reverse(),
        )
        const versions = await this.run(this.store.history(name, key as never))
        expect(versions.map(({ seq, before, after }) => [seq, before, after])).toEqual(
          changes.map(({ seq, before, after }) => [seq, before, after]),
        )
      }
    }
  }
}

function empties({ cleared, type, data }: Entry, bucket: string): boolean {
  return cleared?.includes(bucket) === true || (type === 'store/drop' && data?.bucket === bucket)
}

async function play(place: Place, script: readonly Command[], history: 'forever' | { rows: number }): Promise<void> {
  const world = new Remembering(place, { history })
  try {
    await world.open()
    for (const one of script) {
      await step(world, one)
      await world.check()
      world.remember()
    }
    if (history !== 'forever') await world.runtime.advance(61_000)
    await world.checkPast()
    await world.checkTimes()
    await world.checkVersions()
    // And what a new store makes of what is stored.
    await world.reopen()
    if (history === 'forever') await world.checkPast()
  } finally {
    await world.close()
  }
}

function property(make: () => Place, history: 'forever' | { rows: number }): fc.IAsyncProperty<[Command[]]> {
  return fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40 }), (script) =>
    play(make(), script, history),
  )
}

const logged = kinds.filter(({ keepsLog }) => keepsLog)

describe.each(logged)('on $name', ({ name, make }) => {
  test('after any calls, transactions, restarts and crashes: every past state is seen as it was', async () => {
    await fc.assert(property(make, 'forever'), runs(name === 'memory' ? 100 : 12))
  }, 120_000)

  test('with a history of ten commits: those states are seen, and the others are gone', async () => {
    await fc.assert(property(make, { rows: 10 }), runs(name === 'memory' ? 30 : 6))
  }, 120_000)
})

describe('the proof finds planted bugs', () => {
  const memory = must(kinds.find(({ name }) => name === 'memory'))
  const finds = (make: () => Place): Promise<void> =>
    expect(fc.assert(property(make, 'forever'), { numRuns: 2_000, endOnFailure: true })).rejects.toThrow(
      /Property failed/,
    )

  /** The memory, with entries changed on their way into the log. */
  const changing = (change: (entry: Entry) => Entry) => (): Place => {
    const place = memory.make()
    const adapter = place.adapter() as StorageAdapter
    const append = adapter.append.bind(adapter)
    adapter.append = (head, batch) => append(head, { ...batch, entries: batch.entries.map(change) })
    return { ...place, adapter: () => adapter }
  }

  test('a log that says of deleted records that they stood at the beginning', () =>
    finds(
      changing((entry) => ({
        ...entry,
        changes: entry.changes.map((one) => (one.ordinal === undefined ? one : { ...one, ordinal: 0 })),
      })),
    ))

  test('H1: a log that has lost a change', () =>
    finds(changing((entry) => (entry.seq === 4 ? { ...entry, changes: [] } : entry))))

  test('a view that overlooks one entry in five', async () => {
    const real = ChangesSince.prototype.add
    const add = vi.spyOn(ChangesSince.prototype, 'add').mockImplementation(function (this: ChangesSince, entry) {
      if (entry.seq % 5 !== 0) real.call(this, entry)
    })
    await finds(memory.make).finally(() => add.mockRestore())
  })
})
