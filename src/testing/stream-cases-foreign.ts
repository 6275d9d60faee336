import type { StreamMetaRecord, StreamPayload, StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { ForeignPlace, StreamCase, StreamTest } from './stream-case.js'
import { listen } from './stream-cases-tail.js'
import {
  checkEqual,
  checkError,
  checkGrowing,
  checkStream,
  entry,
  failureOf,
  lastMeta,
  listIds,
  load,
  loadAll,
  metaRecord,
  oldMetaRecord,
  until,
} from './stream-fixture.js'
import { KYNETA_1_SQL, KYNETA_3_SQL } from './stream-foreign-sql.js'

/** An id that kyneta keeps as text where the binding lets it. */
const ID_WITH_NUL = 'a\0b'

/** The script without the document whose id has a NUL, which has a case of its own. */
function withoutNul(sql: string): string {
  return sql
    .split('\n')
    .filter((line) => !line.includes("CAST(X'610062' AS TEXT)"))
    .join('\n')
}

/** A database of kyneta, and what is in it. */
interface Foreign {
  readonly name: string
  readonly sql: string
  readonly metaTable: string
  /** True when there is a mark of the format, and `lineage`. */
  readonly isMarked: boolean
  meta(schemaHash?: string, replicaType?: readonly [string, number, number]): StreamMetaRecord
}

const foreigns: readonly Foreign[] = [
  { name: 'kyneta 1.6', sql: KYNETA_1_SQL, metaTable: 'kyneta_meta', isMarked: false, meta: oldMetaRecord },
  { name: 'kyneta 3.0', sql: KYNETA_3_SQL, metaTable: 'kyneta_doc_meta', isMarked: true, meta: metaRecord },
]

/** What the scripts put into the documents. */
function documentsOf({ meta, isMarked }: Foreign): Map<string, StreamRecord[]> {
  const lineage = (text: string): Partial<StreamPayload> => (isMarked ? { lineage: text } : {})
  const streams: readonly (readonly [string, readonly StreamRecord[]])[] = [
    [
      'text',
      [meta(), entry('{"a":"é😀\\u0000\\ud800"}', '1', { kind: 'entirety' }), entry('x\0"\\\n', '2', lineage('L1'))],
    ],
    [
      'bytes',
      [
        meta(),
        entry(Uint8Array.of(0, 1, 255), 'AQ=='),
        entry(new Uint8Array(0), '', { kind: 'entirety' }),
        entry(Uint8Array.of(7), 'v', lineage('')),
      ],
    ],
    [
      'odd',
      [
        meta(),
        entry('text that calls itself binary', 'v', { encoding: 'binary' }),
        entry(Uint8Array.of(9), 'v', { encoding: 'json' }),
      ],
    ],
    ['replaced', [entry('snapshot', '9', { kind: 'entirety' }), meta('h2', ['yjs', 1, 4]), entry('d', '10')]],
    ['gap', [meta(), entry('after a gap', '1')]],
    ...['', 'a', '日本/é', 'Users/A', 'users/a'].map((id) => [id, [meta(`of ${id.length}`, ['plain', 1, 0])]] as const),
  ]
  return new Map(streams.map(([id, records]) => [id, [...records]]))
}

/** Reads the rows by the description of the format, as kyneta would, and compares them. */
async function checkRows(
  place: ForeignPlace,
  { metaTable, isMarked }: Foreign,
  streams: ReadonlyMap<string, readonly StreamRecord[]>,
  claim: string,
): Promise<void> {
  const metas = await place.rows(`SELECT doc_id, data FROM ${metaTable}`)
  checkEqual(
    new Map(metas.map((row) => [row['doc_id'], row['data']])).size,
    streams.size,
    `${claim}: rows of ${metaTable}`,
  )
  for (const row of metas)
    checkEqual(
      JSON.parse(String(row['data'])),
      lastMeta(streams.get(String(row['doc_id'])) ?? []),
      `${claim}: meta of ${JSON.stringify(row['doc_id'])}`,
    )
  const rows = await place.rows(
    'SELECT doc_id, seq, kind, payload, blob, typeof(seq) AS t FROM kyneta_records ORDER BY doc_id, seq',
  )
  for (const [id, records] of streams) {
    const own = rows.filter((row) => row['doc_id'] === id)
    check(
      own.every((row) => row['t'] === 'integer'),
      `${claim}: seqs are integers`,
    )
    checkEqual(own.map(recordOf), records, `${claim}: rows of ${JSON.stringify(id)}`)
  }
  if (!isMarked) return
  const marks = await place.rows('SELECT key, value FROM kyneta_store_meta')
  checkEqual(
    marks.map((row) => [row['key'], row['value']]),
    [['format', '{"major":1,"minor":0}']],
    `${claim}: the mark of the format`,
  )
}

/** A record as kyneta reads it. Source: shared/research/record-streams.md, 1.3. */
function recordOf(row: { readonly [column: string]: unknown }): StreamRecord {
  const json = JSON.parse(String(row['payload'])) as { readonly [field: string]: unknown }
  if (row['kind'] === 'meta') {
    checkEqual(row['blob'], null, 'the blob of a meta')
    return { kind: 'meta', meta: json } as unknown as StreamRecord
  }
  checkEqual(row['kind'], 'entry', 'the kind of a row')
  const { kind, encoding, version, data: text, lineage } = json
  const blob = row['blob']
  check(blob === null || blob instanceof Uint8Array, 'a blob is bytes or NULL')
  check(blob === null || !('data' in json), 'data is in the payload only where there is no blob')
  const data = blob === null ? text : Uint8Array.from(blob)
  const payload = { kind, encoding, data, ...(lineage === undefined ? {} : { lineage }) }
  return { kind: 'entry', payload, version } as StreamRecord
}

async function checkForeignReads({ openForeign }: StreamTest, foreign: Foreign): Promise<void> {
  const place = await openForeign(withoutNul(foreign.sql))
  const streams = documentsOf(foreign)
  for (const [id, records] of streams) await checkStream(place.store, id, records, JSON.stringify(id))
  checkEqual((await listIds(place.store)).length, streams.size, 'count of ids')
  checkEqual(await listIds(place.store, 'users/'), ['users/a'], 'ids under a prefix')
  const { docs, records } = await place.store.stats()
  const total = [...streams.values()].reduce((sum, stream) => sum + stream.length, 0)
  checkEqual([docs, records], [streams.size, total], 'stats')
  await checkRows(place, foreign, streams, 'after reading')
}

async function checkForeignWrites({ openForeign }: StreamTest, foreign: Foreign): Promise<void> {
  const place = await openForeign(withoutNul(foreign.sql))
  const { store } = place
  const { meta, isMarked } = foreign
  const streams = documentsOf(foreign)
  const add = (id: string, ...records: StreamRecord[]): void =>
    void streams.set(id, [...(streams.get(id) ?? []), ...records])
  const text = entry('"é\0😀\\', 'v', isMarked ? { lineage: 'L2' } : {})
  const bytes = entry(Uint8Array.of(0, 255), 'v')
  const none = entry(new Uint8Array(0), 'v')
  for (const id of ['text', 'gap', 'replaced', '', '日本/é']) {
    await store.append(id, text)
    await store.appendMany(id, [bytes, none])
    add(id, text, bytes, none)
  }
  await store.append('bytes', meta('h5'))
  add('bytes', meta('h5'))
  await store.append('new', meta('h6'))
  await store.append('new', text)
  add('new', meta('h6'), text)
  await store.replace('odd', [bytes, meta('h7'), text])
  streams.set('odd', [bytes, meta('h7'), text])
  await store.compact('gap', (all) => [meta('h8'), entry(`of ${all.length}`)])
  streams.set('gap', [meta('h8'), entry('of 5')])
  await store.delete('a')
  streams.delete('a')
  const words = /replicaType mismatch for document/
  await checkError(store.append('bytes', meta('h', ['loro', 1, 0])), 'StreamMismatchError', words, 'the rules hold')
  for (const [id, records] of streams) {
    await checkStream(store, id, records, JSON.stringify(id))
    checkGrowing(await load(store, id), JSON.stringify(id))
  }
  await checkStream(store, 'a', [], 'a deleted document')
  await checkRows(place, foreign, streams, 'after writing')
}

const MARK = `UPDATE kyneta_store_meta SET value =`

/** Databases that are not to be opened, and why. */
const refused: readonly (readonly [name: string, sql: string, reason: string])[] = [
  ['of a later major version', `${KYNETA_3_SQL}\n${MARK} '{"major":2,"minor":0}';`, 'incompatible-major'],
  ['with a mark that is none', `${KYNETA_3_SQL}\n${MARK} 'one';`, 'malformed-version'],
  ['with documents and without a mark', `${KYNETA_3_SQL}\nDELETE FROM kyneta_store_meta;`, 'unversioned-existing-data'],
]

/** A document whose seqs have gaps of any size, as calls of kyneta that failed leave them. */
function withGaps(id: string, runs: readonly (readonly [seqFirst: number, count: number])[]): string {
  const sqlMeta = JSON.stringify(metaRecord().meta)
  const entryRows = runs.map(
    ([seqFirst, count]) =>
      `WITH RECURSIVE n(i) AS (SELECT ${seqFirst} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${seqFirst + count}) ` +
      `INSERT INTO kyneta_records SELECT '${id}', i, 'entry', ` +
      `'{"kind":"since","encoding":"json","version":"1","data":"' || i || '"}', NULL FROM n;`,
  )
  return [
    `INSERT INTO kyneta_doc_meta VALUES ('${id}', '${sqlMeta}');`,
    `INSERT INTO kyneta_records VALUES ('${id}', 0, 'meta', '${sqlMeta}', NULL);`,
    ...entryRows,
  ].join('\n')
}

/** Streams with gaps, and their seqs. */
const gaps: { readonly [id: string]: readonly (readonly [seqFirst: number, count: number])[] } = {
  'gap of 20000': [
    [1, 100],
    [20_101, 100],
  ],
  'two gaps of 20000': [
    [1, 100],
    [20_101, 50],
    [40_151, 50],
  ],
  'gap of 299': [
    [1, 2],
    [302, 1],
  ],
  'gap of 299, then 70': [
    [1, 2],
    [302, 70],
  ],
}

const GAPS_SQL = [KYNETA_3_SQL, ...Object.entries(gaps).map(([id, runs]) => withGaps(id, runs))].join('\n')

async function eachGap(run: (id: string, seqs: readonly number[]) => Promise<void>): Promise<void> {
  for (const [id, runs] of Object.entries(gaps)) {
    const seqs = runs.flatMap(([seqFirst, count]) => Array.from({ length: count }, (_, i) => seqFirst + i))
    await run(id, [0, ...seqs])
  }
}

/** Databases of kyneta. */
export const foreignCases: readonly StreamCase[] = [
  ...foreigns.flatMap((foreign): StreamCase[] => [
    {
      name: `a database of ${foreign.name} is read as it is, and reading changes nothing`,
      needs: ['openForeign'],
      run: (test) => checkForeignReads(test, foreign),
    },
    {
      name: `a database of ${foreign.name} is written so that kyneta can read it`,
      needs: ['openForeign'],
      run: (test) => checkForeignWrites(test, foreign),
    },
  ]),
  {
    name: 'gaps between the seqs of kyneta hide nothing: all is read, from the beginning, from before a gap and by compact',
    needs: ['openForeign'],
    async run({ openForeign }) {
      const { store } = await openForeign(GAPS_SQL)
      await eachGap(async (id, seqs) => {
        checkEqual(
          (await load(store, id)).map(({ seq }) => seq),
          seqs,
          `${id}: load`,
        )
        checkEqual((await loadAll(store, id)).length, seqs.length, `${id}: loadAll`)
        for (const at of [1, 2]) {
          const rest = await load(store, id, { after: seqs[at] ?? 0, limit: 120 })
          checkEqual(
            rest.map(({ seq }) => seq),
            seqs.slice(at + 1, at + 121),
            `${id}: load after ${seqs[at]}`,
          )
        }
        await store.compact(id, (records) => records)
        checkEqual((await loadAll(store, id)).length, seqs.length, `${id}: compact`)
      })
    },
  },
  {
    name: 'a tail tells streams of kyneta across their gaps, and what comes after',
    needs: ['openForeign'],
    async run({ openForeign }) {
      const { store } = await openForeign(GAPS_SQL)
      await eachGap(async (id, seqs) => {
        const tails = [listen(store, id), listen(store, id, { after: 2 })]
        await store.append(id, entry('more'))
        for (const [i, told] of tails.entries()) {
          const wanted = [...seqs, (seqs.at(-1) ?? 0) + 1].slice(i * 3)
          await until(() => told.records.length >= wanted.length, `${id}: tail ${i} is told all`)
          checkEqual(
            told.records.map(({ seq }) => seq),
            wanted,
            `${id}: tail ${i}`,
          )
          told.tail.stop()
        }
      })
    },
  },
  {
    name: 'a document of kyneta whose id has a NUL is read, and is listed only if it is',
    needs: ['openForeign'],
    async run({ openForeign }) {
      for (const [at, { sql, meta }] of foreigns.entries()) {
        const { store } = await openForeign(sql, `nul-${at}`)
        await checkStream(store, ID_WITH_NUL, [meta('of 3', ['plain', 1, 0])], 'an id with a NUL')
      }
    },
  },
  {
    name: 'a database of kyneta with a later minor version, or without documents, is opened',
    needs: ['openForeign'],
    async run({ openForeign }) {
      const later = await openForeign(`${KYNETA_3_SQL}\n${MARK} '{"major":1,"minor":7}';`, 'minor')
      await checkStream(later.store, 'gap', [metaRecord(), entry('after a gap', '1')], 'a later minor version')
      const tables = KYNETA_3_SQL.split('\n')
        .filter((line) => !line.startsWith('INSERT'))
        .join('\n')
      const empty = await openForeign(tables, 'empty')
      checkEqual(await listIds(empty.store), [], 'no documents')
      await empty.store.append('doc', metaRecord())
      const [, kyneta] = foreigns
      if (kyneta !== undefined) await checkRows(empty, kyneta, new Map([['doc', [metaRecord()]]]), 'a first document')
    },
  },
  ...refused.map(
    ([name, sql, reason], at): StreamCase => ({
      name: `a database of kyneta ${name} is refused`,
      needs: ['openForeign'],
      async run({ openForeign }) {
        // Opening may be lazy: then the first call rejects.
        const opening = openForeign(sql, `refused-${at}`).then((place) => place.store.currentMeta('gap'))
        const failure = await failureOf(opening)
        checkEqual(failure?.name, 'StreamFormatError', `how opening ends (${String(failure?.message)})`)
        checkEqual((failure as Error & { reason?: unknown }).reason, reason, 'the reason')
      },
    }),
  ),
]
