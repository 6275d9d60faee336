import type { StreamRecord } from '../../src/streams/record.js'
import type { OnRecord, StreamStore, StreamTail, TailOptions, TailPrefix } from '../../src/streams/stream-store.js'
import type { ForeignPlace, StreamConformanceOptions } from '../../src/testing/stream-case.js'
import { cut } from './planted-bug.js'

export type OpenForeign = Required<StreamConformanceOptions>['openForeign']

/** What a store gets wrong with databases of kyneta: it opens them by `open`, which does it right. */
export type ForeignBug = readonly [
  bug: string,
  caughtBy: readonly string[],
  openWrong: (open: OpenForeign) => OpenForeign,
]

/** The place, with some methods of its store replaced. */
async function changed(
  place: ForeignPlace | Promise<ForeignPlace>,
  change: (store: StreamStore) => Partial<StreamStore>,
) {
  const { store, rows } = await place
  const wrong = change(store)
  const get = (_: StreamStore, key: keyof StreamStore): unknown =>
    wrong[key] ?? (store[key] as (...args: never[]) => unknown).bind(store)
  return { store: new Proxy(store, { get: get as ProxyHandler<StreamStore>['get'] & object }), rows }
}

async function* upToGap(source: AsyncIterable<StreamRecord & { readonly seq: number }>) {
  let last = -1
  for await (const row of source) {
    if (last !== -1 && row.seq > last + 256) return
    last = row.seq
    yield row
  }
}

function tailUpToGap(
  store: StreamStore,
  target: string | TailPrefix,
  options: TailOptions | undefined,
  onRecord: OnRecord,
): StreamTail {
  let last = -1
  return store.tail(target, options, (record, id) => {
    if (last !== -1 && record.seq > last + 256) return undefined
    last = record.seq
    return onRecord(record, id)
  })
}

function asText(record: StreamRecord): StreamRecord {
  if (record.kind === 'meta' || typeof record.payload.data === 'string') return record
  return { ...record, payload: { ...record.payload, data: String.fromCharCode(...record.payload.data) } }
}

export const foreignBugs: readonly ForeignBug[] = [
  [
    'a database is tidied when it is opened',
    [
      'a database of kyneta 1.6 is read as it is, and reading changes nothing',
      'a database of kyneta 3.0 is read as it is, and reading changes nothing',
    ],
    (open) => (place, sql) => open(place, `${sql}\nDELETE FROM kyneta_records WHERE doc_id = 'replaced' AND seq = 0;`),
  ],
  [
    'bytes are written as text',
    [
      'a database of kyneta 1.6 is written so that kyneta can read it',
      'a database of kyneta 3.0 is written so that kyneta can read it',
    ],
    (open) => (place, sql) =>
      changed(open(place, sql), (store) => ({
        appendMany: (id, records) => store.appendMany(id, records.map(asText)),
      })),
  ],
  [
    'the binding cuts ids at a NUL',
    ['a document of kyneta whose id has a NUL is read, and is listed only if it is'],
    (open) => (place, sql) => changed(open(place, sql), (store) => ({ loadAll: (id) => store.loadAll(cut(id)) })),
  ],
  [
    'a later minor version is refused',
    ['a database of kyneta with a later minor version, or without documents, is opened'],
    (open) => async (place, sql) => {
      if (sql.includes('"minor":7')) throw new Error('a later version')
      return open(place, sql)
    },
  ],
  [
    'the mark of the format is written without looking at it',
    [
      'a database of kyneta of a later major version is refused',
      'a database of kyneta with a mark that is none is refused',
      'a database of kyneta with documents and without a mark is refused',
    ],
    (open) => (place, sql) =>
      open(place, `${sql}\nINSERT OR REPLACE INTO kyneta_store_meta VALUES ('format', '{"major":1,"minor":0}');`),
  ],
  [
    'a gap is taken for the end',
    [
      'gaps between the seqs of kyneta hide nothing: all is read, from the beginning, from before a gap and by compact',
      'a tail tells streams of kyneta across their gaps, and what comes after',
    ],
    (open) => (place, sql) =>
      changed(open(place, sql), (store) => ({
        load: (id, options) => upToGap(store.load(id, options)),
        tail: (...args) => tailUpToGap(store, ...args),
      })),
  ],
]
