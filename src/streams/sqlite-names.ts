import { InvalidArgumentError } from '../base/errors.js'

/** Names of the tables of kyneta 2.x and 3.x. */
export interface StreamTablesV2 {
  /** Default `kyneta_doc_meta`. */
  readonly docMeta?: string
  /** Default `kyneta_records`. */
  readonly records?: string
  /** Default `kyneta_store_meta`. */
  readonly storeMeta?: string
}

/** Names of the tables of kyneta 1.6. Naming `meta` is what asks for that format. */
export interface StreamTablesV1 {
  readonly meta: string
  /** Default `kyneta_records`. */
  readonly records?: string
}

/** Names of the tables of Varve's own format. */
export interface StreamTablesOwn {
  /** Default `varve_streams`. */
  readonly docs?: string
  /** Default `varve_stream_records`. */
  readonly records?: string
  /** What large records have beyond one row. Default `varve_stream_parts`. */
  readonly parts?: string
  /** Default `varve_stream_format`. */
  readonly format?: string
}

/** The tables of one store: names by what they are for. */
export type TableNames = { readonly [table: string]: string }

export const TABLES_V2 = {
  docMeta: 'kyneta_doc_meta',
  records: 'kyneta_records',
  storeMeta: 'kyneta_store_meta',
} as const
export const TABLES_V1 = { meta: 'kyneta_meta', records: 'kyneta_records' } as const
export const TABLES_OWN = {
  docs: 'varve_streams',
  records: 'varve_stream_records',
  parts: 'varve_stream_parts',
  format: 'varve_stream_format',
} as const

const ARGUMENT = 'createSqliteStreamStore(options.tables)'

/**
 * The names that were given, and the defaults for the others.
 *
 * @param together those of which all are to be named or none: two stores that share only some of their tables would mix their
 * documents.
 * @throws {InvalidArgumentError} one that SQLite cannot have or keeps for itself; two that it would not tell apart; a table
 * that the format does not have.
 */
export function checkTables<T extends TableNames>(
  given: object | undefined,
  defaults: T,
  together: readonly (keyof T & string)[],
): T {
  if (given !== undefined && (typeof given !== 'object' || given === null)) {
    throw new InvalidArgumentError(ARGUMENT, 'an object of names', given)
  }
  const names: Record<string, string> = { ...defaults }
  const named = new Set<string>()
  for (const [table, name] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(defaults, table)) {
      throw new InvalidArgumentError(ARGUMENT, `names for ${Object.keys(defaults).join(', ')}`, table)
    }
    if (name === undefined) continue
    names[table] = checkName(`${ARGUMENT}.${table}`, name)
    named.add(table)
  }
  const isOther = together.some((table) => names[table] !== defaults[table])
  if (isOther && !together.every((table) => named.has(table))) {
    throw new InvalidArgumentError(
      ARGUMENT,
      `names for ${together.join(' and ')}, or for none of them: a store that shares only some of them mixes its documents with those of another`,
      [...named].join(', '),
    )
  }
  const lower = Object.values(names).map(lowerCase)
  if (new Set(lower).size < lower.length) {
    throw new InvalidArgumentError(
      ARGUMENT,
      'names that differ, in more than their case',
      Object.values(names).join(', '),
    )
  }
  return names as unknown as T
}

/** Quotes a name for SQL, in the main database: a temporary table of the same name is another one. */
export function quoteTable(name: string): string {
  return `main."${name.replaceAll('"', '""')}"`
}

/** Lower case as SQLite compares names: ASCII only. */
export function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function checkName(argument: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') throw new InvalidArgumentError(argument, 'a name', name)
  if (/[\0\p{Surrogate}]/u.test(name)) {
    throw new InvalidArgumentError(argument, 'a name without NUL and without half surrogate pairs', name)
  }
  if (/^sqlite_/i.test(name)) {
    throw new InvalidArgumentError(argument, 'a name that does not begin with sqlite_, which SQLite keeps', name)
  }
  return name
}
