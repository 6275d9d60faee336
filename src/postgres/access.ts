import { asError, InvalidArgumentError, VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { StreamConflictError } from '../streams/errors.js'
import type { PostgresClient, PostgresPool, PostgresPoolClient } from './port.js'

export type Row = { readonly [column: string]: unknown }

/** Asks the server, on one connection. */
export type Ask = (sql: string, values?: unknown[]) => Promise<readonly Row[]>

/** Serialization failure, deadlock, and a key that somebody else took who does not take our locks. */
const AGAIN = /^(40001|40P01|23505)$/
/** A statement by itself writes nothing where transactions only read by default; one that says READ WRITE does. */
const READ_ONLY = '25006'
/** The server has ended the connection, or is ending or starting. */
const LOST = /^(08|57P0[123])/
const OF_SERVER = /^(08|53|57P0|55P03)/
/** Reads look for another connection no longer than this, be it that waiting for an answer was what took so long. */
const LOST_MS_MAX = 2_000
const TRIES_MAX = 12
const WAIT_MS_FIRST = 4
const WAIT_MS_MAX = 250

/** Who waits for a connection that is not of a pool: one at a time, over all stores that were given it. */
const LINES = new WeakMap<PostgresClient, Promise<void>>()
/** Connections that are not of a pool, with a transaction of ours that could not be ended. */
const LEFT_OPEN = new WeakSet<PostgresClient>()

/** Connections to the server: a pool's, one for each piece of work, or a single one, one piece of work after another. */
export class PostgresAccess {
  readonly #source: PostgresPool | PostgresClient
  readonly #runtime: Runtime

  constructor(source: PostgresPool | PostgresClient, runtime: Runtime) {
    this.#source = source
    this.#runtime = runtime
  }

  /** One statement that reads. Where its connection is lost, it is tried with others of the pool, for about two seconds. */
  read(sql: string, values: unknown[]): Promise<readonly Row[]> {
    const begin = this.#runtime.elapsed()
    const isTriedAgain = (error: unknown): boolean =>
      isAgain(error) || (isLost(error) && this.#hasOthers() && this.#runtime.elapsed() - begin < LOST_MS_MAX)
    return this.#again(() => this.#use((ask) => ask(sql, values)), isTriedAgain)
  }

  /**
   * Runs one statement that writes, all or nothing.
   *
   * @returns false when nothing was written, as others were in its way, or it takes a transaction that says that it writes.
   */
  async tryWrite(work: (ask: Ask) => Promise<void>): Promise<boolean> {
    try {
      await this.#use((ask) => work(ask).catch((error) => throwWritten(error)))
      return true
    } catch (error) {
      if (isAgain(error) || stateOf(error) === READ_ONLY) return false
      throw error
    }
  }

  /**
   * One transaction in which each statement sees what was committed before it. `work` may run again.
   *
   * @param first statements without values, run with the one that begins it: locks.
   * @throws what `work` throws, then nothing was written; {VarveError} with `outcome: 'unknown'`: the answer to the commit was lost.
   */
  transaction<T>(first: readonly string[], work: (ask: Ask) => Promise<T>): Promise<T> {
    return this.#again(() =>
      this.#use(async (ask) => {
        try {
          await ask(['BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE', ...first].join('; '))
          const result = await work(ask)
          await ask('COMMIT').catch((error) => throwWritten(error))
          return result
        } catch (error) {
          await rollBack(ask, error)
          throw error
        }
      }),
    )
  }

  /** @throws {InvalidArgumentError} a single connection that is in a transaction, which a commit of ours would end. */
  async mustBeIdle(): Promise<void> {
    if (isPool(this.#source)) return
    // What is set for a transaction is gone with the statement where there is none.
    await this.read("SELECT set_config('varve.transaction', 'open', true)", [])
    const [row] = await this.read("SELECT current_setting('varve.transaction', true) AS found", [])
    if (row?.['found'] === 'open') mustBeIdle('T')
  }

  /** Ends the pool or the connection. */
  async end(): Promise<void> {
    await this.#source.end?.()
  }

  async #use<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    if (!isPool(this.#source)) return await inLine(this.#source, work)
    const client = await this.#source.connect()
    return await onClient(client, work, (error) => client.release(error))
  }

  /** Whether there are other connections than one that is lost. */
  #hasOthers(): boolean {
    return isPool(this.#source) && this.#source.ending !== true
  }

  async #again<T>(work: () => Promise<T>, isTriedAgain = isAgain): Promise<T> {
    for (let tries = 1, ms = WAIT_MS_FIRST; ; tries++, ms = Math.min(2 * ms, WAIT_MS_MAX)) {
      try {
        return await work()
      } catch (error) {
        if (tries >= TRIES_MAX || !isTriedAgain(error)) throw asError(error)
      }
      // Not together: who collided would collide again.
      const wait = ms * (0.5 + this.#runtime.random())
      await new Promise<void>((resolve) => void this.#runtime.setTimer(wait, resolve, true))
    }
  }
}

/** Whether it is a pool. A client has no count of connections. */
export function isPool(source: PostgresPool | PostgresClient): source is PostgresPool {
  return typeof (source as Partial<PostgresPool>).totalCount === 'number'
}

/** What the server says about an error (SQLSTATE); `undefined`: it is not the server's. */
export function stateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined
}

