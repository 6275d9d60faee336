import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { VarveError } from '../base/errors.js'
import { StorageError } from '../log/errors.js'
import { RowMirror } from '../log/rows.js'
import type { Appended, Batch, Durability, Missed, StorageAdapter, StorageReport } from '../log/storage.js'
import { checkDefinition } from '../schema/check-definition.js'
import { RecordSchema } from '../schema/record-schema.js'
import { virtualRuntime } from '../testing/runtime.js'
import { Bucket } from './bucket.js'
import { CommitDraft } from './draft.js'
import { StoreDegradedError } from './errors.js'
import { Sequencer } from './sequencer.js'
import type { Commit } from './commit-group.js'
import { checkTable } from '../state/check-table.js'

interface Call {
  readonly head: number
  readonly batch: Batch
  readonly settle: (outcome: Appended | Missed) => void
  readonly fail: (error: Error) => void
}

interface WriteHow {
  readonly durability?: Durability
  readonly bucket?: Bucket
}

/** A sequencer on a storage that answers when, and what, the test says. */
class Rig {
  readonly runtime = virtualRuntime()
  /** Appends that have not been answered; never more than one. */
  readonly calls: Call[] = []
  /** What was written, in order. */
  readonly written: Batch[] = []
  readonly published: (number | 'ephemeral')[] = []
  readonly undone: (number | 'ephemeral')[] = []
  readonly errors: Error[] = []
  readonly outcomes: string[] = []
  readonly ephemeral = new RowMirror()
  readonly sequencer: Sequencer
  readonly stored: Bucket
  readonly kept: Bucket
  onPublished: (commit: Commit) => void = () => undefined
  #flushed = 0

  /** @param isPrompt the storage answers each append itself: it is written. */
  constructor(durability: Durability = 'disk', immediate = false, isPrompt = immediate) {
    this.stored = this.#bucket('stored', true)
    this.kept = this.#bucket('kept', false)
    this.ephemeral.apply([{ op: 'define', meta: this.kept.meta }])
    const storage = {
      immediate,
      append: (head: number, batch: Batch) => {
        if (!isPrompt) return this.#append(head, batch)
        this.written.push(batch)
        return { appended: true, head: head + batch.entries.length }
      },
      flush: () => Promise.resolve(void this.#flushed++),
    } as unknown as StorageAdapter
    this.sequencer = new Sequencer({
      store: 'test',
      storage,
      report: { logId: 'log', head: 0, headAt: 0 } as StorageReport,
      runtime: this.runtime,
      ephemeral: this.ephemeral,
      durability,
      listener: {
        applied: () => undefined,
        published: (commit) => {
          this.published.push(commit.entry?.seq ?? 'ephemeral')
          this.onPublished(commit)
        },
        undone: ({ entry }) => void this.undone.push(entry?.seq ?? 'ephemeral'),
      },
      onError: (error) => void this.errors.push(error),
    })
  }

  #bucket(name: string, persistent: boolean): Bucket {
    const definition = checkDefinition(name, { key: 'id', schema: { id: { type: 'number' } }, persistent })
    return new Bucket(name, definition, new RecordSchema(name, definition, this.runtime), persistent, () =>
      expect.unreachable(),
    )
  }

