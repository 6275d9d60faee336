import { InvalidArgumentError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { checkRuntime, RecordStreams } from '../streams/record-streams.js'
import type { StreamStore } from '../streams/stream-store.js'
import { isPool, PostgresAccess } from './access.js'
import { PostgresBackend } from './backend.js'
import { checkSchema, checkTables, type PostgresStreamTables } from './names.js'
import type { PostgresClient, PostgresPool } from './port.js'
import { openTables } from './schema.js'

/** Where in a database a store keeps its streams. */
export interface PostgresStreamOptions {
  /** Names of the tables, for several stores in one schema. Default: those of kyneta. */
  readonly tables?: PostgresStreamTables
  /** The schema that they are in; made where there is none. Default: the first one of the connection's search path. */
  readonly schema?: string
  /** True: `close` ends the pool or the connection. Default false. */
  readonly own?: boolean
  /** Clock, timers and chance. Default: the host's. */
  readonly runtime?: Runtime
}

const WHERE = 'createPostgresStreamStore'

/**
 * A store of record streams in tables of PostgreSQL (13 or later, encoding UTF8), as kyneta 2.x and 3.x have them; makes them
 * where there are none. Any number of stores, in any number of processes, may share the tables.
 *
 * @param source a `Pool` of `pg`, or a connected `Client`, which has to be outside a transaction, and be left to the store
 * until it is closed; several stores may share one. A pool needs a listener for `error` of the program's own: an idle
 * connection that breaks would end the program without one.
 * @throws {StreamFormatError} tables of these names are something else, or of another format. Nothing was written.
 * {InvalidArgumentError} also for a `Client` in a transaction. What the connection throws.
 */
export async function createPostgresStreamStore(
  source: PostgresPool | PostgresClient,
  options: PostgresStreamOptions = {},
): Promise<StreamStore> {
  checkSource(source)
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError(`${WHERE}(options)`, 'an object', options)
  }
  const { own = false } = options
  if (typeof own !== 'boolean') throw new InvalidArgumentError(`${WHERE}(options.own)`, 'a boolean', own)
  const [tables, schema] = [checkTables(options.tables), checkSchema(options.schema)]
  const runtime = checkRuntime(WHERE, options.runtime)
  const access = new PostgresAccess(source, runtime)
  await access.mustBeIdle()
  const opened = await openTables(access, tables, schema)
  return new RecordStreams(new PostgresBackend(access, opened, own), runtime)
}

function checkSource(source: unknown): void {
  const isObject = typeof source === 'object' && source !== null
  const method = isObject && isPool(source as PostgresPool) ? 'connect' : 'query'
  if (isObject && typeof (source as { [method: string]: unknown })[method] === 'function') return
  throw new InvalidArgumentError(`${WHERE}(source)`, 'a Pool or a Client of pg', source)
}
