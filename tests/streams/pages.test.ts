import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SqliteAdapter } from '../../src/sqlite/port.js'
import { createSqliteStreamStore, type StreamStore } from '../../src/streams/index.js'
import { KynetaStreams } from '../../src/streams/sqlite-kyneta.js'
import { OwnStreams } from '../../src/streams/sqlite-own.js'
import type { SqliteStreams } from '../../src/streams/sqlite-backend.js'
import { TABLES_OWN, TABLES_V2 } from '../../src/streams/sqlite-names.js'
import type { PlacedRecord, StreamPage } from '../../src/streams/stream-backend.js'
import { adapterOn } from './adapters.js'
import { all, entry, META, meta } from './records.js'

const MB = 1_000_000
const FORMATS = ['kyneta', 'varve'] as const
const ROWS = { kyneta: 'kyneta_records', varve: 'varve_stream_records' }
const bytes = (count: number) => entry(new Uint8Array(count))

describe.each(FORMATS)('pages of %s', (format) => {
  it.each<[name: string, sizes: number[]]>([
    ['one of 20 MB', [20 * MB]],
    ['large ones', [9 * MB, 9 * MB, 9 * MB]],
    ['large ones after small ones', [1, 1, 1, 10 * MB, 10 * MB, 1]],
  ])('RS2: %s: a stream is read to its end', async (_name, sizes) => {
    const store = await createSqliteStreamStore(adapterOn(), { format })
    await store.appendMany('a', [meta(), ...sizes.map(bytes)])
    expect((await all(store.load('a'))).map(({ seq }) => seq)).toEqual([0, ...sizes.map((_, i) => i + 1)])
    expect(await all(store.load('a', { after: 0, limit: 2 }))).toHaveLength(Math.min(2, sizes.length))
    await store.close()
  })

  it('RS2: seqs are not counted, records are: 130 with gaps are one page', async () => {
    const adapter = adapterOn()
    const store = await createSqliteStreamStore(adapter, { format })
    await store.appendMany('a', [meta(), ...Array.from({ length: 129 }, (_, i) => entry(String(i)))])
    adapter.exec(`UPDATE ${ROWS[format]} SET seq = seq + 100000 WHERE seq > 64`)
    adapter.exec(`UPDATE ${ROWS[format]} SET seq = seq + 20000 WHERE seq > 100100`)
    const reader = store.loadAll('a')[Symbol.asyncIterator]()
    await reader.next()
    // One page is one state, whatever is done to the stream meanwhile.
    await store.replace('a', [meta()])
    for (let i = 1; i < 130; i++) expect((await reader.next()).done).toBe(false)
    expect((await reader.next()).done).toBe(true)
  })

  it('exactly as many as a page has is a page without more', async () => {
    const { streams, store } = await direct(format)
    await store.appendMany('a', [meta(), entry('1')])
    expect(streams.page('a', -1, 2, undefined)).toMatchObject({ more: false, seqFirst: 0 })
    expect(streams.page('a', -1, 1, undefined)).toMatchObject({ more: true, seqFirst: 0 })
  })

  it('a mark holds while the stream grows, also that of an empty page, and not when it was made anew', async () => {
    const { streams, store } = await direct(format)
    const page = (after: number, mark?: unknown): StreamPage | undefined => streams.page('a', after, 10, mark)
    const never = page(-1)
    await store.appendMany('a', [meta(), entry('1'), entry('2')])
    const read = page(-1, never?.mark)
    expect(read?.records).toHaveLength(3)
    const empty = page(2, read?.mark)
    expect(empty).toMatchObject({ records: [], more: false })
    await store.append('a', entry('3'))
    expect(page(2, empty?.mark)?.records).toHaveLength(1)
    // Who has moved on by other means may still go by an old mark.
    expect(page(3, empty?.mark)?.records).toEqual([])
    await store.delete('a')
    expect(page(2, empty?.mark)).toBe(undefined)
    expect(page(3, page(3)?.mark)?.records).toEqual([])
    const gone = page(3)
    await store.appendMany('a', [meta(), entry('n1')])
    if (format === 'kyneta') expect(page(3, gone?.mark)).toBe(undefined)
    expect(page(2, empty?.mark)).toBe(undefined)
    expect(page(2, read?.mark)).toBe(undefined)
  })

  it('what was read is unmoved until somebody appends, clears, or changes a record in the middle', async () => {
    const { streams, store, adapter } = await direct(format)
    await store.appendMany('a', [meta(), entry('1'), entry(new Uint8Array([1, 2])), entry('3')])
    const read = (): { id: string; seqLast: number; mark: unknown; trace: unknown } => {
      const { records, mark } = streams.page('a', -1, 100, undefined) as StreamPage
      return { id: 'a', seqLast: (records.at(-1) as PlacedRecord).seq, mark, trace: streams.traceOf?.(records) }
    }
    const first = read()
    expect(streams.isUnmoved(first)).toBe(true)
    await store.append('b', meta())
    expect(streams.isUnmoved(first)).toBe(true)
    await store.append('a', entry('4'))
    expect(streams.isUnmoved(first)).toBe(false)
    const second = read()
    await store.replace('a', [meta(), entry('x'), entry('y'), entry('z'), entry('4')])
    expect(streams.isUnmoved(second)).toBe(false)
    const third = read()
    if (format === 'kyneta') {
      // As kyneta would replace: from seq 0 on.
      adapter.exec(`UPDATE kyneta_records SET payload = replace(payload, '"y"', '"Y"')`)
      expect(streams.isUnmoved(third)).toBe(false)
    }
    await store.delete('a')
    expect(streams.isUnmoved(third)).toBe(false)
  })

  it('another handle replaces between the statements of a page: all of it is of one state', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'varve-pages-')), 'a.db')
    const inner = adapterOn(path)
    inner.exec('PRAGMA journal_mode = WAL')
    const other = await createSqliteStreamStore(adapterOn(path), { format })
    let act: (() => void) | undefined
    const adapter: SqliteAdapter = {
      ...inner,
      iterate(sql, ...binds) {
        const rows = [...inner.iterate(sql, ...binds)]
        // After the rows were read, before anything else is.
        if (sql.includes('seqEnd')) {
          act?.()
          act = undefined
        }
        return rows as never
      },
    }
    const store = await createSqliteStreamStore(adapter, { format })
    const old = [meta(), ...Array.from({ length: 40 }, () => bytes(MB))]
    await store.replace('a', old)
    const reader = store.load('a')[Symbol.asyncIterator]()
    for (let i = 0; i < 10; i++) await reader.next()
    act = () => {
      void other.replace('a', [meta(), ...Array.from({ length: 60 }, () => entry('new'))])
      void other.currentMeta('a')
    }
    const rest = (async () => {
      for (;;) if ((await reader.next()).done === true) return 'done'
    })()
    await expect(rest).rejects.toMatchObject({ name: 'StreamReplacedError' })
    await Promise.all([store.close(), other.close()])
  })
})