  #append(head: number, batch: Batch): Promise<Appended | Missed> {
    expect(this.calls, 'one append at a time').toEqual([])
    return new Promise((resolve, reject) => {
      this.calls.push({ head, batch, settle: resolve, fail: reject })
    })
  }

  /** Submits a commit that inserts `ids`; what becomes of it is noted. */
  write(ids: number | readonly number[], options: WriteHow = {}): void {
    void this.#submit(ids, options)
  }

  /** Writes `ids` one after the other, each when the one before is written. */
  async writeEach(ids: readonly number[]): Promise<void> {
    for (const id of ids) await this.#submit(id, {})
  }

  /** @returns what resolves when the caller was told. */
  #submit(ids: number | readonly number[], options: WriteHow): Promise<unknown> | undefined {
    const { durability, bucket = this.stored } = options
    const draft = new CommitDraft('store/write')
    const list = typeof ids === 'number' ? [ids] : ids
    draft.make(() =>
      list.forEach((id) => draft.insert(bucket, bucket.schema.prepareInsert({ id }, this.sequencer.now(), 1))),
    )
    const result = this.sequencer.submit(draft, durability)
    const name = list.join('+')
    if (result === undefined) this.outcomes.push(`${name} at once`)
    return result?.then(
      () => this.outcomes.push(`${name} written`),
      (error: Error) => this.outcomes.push(`${name} refused: ${(error as VarveError).code}`),
    )
  }

  /** Lets the sequencer start what is due, and promises settle. */
  turn(): Promise<void> {
    return this.runtime.runDeferred()
  }

  /** Answers the append that waits: it is written. */
  async succeed(): Promise<void> {
    const { head, batch, settle } = this.#take()
    this.written.push(batch)
    settle({ appended: true, head: head + batch.entries.length })
    await this.turn()
  }

  async fail(error: Error = new StorageError('no', { code: 'TEST' })): Promise<void> {
    this.#take().fail(error)
    await this.turn()
  }

  async miss(): Promise<void> {
    this.#take().settle({ appended: false, missed: [] })
    await this.turn()
  }

  #take(): Call {
    const call = this.calls.shift()
    if (call === undefined) throw new Error('nothing was appended')
    return call
  }

  get ids(): unknown[] {
    return this.stored.reads.keys()
  }

  /** Keys of the rows that the storage has. */
  get rows(): unknown[] {
    return this.written.flatMap(({ ops }) => ops.map((op) => (op.op === 'put' ? op.record.id : op.op)))
  }

  get seqs(): number[] {
    return this.written.flatMap(({ entries }) => entries.map(({ seq }) => seq))
  }

  get flushes(): number {
    return this.#flushed
  }
}

