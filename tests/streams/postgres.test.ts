import pg, { type Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresStreamStore } from '../../src/postgres/index.js'
import type { PostgresStreamOptions } from '../../src/postgres/index.js'
import type { FaultPlan } from '../../src/testing/faults.js'
import { describeStreamStore } from '../../src/testing/stream-conformance.js'
import {
  checkStream,
  entries,
  entry,
  failureOf,
  listIds,
  loadAll,
  metaRecord,
  until,
} from '../../src/testing/stream-fixture.js'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.js'

const missing = postgresMissing()
let server: PostgresServer
/** One pool for each handle of a place. */
const pools = new Map<string, Pool[]>()

function newPool(place: string): Pool {
  const pool = new pg.Pool({ ...server.connection, max: 3 })
  pool.on('error', () => undefined)
  pools.set(place, [...(pools.get(place) ?? []), pool])
  return pool
}

/** A pool whose n-th statement fails. */
function faultyPool(pool: Pool, plan: FaultPlan): Pool {
  const query = async (client: PoolClient, text: string, values?: unknown[]): Promise<unknown> => {
    const answers: Promise<unknown>[] = []
    try {
      return await plan.run(text, () => {
        const answer = client.query(text, values)
        answers.push(answer)
        return answer
      })
    } catch (error) {
      await Promise.allSettled(answers)
      throw error
    }
  }
  return {
    totalCount: 0,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect()
      return {
        query: (text: string, values?: unknown[]) => query(client, text, values),
        release: (error?: Error) => client.release(error),
      }
    },
  } as unknown as Pool
}

async function drop(place: string): Promise<void> {
  await newPool(place).query(`DROP SCHEMA IF EXISTS "${place}" CASCADE`)
  for (const pool of pools.get(place) ?? []) if (!pool.ended) await pool.end()
  pools.delete(place)
}

