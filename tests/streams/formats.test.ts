import { describe, expect, it } from 'vitest'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { createSqliteStreamStore, type StreamRecord } from '../../src/streams/index.js'
import { adapterOn } from './adapters.js'
import { all, entry, META, meta } from './records.js'

const rows = (adapter: SqliteAdapter, sql: string): unknown[] =>
  [...adapter.iterate(sql)].map((row) => ({ ...(row as object) }))
const tables = (adapter: SqliteAdapter): unknown[] =>
  rows(adapter, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").map(
    (row) => Object.values(row as object)[0],
  )

/** What kyneta 2.x makes of a new database. */
const KYNETA_2 = `
  CREATE TABLE kyneta_doc_meta (doc_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE kyneta_records (doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, blob BLOB,
    PRIMARY KEY (doc_id, seq)) WITHOUT ROWID;
  CREATE TABLE kyneta_store_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`
const OLD_META =
  '{"replicaType":["yjs",1,0],"syncProtocol":{"writerModel":"concurrent","delivery":"delta-capable","durability":"persistent"},"schemaHash":"h1"}'
const KYNETA_1 = `
  CREATE TABLE kyneta_meta (doc_id TEXT PRIMARY KEY, data TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE kyneta_records (doc_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT, blob BLOB,
    PRIMARY KEY (doc_id, seq)) WITHOUT ROWID;
  INSERT INTO kyneta_meta VALUES ('a', '${OLD_META}');
  INSERT INTO kyneta_records VALUES ('a', 0, 'meta', '${OLD_META}', NULL);
  INSERT INTO kyneta_records VALUES ('a', 3, 'entry', '{"kind":"since","encoding":"binary","version":"1"}', x'00ff');`

describe("kyneta's format", () => {
  it('rows are byte for byte what kyneta writes', async () => {
    const adapter = adapterOn()
    const store = await createSqliteStreamStore(adapter)
    await store.append('a', meta())
    await store.append('a', entry('{"x":"\ud800\0"}', '7'))
    const bytes: StreamRecord = {
      kind: 'entry',
      version: '8',
      payload: { kind: 'entirety', encoding: 'binary', data: Buffer.from([1, 2]), lineage: 'l' },
    }
    await store.append('a', bytes)
    expect(rows(adapter, 'SELECT doc_id, seq, kind, payload, hex(blob) AS blob FROM kyneta_records')).toEqual([
      { doc_id: 'a', seq: 0, kind: 'meta', payload: JSON.stringify(META), blob: '' },
      {
        doc_id: 'a',
        seq: 1,
        kind: 'entry',
        payload: JSON.stringify({ kind: 'since', encoding: 'json', version: '7', data: '{"x":"\ud800\0"}' }),
        blob: '',
      },
      {
        doc_id: 'a',
        seq: 2,
        kind: 'entry',
        payload: '{"kind":"entirety","encoding":"binary","version":"8","lineage":"l"}',
        blob: '0102',
      },
    ])
    expect(rows(adapter, 'SELECT * FROM kyneta_doc_meta')).toEqual([{ doc_id: 'a', data: JSON.stringify(META) }])
    expect(rows(adapter, 'SELECT * FROM kyneta_store_meta')).toEqual([
      { key: 'format', value: '{"major":1,"minor":0}' },
    ])
    expect(await all(store.loadAll('a'))).toEqual([
      meta(),
      entry('{"x":"\ud800\0"}', '7'),
      { ...bytes, payload: { ...bytes.payload, data: new Uint8Array([1, 2]) } },
    ])
  })

  it('a database of 1.6 is opened as that, in its shape, and no table is added', async () => {
    const adapter = adapterOn()
    adapter.exec(KYNETA_1)
    const store = await createSqliteStreamStore(adapter)
    expect(await all(store.load('a'))).toEqual([
      { seq: 0, kind: 'meta', meta: JSON.parse(OLD_META) },
      { seq: 3, ...entry(new Uint8Array([0, 255]), '1') },
    ])
    // The same axes under the other name.
    await store.append('a', meta('h2'))
    expect(await store.currentMeta('a')).toEqual({ ...META, schemaHash: 'h2' })
    expect(tables(adapter)).toEqual(['kyneta_meta', 'kyneta_records'])
    const named = await createSqliteStreamStore(adapter, { tables: { meta: 'kyneta_meta', records: 'kyneta_records' } })
    expect(await all(named.listDocIds())).toEqual(['a'])
  })

  it.each([
    ['no version, and documents', "INSERT INTO kyneta_doc_meta VALUES ('a', '{}')", 'unversioned-existing-data'],
    ['another major', `INSERT INTO kyneta_store_meta VALUES ('format', '{"major":2,"minor":0}')`, 'incompatible-major'],
    ['no version that can be read', "INSERT INTO kyneta_store_meta VALUES ('format', 'x')", 'malformed-version'],
  ])('%s: refused, and left as it is', async (_name, sql, reason) => {
    const adapter = adapterOn()
    adapter.exec(KYNETA_2 + sql)
    const before = rows(adapter, 'SELECT * FROM kyneta_store_meta')
    await expect(createSqliteStreamStore(adapter)).rejects.toMatchObject({
      name: 'StreamFormatError',
      reason,
      current: '1.0',
    })
    expect(rows(adapter, 'SELECT * FROM kyneta_store_meta')).toEqual(before)
  })

  it('a newer minor is read', async () => {
    const adapter = adapterOn()
    adapter.exec(`${KYNETA_2} INSERT INTO kyneta_store_meta VALUES ('format', '{"major":1,"minor":7}')`)
    await expect(createSqliteStreamStore(adapter)).resolves.toBeDefined()
  })

  it.each([
    ['other columns', 'CREATE TABLE kyneta_records (id INTEGER PRIMARY KEY, text TEXT)'],
    ['a view', 'CREATE VIEW kyneta_records AS SELECT 1 AS doc_id'],
    ['another key', 'CREATE TABLE kyneta_records (doc_id TEXT, seq INTEGER, kind TEXT, payload TEXT, blob BLOB)'],
    [
      'keys without regard to case',
      'CREATE TABLE KYNETA_doc_meta (doc_id TEXT COLLATE NOCASE PRIMARY KEY, data TEXT NOT NULL)',
    ],
    [
      'ids that become numbers',
      'CREATE TABLE KYNETA_records (doc_id REAL, seq INTEGER, kind TEXT, payload TEXT, blob BLOB, PRIMARY KEY (doc_id, seq)) WITHOUT ROWID',
    ],
    [
      'seqs that become text',
      'CREATE TABLE KYNETA_records (doc_id TEXT, seq TEXT, kind TEXT, payload TEXT, blob BLOB, PRIMARY KEY (doc_id, seq)) WITHOUT ROWID',
    ],
  ])('%s under our name: refused before anything is written', async (_name, sql) => {
    const adapter = adapterOn()
    adapter.exec(sql)
    const before = rows(adapter, 'SELECT * FROM sqlite_master')
    await expect(createSqliteStreamStore(adapter)).rejects.toMatchObject({ reason: 'foreign-tables' })
    expect(rows(adapter, 'SELECT * FROM sqlite_master')).toEqual(before)
  })
})

