import { afterAll, describe, expect, test } from 'vitest'
import * as sqlite from '../../src/sqlite.js'
import * as streams from '../../src/streams/index.js'
import type { StreamConformanceOptions } from '../../src/testing/stream-case.js'
import { runStreamCase, streamStoreCases } from '../../src/testing/stream-conformance.js'
import type { StoreClass } from './planted-bug.js'
import { callBugs } from './planted-calls.js'
import { dataBugs } from './planted-data.js'
import { foreignBugs } from './planted-foreign.js'
import { researchBugs } from './planted-research.js'
import { faultBugs, tailBugs } from './planted-tails.js'
import { ReferencePlace, ReferenceStore } from './reference.js'
import { bindings, sqlitePlaces } from './stream-places.mjs'

const bugs = [...researchBugs, ...dataBugs, ...callBugs, ...tailBugs, ...faultBugs]
const RANDOM = 'random calls, one by one and together, do what the model does'

/** After so long a case hangs: that is how some bugs show. */
const CASE_MS = 14_000

/** Runs the case of that name on stores of a class. @throws what it throws, after its name. */
async function run(name: string, Store: StoreClass, isShared: boolean): Promise<void> {
  const places = new Map<string, ReferencePlace>()
  const at = (place: string): ReferencePlace => {
    if (!places.has(place)) places.set(place, new ReferencePlace())
    return places.get(place) as ReferencePlace
  }
  await runNamed(name, (place) => new Store(at(place)), {
    reopen: true,
    secondHandle: true,
    keepsClears: true,
    namespaces: (place, namespace) => new Store(at(isShared ? place : `${place}/${namespace}`)),
    faults: (place, plan) => new Store(at(place), plan),
    crash: () => undefined,
    payloadBytesMax: 1_200_000,
    seed: 7,
  })
}

async function runNamed(
  name: string,
  open: (place: string) => ReferenceStore,
  options: StreamConformanceOptions,
): Promise<void> {
  const one = streamStoreCases.find((found) => found.name === name)
  if (one === undefined) throw new Error(`no such case: ${name}`)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), CASE_MS)
  })
  try {
    await Promise.race([runStreamCase(one, open, options), late])
  } catch (error) {
    throw new Error(`case '${name}': ${String(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

describe.concurrent('broken stores are caught, each by the promises that it breaks', () => {
  const each = bugs.flatMap(([bug, caughtBy, Store]) => caughtBy.map((name) => [bug, name, Store] as const))
  test.each(each)(
    '%s: %s',
    async (_bug, name, Store) => {
      await expect(run(name, Store, true)).rejects.toThrow(`case '${name}'`)
    },
    30_000,
  )
})

describe('the store without a bug passes the cases that catch one', () => {
  test.each([...new Set(bugs.flatMap(([, caughtBy]) => caughtBy))])(
    '%s',
    async (name) => {
      await expect(run(name, ReferenceStore, false)).resolves.toBeUndefined()
    },
    30_000,
  )
})

const varve = { ...sqlite, ...streams }
const [binding] = await bindings(varve)
if (binding === undefined) throw new Error('no binding of SQLite is here')
const kyneta = sqlitePlaces(varve, binding)
afterAll(kyneta.end)

describe('stores that get databases of kyneta wrong are caught', () => {
  const { openForeign, cleanup } = kyneta.options
  const each = foreignBugs.flatMap(([bug, caughtBy, wrong]) => caughtBy.map((name) => [bug, name, wrong] as const))
  test.each(each)(
    '%s: %s',
    async (_bug, name, wrong) => {
      const options = { openForeign: wrong(openForeign!), cleanup: cleanup! }
      const running = runNamed(name, () => new ReferenceStore(new ReferencePlace()), options)
      await expect(running).rejects.toThrow(`case '${name}'`)
    },
    30_000,
  )
})

test('a random run finds a bug too, and names its seed', async () => {
  class Broken extends ReferenceStore {
    protected override planReplace(...args: Parameters<ReferenceStore['planReplace']>) {
      const planned = super.planReplace(...args)
      return planned === undefined || planned.add.length < 4 ? planned : { ...planned, add: planned.add.slice(0, 3) }
    }
  }
  const place = new ReferencePlace()
  const running = runNamed(RANDOM, () => new Broken(place), { steps: 2000, seed: 7 })
  await expect(running).rejects.toThrow(/seed 7: .*run it again with \{ seed: 7 \}/s)
})

test('each case catches a bug: none of them passes whatever a store does', () => {
  const caught = new Set([RANDOM, ...[...bugs, ...foreignBugs].flatMap(([, names]) => names)])
  expect(streamStoreCases.map(({ name }) => name).filter((name) => !caught.has(name))).toEqual([])
})

test('no two cases have the same name', () => {
  const names = streamStoreCases.map(({ name }) => name)
  expect(names).toHaveLength(new Set(names).size)
})