describe('groups', () => {
  test('what is written in one turn is one group, in order, and nothing is told before it is written (C2)', async () => {
    const rig = new Rig()
    for (const id of [1, 2, 3]) rig.write(id)
    expect(rig.sequencer.position).toEqual({ visible: 3, durable: 0 })
    expect(rig.calls).toEqual([])
    await rig.turn()
    expect(rig.calls.map(({ head, batch }) => [head, batch.entries.map(({ seq }) => seq)])).toEqual([[0, [1, 2, 3]]])
    expect([rig.published, rig.outcomes]).toEqual([[], []])
    await rig.succeed()
    expect(rig.published).toEqual([1, 2, 3])
    expect(rig.outcomes).toEqual(['1 written', '2 written', '3 written'])
    expect(rig.sequencer.position).toEqual({ visible: 3, durable: 3 })
  })

  test('what comes while a group is on its way is the next group, on the head of the first (L1)', async () => {
    const rig = new Rig()
    rig.write(1)
    await rig.turn()
    rig.write(2)
    rig.write(3)
    await rig.turn()
    expect(rig.calls.length).toBe(1)
    await rig.succeed()
    expect(rig.calls.map(({ head, batch }) => [head, batch.entries.map(({ seq }) => seq)])).toEqual([[1, [2, 3]]])
    expect(rig.sequencer.position).toEqual({ visible: 3, durable: 1 })
    await rig.succeed()
    expect([rig.seqs, rig.published]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  test('a group has a limit; what is beyond it goes in the next, in order', async () => {
    const rig = new Rig()
    for (let id = 0; id < 2_500; id++) rig.write(id)
    await rig.turn()
    await rig.succeed()
    await rig.succeed()
    await rig.succeed()
    expect(rig.written.map(({ entries }) => entries.length)).toEqual([1_000, 1_000, 500])
    expect(rig.seqs).toEqual(Array.from({ length: 2_500 }, (_, at) => at + 1))
    expect(rig.published).toEqual(rig.seqs)
  })

  test('a group is as durable as the strongest of its commits', async () => {
    const rig = new Rig('process')
    rig.write(1)
    rig.write(2, { durability: 'disk' })
    await rig.turn()
    expect(rig.calls[0]?.batch.durability).toBe('disk')
    await rig.succeed()
    rig.write(3, { durability: 'memory' })
    await rig.turn()
    expect(rig.calls[0]?.batch.durability).toBe('memory')
    await rig.succeed()
    expect(rig.sequencer.position).toEqual({ visible: 3, durable: 2 })
    rig.write(4)
    await rig.turn()
    await rig.succeed()
    expect(rig.sequencer.position).toEqual({ visible: 4, durable: 4 })
  })

  test('a write at level memory is told at once, and published when it is written', async () => {
    const rig = new Rig()
    rig.write(1, { durability: 'memory' })
    expect(rig.outcomes).toEqual(['1 at once'])
    await rig.turn()
    expect(rig.published).toEqual([])
    await rig.succeed()
    expect(rig.published).toEqual([1])
  })

  test('a storage that answers at once needs no turn', () => {
    const rig = new Rig('memory', true)
    rig.write(1)
    rig.write(2)
    expect([rig.outcomes, rig.published, rig.seqs]).toEqual([
      ['1 at once', '2 at once'],
      [1, 2],
      [1, 2],
    ])
    expect(rig.sequencer.position).toEqual({ visible: 2, durable: 2 })
  })

  test('time in the log does not go back, whatever the clock does (L2)', async () => {
    const rig = new Rig()
    for (const ms of [0, 5, -1_000_000, 3, -7]) {
      rig.runtime.jump(ms)
      rig.write(ms)
    }
    await rig.turn()
    await rig.succeed()
    const times = rig.written.flatMap(({ entries }) => entries.map(({ at }) => at))
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })
})

describe('a lone writer', () => {
  const count = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

  test('is written without waiting for a task, and every so often in one, so that others get their turn', async () => {
    const rig = new Rig('disk', false, true)
    const seen: number[] = []
    const bystander = (): void => {
      seen.push(rig.published.length)
      if (rig.published.length < 40) rig.runtime.defer(bystander)
    }
    bystander()
    const writing = rig.writeEach(count(0, 40))
    await rig.turn()
    await writing
    expect(seen).toEqual([0, 0, 16, 32, 40])
    expect(rig.seqs).toEqual(count(1, 41))
  })

  test('is written in a task when the last one was milliseconds ago', async () => {
    const rig = new Rig('disk', false, true)
    rig.write(1)
    await rig.turn()
    await rig.runtime.advance(2)
    const writing = rig.writeEach([2])
    expect(rig.runtime.pending.deferred).toBe(1)
    await rig.turn()
    await writing
    expect(rig.published).toEqual([1, 2])
  })

  test('and what others write in the same turn are one group', async () => {
    const rig = new Rig('disk', false, true)
    rig.write(1)
    await rig.turn()
    for (const id of [2, 3]) rig.write(id)
    await rig.turn()
    for (const id of [4, 5]) rig.write(id)
    expect(rig.runtime.pending.deferred, 'nobody is alone now').toBe(1)
    await rig.turn()
    expect(rig.written.map(({ entries }) => entries.length)).toEqual([1, 2, 2])
  })

  test('another one that writes by turns with it is in its group from the next task on', async () => {
    const rig = new Rig('disk', false, true)
    rig.write(-1)
    await rig.turn()
    const first = rig.writeEach(count(0, 40))
    await Promise.resolve()
    const second = rig.writeEach(count(100, 140))
    await rig.turn()
    await Promise.all([first, second])
    const sizes = rig.written.map(({ entries }) => entries.length)
    expect(sizes.slice(0, 16)).toEqual(sizes.slice(0, 16).map(() => 1))
    expect(new Set(sizes.slice(17, -17))).toEqual(new Set([2]))
  })
})

describe('buckets in memory only', () => {
  test('a commit that concerns no stored bucket has no seq and does not wait', async () => {
    const rig = new Rig()
    rig.write(1, { bucket: rig.kept })
    expect([rig.outcomes, rig.published]).toEqual([['1 at once'], ['ephemeral']])
    expect(rig.sequencer.position).toEqual({ visible: 0, durable: 0 })
    expect(rig.ephemeral.rows('kept').length).toBe(1)
    await rig.turn()
    expect(rig.calls).toEqual([])
  })

  test('it keeps its place behind commits that are being written, and goes with them when they fail (C3)', async () => {
    const rig = new Rig()
    rig.write(1)
    await rig.turn()
    rig.write(2, { bucket: rig.kept })
    expect(rig.outcomes).toEqual([])
    await rig.fail()
    expect(rig.outcomes).toEqual(['1 refused: TEST', '2 refused: TEST'])
    expect([rig.published, rig.kept.reads.keys(), rig.ephemeral.rows('kept')]).toEqual([[], [], []])
  })
})

describe('a group that cannot be written', () => {
  test('it and everything after it are undone, everybody is told, and the seqs are given again (C3, L1)', async () => {
    const rig = new Rig()
    rig.write(1)
    await rig.turn()
    await rig.succeed()
    for (const id of [2, 3]) rig.write(id)
    await rig.turn()
    for (const id of [4, 5]) rig.write(id)
    expect(rig.ids).toEqual([1, 2, 3, 4, 5])
    await rig.fail()
    expect(rig.ids).toEqual([1])
    expect(rig.undone).toEqual([2, 3, 4, 5])
    expect(rig.outcomes).toEqual(['1 written', ...[2, 3, 4, 5].map((id) => `${id} refused: TEST`)])
    expect(rig.sequencer.position).toEqual({ visible: 1, durable: 1 })
    rig.write(6)
    await rig.turn()
    await rig.succeed()
    expect([rig.seqs, rig.rows, rig.published]).toEqual([
      [1, 2],
      [1, 6],
      [1, 2],
    ])
    checkTable(rig.stored.table)
  })

  test('a write that was told at once is reported when it is lost', async () => {
    const rig = new Rig()
    rig.write(1, { durability: 'memory' })
    await rig.turn()
    await rig.fail()
    expect([rig.errors.length, rig.ids, rig.published]).toEqual([1, [], []])
  })

  test.each<[string, (rig: Rig) => Promise<void>]>([
    ['with unknown outcome', (rig) => rig.fail(new StorageError('who knows', { outcome: 'unknown' }))],
    ['because somebody else has appended', (rig) => rig.miss()],
  ])('%s: writes are refused from then on, reads go on', async (_how, end) => {
    const rig = new Rig()
    rig.write(1)
    await rig.turn()
    await rig.succeed()
    rig.write(2)
    await rig.turn()
    await end(rig)
    expect(rig.ids).toEqual([1])
    expect(() => rig.sequencer.mustTakeWrites()).toThrow(StoreDegradedError)
    expect(rig.outcomes).toEqual(['1 written', '2 refused: STORAGE'])
  })

  test('what waited behind a group of unknown outcome is known not to be written, and nothing is read back', async () => {
    const rig = new Rig()
    rig.sequencer.mustAgreeWithStorage()
    rig.write(1)
    await rig.turn()
    rig.write(2)
    await rig.fail(new StorageError('who knows', { outcome: 'unknown' }))
    expect(rig.outcomes).toEqual(['1 refused: STORAGE', '2 refused: STORE_DEGRADED'])
    expect(() => rig.sequencer.mustAgreeWithStorage()).toThrow(StoreDegradedError)
  })

  test('what is not an error of the storage is told as one', async () => {
    const rig = new Rig()
    rig.write(1)
    await rig.turn()
    await rig.fail(new TypeError('oops'))
    expect(rig.outcomes).toEqual(['1 refused: STORAGE'])
    rig.sequencer.mustTakeWrites()
  })
})

describe('work that needs the storage for itself', () => {
  test('it runs between two groups, in order, and the next group waits for it', async () => {
    const rig = new Rig()
    const seen: string[] = []
    rig.write(1)
    await rig.turn()
    let release = (): void => undefined
    const first = rig.sequencer.exclusive(async () => {
      seen.push('first begins')
      await new Promise<void>((resolve) => (release = resolve))
      seen.push('first ends')
      return 1
    })
    const second = rig.sequencer.exclusive(() => Promise.resolve(seen.push('second')))
    rig.write(2)
    await rig.turn()
    expect(seen).toEqual([])
    await rig.succeed()
    expect([seen, rig.calls]).toEqual([['first begins'], []])
    release()
    await rig.turn()
    expect([await first, await second, seen]).toEqual([1, 3, ['first begins', 'first ends', 'second']])
    expect(rig.calls.length).toBe(1)
    await rig.succeed()
    expect(rig.seqs).toEqual([1, 2])
  })

  test.each<[string, () => Promise<void>]>([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
  ])('when it %s, its caller is told and everything else goes on', async (_how, work) => {
    const rig = new Rig()
    const [failed, next] = [rig.sequencer.exclusive(work), rig.sequencer.exclusive(() => Promise.resolve('next'))]
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('next')
    rig.write(1)
    await rig.turn()
    await rig.succeed()
    expect(rig.outcomes).toEqual(['1 written'])
  })

  test('flush comes after everything so far, and makes it durable', async () => {
    const rig = new Rig()
    rig.write(1, { durability: 'memory' })
    const flushed = rig.sequencer.flush()
    await rig.turn()
    expect(rig.flushes).toBe(0)
    await rig.succeed()
    await flushed
    expect([rig.flushes, rig.sequencer.position]).toEqual([1, { visible: 1, durable: 1 }])
  })
})

test('a listener may write: what it writes is published after what it was told about (C2)', async () => {
  const rig = new Rig('memory', true)
  rig.onPublished = ({ entry }) => {
    if (entry !== undefined && entry.seq < 4) rig.write(entry.seq * 10)
  }
  rig.write([1, 2])
  await rig.turn()
  expect(rig.published).toEqual([1, 2, 3, 4])
  expect(rig.ids).toEqual([1, 2, 10, 20, 30])
})

test('settled resolves when everything submitted so far is written or undone, whatever comes later', async () => {
  const rig = new Rig()
  expect(rig.sequencer.settled()).toBeUndefined()
  rig.write(1)
  let isSettled = false
  void rig.sequencer.settled()?.then(() => (isSettled = true))
  await rig.turn()
  rig.write(2)
  expect(isSettled).toBe(false)
  await rig.succeed()
  expect(isSettled).toBe(true)
  await rig.fail()
  expect(rig.sequencer.settled()).toBeUndefined()
})

test('any schedule: seqs without a gap, memory equals what is written, everybody is told the truth (L1, L3, C2, C3)', async () => {
  const step = fc.constantFrom(
    'write',
    'write',
    'write',
    'kept',
    'weak',
    'turn',
    'turn',
    'succeed',
    'succeed',
    'fail',
    'work',
    'flush',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (script) => {
      const rig = new Rig()
      let next = 0
      const work: Promise<unknown>[] = []
      for (const one of [...script, 'end']) {
        if (one === 'write') rig.write(++next)
        else if (one === 'kept') rig.write(++next, { bucket: rig.kept })
        else if (one === 'weak') rig.write(++next, { durability: 'memory' })
        else if (one === 'turn') await rig.turn()
        else if (one === 'work') work.push(rig.sequencer.exclusive(() => Promise.resolve()))
        else if (one === 'flush') work.push(rig.sequencer.flush())
        else if (one === 'succeed' && rig.calls.length > 0) await rig.succeed()
        else if (one === 'fail' && rig.calls.length > 0) await rig.fail()
        else if (one === 'end') {
          await rig.turn()
          while (rig.calls.length > 0) await rig.succeed()
        }
        checkRig(rig)
      }
      await Promise.all(work)
      expect(rig.ids).toEqual(rig.rows)
      expect(rig.kept.reads.keys()).toEqual(rig.ephemeral.rows('kept').map(({ record }) => record.id))
      const told = rig.outcomes.filter((one) => one.endsWith('written')).map((one) => Number.parseInt(one, 10))
      for (const id of told) expect([...rig.rows, ...rig.kept.reads.keys()]).toContain(id)
      const refused = rig.outcomes.filter((one) => one.includes('refused')).map((one) => Number.parseInt(one, 10))
      for (const id of refused) expect([...rig.rows, ...rig.kept.reads.keys()]).not.toContain(id)
      expect(rig.outcomes.length).toBe(next)
    }),
    { numRuns: 300 },
  )
})

function checkRig(rig: Rig): void {
  const { visible, durable } = rig.sequencer.position
  expect(durable).toBeLessThanOrEqual(visible)
  expect(rig.seqs).toEqual(rig.seqs.map((_, at) => at + 1))
  expect(rig.published.filter((seq) => seq !== 'ephemeral')).toEqual(rig.seqs)
  checkTable(rig.stored.table)
  checkTable(rig.kept.table)
}
