import type { StreamRecord } from '../streams/record.js'
import type { StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import { FaultPlan } from './faults.js'
import type { StreamCase, StreamTest } from './stream-case.js'
import {
  checkEqual,
  checkGrowing,
  checkStream,
  drain,
  entry,
  failureOf,
  load,
  loadAll,
  metaRecord,
  textOf,
} from './stream-fixture.js'

const meta = metaRecord()
const before: readonly StreamRecord[] = [meta, entry('a'), entry(Uint8Array.of(1, 2))]
/** More points than any operation has. */
const POINTS_MAX = 300

interface Write {
  readonly name: string
  /** What is there. */
  readonly old: readonly StreamRecord[]
  /** What is there afterwards. */
  readonly next: readonly StreamRecord[]
  run(store: StreamStore, id: string): Promise<void>
}

const writes: readonly Write[] = [
  { name: 'the first append', old: [], next: [meta], run: (store, id) => store.append(id, meta) },
  {
    name: 'an append of an entry',
    old: before,
    next: [...before, entry('b')],
    run: (store, id) => store.append(id, entry('b')),
  },
  {
    name: 'an append of a meta',
    old: before,
    next: [...before, metaRecord('h2')],
    run: (store, id) => store.append(id, metaRecord('h2')),
  },
  {
    name: 'appendMany',
    old: before,
    next: [...before, entry('b'), metaRecord('h2'), entry('c')],
    run: (store, id) => store.appendMany(id, [entry('b'), metaRecord('h2'), entry('c')]),
  },
  {
    name: 'replace of a document',
    old: before,
    next: [entry('n'), metaRecord('h3')],
    run: (store, id) => store.replace(id, [entry('n'), metaRecord('h3')]),
  },
  {
    name: 'replace of no document',
    old: [],
    next: [metaRecord('h3'), entry('n')],
    run: (store, id) => store.replace(id, [metaRecord('h3'), entry('n')]),
  },
  { name: 'delete', old: before, next: [], run: (store, id) => store.delete(id) },
  {
    name: 'compact',
    old: before,
    next: [metaRecord('h4'), entry('folded')],
    run: (store, id) => store.compact(id, async () => [metaRecord('h4'), entry('folded')]),
  },
]

const reads: { readonly [name: string]: (store: StreamStore, id: string) => Promise<unknown> } = {
  loadAll: (store, id) => loadAll(store, id),
  load: (store, id) => load(store, id, { after: 0 }),
  currentMeta: (store, id) => store.currentMeta(id),
  listDocIds: (store, id) => drain(store.listDocIds(id)),
  stats: (store) => store.stats(),
  flush: (store) => store.flush(),
}

class PlantedFault extends Error {}

function planted(): Error {
  return new PlantedFault('a fault of the storage, made by the test')
}

/** Whether the planted error is what `error` tells of. */
function isPlanted(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof PlantedFault) return true
  return false
}

/** Puts `records` into a document that is new. */
async function prepare(store: StreamStore, id: string, records: readonly StreamRecord[]): Promise<void> {
  if (records.length > 0) await store.appendMany(id, records)
}

/** The state that is there: it has to be whole, and the call is not to have lied about it. */
async function checkState(
  store: StreamStore,
  id: string,
  { old, next }: Write,
  failure: Error | undefined,
  when: 'before' | 'after',
  claim: string,
): Promise<readonly StreamRecord[]> {
  const found = await loadAll(store, id)
  const isOld = textOf(found) === textOf(old)
  const isNew = textOf(found) === textOf(next)
  check(isOld || isNew, `${claim}: the state is neither the old one nor the new one: ${textOf(found)}`)
  if (failure === undefined) check(isNew, `${claim}: it resolved, and nothing is written`)
  else if (when === 'before') check(isOld, `${claim}: it rejected (${failure.message}), and it is written`)
  await checkStream(store, id, found, claim)
  return found
}