/** Whether others were in the way. */
function isAgain(error: unknown): boolean {
  return error instanceof StreamConflictError || AGAIN.test(stateOf(error) ?? '')
}

/** Whether the connection was, or there was none. What was asked may have been done all the same. */
/** Whether a write was refused for what no document can help: no connection to be had, a lock, a server that ends or is full. */
export function isOfServer(error: Error): boolean {
  const state = stateOf(error)
  if (state !== undefined) return OF_SERVER.test(state)
  // What pg-pool says when none of its connections comes free, and what sockets say.
  return (
    error.message.startsWith('timeout exceeded when trying to connect') ||
    /^E(CONN|PIPE)/.test(String((error as { code?: unknown }).code))
  )
}

function isLost(error: unknown): boolean {
  const state = stateOf(error)
  return state === undefined ? !(error instanceof VarveError) : LOST.test(state)
}

/** Runs `work` when all who came before have had the connection. */
async function inLine<T>(client: PostgresClient, work: (ask: Ask) => Promise<T>): Promise<T> {
  const before = LINES.get(client)
  const result = (async () => {
    await before
    await endLeftOpen(client)
    mustBeIdle(client.getTransactionStatus?.())
    return await onClient(client, work, (error) => void (error instanceof BrokenError && LEFT_OPEN.add(client)))
  })()
  LINES.set(
    client,
    result.then(
      () => undefined,
      // Who asked is told; who comes next is not concerned.
      () => undefined,
    ),
  )
  return await result
}

/**
 * Ends the transaction of ours that may be open still: pg gives a statement up (`query_timeout`) that the server goes on with.
 *
 * @throws {VarveError} STREAM_CONNECTION_STUCK: it cannot be ended.
 */
async function endLeftOpen(client: PostgresClient): Promise<void> {
  if (!LEFT_OPEN.has(client)) return
  try {
    await onClient(
      client,
      (ask) => ask('ROLLBACK'),
      () => undefined,
    )
  } catch (cause) {
    const message =
      "postgres stream store(source): a transaction of the store's own is open on this Client since a call that failed, and could " +
      `not be rolled back (${asError(cause).message}), as the server does not answer or the connection is gone; this call did ` +
      'nothing; call again when the server answers, or end the Client and open a store on a new one'
    throw new VarveError('STREAM_CONNECTION_STUCK', message, { cause })
  }
  LEFT_OPEN.delete(client)
}

/** @param status as the server said it last: I, T or E. @throws {InvalidArgumentError} the program is in a transaction. */
function mustBeIdle(status: unknown): void {
  if (status !== 'T' && status !== 'E') return
  const expected = 'a connection outside a transaction'
  throw new InvalidArgumentError('postgres stream store(source)', expected, status, 'one inside a transaction')
}

/** @param release with an error when nobody knows in which state the connection is. */
async function onClient<T>(
  client: PostgresClient | PostgresPoolClient,
  work: (ask: Ask) => Promise<T>,
  release: (error?: Error) => void,
): Promise<T> {
  // Without a listener, the end of a connection ends the program; what was asked is told of it, too.
  const onError = (): void => undefined
  client.on?.('error', onError)
  const ask: Ask = async (sql, values) => (await client.query(sql, values)).rows
  let broken: Error | undefined
  try {
    return await work(ask)
  } catch (error) {
    const { outcome } = error as { outcome?: unknown }
    const isOurs = error instanceof VarveError && outcome === undefined
    if (!isOurs && stateOf(error) === undefined) broken = asError(error)
    throw error instanceof BrokenError ? error.cause : error
  } finally {
    client.removeListener?.('error', onError)
    release(broken)
  }
}

/** A transaction could not be ended: the connection is of no use any more. Never leaves this file. */
class BrokenError extends Error {}

async function rollBack(ask: Ask, thrown: unknown): Promise<void> {
  await ask('ROLLBACK').catch(() => {
    // What came first is what the caller is told.
    throw new BrokenError('ROLLBACK failed', { cause: thrown })
  })
}

/** Says whether it may have been written all the same: the server did not answer, or was ending the connection. */
function throwWritten(thrown: unknown): never {
  const state = stateOf(thrown)
  if (state !== undefined && !/^(08|57P)/.test(state)) throw thrown
  const message =
    `postgres stream store: the answer to a commit was lost (${asError(thrown).message}); either all of it was written or ` +
    'nothing; read the stream before writing it again'
  throw new VarveError('STREAM_OUTCOME_UNKNOWN', message, { outcome: 'unknown', cause: thrown })
}