describe('names', () => {
  it('any name that SQLite can have; stores keep apart', async () => {
    const adapter = adapterOn()
    const names = ['a"b', "c'd; DROP TABLE x --", 'select', ' ', 'ž😀']
    const stores = await Promise.all(
      names.map((name) =>
        createSqliteStreamStore(adapter, {
          tables: { docMeta: `${name}1`, records: `${name}2`, storeMeta: `${name}3` },
        }),
      ),
    )
    for (const [i, store] of stores.entries()) await store.append('a', meta(String(i)))
    for (const [i, store] of stores.entries()) {
      expect(await all(store.loadAll('a'))).toEqual([meta(String(i))])
      await store.close()
    }
  })

  it.each([
    [{ docMeta: '' }],
    [{ docMeta: 'sqlite_x' }],
    [{ docMeta: 'a\0' }],
    [{ docMeta: 'a\ud800' }],
    [{ docMeta: 'same', records: 'SAME' }],
    [{ docs: 'x' }],
    [{ docMeta: 1 }],
    [{ docMeta: 'only' }],
    [{ records: 'only' }],
    [{ records: 'only', storeMeta: 'and' }],
    [{ meta: 'only' }],
    [null],
    ['text'],
  ])('%j is refused', async (tables) => {
    const adapter = adapterOn()
    await expect(createSqliteStreamStore(adapter, { tables: tables as object })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(rows(adapter, 'SELECT * FROM sqlite_master')).toEqual([])
  })
})

describe('several stores in one database', () => {
  it('those of kyneta may share the table of the version', async () => {
    const adapter = adapterOn()
    const first = await createSqliteStreamStore(adapter)
    const second = await createSqliteStreamStore(adapter, { tables: { docMeta: 'b1', records: 'b2' } })
    await first.append('a', meta('1'))
    await second.append('a', meta('2'))
    expect([await all(first.loadAll('a')), await all(second.loadAll('a'))]).toEqual([[meta('1')], [meta('2')]])
    expect(tables(adapter)).toEqual(['b1', 'b2', 'kyneta_doc_meta', 'kyneta_records', 'kyneta_store_meta'])
  })

  it('the records of kyneta 2.x are not opened as those of 1.6', async () => {
    const adapter = adapterOn()
    await (await createSqliteStreamStore(adapter)).append('a', meta())
    const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('kyneta 2.x') }
    await expect(createSqliteStreamStore(adapter, { tables: { meta: 'kyneta_meta' } })).rejects.toMatchObject(refused)
    expect(tables(adapter)).toHaveLength(3)
  })

  it("a database in Varve's own format is not taken for an empty one of kyneta; beside one of kyneta it may be", async () => {
    const adapter = adapterOn()
    await (await createSqliteStreamStore(adapter, { format: 'varve' })).append('a', meta())
    await expect(createSqliteStreamStore(adapter)).rejects.toMatchObject({
      reason: 'foreign-tables',
      message: expect.stringContaining("format: 'varve'"),
    })
    expect(tables(adapter)).toHaveLength(4)
    adapter.exec(KYNETA_2)
    const beside = await createSqliteStreamStore(adapter)
    expect(await all(beside.listDocIds())).toEqual([])
    await expect(createSqliteStreamStore(adapter, { format: 'varve', tables: { docs: 'd' } })).rejects.toThrow(
      /records/,
    )
  })

  it("tables of Varve's own format without all columns of today are refused", async () => {
    const adapter = adapterOn()
    await createSqliteStreamStore(adapter, { format: 'varve' })
    adapter.exec('ALTER TABLE varve_streams DROP COLUMN cleared_to')
    await expect(createSqliteStreamStore(adapter, { format: 'varve' })).rejects.toMatchObject({
      name: 'StreamFormatError',
      message: expect.stringContaining('cleared_to'),
    })
  })
})

