import { type AdapterOptions, adapterOf } from './adapter.js'
import { type Binding, CHANGING } from './binding.js'
import { checkDatabase } from './from-node.js'
import type { SqliteAdapter } from './port.js'
import { probeTraits } from './traits.js'
import type { Traits } from './values.js'

/** The least that a binding of your own has to give; all calls are synchronous. Errors and values may be its own. */
export interface SimpleBinding {
  /** Runs one or more statements without parameters. */
  exec(sql: string): unknown
  /** Runs one statement, to its end, and answers its rows: objects by column name. */
  all(sql: string, values: readonly unknown[]): Iterable<object>
  /** Runs one statement whose rows nobody wants. Absent: `all` does. */
  run?(sql: string, values: readonly unknown[]): unknown
  /** Only where BEGIN is not allowed: runs `fn` as one unit, and nests. */
  transaction?<R>(fn: () => R): R
  close?(): unknown
}

/**
 * The adapter on a binding that nobody here knows: values, errors, transactions and the end are made what they are on all others.
 * What the binding does with values is found out by trying: what it would round or cut is refused.
 *
 * @throws {InvalidArgumentError} a method is missing. {SqliteError} it cannot run a SELECT.
 */
export function fromBinding(binding: SimpleBinding, options?: AdapterOptions): SqliteAdapter {
  checkDatabase('fromBinding', binding, 'an object with exec and all', ['exec', 'all'])
  const all = (sql: string, values: readonly unknown[]): unknown[] => Array.from(binding.all(sql, values))
  const { traits, rounds } = probeTraits(all)
  return adapterOf('fromBinding', simpleBinding(binding, traits, rounds), options)
}

const READING: readonly string[] = ['SELECT', 'VALUES', 'EXPLAIN', 'PRAGMA']

/** A binding that is put together from few methods. @param rounds true: integers beyond 2^53 come rounded. */
export function simpleBinding(binding: SimpleBinding, traits: Traits, rounds: boolean): Binding {
  const all = (sql: string, values: readonly unknown[]): object[] => {
    const rows: object[] = []
    // They may be frozen, or be handed out again to the next who asks.
    for (const row of binding.all(sql, values)) rows.push({ ...row })
    return rows
  }
  const { transaction } = binding
  return {
    traits,
    exec: (sql) => binding.exec(sql),
    prepare(sql, { verb, returning }) {
      const run = (values: readonly unknown[]): void => {
        if (binding.run === undefined) all(sql, values)
        else binding.run(sql, values)
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
        ...(rounds ? { widen: () => false } : {}),
      }
    },
    ...(transaction === undefined
      ? {}
      : { transaction: (fn) => transaction.call(binding, fn) as ReturnType<typeof fn> }),
    close: () => binding.close?.(),
  }
}
