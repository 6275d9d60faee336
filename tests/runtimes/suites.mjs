/**
 * The suites of `varve/testing`, and the places that they are run on, for any runtime: this file and the library from `dist` need
 * nothing but JavaScript, so it is imported in Bun and Deno, and bundled for workers and browsers.
 */
import { createSqliteStreamStore } from '../../dist/streams/index.js'
import {
  faultySqliteAdapter,
  runSqliteCase,
  runStreamCase,
  sqliteBindingCases,
  storeOnSqliteCases,
  streamStoreCases,
} from '../../dist/testing/index.js'

const CASE_MS = 60_000

/** What a case is to claim, and whether the place does. */
const CLAIMS = {
  begins: ({ claims }) => claims?.begins !== false,
  bigPayloads: ({ payloadBytesMax }) => payloadBytesMax !== 0,
}

/**
 * A suite on a place: `{ name, cases, run(one), needs(one) }`. `needs` are the names of what is not there for a case, which then is
 * not run.
 */
export function bindingSuite(options) {
  const run = (one) => runSqliteCase(one, options)
  return { name: 'binding', cases: sqliteBindingCases, run, lacks: (one) => lacking(one.needs, options) }
}

/** @param places `{ open, options }`, as `describeStreamStore` takes them. */
export function streamSuite(name, places) {
  const run = (one) => runStreamCase(one, places.open, places.options)
  return { name, cases: streamStoreCases, run, lacks: (one) => lacking(one.needs, places.options) }
}

export function storeSuite(options) {
  return { name: 'store', cases: storeOnSqliteCases, run: (one) => one.run(options), lacks: () => [] }
}

function lacking(needs, options) {
  return [needs ?? []].flat().filter((need) => {
    // Whether there is another connection is known to the place only.
    if (need === 'another' || need === 'again') return options.only?.[need] === false
    return !(CLAIMS[need]?.(options) ?? options[need])
  })
}

/** Runs one case. @returns `{ suite, name, ms }`, with `error` when it failed, with `lacks` when it was not run. */
export async function runOne(suite, one) {
  const lacks = suite.lacks(one)
  if (lacks.length > 0) return { suite: suite.name, name: one.name, ms: 0, lacks }
  const started = performance.now()
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it takes longer than ${CASE_MS} ms`)), CASE_MS)
  })
  let error
  try {
    await Promise.race([suite.run(one), late])
  } catch (thrown) {
    error = describeError(thrown)
  }
  clearTimeout(timer)
  const ms = Math.round(performance.now() - started)
  return { suite: suite.name, name: one.name, ms, ...(error === undefined ? {} : { error }) }
}

/** Runs all cases of all suites, one after the other, and tells each outcome. */
export async function runSuites(suites, report) {
  for (const suite of suites) for (const one of suite.cases) report(await runOne(suite, one))
}

function describeError(thrown) {
  const cause = thrown?.cause === undefined ? '' : `; cause: ${describeError(thrown.cause)}`
  return `${thrown?.name}: ${thrown?.message}${cause}`.slice(0, 2_000)
}

/** The values that must come back: through a payload, byte by byte. */
export const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte)

const KYNETA = ['docMeta', 'records', 'storeMeta']
const OWN = ['docs', 'records', 'parts', 'format']

function tablesOf(name, format) {
  return Object.fromEntries((format === 'varve' ? OWN : KYNETA).map((table) => [table, `${name} "${table}`]))
}

/**
 * Places for record streams on connections of `host`, as `describeStreamStore` takes them.
 *
 * @param host `connect(place)` gives an adapter on the place, `script(place, sql)` one on an empty database that the script was
 *   run on, `remove(place)` forgets it. `shared`: all places are one database, so that each has tables of its own.
 */
export function placesOn(host, options = {}) {
  const { format, ...limits } = options
  const make = (adapter, tables) =>
    createSqliteStreamStore(adapter, {
      ...(format === undefined ? {} : { format }),
      ...(tables === undefined ? {} : { tables }),
    })
  const names = (place) => (host.shared ? tablesOf(place, format) : undefined)
  return {
    open: (place) => make(host.connect(place), names(place)),
    options: {
      reopen: true,
      secondHandle: true,
      keepsClears: format === 'varve',
      namespaces: (place, namespace) => make(host.connect(place), tablesOf(`${place} ${namespace}`, format)),
      faults: (place, plan) => make(faultySqliteAdapter(host.connect(place), plan), names(place)),
      crash: (place) => host.crash?.(place),
      ...(format === 'varve'
        ? {}
        : {
            openForeign: async (place, sql) => {
              const adapter = host.script(place, sql)
              return { store: await make(adapter), rows: (query) => [...adapter.iterate(query)] }
            },
          }),
      cleanup: (place) => host.remove?.(place),
      ...limits,
    },
  }
}
