import pg, { type Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresStreamStore } from '../../src/postgres/index.js'
import type { PostgresStreamOptions } from '../../src/postgres/index.js'
import { FaultPlan } from '../../src/testing/faults.js'
import { describeStreamStore } from '../../src/testing/stream-conformance.js'
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
  const [pool] = pools.get(place) ?? []
  await pool?.query(`DROP SCHEMA IF EXISTS "${place}" CASCADE`)
  for (const one of pools.get(place) ?? []) await one.end()
  pools.delete(place)
}

describe.skipIf(missing !== undefined)(`PostgreSQL${missing === undefined ? '' : `: ${missing}`}`, () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const all of pools.values()) for (const pool of all) await pool.end()
    await server.stop()
  })

  const open = (place: string, options: PostgresStreamOptions = {}, pool = newPool(place)) =>
    createPostgresStreamStore(pool, { schema: place, ...options })

  describeStreamStore(
    'postgres',
    (place) => open(place),
    {
      reopen: true,
      secondHandle: true,
      namespaces: (place, namespace) =>
        open(place, {
          tables: { docMeta: `${namespace} d"ocs`, records: `${namespace}r`, storeMeta: `${namespace}s` },
        }),
      faults: (place, plan) => open(place, {}, faultyPool(newPool(place), plan)),
      // The plan goes on failing, so that nothing of the crashed store comes to the server any more.
      crash: () => undefined,
      cleanup: drop,
      payloadBytesMax: 20_000_000,
      idBytesMax: 2_000,
    },
    { describe, it: test },
  )
  test('placeholder', () => expect(1).toBe(1))
})
