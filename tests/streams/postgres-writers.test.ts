import pg, { type Pool, type PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createPostgresStreamStore } from '../../src/postgres/index.js'
import { checkStream, entries, entry, failureOf, loadAll, metaRecord } from '../../src/testing/stream-fixture.js'
import { type PostgresServer, postgresMissing, startPostgres } from '../support/postgres-server.js'
import type { StreamRecord } from '../../src/streams/index.js'

const missing = postgresMissing()
let server: PostgresServer
let pools: Pool[] = []

function newPool(options: object = {}): Pool {
  const pool = new pg.Pool({ ...server.connection, max: 3, ...options })
  pool.on('error', () => undefined)
  pools.push(pool)
  return pool
}

/** A pool that waits for `before` ahead of each statement. */
function slowPool(before: (sql: string) => Promise<void>): Pool {
  const pool = newPool()
  return {
    totalCount: 0,
    end: () => pool.end(),
    async connect() {
      const client: PoolClient = await pool.connect()
      return {
        query: async (text: string, values?: unknown[]) => {
          await before(text)
          return client.query(text, values)
        },
        release: (error?: Error) => client.release(error),
      }
    },
  } as unknown as Pool
}

const dataOf = (records: readonly StreamRecord[]): string[] =>
  records.map((record) => (record.kind === 'meta' ? 'meta' : String(record.payload.data)))

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** All entries' texts in one. */
const fold = (records: readonly StreamRecord[]): StreamRecord[] => {
  const [first = metaRecord(), ...rest] = records
  return [first, entry(dataOf(rest).join(''))]
}

