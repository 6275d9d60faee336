import pg, { type Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresStreamStore } from '../../src/postgres/index.js'
import type { OnRecord } from '../../src/streams/index.js'
import { checkStream, entry, failureOf, metaRecord, until } from '../../src/testing/stream-fixture.js'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.js'

const missing = postgresMissing()
let server: PostgresServer
const pools: Pool[] = []

function newPool(options: object = {}): Pool {
  const pool = new pg.Pool({ ...server.connection, max: 4, ...options })
  pool.on('error', () => undefined)
  pools.push(pool)
  return pool
}

describe.skipIf(missing !== undefined)(`connections${missing === undefined ? '' : `: ${missing}`}`, () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const pool of pools) if (!pool.ended) await pool.end()
    await server.stop()
  })

  test('appends that find no connection free are refused together, not each after a wait of its own', async () => {
    const pool = newPool({ max: 1, connectionTimeoutMillis: 100 })
    const store = await createPostgresStreamStore(pool, { schema: 'exhausted' })
    await store.append('doc', metaRecord())
    const holder = await pool.connect()
    let asked = 0
    const connect = pool.connect.bind(pool)
    pool.connect = () => {
      asked++
      return connect()
    }
    const refused = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => store.append('doc', entry(`e${i}`))))
    expect(refused.filter(({ status }) => status === 'rejected')).toHaveLength(20)
    expect(asked).toBeLessThan(4)
    holder.release()
    await store.append('doc', entry('later'))
    await checkStream(store, 'doc', [metaRecord(), entry('later')], 'afterwards')
    await store.close()
  })

  test('a Client with a query_timeout gets rid of a transaction of ours that could not be rolled back', async () => {
    const client = new pg.Client({ ...server.connection, query_timeout: 200 })
    await client.connect()
    const admin = newPool()
    const store = await createPostgresStreamStore(client)
    const other = await createPostgresStreamStore(admin)
    await store.append('doc', metaRecord())
    const holder = await admin.connect()
    await holder.query("BEGIN; SELECT 1 FROM kyneta_doc_meta WHERE doc_id = 'doc' FOR UPDATE")
    expect((await failureOf(store.replace('doc', [metaRecord(), entry('replaced')])))?.message).toContain('timeout')
    const stuck = await failureOf(store.append('doc', entry('stuck')))
    expect(stuck).toMatchObject({ code: 'STREAM_CONNECTION_STUCK' })
    expect(stuck?.message).toContain('could not be rolled back (Query read timeout)')
    await holder.query('ROLLBACK')
    holder.release()
    await until(async () => (await failureOf(store.append('doc', entry('next')))) === undefined, 'it works again')
    await other.append('doc', entry('others'))
    await checkStream(store, 'doc', [metaRecord(), entry('next'), entry('others')], 'afterwards')
    await store.close()
    await other.close()
    await client.end()
  })

  test('a tail goes on when the server ends connections, as reads look for others', async () => {
    const pool = newPool({ application_name: 'reads' })
    const admin = newPool()
    const store = await createPostgresStreamStore(pool, { schema: 'ended' })
    const other = await createPostgresStreamStore(admin, { schema: 'ended' })
    await other.append('doc', metaRecord())
    const told: string[] = []
    const tell: OnRecord = (record) => void told.push(record.kind === 'meta' ? 'meta' : record.version)
    const tails = [store.tail('doc', { pollMs: 5 }, tell), store.tail({ prefix: '' }, { pollMs: 5 }, tell)]
    const ends = tails.map((tail) => failureOf(tail.ended))
    const others =
      "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'postgres' AND application_name = 'reads'"
    for (let i = 0; i < 20; i++) {
      await admin.query(`SELECT pg_terminate_backend(pid) ${others}`)
      await other.append('doc', entry(`e${i}`))
      await until(() => told.length === 2 * (i + 2), 'both are told')
    }
    for (const tail of tails) tail.stop()
    expect(await Promise.all(ends)).toEqual([undefined, undefined])
    await store.close()
    await other.close()
  })

  test('reads that found no connection give up after some time, and at once where there is but one', async () => {
    const pool = newPool()
    const client = new pg.Client(server.connection)
    client.on('error', () => undefined)
    await client.connect()
    let isAway = false
    let tries = 0
    const away = {
      totalCount: 0,
      end: () => pool.end(),
      connect: () => (isAway ? (tries++, Promise.reject(new Error('ECONNREFUSED'))) : pool.connect()),
    }
    const store = await createPostgresStreamStore(away, { schema: 'away' })
    const single = await createPostgresStreamStore(client, { schema: 'away' })
    await store.append('doc', metaRecord())
    const tail = store.tail('doc', { pollMs: 5 }, () => undefined)
    isAway = true
    expect((await failureOf(tail.ended))?.message).toBe('ECONNREFUSED')
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThanOrEqual(24)
    const before = tries
    expect((await failureOf(store.append('doc', entry('x'))))?.message).toBe('ECONNREFUSED')
    expect(tries - before, 'a write does not look for others').toBeLessThanOrEqual(2)
    isAway = false
    await checkStream(store, 'doc', [metaRecord()], 'afterwards')
    await client.end()
    expect(await failureOf(single.stats())).toBeInstanceOf(Error)
  })
})
