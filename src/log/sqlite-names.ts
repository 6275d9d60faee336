import { META_FIELDS } from '../schema/definition.js'

const VIEW_NAME_LENGTH_MAX = 200

/** How large a view may be. */
export interface ViewLimits {
  /** Columns, `record` included. */
  readonly viewColumns: number
  /** UTF-16 units of all columns in the statement that makes it. */
  readonly viewLength: number
}

// Names that SQL text, or a JSON path of an older SQLite, cannot hold as they are.
const UNFIT_NAME = /[\0\p{Surrogate}]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const UNFIT_FIELD = /[\u0000-\u001f"\\\p{Surrogate}]/u

/** Quotes an identifier for SQL. Source: https://sqlite.org/lang_keywords.html */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A name as the text of `varve_buckets.name`: its JSON without the quotes, which most names are themselves. */
export function nameText(name: string): string {
  return JSON.stringify(name).slice(1, -1)
}

/** The name that `nameText` made `text` of. @throws {Error} it made no such text. */
export function nameOf(text: string): string {
  return JSON.parse(`"${text}"`) as string
}

/**
 * The name of the view of a bucket: the bucket's own name where SQLite can have it, else `bucket_<id>`.
 *
 * @param taken names of tables and views that exist, in lower case: SQLite does not tell cases apart.
 */
export function viewName(bucket: string, id: number, taken: ReadonlySet<string>): string {
  const fits = bucket !== '' && bucket.length <= VIEW_NAME_LENGTH_MAX && !UNFIT_NAME.test(bucket)
  if (fits && !/^(sqlite_|varve_)/i.test(bucket) && !taken.has(lowerCase(bucket))) return bucket
  let name = `bucket_${id}`
  while (taken.has(name)) name += '_'
  return name
}

/** Lower case as SQLite compares names: ASCII only. */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/**
 * SQL that makes the view of a bucket: a column per field, then metadata, then the record itself. Fields whose name
 * needs an escape in JSON have no column, because SQLite before 3.45 cannot find them; they are in `record`.
 */
export function viewSql(view: string, id: number, fields: readonly string[], limits: ViewLimits): string {
  const fit = fields.filter((field) => field !== '' && !UNFIT_FIELD.test(field))
  const meta = META_FIELDS.map(viewColumn)
  const shown = new Map<string, string>()
  let length = meta.join().length
  for (const field of new Set(fit)) {
    const column = viewColumn(field)
    length += column.length
    // Metadata and `record` come after them. The fields that have no column are in `record`.
    if (shown.size + META_FIELDS.length + 1 >= limits.viewColumns || length > limits.viewLength) break
    shown.set(field, column)
  }
  for (const [i, field] of META_FIELDS.entries()) shown.set(field, meta[i] as string)
  const columns = [...shown.values()]
  if (![...shown.keys()].some((field) => lowerCase(field) === 'record')) columns.push('record')
  return `CREATE VIEW ${quoteName(view)} AS SELECT ${columns.join(', ')} FROM varve_rows_${id} ORDER BY ordinal`
}

function viewColumn(field: string): string {
  return `record ->> '$."${field.replaceAll("'", "''")}"' AS ${quoteName(field)}`
}