describe.skipIf(missing !== undefined)('writers of PostgreSQL', () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.end()))
    pools = []
  })
  afterAll(() => server.stop())

  test.each(['compact', 'replace', 'delete'] as const)(
    'an append of another store that comes in between the statements of a %s is not lost',
    async (what) => {
      let other: Promise<unknown> | undefined
      let armed = false
      const slow = slowPool(async (sql) => {
        if (!armed || !/^(INSERT INTO|UPDATE|DELETE FROM)/.test(sql)) return
        armed = false
        other = failureOf(b.append('doc', entry('other')))
        await wait(200)
      })
      const a = await createPostgresStreamStore(slow, { schema: what })
      const b = await createPostgresStreamStore(newPool(), { schema: what })
      await a.appendMany('doc', [metaRecord(), ...entries(2, 'e')])
      armed = true
      if (what === 'compact') await a.compact('doc', fold)
      else if (what === 'replace') await a.replace('doc', [metaRecord(), entry('new')])
      else await a.delete('doc')
      const failure = await (other ?? expect.fail())
      const after = dataOf(await loadAll(b, 'doc'))
      if (what === 'delete') {
        expect([after, failure]).toMatchObject([[], { code: 'STREAM_FIRST_RECORD' }])
      } else {
        expect([after.at(-1), failure]).toEqual(['other', undefined])
      }
    },
  )

  test('compactions by one store lose nothing that another one appends', { timeout: 30_000 }, async () => {
    const [a, b] = [await createPostgresStreamStore(newPool()), await createPostgresStreamStore(newPool())]
    await a.append('busy', metaRecord())
    const appended: string[] = []
    let compactions = 0
    let isOver = false
    const appender = async (): Promise<void> => {
      for (let n = 0; !isOver; n++) {
        await b.append('busy', entry(`${n};`))
        appended.push(String(n))
        if (n % 3 === 0) await wait(1)
      }
    }
    const compacter = async (): Promise<void> => {
      for (const end = Date.now() + 4_000; Date.now() < end; await wait(3)) {
        const failure = await failureOf(a.compact('busy', fold))
        if (failure === undefined) compactions++
        else expect(failure).toMatchObject({ code: 'STREAM_CONFLICT' })
      }
      isOver = true
    }
    await Promise.all([appender(), compacter()])
    expect(compactions).toBeGreaterThan(3)
    const [, ...rest] = await loadAll(a, 'busy')
    expect(dataOf(rest).join('').split(';').slice(0, -1)).toEqual(appended)
  })

  test('what a program without locks adds while a stream is replaced stays, or the call is refused', async () => {
    const other = newPool()
    let adds = 0
    const slow = slowPool(async (sql) => {
      if (adds === 0 || !sql.startsWith('DELETE FROM')) return
      adds--
      await other.query(
        `INSERT INTO foreign1.kyneta_records SELECT 'doc', max(seq) + 1, 'meta', '${JSON.stringify(metaRecord().meta)}', NULL ` +
          `FROM foreign1.kyneta_records WHERE doc_id = 'doc'`,
      )
    })
    const store = await createPostgresStreamStore(slow, { schema: 'foreign1' })
    await store.appendMany('doc', [metaRecord(), entry('old')])
    adds = 1
    await store.replace('doc', [metaRecord(), entry('new')])
    // It was run again, knowing what was added.
    expect(dataOf(await loadAll(store, 'doc'))).toEqual(['meta', 'new'])
    adds = 100
    expect(await failureOf(store.delete('doc'))).toMatchObject({ code: 'STREAM_CONFLICT', id: 'doc' })
    expect(dataOf(await loadAll(store, 'doc')).slice(0, 2)).toEqual(['meta', 'new'])
  })

  test('an append that began before a clear, and saw records that are gone, goes to the end all the same', async () => {
    const [admin, pool] = [newPool(), newPool()]
    const store = await createPostgresStreamStore(pool)
    await store.appendMany('late', [metaRecord(), ...entries(4, 'e')])
    const holder = await admin.connect()
    await holder.query("BEGIN; SELECT 1 FROM kyneta_doc_meta WHERE doc_id = 'late' FOR UPDATE")
    const appending = store.append('late', entry('last'))
    await wait(200)
    // What a replacement and then a compaction of it leave.
    await holder.query(
      "UPDATE kyneta_doc_meta SET data = data WHERE doc_id = 'late'; DELETE FROM kyneta_records WHERE doc_id = 'late'; " +
        `INSERT INTO kyneta_records VALUES ('late', 9, 'meta', '${JSON.stringify(metaRecord().meta)}', NULL); COMMIT`,
    )
    holder.release()
    await appending
    expect(dataOf(await loadAll(store, 'late'))).toEqual(['meta', 'last'])
  })

  test('parsers of the program change nothing: texts as the server sends them', async () => {
    const pool = newPool({ types: { getTypeParser: () => (text: string) => text } })
    const store = await createPostgresStreamStore(pool, { schema: 'raw' })
    const stream = [metaRecord(), entry(Uint8Array.of(0, 1, 254, 255)), entry(new Uint8Array()), entry('text')]
    await store.appendMany('doc', stream)
    const again = await createPostgresStreamStore(pool, { schema: 'raw' })
    await checkStream(again, 'doc', stream, 'read by texts')
  })

  test('transactions that only read by default are in nobody’s way', async () => {
    const store = await createPostgresStreamStore(newPool({ options: '-c default_transaction_read_only=on' }))
    await store.append('reader', metaRecord())
    await store.append('reader', entry('1'))
    await checkStream(store, 'reader', [metaRecord(), entry('1')], 'read only by default')
  })

  test('a client in a transaction of the program is refused, and the transaction is left as it is', async () => {
    const client = new pg.Client(server.connection)
    await client.connect()
    await client.query('CREATE TABLE app (x int)')
    await client.query('BEGIN; INSERT INTO app VALUES (1)')
    const bare = { query: (sql: string, values?: unknown[]) => client.query(sql, values) }
    for (const source of [client, bare]) {
      expect(await failureOf(createPostgresStreamStore(source))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await client.query('ROLLBACK')
    expect((await client.query('SELECT * FROM app')).rows).toEqual([])
    const store = await createPostgresStreamStore(client, { schema: 'tx' })
    await store.append('doc', metaRecord())
    await client.query('BEGIN; INSERT INTO app VALUES (2)')
    expect(await failureOf(store.append('doc', entry('1')))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    await client.query('ROLLBACK')
    await store.append('doc', entry('2'))
    await checkStream(store, 'doc', [metaRecord(), entry('2')], 'afterwards')
    expect((await client.query('SELECT * FROM app')).rows).toEqual([])
    await createPostgresStreamStore(bare, { schema: 'tx' })
    await client.end()
  })
})
