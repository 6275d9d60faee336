import type { StreamRecord } from '../streams/record.js'
import type { StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import { FaultPlan } from './faults.js'
import type { StreamCase, StreamConformanceOptions } from './stream-case.js'
import { listen } from './stream-cases-tail.js'
import { checkEqual, checkGrowing, entries, entry, load, loadAll, metaRecord, settle, until } from './stream-fixture.js'

const meta = metaRecord()

/** Sizes of the entries of a stream, in bytes. */
interface Shape {
  readonly name: string
  readonly sizes: readonly number[]
}

/** Streams that no page of a sensible size holds: by their records, or by how many of them there are. */
function shapesOf({ payloadBytesMax = 50_000_000 }: StreamConformanceOptions): Shape[] {
  const share = (part: number): number => Math.floor(payloadBytesMax * part)
  const size = Math.min(payloadBytesMax, 6_000_000)
  // More than a page. Not where less than that is asked for, since storage is slow there.
  const more = { name: '30 MB in large records', sizes: Array<number>(Math.ceil(30_000_000 / size)).fill(size) }
  return [
    ...(payloadBytesMax <= 1_000_000 ? [] : [more]),
    { name: 'one large record and a small one', sizes: [share(0.4), 5] },
    { name: 'three large records', sizes: [share(0.2), share(0.2), share(0.2)] },
    { name: 'four large records', sizes: Array<number>(4).fill(share(0.14)) },
    { name: 'small ones around large ones', sizes: [1, 1, 1, share(0.2), share(0.2), 1] },
  ]
}

/** A stream of that shape, each entry with its place in it. */
function recordsOf({ sizes }: Shape): StreamRecord[] {
  const place = (bytes: number, i: number): StreamRecord => {
    const data = new Uint8Array(bytes)
    data[0] = i + 1
    data[bytes - 1] = i + 1
    return entry(data, `v${i}`)
  }
  return [meta, ...sizes.map(place)]
}

/** What tells the records of such a stream apart: comparing all bytes would take longer than reading them. */
function sketchOf(record: StreamRecord): string {
  if (record.kind === 'meta') return 'meta'
  const { data } = record.payload
  return `${record.version}: ${data.length} from ${String(data[0])} to ${String(data[data.length - 1])}`
}

async function eachShape(
  store: StreamStore,
  options: StreamConformanceOptions,
  run: (id: string, sketches: readonly string[], name: string) => Promise<void>,
): Promise<void> {
  for (const [i, shape] of shapesOf(options).entries()) {
    const records = recordsOf(shape)
    await store.appendMany(`doc ${i}`, records)
    await run(`doc ${i}`, records.map(sketchOf), shape.name)
    await store.delete(`doc ${i}`)
  }
}

/** Streams that are read in many pieces, by their size or by their seqs. */
export const largeCases: readonly StreamCase[] = [
  {
    name: 'a stream with large records is read whole, from the beginning and from any place',
    needs: ['bigPayloads'],
    timeoutMs: 240_000,
    async run({ store, options }) {
      await eachShape(store, options, async (id, sketches, name) => {
        checkEqual((await loadAll(store, id)).map(sketchOf), sketches, `${name}: loadAll`)
        const placed = await load(store, id)
        checkGrowing(placed, name)
        checkEqual(placed.map(sketchOf), sketches, `${name}: load`)
        for (const at of [0, 1]) {
          const rest = await load(store, id, { after: placed[at]?.seq ?? -1 })
          checkEqual(rest.map(sketchOf), sketches.slice(at + 1), `${name}: load from place ${at + 1}`)
        }
        const two = await load(store, id, { after: placed[0]?.seq ?? -1, limit: 2 })
        checkEqual(two.map(sketchOf), sketches.slice(1, 3), `${name}: load with a limit`)
      })
    },
  },
  {
    name: 'a tail tells a stream with large records whole, and what comes after them',
    needs: ['bigPayloads'],
    timeoutMs: 240_000,
    async run({ store, options }) {
      await eachShape(store, options, async (id, sketches, name) => {
        const wanted = [...sketches, sketchOf(entry('more'))]
        const told = listen(store, id)
        await until(() => told.records.length >= sketches.length, `${name}: all records are told`)
        await store.append(id, entry('more'))
        await until(() => told.records.length > sketches.length, `${name}: what comes is told`)
        await settle()
        checkEqual(told.records.map(sketchOf), wanted, `${name}: what is told`)
        told.tail.stop()
      })
    },
  },
  {
    name: 'a tail that has told everything comes to rest: it asks nothing more of the storage',
    needs: ['faults'],
    async run({ openFaulty, options }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      const size = Math.min(options.payloadBytesMax ?? 50_000_000, 20_000_000)
      await store.appendMany('large', [meta, entry(new Uint8Array(size)), entry('small')])
      await store.appendMany('long', [meta, ...entries(700)])
      for (let i = 0; i < 3; i++) await store.replace('long', [meta, ...entries(700)])
      await store.compact('long', () => [meta, entry('one')])
      const tails = [listen(store, 'large'), listen(store, 'long'), listen(store, { prefix: 'l' })]
      await until(() => tails.every(({ records }, i) => records.length >= [3, 2, 5][i]!), 'everything is told')
      await settle()
      plan.arm({ failAt: Infinity, error: () => new Error('never') })
      await settle()
      const { calls } = plan
      plan.arm(undefined)
      check(calls === 0, `tails at rest asked ${calls} times in 25 ms`)
    },
  },
  {
    name: 'compact keeps what fold keeps of a stream with large records',
    needs: ['bigPayloads'],
    timeoutMs: 240_000,
    async run({ store, options }) {
      await eachShape(store, options, async (id, sketches, name) => {
        await store.compact(id, (records) => records)
        checkEqual((await loadAll(store, id)).map(sketchOf), sketches, `${name}: all is kept`)
      })
    },
  },
  {
    name: 'a stream that begins at a high seq is read and told whole, after replace and compact',
    async run({ store }) {
      const told = listen(store, 'doc')
      await store.append('doc', meta)
      await until(() => told.records.length === 1, 'the first record is told')
      const long = [meta, ...entries(6_000)]
      for (let i = 0; i < 4; i++) await store.replace('doc', long)
      await until(() => told.records.length >= long.length + 1, 'what is there is told')
      await store.compact('doc', () => [meta, entry('folded')])
      await store.append('doc', entry('after'))
      const all = [meta, entry('folded'), entry('after')]
      checkEqual(await loadAll(store, 'doc'), all, 'loadAll')
      const first = (await load(store, 'doc'))[0]?.seq ?? 0
      check(first > 1_000, `the stream begins at a high seq, not ${first}`)
      for (const after of [-1, 0, 10]) checkEqual((await load(store, 'doc', { after })).length, 3, `after ${after}`)
      const again = listen(store, 'doc')
      await until(() => again.records.length >= 3 && told.of('doc').some(isAfter), 'the end is told')
      await settle()
      checkEqual(again.of('doc'), all, 'a tail from the beginning')
    },
  },
]

function isAfter(record: StreamRecord): boolean {
  return record.kind === 'entry' && record.payload.data === 'after'
}