async function checkWritesUnderFaults(test: StreamTest, when: 'before' | 'after'): Promise<void> {
  const plan = new FaultPlan()
  const store = await test.openFaulty(plan)
  const expected = new Map<string, readonly StreamRecord[]>()
  for (const write of writes) {
    for (let failAt = 1; ; failAt++) {
      check(failAt < POINTS_MAX, `${write.name} ends without a fault`)
      const id = `${write.name} ${failAt}`
      await prepare(store, id, write.old)
      plan.arm({ failAt, when, error: planted })
      const failure = await failureOf(write.run(store, id))
      const { hits } = plan
      plan.arm(undefined)
      const claim = `${write.name}, storage operation ${failAt} failed ${when} it was done`
      if (failure !== undefined) check(isPlanted(failure), `${claim}: another error: ${String(failure)}`)
      check(failure === undefined || hits > 0, `${claim}: it rejected without a fault`)
      const found = await checkState(store, id, write, failure, when, claim)
      await store.appendMany(id, [meta, entry('next')])
      const after = [...found, meta, entry('next')]
      await checkStream(store, id, after, `${claim}, then an append`)
      expected.set(id, after)
      if (hits > 0) continue
      check(failAt > 1, `${write.name} goes through the plan`)
      break
    }
  }
  await store.close()
  if (test.options.reopen !== true) return
  const again = await test.open('f')
  for (const [id, records] of expected) await checkStream(again, id, records, `${id}, opened again`)
}

async function checkCrashes(test: StreamTest, write: Write, at: number): Promise<void> {
  for (let failAt = 1; ; failAt++) {
    check(failAt < POINTS_MAX, `${write.name} ends without a crash`)
    const place = `crash-${at}-${failAt}`
    const plan = new FaultPlan()
    const store = await test.openFaulty(plan, place)
    await prepare(store, 'doc', write.old)
    const seqs = (await load(store, 'doc')).map(({ seq }) => seq)
    plan.arm({ failAt, times: Infinity, error: planted })
    const failure = await failureOf(write.run(store, 'doc'))
    const { hits } = plan
    await test.crash(place)
    const claim = `${write.name}, crashed at storage operation ${failAt}`
    const again = await test.open(place)
    const found = await checkState(again, 'doc', write, failure, 'after', claim)
    await again.appendMany('doc', [meta, entry('next')])
    await checkStream(again, 'doc', [...found, meta, entry('next')], `${claim}, then an append`)
    const placed = await load(again, 'doc')
    checkGrowing(placed, claim)
    if (found.length > 0) check((placed.at(-1)?.seq ?? 0) > (seqs.at(-1) ?? -1), `${claim}: seqs go on`)
    await again.close()
    if (hits === 0) return
  }
}