it.each([[null], ['text'], [{ formats: 'varve' }], [{ format: 'other' }], [{ runtime: {} }]])(
  'options %j are refused',
  async (options) => {
    const adapter = adapterOn()
    await expect(createSqliteStreamStore(adapter, options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(tables(adapter)).toEqual([])
  },
)

describe("Varve's own format", () => {
  const open = async () => {
    const adapter = adapterOn()
    return { adapter, store: await createSqliteStreamStore(adapter, { format: 'varve' }) }
  }

  it.each<[name: string, data: string | Uint8Array]>([
    ['text as it is', '{"a":"b"}'],
    ['text that SQLite cannot hold', 'a\0b\ud800'],
    ['nothing', ''],
    ['no bytes', new Uint8Array()],
    ['a long text of pairs', `x${'😀'.repeat(700_000)}`],
    ['a long text that SQLite cannot hold', '\0'.repeat(400_000)],
    ['many bytes', new Uint8Array(3_200_000).map((_, i) => i)],
  ])('%s is given back', async (_name, data) => {
    const { adapter, store } = await open()
    await store.append('a', meta())
    await store.append('a', entry(data))
    await store.appendMany('a', [entry(data), entry(data, '2')])
    await store.replace('b', [meta(), entry(data)])
    const same = (record: StreamRecord | undefined): boolean =>
      record?.kind === 'entry' && Buffer.from(record.payload.data as never).equals(Buffer.from(data as never))
    expect((await all(store.loadAll('a'))).map(same)).toEqual([false, true, true, true])
    expect(same((await all(store.loadAll('b')))[1])).toBe(true)
    const [large] = rows(
      adapter,
      'SELECT max(octet_length(data)) AS size FROM (SELECT data FROM varve_stream_records UNION ALL SELECT data FROM varve_stream_parts)',
    )
    expect((large as { size: number }).size).toBeLessThanOrEqual(1_000_000)
    await store.delete('a')
    await store.delete('b')
    expect(rows(adapter, 'SELECT 1 FROM varve_stream_parts')).toEqual([])
  })

  it.each([
    "UPDATE varve_stream_records SET data = 'twp' WHERE seq = 2",
    "UPDATE varve_stream_records SET head = replace(head, 'since', 'entirety') WHERE seq = 2",
    "UPDATE varve_stream_records SET kind = 'meta' WHERE seq = 2",
    'UPDATE varve_stream_records SET data = NULL WHERE seq = 2',
  ])('damage is found and its place named: %s', async (sql) => {
    const { adapter, store } = await open()
    await store.appendMany('a', [meta(), entry('one'), entry('two')])
    adapter.exec(sql)
    await expect(all(store.loadAll('a'))).rejects.toMatchObject({ name: 'StreamDamagedError', id: 'a', seq: 2 })
    expect(await all(store.load('a', { limit: 2 }))).toHaveLength(2)
  })

  it('seqs go on after a document was deleted', async () => {
    const { store } = await open()
    await store.appendMany('a', [meta(), entry('one')])
    await store.delete('a')
    await store.delete('never there')
    expect(await all(store.listDocIds())).toEqual([])
    expect(await store.currentMeta('a')).toBe(null)
    await expect(store.append('a', entry('x'))).rejects.toThrow(/must be meta/)
    await store.append('a', meta())
    expect((await all(store.load('a'))).map(({ seq }) => seq)).toEqual([2])
  })
})

it('listing uses the index', async () => {
  const adapter = adapterOn()
  const asked: [string, readonly unknown[]][] = []
  const spy: SqliteAdapter = {
    ...adapter,
    iterate: (sql, ...params) => (asked.push([sql, params]), adapter.iterate(sql, ...params)),
  }
  const store = await createSqliteStreamStore(spy)
  await all(store.listDocIds('a%'))
  const listing = asked.filter(([sql]) => sql.includes('ORDER BY doc_id'))
  expect(listing).toHaveLength(1)
  for (const [sql, params] of listing) {
    const plan = [...adapter.iterate<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...(params as string[]))]
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringMatching(/^SEARCH .*PRIMARY KEY/)])
  }
})