describe.skipIf(missing !== undefined)(`PostgreSQL${missing === undefined ? '' : `: ${missing}`}`, () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const all of pools.values()) for (const pool of all) if (!pool.ended) await pool.end()
    await server.stop()
  })

  const open = (place: string, options: PostgresStreamOptions = {}, pool = newPool(place)) =>
    createPostgresStreamStore(pool, { schema: place, ...options })

  describeStreamStore(
    'postgres',
    // A store that is closed ends its pool: random work opens a place so often that the server would run out of connections.
    (place) => open(place, { own: true }),
    {
      reopen: true,
      secondHandle: true,
      namespaces: (place, namespace) =>
        open(place, {
          own: true,
          tables: { docMeta: `${namespace} d"ocs`, records: `${namespace}r`, storeMeta: `${namespace}s` },
        }),
      faults: (place, plan) => open(place, { own: true }, faultyPool(newPool(place), plan)),
      // The plan goes on failing, so that nothing of the crashed store comes to the server any more.
      crash: () => undefined,
      cleanup: drop,
      payloadBytesMax: 20_000_000,
      idBytesMax: 2_000,
    },
    { describe, it: test },
  )
  async function place<T>(name: string, work: (pool: Pool) => Promise<T>): Promise<T> {
    try {
      return await work(newPool(name))
    } finally {
      await drop(name)
    }
  }

  test('many stores that open an empty place at once all find the same tables', () =>
    place('race', async (pool) => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open('race', {}, pool)))
      await Promise.all(stores.map((store, i) => store.append(`d${i}`, metaRecord())))
      expect(await listIds(stores[0] ?? expect.fail())).toHaveLength(8)
      for (const store of stores) await store.close()
      const { rows } = await pool.query('SELECT 1 AS one')
      expect(rows).toEqual([{ one: 1 }])
    }))

  test('tables that kyneta made, ordered as people do, are read and written; ids are listed by bytes, with an index', () =>
    place('kyneta', async (pool) => {
      await pool.query('CREATE SCHEMA kyneta')
      await pool.query('CREATE TABLE kyneta.kyneta_doc_meta (doc_id TEXT PRIMARY KEY, data JSONB NOT NULL)')
      await pool.query(
        'CREATE TABLE kyneta.kyneta_records (doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, ' +
          'blob BYTEA, PRIMARY KEY (doc_id, seq))',
      )
      await pool.query('CREATE TABLE kyneta.kyneta_store_meta (key TEXT PRIMARY KEY, value JSONB NOT NULL)')
      await pool.query(`INSERT INTO kyneta.kyneta_store_meta VALUES ('format', '{"major": 1, "minor": 3}')`)
      const { meta } = metaRecord()
      const ids = ['Users/a', 'users/a', 'users/-', '100%', '100é', '日本/x', 'ÿ']
      for (const id of ids) {
        await pool.query('INSERT INTO kyneta.kyneta_doc_meta VALUES ($1, $2)', [id, JSON.stringify(meta)])
        const rows = 'INSERT INTO kyneta.kyneta_records VALUES ($1, $2, $3, $4, $5)'
        await pool.query(rows, [id, 0, 'meta', JSON.stringify(meta), null])
        const payload = { kind: 'since', encoding: 'binary', version: '1', lineage: 'L' }
        await pool.query(rows, [id, 4, 'entry', JSON.stringify(payload), Buffer.from([1, 2])])
      }
      const store = await open('kyneta', {}, pool)
      const stream = [metaRecord(), entry(Uint8Array.of(1, 2), '1', { lineage: 'L' })]
      for (const id of ids) await checkStream(store, id, stream, id)
      expect(await listIds(store)).toEqual(['100%', '100é', 'Users/a', 'users/-', 'users/a', 'ÿ', '日本/x'])
      expect(await listIds(store, 'users/')).toEqual(['users/-', 'users/a'])
      expect(await listIds(store, '100%')).toEqual(['100%'])
      await store.append('users/a', entry('"é\0"', '2'))
      const { rows } = await pool.query(
        "SELECT seq, kind, payload, blob FROM kyneta.kyneta_records WHERE doc_id = 'users/a' ORDER BY seq DESC LIMIT 1",
      )
      const payload = '{"kind":"since","encoding":"json","version":"2","data":"\\"é\\u0000\\""}'
      expect(rows).toEqual([{ seq: 5, kind: 'entry', payload, blob: null }])
      const client = await pool.connect()
      await client.query('SET enable_seqscan = off')
      const plan = await client.query(
        `EXPLAIN SELECT doc_id FROM kyneta.kyneta_doc_meta WHERE doc_id COLLATE "C" >= 'u' AND doc_id COLLATE "C" < 'v' ` +
          'ORDER BY doc_id COLLATE "C" LIMIT 10',
      )
      client.release()
      expect(JSON.stringify(plan.rows)).toContain('kyneta_doc_meta_by_bytes')
      await store.close()
    }))

  test.each([
    ['incompatible-major', `INSERT INTO other.kyneta_store_meta VALUES ('format', '{"major": 2, "minor": 0}')`],
    ['malformed-version', `INSERT INTO other.kyneta_store_meta VALUES ('format', '"one"')`],
    ['unversioned-existing-data', `INSERT INTO other.kyneta_doc_meta VALUES ('a', '{}')`],
    ['foreign-tables', 'ALTER TABLE other.kyneta_records ALTER COLUMN payload TYPE varchar(10)'],
    ['foreign-tables', 'DROP TABLE other.kyneta_records; CREATE VIEW other.kyneta_records AS SELECT 1 AS one'],
  ])('a place of another format is refused: %s (%#)', (reason, sql) =>
    place('other', async (pool) => {
      await (await open('other', {}, pool)).close()
      await pool.query("DELETE FROM other.kyneta_store_meta WHERE key = 'format'")
      await pool.query(sql)
      expect(await failureOf(open('other', {}, pool))).toMatchObject({ name: 'StreamFormatError', reason })
    }),
  )

  test('one client serves two stores whose calls run together, and is left open', () =>
    place('single', async () => {
      const client = new pg.Client(server.connection)
      await client.connect()
      const stores = [
        await createPostgresStreamStore(client, { schema: 'single' }),
        await createPostgresStreamStore(client, { schema: 'single' }),
      ]
      const calls = stores.flatMap((store, i) =>
        [metaRecord(), ...entries(20, `s${i}-`)].map((record) => store.append(`doc${i % 2}`, record)),
      )
      await Promise.all([...calls, ...stores.map((store) => store.stats())])
      for (const [i, store] of stores.entries()) {
        await checkStream(store, `doc${i}`, [metaRecord(), ...entries(20, `s${i}-`)], `store ${i}`)
        await store.close()
      }
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
      await client.end()
    }))

  test('a connection that the server ends makes the call reject, and the next one works; own: close ends the pool', () =>
    place('broken', async () => {
      const pool = new pg.Pool({ ...server.connection, max: 1 })
      pool.on('error', () => undefined)
      const store = await createPostgresStreamStore(pool, { schema: 'broken', own: true })
      await store.append('doc', metaRecord())
      const admin = newPool('broken')
      // Holds the document, so that the append waits until its connection is gone.
      const holder = await admin.connect()
      await holder.query('BEGIN; SELECT 1 FROM broken.kyneta_doc_meta FOR UPDATE')
      const failing = failureOf(store.append('doc', entry('lost')))
      const waits = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'WITH v%'"
      await until(
        async () => (await admin.query(`SELECT pg_terminate_backend(pid) ${waits}`)).rows.length > 0,
        'it waits',
      )
      expect(await failing).toBeInstanceOf(Error)
      await holder.query('ROLLBACK')
      holder.release()
      await checkStream(store, 'doc', [metaRecord()], 'nothing was written')
      await store.append('doc', entry('next'))
      await checkStream(store, 'doc', [metaRecord(), entry('next')], 'afterwards')
      await store.close()
      expect(await failureOf(pool.query('SELECT 1'))).toBeInstanceOf(Error)
    }))

  test(
    'many handles on many documents neither collide nor lose anything',
    () =>
      place('crowd', async () => {
        const stores = await Promise.all(Array.from({ length: 5 }, () => open('crowd')))
        const ids = Array.from({ length: 12 }, (_, i) => `d${i}`)
        await Promise.all(ids.map((id) => stores[0]?.append(id, metaRecord())))
        await Promise.all(
          stores.flatMap((store, s) =>
            entries(10, `s${s}-`).flatMap((record, n) =>
              ids.map((id, i) => store.appendMany(id, n % 4 === i % 4 ? [record, metaRecord(`h${s}`)] : [record])),
            ),
          ),
        )
        for (const id of ids) {
          const all = (await loadAll(stores[1] ?? expect.fail(), id)).filter(({ kind }) => kind === 'entry')
          expect(all).toHaveLength(50)
          for (const s of stores.keys()) {
            const own = all.filter((one) => one.kind === 'entry' && String(one.payload.data).startsWith(`s${s}-`))
            expect(own).toEqual(entries(10, `s${s}-`))
          }
        }
        for (const store of stores) await store.close()
      }),
    60_000,
  )

  test('arguments are checked before anything is done', async () => {
    const bad: readonly (readonly [unknown, unknown])[] = [
      [undefined, {}],
      [{}, {}],
      [newPool('args'), null],
      [newPool('args'), { schema: 'x'.repeat(64) }],
      [newPool('args'), { tables: { docMeta: 'a\0' } }],
      [newPool('args'), { tables: { docMeta: 'a', records: 'a' } }],
      [newPool('args'), { tables: { meta: 'a' } }],
      [newPool('args'), { own: 1 }],
    ]
    for (const [source, options] of bad) {
      const failure = await failureOf(createPostgresStreamStore(source as Pool, options as PostgresStreamOptions))
      expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await drop('args')
  })

  test('an id that no index can hold is refused, and harms no other call', () =>
    place('long', async () => {
      const store = await open('long')
      const calls = [store.append('a', metaRecord()), failureOf(store.append('x'.repeat(3_000), metaRecord()))]
      expect(await Promise.all(calls)).toMatchObject([undefined, { code: 'INVALID_ARGUMENT' }])
      expect(await listIds(store)).toEqual(['a'])
      await store.close()
    }))
})
