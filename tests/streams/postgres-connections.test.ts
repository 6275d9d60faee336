import pg, { type Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresStreamStore } from '../../src/postgres/index.js'
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
})
