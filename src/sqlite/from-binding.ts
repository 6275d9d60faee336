import { asError, InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import { type AdapterOptions, adapterOf } from './adapter.js'
import { type Binding, CHANGING } from './binding.js'
import { asSqliteError } from './error.js'
import type { SqliteAdapter } from './port.js'
import { checkMethods } from './recognise.js'
import { probeTraits } from './traits.js'
import type { Traits } from './values.js'

/** The least that a binding of your own has to give; all calls are synchronous. Errors and values may be its own. */
export interface SimpleBinding {
  /** Runs one or more statements without parameters. */
  exec(sql: string): unknown
  /** Runs one statement, to its end, and answers its rows: objects by column name. */
  all(sql: string, values: readonly unknown[]): Iterable<object>
  /** Runs one statement whose rows nobody wants. Needed where `all` refuses statements that answer no rows. */
  run?(sql: string, values: readonly unknown[]): unknown
  /** Only where BEGIN is not allowed: runs `fn` as one unit, and nests. */
  transaction?<R>(fn: () => R): R
  /**
   * True while a transaction is open on the connection. Without it, a transaction that somebody else ends (by COMMIT on the raw
   * connection) is noticed only when it is to be committed: what was written after that end stays.
   */
  inTransaction?(): boolean
  close?(): unknown
}

/**
 * The adapter on a binding that nobody here knows: values, errors, transactions and the end are made what they are on all others.
 * What the binding does with values is found out by trying: what it would round or cut is refused, and integers that it cannot
 * read are read as text by another SELECT.
 *
 * @throws {InvalidArgumentError} a method is missing, or is asynchronous, or rows are no objects. {SqliteError} it cannot run a
 * SELECT.
 */
export function fromBinding(binding: SimpleBinding, options?: AdapterOptions): SqliteAdapter {
  checkMethods('fromBinding', binding, 'an object with exec and all', ['exec', 'all'])
  const told: unknown = binding.inTransaction
  if (told !== undefined && typeof told !== 'function') {
    throw new InvalidArgumentError('fromBinding(binding.inTransaction)', 'a function that answers true or false', told)
  }
  const all = (sql: string, values: readonly unknown[]): unknown[] => Array.from(rowsOf(binding.all(sql, values)))
  const { traits, lossy } = probeTraits(all)
  if (binding.run === undefined && binding.transaction === undefined) checkRuns(binding, all)
  return adapterOf('fromBinding', simpleBinding(binding, traits, lossy), options, binding)
}

/** @throws {InvalidArgumentError} `all` refuses a statement that answers no rows. {SqliteError} `exec` fails. */
function checkRuns(binding: SimpleBinding, all: (sql: string, values: readonly unknown[]) => unknown[]): void {
  try {
    all('SAVEPOINT varve_probe', [])
  } catch (error) {
    const expected = `a method run(sql, values), since all refuses what answers no rows (${asError(error).message})`
    throw new InvalidArgumentError('fromBinding(binding.run)', expected, undefined)
  }
  try {
    checkDone('exec', binding.exec('RELEASE varve_probe'))
  } catch (error) {
    throw error instanceof InvalidArgumentError ? error : asSqliteError(error)
  }
}

/** @throws {InvalidArgumentError} they do not come at once. */
function rowsOf(answer: Iterable<object>): Iterable<object> {
  checkDone('all', answer)
  if (typeof answer === 'object' && answer !== null && Symbol.iterator in answer) return answer
  const expected = 'rows at once, in an array: a binding that tells them by a callback or later cannot be used'
  throw new InvalidArgumentError('fromBinding(binding.all)', expected, answer)
}

/** @throws {InvalidArgumentError} `answer` is a promise: what the method does comes later. */
function checkDone(method: string, answer: unknown): void {
  if (typeof answer !== 'object' || answer === null) return
  const { then } = answer as { then?: unknown }
  if (typeof then !== 'function') return
  // Nobody else can see this promise, and its failure is a consequence of this one.
  quietly(() => void (then as Promise<unknown>['then']).call(answer, undefined, () => undefined))
  const expected = 'a method whose work is done when it returns: an asynchronous binding cannot be used'
  throw new InvalidArgumentError(`fromBinding(binding.${method})`, expected, answer)
}

/** What the binding says; `undefined`: it cannot tell. */
function toldBy(inTransaction: () => unknown): boolean | undefined {
  // One that fails, as on a connection that is closed, does not tell; whatever is done with the connection next says why.
  const told = quietly(inTransaction)
  return typeof told === 'boolean' ? told : undefined
}

const READING: readonly string[] = ['SELECT', 'VALUES', 'EXPLAIN', 'PRAGMA']

/** A binding that is put together from few methods. @param lossy true: integers beyond 2^53 come rounded, or cannot be read. */
export function simpleBinding(binding: SimpleBinding, traits: Traits, lossy: boolean): Binding {
  const all = (sql: string, values: readonly unknown[]): object[] => {
    const rows: object[] = []
    // They may be frozen, or be handed out again to the next who asks.
    for (const row of rowsOf(binding.all(sql, values))) rows.push({ ...row })
    return rows
  }
  const { transaction, inTransaction } = binding
  return {
    traits,
    ...(lossy ? { lossy } : {}),
    exec: (sql) => checkDone('exec', binding.exec(sql)),
    prepare(sql, { verb, returning }) {
      const run = (values: readonly unknown[]): void => {
        if (binding.run === undefined) all(sql, values)
        else checkDone('run', binding.run(sql, values))
      }
      // Some refuse to be asked for the rows of a statement that has none.
      const read = (values: readonly unknown[]): object[] => {
        if (returning || READING.includes(verb)) return all(sql, values)
        run(values)
        return []
      }
      return {
        run(values) {
          run(values)
          return CHANGING.includes(verb) ? (all('SELECT changes() AS n', [])[0] as { n: number | bigint }).n : 0
        },
        get: (values) => read(values)[0],
        all: read,
      }
    },
    ...(transaction === undefined
      ? {}
      : { transaction: (fn) => transaction.call(binding, fn) as ReturnType<typeof fn> }),
    ...(inTransaction === undefined ? {} : { inTransaction: () => toldBy(() => inTransaction.call(binding)) }),
    close: () => binding.close?.(),
  }
}
