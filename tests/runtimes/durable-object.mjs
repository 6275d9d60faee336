/**
 * The suites in a Durable Object, each case in one of its own, bundled by workerd.test.ts. `/suites` lists the cases, `/run` runs
 * one, `/write` and `/read` are for finding again what was there before a restart, `/limits` tells what the platform refuses.
 */
import { DurableObject } from 'cloudflare:workers'
import { fromDurableObjectSql } from '../../dist/sqlite.js'
import { createSqliteStreamStore } from '../../dist/streams/index.js'
import { ALL_BYTES, bindingSuite, placesOn, runOne, storeSuite, streamSuite } from './suites.mjs'

/** A value of SQLite may have 2 MB here; a text that JSON escapes takes up to three times its size in a row of kyneta. */
const KYNETA_BYTES = 700_000
const VARVE_BYTES = 5_000_000

const META = {
  replicaType: ['yjs', 1, 0],
  syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
  schemaHash: 'h',
}

/** All places are the one database of the object. */
function host(storage) {
  const connect = () => fromDurableObjectSql(storage)
  return {
    shared: true,
    connect,
    script(_place, sql) {
      const adapter = connect()
      const tables = adapter.iterate("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'kyneta%'")
      for (const { name } of tables) adapter.exec(`DROP TABLE "${String(name)}"`)
      adapter.exec(sql)
      return adapter
    },
  }
}

function suitesOn(storage) {
  const binding = {
    claims: { int64: false, integers: false, begins: false },
    only: { another: false },
    open: () => ({
      adapter: fromDurableObjectSql({ storage }, { own: true }),
      again: () => fromDurableObjectSql(storage),
    }),
  }
  const limits = { payloadBytesMax: KYNETA_BYTES, steps: 150 }
  return [
    bindingSuite(binding),
    streamSuite('streams', placesOn(host(storage), limits)),
    streamSuite(
      "streams, Varve's format",
      placesOn(host(storage), { ...limits, payloadBytesMax: VARVE_BYTES, format: 'varve' }),
    ),
    storeSuite({ create: () => ({ connect: () => fromDurableObjectSql(storage) }) }),
  ]
}

export class Place extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url)
    const [, action] = url.pathname.split('/')
    const { storage } = this.ctx
    if (action === 'run') {
      const suite = suitesOn(storage)[Number(url.searchParams.get('suite'))]
      return Response.json(await runOne(suite, suite.cases[Number(url.searchParams.get('case'))]))
    }
    if (action === 'limits') return Response.json(limitsOf(storage))
    const store = await createSqliteStreamStore(fromDurableObjectSql(this.ctx))
    if (action === 'write') {
      const payload = { kind: 'since', encoding: 'binary', data: ALL_BYTES }
      await store.append('doc', { kind: 'meta', meta: META })
      await store.append('doc', { kind: 'entry', payload, version: 'v' })
      await store.flush()
    }
    const found = []
    for await (const { payload } of store.loadAll('doc')) found.push(payload === undefined ? 'meta' : [...payload.data])
    await store.close()
    return Response.json(found)
  }
}

/** What happens at the limits of the platform: the code of the error, or `ok`. */
function limitsOf(storage) {
  const adapter = fromDurableObjectSql(storage)
  adapter.exec('CREATE TABLE a(x)')
  const outcome = (work) => {
    try {
      work()
      return 'ok'
    } catch (error) {
      return `${error.name} ${error.code}`
    }
  }
  const parameters = (count) => () =>
    adapter.exec(`SELECT ${Array.from({ length: count }, () => '?').join()}`, ...Array.from({ length: count }, () => 1))
  const bytes = (count) => () => adapter.exec('INSERT INTO a VALUES (?)', new Uint8Array(count))
  const undone = outcome(() =>
    adapter.transaction(() => {
      adapter.exec('DELETE FROM a')
      throw new RangeError('mine')
    }),
  )
  return {
    '100 parameters': outcome(parameters(100)),
    '101 parameters': outcome(parameters(101)),
    'a value of 2,000,000 bytes': outcome(bytes(2_000_000)),
    'a value of 2,200,000 bytes': outcome(bytes(2_200_000)),
    BEGIN: outcome(() => adapter.exec('BEGIN')),
    undone,
    rows: [...adapter.iterate('SELECT count(*) AS n FROM a')][0].n,
  }
}

export default {
  fetch(request, env) {
    const url = new URL(request.url)
    if (url.pathname === '/suites') return Response.json(suitesOn(undefined).map(({ cases }) => cases.length))
    return env.PLACE.get(env.PLACE.idFromName(url.searchParams.get('object') ?? 'one')).fetch(request)
  },
}
