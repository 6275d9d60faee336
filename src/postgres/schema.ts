import { StreamFormatError } from '../streams/errors.js'
import { type Ask, type PostgresAccess, type Row, stateOf } from './access.js'
import { nameWith, type PostgresStreamTables, quoteName } from './names.js'

/** The tables of a store as they are there, with quoted names. */
export interface StreamTables {
  readonly docs: string
  readonly records: string
  readonly storeMeta: string
  /** Identifies the table of records: what writers lock is made of it. */
  readonly oid: number
}

interface Column {
  readonly name: string
  /** Those that will do, the first one for making it. */
  readonly types: readonly string[]
  readonly sql: string
  readonly isKey: boolean
}

type Shape = readonly Column[]

const column = (name: string, types: readonly string[], sql: string, isKey = false): Column => {
  return { name, types, sql: `${types[0]} ${sql}`.trim(), isKey }
}

/** Shapes of kyneta's tables. Source: shared/research/record-streams.md, 1.5. */
const DOC_META: Shape = [column('doc_id', ['text'], 'COLLATE "C"', true), column('data', ['jsonb'], 'NOT NULL')]
const RECORDS: Shape = [
  column('doc_id', ['text'], 'COLLATE "C"', true),
  // kyneta takes no other type than this one.
  column('seq', ['integer', 'bigint'], '', true),
  column('kind', ['text'], 'NOT NULL'),
  column('payload', ['text'], ''),
  column('blob', ['bytea'], ''),
]
const STORE_META: Shape = [column('key', ['text'], '', true), column('value', ['jsonb'], 'NOT NULL')]

/** The version of the format that is written here, and the major that is read. */
const FORMAT = { major: 1, minor: 0 }
/** What those that make tables take turns by: 'varve' in ASCII. */
const SCHEMA_LOCK = 0x76_61_72_76_65

/**
 * Sees to it that the tables are there, and that they are ours. What makes them is one transaction, and any number of processes
 * may begin at once.
 *
 * @param schema `undefined`: the first one of the connection's search path.
 * @throws {StreamFormatError} they are something else, or of another format. Nothing was written.
 */
export async function openTables(
  access: PostgresAccess,
  names: Required<PostgresStreamTables>,
  schema: string | undefined,
): Promise<StreamTables> {
  const tables = await access.transaction([`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`], async (ask) => {
    const place = await placeOf(ask, schema)
    const quoted = (name: string): string => `${quoteName(place)}.${quoteName(name)}`
    const wanted: readonly (readonly [name: string, shape: Shape])[] = [
      [names.docMeta, DOC_META],
      [names.records, RECORDS],
      [names.storeMeta, STORE_META],
    ]
    for (const [name, shape] of wanted) {
      if (!(await hasTable(ask, place, name, shape))) await ask(tableSql(quoted(name), shape))
    }
    const [docs, records, storeMeta] = [quoted(names.docMeta), quoted(names.records), quoted(names.storeMeta)]
    await checkStamp(ask, docs, storeMeta, names.storeMeta)
    const [row] = await ask('SELECT $1::regclass::oid::text AS oid', [records])
    return { docs, records, storeMeta, oid: Number(row?.['oid']), place }
  })
  await ensureOrder(access, tables.place, names.docMeta, tables.docs)
  return tables
}

async function placeOf(ask: Ask, schema: string | undefined): Promise<string> {
  const [row] = await ask("SELECT current_schema()::text AS schema, current_setting('server_encoding') AS encoding")
  if (row?.['encoding'] !== 'UTF8') {
    throw formatError(`a database with the encoding ${String(row?.['encoding'])}`, 'one with UTF8', 'foreign-tables')
  }
  const place = schema ?? row['schema']
  if (typeof place !== 'string') throw formatError('no schema in the search path', 'one', 'foreign-tables')
  // Asked first: who may use a schema need not be allowed to make one.
  const there = await ask('SELECT 1 AS n FROM pg_catalog.pg_namespace WHERE nspname = $1', [place])
  if (there.length === 0) await ask(`CREATE SCHEMA IF NOT EXISTS ${quoteName(place)}`)
  return place
}

/** Truth values as texts, so that it does not matter what the program has pg make of them. */
const COLUMNS_SQL =
  'SELECT c.relkind::text AS relkind, a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, ' +
  'coalesce(a.attnum = ANY (i.indkey), false)::text AS is_key, coalesce(l.collisdeterministic, true)::text AS is_exact, ' +
  "(a.attnotnull AND NOT a.atthasdef)::text AS is_needed, coalesce(l.collname::text, '') AS collation FROM pg_catalog.pg_class c " +
  'JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ' +
  'LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ' +
  'LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary ' +
  'LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation WHERE n.nspname = $1 AND c.relname = $2'