describe("clearedTo is kept in Varve's own format", () => {
  it('with the stream, and told with every page, the empty ones too', async () => {
    const { streams } = await direct('varve')
    const write = (clearedTo: number | undefined, seqs: number[], meta: typeof META | null = META): void =>
      streams.write({
        id: 'a',
        clear: clearedTo !== undefined,
        ...(clearedTo === undefined ? {} : { clearedTo }),
        meta,
        records: seqs.map((seq) => ({ seq, record: { kind: 'meta', meta: META } })),
        seqNext: (seqs.at(-1) ?? 9) + 1,
      })
    const told = (after = -1): unknown => streams.page('a', after, 10, undefined)?.clearedTo
    expect(told()).toBe(-1)
    write(undefined, [0, 1, 2])
    expect(told()).toBe(-1)
    write(2, [3, 4])
    expect([told(), told(9)]).toEqual([2, 2])
    write(undefined, [5])
    expect(told()).toBe(2)
    write(5, [], null)
    expect([told(), told(9)]).toEqual([5, 5])
  })
})

async function direct(
  format: 'kyneta' | 'varve',
): Promise<{ streams: SqliteStreams; store: StreamStore; adapter: SqliteAdapter }> {
  const adapter = adapterOn()
  const store = await createSqliteStreamStore(adapter, { format })
  const size = (column: string): string => `octet_length(${column})`
  const streams =
    format === 'varve'
      ? new OwnStreams(adapter, TABLES_OWN)
      : new KynetaStreams(adapter, TABLES_V2.docMeta, TABLES_V2.records, size)
  return { streams, store, adapter }
}
