import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { Entry } from '../../src/index.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import { outcomeOf } from './support/calls.js'
import { kinds } from './support/places.js'
import type { Plain } from './support/plain-store.js'
import { pump } from './support/pump.js'
import { must, runs } from './support/runs.js'

const definition = { key: 'id', schema: { id: { type: 'string' }, tag: { type: 'string', unique: true } } } as const
const buckets = { left: definition, right: definition }

/** A store with two buckets under a clock that stands still. */
class Undoing {
  readonly runtime = virtualRuntime()
  readonly #place = must(kinds[0]).make()
  store!: Store

  run<T>(promise: Promise<T>): Promise<T> {
    return pump(this.runtime, promise)
  }

  async open(): Promise<void> {
    const persistence = { adapter: this.#place.adapter() }
    this.store = (await this.run(
      Store.start({ history: 'forever', runtime: this.runtime, buckets, persistence }),
    )) as Store
  }
}

type Write = {
  readonly bucket: 'left' | 'right'
  readonly key: string
  readonly tag: string | undefined
  readonly do: 'put' | 'delete' | 'all'
}
const write = fc.record<Write>({
  bucket: fc.constantFrom('left', 'right'),
  key: fc.constantFrom('a', 'b', 'c'),
  tag: fc.constantFrom('x', 'y', 'z', undefined),
  do: fc.constantFrom('put', 'put', 'put', 'delete', 'all'),
})
type Step = { readonly writes: readonly Write[] } | { readonly undo: number }
const steps = fc.array<Step>(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ writes: fc.array(write, { minLength: 1, maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ undo: fc.nat(20) }) },
  ),
  { minLength: 5, maxLength: 30 },
)

const stateOf = (world: Undoing): Map<string, readonly Plain[]> =>
  world.store.read(
    (view) => new Map(Object.keys(buckets).map((name) => [name, view.bucket(name).all() as readonly Plain[]])),
  )

const doWrites = (world: Undoing, writes: readonly Write[]): Promise<unknown> =>
  world.run(
    outcomeOf(
      world.store.transaction(async (tx) => {
        for (const one of writes) {
          const bucket = tx.bucket(one.bucket)
          if (one.do === 'put') await bucket.upsert({ id: one.key, tag: one.tag })
          else if (one.do === 'delete') await bucket.delete(one.key)
          else await bucket.updateMany({}, { extra: one.key })
        }
      }),
    ),
  )

/** What the entry means for each record that it changed: first before, last after. Naively. */
function netOf({
  changes,
}: Entry): Map<string, { bucket: string; key: unknown; before: Plain | undefined; after: Plain | undefined }> {
  const net = new Map<string, { bucket: string; key: unknown; before: Plain | undefined; after: Plain | undefined }>()
  for (const { bucket, key, before, after } of changes) {
    const at = `${bucket} ${String(key)}`
    net.set(at, { bucket, key, before: net.has(at) ? net.get(at)?.before : before, after })
  }
  for (const [at, { before, after }] of net) if (before === undefined && after === undefined) net.delete(at)
  return net
}

const bare = (record: Plain): Plain => ({ ...record, _version: 0, _updatedAt: 0 })
const same = (a: Plain | undefined, b: Plain | undefined): boolean => JSON.stringify(a) === JSON.stringify(b)

async function tryUndo(world: Undoing, seq: number): Promise<'done' | 'refused' | 'nothing'> {
  const before = stateOf(world)
  const entries = await world.run(Promise.resolve(world.store.log.read()))
  const net = netOf(must(entries[seq - 1]))
  const find = (state: Map<string, readonly Plain[]>, bucket: string, key: unknown): Plain | undefined =>
    state.get(bucket)?.find((record) => record['id'] === key)
  const touched = [...net.values()].filter(({ bucket, key, after }) => !same(find(before, bucket, key), after))
  const later = (bucket: string, key: unknown): number[] =>
    entries
      .filter(
        (entry) => entry.seq > seq && entry.changes.some((change) => change.bucket === bucket && change.key === key),
      )
      .map((entry) => entry.seq)
  const outcome = await world.run(
    world.store.undo(seq, { meta: { by: 'me' } }).then(
      (value) => ({ value }),
      (error: unknown) => ({ error: error as Plain }),
    ),
  )
  await world.run(world.store.settle())
  const after = stateOf(world)
  if ('error' in outcome) {
    expect(after).toEqual(before)
    if (touched.length === 0) expect(outcome.error['code']).toBe('UNIQUE_CONSTRAINT')
    else {
      const conflicts = touched.map(({ bucket, key }) => ({ bucket, key, seqs: later(bucket, key) }))
      expect(outcome.error).toMatchObject({ code: 'UNDO_CONFLICT', seq })
      const found = outcome.error['conflicts'] as typeof conflicts
      expect(found.toSorted(byPlace)).toEqual(conflicts.toSorted(byPlace))
    }
    return 'refused'
  }
  expect(touched).toEqual([])
  if (net.size === 0) {
    expect(outcome.value).toBeUndefined()
    return 'nothing'
  }
  const [entry] = await world.run(Promise.resolve(world.store.log.read({ after: Number(outcome.value) - 1 })))
  expect(entry).toMatchObject({
    seq: world.store.position.durable,
    type: 'store/undo',
    data: { undoes: seq },
    meta: { by: 'me' },
  })
  for (const name of Object.keys(buckets)) {
    const rows = must(before.get(name))
    const kept = rows.filter(
      (record) =>
        net.get(`${name} ${String(record['id'])}`)?.before !== undefined || !net.has(`${name} ${String(record['id'])}`),
    )
    const expected = kept.map((record) => net.get(`${name} ${String(record['id'])}`)?.before ?? record)
    const back = [...net.values()].filter(
      (one) => one.bucket === name && one.before !== undefined && find(before, name, one.key) === undefined,
    )
    const now = must(after.get(name)).map(bare)
    expect(now.slice(0, expected.length)).toEqual(expected.map(bare))
    expect(now.slice(expected.length).sort(byId)).toEqual(back.map((one) => bare(must(one.before))).sort(byId))
    for (const record of must(after.get(name))) {
      const then = net.get(`${name} ${String(record['id'])}`)
      if (then !== undefined) expect(record['_version']).toBe(((then.after ?? then.before) as Plain)['_version'] + 1)
    }
  }
  return 'done'
}

const byPlace = (a: Plain, b: Plain): number => (`${a['bucket']} ${a['key']}` < `${b['bucket']} ${b['key']}` ? -1 : 1)
const byId = (a: Plain, b: Plain): number => (a['id'] < b['id'] ? -1 : 1)

test('undo of any commit, also of an undo: it is taken back exactly, or refused with what stands against it', async () => {
  const seen = { done: 0, refused: 0, nothing: 0 }
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const world = new Undoing()
      await world.open()
      for (const one of script) {
        await world.runtime.advance(1)
        const { durable } = world.store.position
        if ('writes' in one) await doWrites(world, one.writes)
        else if (durable > 0) seen[await tryUndo(world, durable - (one.undo % durable))]++
      }
      await world.run(world.store.stop())
    }),
    runs(150),
  )
  // A proof that never gets there proves nothing.
  if (process.env['VARVE_RUNS'] === undefined) expect(Math.min(seen.done, seen.refused)).toBeGreaterThan(50)
}, 60_000)