/** Whether the table is there, and one of ours; more columns do not matter, unless they have to be filled. */
async function hasTable(ask: Ask, schema: string, name: string, shape: Shape): Promise<boolean> {
  const found = await ask(COLUMNS_SQL, [schema, name])
  if (found.length === 0) return false
  const isTable = ['r', 'p'].includes(String(found[0]?.['relkind']))
  const isSame = shape.every((wanted) => found.some((row) => fits(row, wanted)))
  const known = new Set(shape.map((one) => one.name))
  const others = found.filter((row) => !known.has(String(row['name'])))
  if (isTable && isSame && !others.some((row) => row['is_needed'] === 'true' || row['is_key'] === 'true')) return true
  const columns = found.map((row) => `${String(row['name'])} ${String(row['type'])}`).join(', ')
  const wanted = `a table with ${shape.map((one) => `${one.name} ${one.types[0]}`).join(', ')}, keyed by them, compared exactly`
  throw formatError(
    `${isTable ? 'a table' : 'no table'} with ${columns || 'no columns'}`,
    wanted,
    'foreign-tables',
    name,
  )
}

/** Without an exact collation, ids that differ could be the same. */
function fits(row: Row, { name, types, isKey }: Column): boolean {
  if (row['name'] !== name || !types.includes(String(row['type']))) return false
  return row['is_key'] === String(isKey) && (!isKey || row['is_exact'] === 'true')
}

function tableSql(quoted: string, shape: Shape): string {
  const columns = shape.map((one) => `${one.name} ${one.sql}`)
  const keys = shape.filter((one) => one.isKey).map((one) => one.name)
  return `CREATE TABLE IF NOT EXISTS ${quoted} (${columns.join(', ')}, PRIMARY KEY (${keys.join(', ')}))`
}

/** Sees to it that the tables have a version, and that it is one that is read here. */
async function checkStamp(ask: Ask, docs: string, storeMeta: string, name: string): Promise<void> {
  const [row] = await ask(`SELECT value::text AS value FROM ${storeMeta} WHERE key = 'format'`)
  const current = `${FORMAT.major}.${FORMAT.minor}`
  if (row === undefined) {
    const any = await ask(`SELECT 1 AS n FROM ${docs} LIMIT 1`)
    if (any.length > 0) throw formatError('none', current, 'unversioned-existing-data', name)
    const stamp = JSON.stringify(FORMAT)
    await ask(`INSERT INTO ${storeMeta} (key, value) VALUES ('format', $1::jsonb) ON CONFLICT (key) DO NOTHING`, [
      stamp,
    ])
    return
  }
  const { major, minor } = (JSON.parse(String(row['value'])) ?? {}) as { major?: unknown; minor?: unknown }
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
  if (!isCount(major) || !isCount(minor)) throw formatError(String(row['value']), current, 'malformed-version', name)
  if (major !== FORMAT.major)
    throw formatError(`${String(major)}.${String(minor)}`, current, 'incompatible-major', name)
}

/** Ids are listed by their bytes. Tables of kyneta may have another order, so they get an index more. */
async function ensureOrder(access: PostgresAccess, schema: string, name: string, docs: string): Promise<void> {
  const columns = await access.read(COLUMNS_SQL, [schema, name])
  const collation = columns.find((row) => row['name'] === 'doc_id')?.['collation']
  if (collation === 'C' || collation === 'POSIX') return
  const index = nameWith(name, '_by_bytes')
  const indexed = await access.read(
    'SELECT 1 AS n FROM pg_catalog.pg_indexes WHERE schemaname = $1 AND indexname = $2',
    [schema, index],
  )
  if (indexed.length > 0) return
  const lock = `SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`
  const making = access.transaction([lock], (ask) =>
    ask(`CREATE INDEX IF NOT EXISTS ${quoteName(index)} ON ${docs} (doc_id COLLATE "C")`),
  )
  await making.catch((error: unknown) => {
    // Who may not make one has lists that are right all the same, and slow.
    if (stateOf(error) !== '42501') throw error
  })
}

function formatError(
  found: string,
  wanted: string,
  reason: StreamFormatError['reason'],
  table?: string,
): StreamFormatError {
  const where = table === undefined ? '' : `; table "${table}"`
  const message =
    `postgres store: incompatible format (${reason}) — on disk ${found}, this build ${wanted}${where}. No migration is ` +
    'performed; it was left as it is; name other tables, or open it with what wrote it'
  return new StreamFormatError('STREAM_FORMAT', message, { reason, stored: found, current: wanted, table })
}