/** A storage that fails. */
export const faultCases: readonly StreamCase[] = [
  ...(['before', 'after'] as const).map((when): StreamCase => {
    const rest = when === 'before' ? 'leaves the old state' : 'leaves the old state or the new one'
    return {
      name: `a write whose n-th storage operation fails ${when} it was done rejects, ${rest}, and the next call works`,
      needs: ['faults'],
      timeoutMs: 240_000,
      run: (test) => checkWritesUnderFaults(test, when),
    }
  }),
  {
    name: 'a read whose n-th storage operation fails rejects or answers right, changes nothing, and the next call works',
    needs: ['faults'],
    timeoutMs: 120_000,
    async run({ openFaulty }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      await store.appendMany('doc', before)
      for (const [name, read] of Object.entries(reads)) {
        const right = await read(store, 'doc')
        for (let failAt = 1; ; failAt++) {
          check(failAt < POINTS_MAX, `${name} ends without a fault`)
          let found: unknown
          plan.arm({ failAt, error: planted })
          const failure = await failureOf(read(store, 'doc').then((value) => (found = value)))
          const { hits } = plan
          plan.arm(undefined)
          if (failure === undefined) checkEqual(found, right, `${name}, fault ${failAt}`)
          else check(isPlanted(failure), `${name}: another error: ${String(failure)}`)
          checkEqual(await read(store, 'doc'), right, `${name} after fault ${failAt}`)
          if (hits === 0) break
        }
        await checkStream(store, 'doc', before, `after faults of ${name}`)
      }
    },
  },
  {
    name: 'in a concurrent group, a call that resolved is written and one that rejected is not, whatever fails',
    needs: ['faults'],
    timeoutMs: 240_000,
    async run({ openFaulty }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      for (let failAt = 1; ; failAt++) {
        check(failAt < POINTS_MAX, 'the group ends without a fault')
        const ids = [`x${failAt}`, `y${failAt}`]
        for (const id of ids) await store.append(id, meta)
        plan.arm({ failAt, error: planted })
        const texts = ['1', '2', '3', '4', '5', '6']
        const settled = await Promise.allSettled(texts.map((text, i) => store.append(ids[i % 2] ?? '', entry(text))))
        const { hits } = plan
        plan.arm(undefined)
        for (const [at, id] of ids.entries()) {
          const done = texts.filter((_, i) => i % 2 === at && settled[i]?.status === 'fulfilled')
          await checkStream(store, id, [meta, ...done.map((text) => entry(text))], `document ${at}, fault ${failAt}`)
        }
        if (hits === 0) break
      }
    },
  },
  {
    name: 'while the storage is down every call rejects, and when it is back all is as it was',
    needs: ['faults'],
    async run({ openFaulty }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      await store.appendMany('doc', before)
      plan.arm({ failAt: 1, times: Infinity, error: planted })
      for (const write of writes) {
        for (const id of ['doc', 'new']) {
          const failure = await failureOf(write.run(store, id))
          // What is refused without asking the storage has nothing to do with it; nothing may resolve.
          check(failure !== undefined, `${write.name} of ${id} resolved while the storage was down`)
        }
      }
      plan.arm(undefined)
      await checkStream(store, 'doc', before, 'the document')
      await checkStream(store, 'new', [], 'a document that could not be made')
      await store.append('doc', entry('next'))
      await checkStream(store, 'doc', [...before, entry('next')], 'afterwards')
    },
  },
  {
    name: 'a tail that cannot read ends with the error, told once; the store goes on',
    needs: ['faults'],
    async run({ openFaulty }) {
      const plan = new FaultPlan()
      const store = await openFaulty(plan)
      await store.appendMany('doc', before)
      for (const target of ['doc', { prefix: 'd' }]) {
        plan.arm({ failAt: 1, times: Infinity, error: planted })
        const errors: Error[] = []
        const tail = store.tail(target, { pollMs: 5, onError: (error) => void errors.push(error) }, () => undefined)
        const failure = await failureOf(tail.ended)
        plan.arm(undefined)
        check(isPlanted(failure), `ended rejects with the fault, got ${String(failure)}`)
        checkEqual(errors.length, 1, 'errors told')
      }
      await checkStream(store, 'doc', before, 'the document')
    },
  },
  ...writes.map(
    (write, at): StreamCase => ({
      name: `a crash at any point of ${write.name} leaves the whole old state or the whole new one`,
      needs: ['faults', 'crash', 'reopen'],
      timeoutMs: 240_000,
      run: (test) => checkCrashes(test, write, at),
    }),
  ),
  {
    name: 'a place whose first opening crashed at any point can be opened, and is empty',
    needs: ['faults', 'crash', 'reopen'],
    timeoutMs: 240_000,
    async run({ openFaulty, open, crash }) {
      for (let failAt = 1; ; failAt++) {
        check(failAt < POINTS_MAX, 'opening ends without a crash')
        const place = `open-${failAt}`
        const plan = new FaultPlan({ failAt, times: Infinity, error: planted })
        const failure = await failureOf(openFaulty(plan, place).then((store) => store.append('doc', meta)))
        await crash(place)
        const again = await open(place)
        const found = await loadAll(again, 'doc')
        if (failure === undefined) checkEqual(found, [meta], `resolved, crashed at ${failAt}`)
        else check(found.length === 0 || textOf(found) === textOf([meta]), `crashed at ${failAt}: old or new`)
        await again.append('other', meta)
        await checkStream(again, 'other', [meta], `after a crash at ${failAt}`)
        await again.close()
        if (plan.hits === 0) return
      }
    },
  },
]
