import { InvalidArgumentError } from '../base/errors.js'

/** Names of the tables, those of kyneta 2.x and 3.x. */
export interface PostgresStreamTables {
  /** Default `kyneta_doc_meta`. */
  readonly docMeta?: string
  /** Default `kyneta_records`. */
  readonly records?: string
  /** Default `kyneta_store_meta`. */
  readonly storeMeta?: string
}

const DEFAULTS = { docMeta: 'kyneta_doc_meta', records: 'kyneta_records', storeMeta: 'kyneta_store_meta' }
/** PostgreSQL cuts off what is longer, without an error (NAMEDATALEN). */
const NAME_BYTES_MAX = 63
const WHERE = 'createPostgresStreamStore'

/**
 * The names that were given, and the defaults for the others.
 *
 * @throws {InvalidArgumentError} one that PostgreSQL cannot have, two that are the same, a table that the format does not have.
 */
export function checkTables(given: unknown): Required<PostgresStreamTables> {
  const argument = `${WHERE}(options.tables)`
  if (given !== undefined && (typeof given !== 'object' || given === null)) {
    throw new InvalidArgumentError(argument, 'an object with names', given)
  }
  const names: Record<string, string> = { ...DEFAULTS }
  for (const [table, name] of Object.entries((given ?? {}) as { readonly [table: string]: unknown })) {
    if (!Object.hasOwn(DEFAULTS, table)) {
      throw new InvalidArgumentError(argument, `names for ${Object.keys(DEFAULTS).join(', ')}`, table)
    }
    if (name !== undefined) names[table] = checkName(`${argument}.${table}`, name)
  }
  const all = Object.values(names)
  if (new Set(all).size < all.length) throw new InvalidArgumentError(argument, 'names that differ', all.join(', '))
  return names as Required<PostgresStreamTables>
}

/** The name of a schema, or `undefined`. @throws {InvalidArgumentError} */
export function checkSchema(given: unknown): string | undefined {
  return given === undefined ? undefined : checkName(`${WHERE}(options.schema)`, given)
}

/** Quotes a name for SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The beginning of a name that leaves room for `ending`. */
export function nameWith(name: string, ending: string): string {
  let start = name
  while (bytesOfName(start + ending) > NAME_BYTES_MAX) start = Array.from(start).slice(0, -1).join('')
  return start + ending
}

function checkName(argument: string, name: unknown): string {
  if (typeof name !== 'string' || name === '') throw new InvalidArgumentError(argument, 'a name', name)
  if (/[\0\p{Surrogate}]/u.test(name)) {
    throw new InvalidArgumentError(argument, 'a name without NUL and without half surrogate pairs', name)
  }
  if (bytesOfName(name) > NAME_BYTES_MAX) {
    throw new InvalidArgumentError(argument, `a name of at most ${NAME_BYTES_MAX} bytes`, name)
  }
  return name
}

function bytesOfName(name: string): number {
  return new TextEncoder().encode(name).length
}
