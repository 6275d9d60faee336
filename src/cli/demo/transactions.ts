import { TransactionConflictError } from '../../commit/errors.js'
import { formatCount, formatDuration, formatThings } from '../format.js'
import type { Page } from '../page.js'
import type { DemoStore } from './buckets.js'
import { FICTION, fictionalCity, fictionalCountry, removeFiction } from './fiction.js'

/** What happened. */
export interface TransactionsResult {
  /** One transaction over two buckets. */
  readonly committed: {
    readonly seq: number
    readonly buckets: readonly string[]
    readonly changes: number
    readonly ms: number
  }
  /** One that failed half way, and what could be seen of it afterwards. */
  readonly refused: { readonly error: string; readonly message: string; readonly changed: boolean; readonly ms: number }
  /** Several at once that read and write the same record. */
  readonly contended: {
    readonly transactions: number
    readonly attempts: number
    readonly lostUpdates: number
    readonly ms: number
  }
  /** One of two, with retries switched off. */
  readonly conflict: { readonly error: string; readonly message: string; readonly ms: number }
}

const CONTENDERS = 8

/** Runs the transactions one after the other. Leaves the data as it was. */
export async function runTransactions(store: DemoStore): Promise<TransactionsResult> {
  try {
    const committed = await commitTwoBuckets(store)
    const refused = await refuseHalfWay(store)
    const contended = await contend(store)
    const conflict = await conflictOnce(store)
    return { committed, refused, contended, conflict }
  } finally {
    await removeFiction(store)
  }
}

async function commitTwoBuckets(store: DemoStore): Promise<TransactionsResult['committed']> {
  const after = store.position.visible
  const began = performance.now()
  await store.transaction(async (tx) => {
    await tx.bucket('countries').insert(fictionalCountry())
    await tx.bucket('cities').insert(fictionalCity(FICTION.firstCity, 'Port Varve', FICTION.country, 40_000))
  })
  const ms = performance.now() - began
  for await (const { seq, changes } of store.log.read({ after, limit: 1 })) {
    return { seq, buckets: [...new Set(changes.map(({ bucket }) => bucket))], changes: changes.length, ms }
  }
  throw new Error('the log has no entry for a transaction that was committed')
}

async function refuseHalfWay(store: DemoStore): Promise<TransactionsResult['refused']> {
  const look = async (): Promise<string> => {
    const country = await store.bucket('countries').get(FICTION.country)
    return JSON.stringify([country, await store.bucket('cities').count(), store.position])
  }
  const before = await look()
  const began = performance.now()
  const error = await errorOf(() =>
    store.transaction(async (tx) => {
      await tx.bucket('countries').update(FICTION.country, { areaKm2: 200 })
      await tx.bucket('cities').insert(fictionalCity(FICTION.secondCity, 'Minus', FICTION.country, -5))
    }),
  )
  const ms = performance.now() - began
  return { error: error.name, message: error.message, changed: (await look()) !== before, ms }
}

async function contend(store: DemoStore): Promise<TransactionsResult['contended']> {
  let attempts = 0
  const areaNow = async (): Promise<number> => (await store.bucket('countries').get(FICTION.country))?.areaKm2 ?? 0
  const before = await areaNow()
  const began = performance.now()
  const one = (): Promise<void> =>
    store.transaction(
      async (tx) => {
        attempts++
        const countries = tx.bucket('countries')
        const country = await countries.get(FICTION.country)
        await countries.update(FICTION.country, { areaKm2: (country?.areaKm2 ?? 0) + 1 })
      },
      { retries: 50 },
    )
  await Promise.all(Array.from({ length: CONTENDERS }, one))
  const ms = performance.now() - began
  return { transactions: CONTENDERS, attempts, lostUpdates: CONTENDERS - ((await areaNow()) - before), ms }
}

async function conflictOnce(store: DemoStore): Promise<TransactionsResult['conflict']> {
  const began = performance.now()
  const error = await errorOf(() =>
    store.transaction(async (tx) => {
      const countries = tx.bucket('countries')
      const country = await countries.get(FICTION.country)
      // Somebody else commits between this transaction's read and its write.
      await store.bucket('countries').update(FICTION.country, { areaKm2: 1 })
      await countries.update(FICTION.country, { areaKm2: (country?.areaKm2 ?? 0) + 1 })
    }),
  )
  if (!(error instanceof TransactionConflictError)) throw error
  return { error: error.name, message: error.message, ms: performance.now() - began }
}

/** What `run` rejects with. @throws {Error} it did not. */
async function errorOf(run: () => Promise<unknown>): Promise<Error> {
  try {
    await run()
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('a transaction that had to be refused was committed')
}

/** Shows what became of each. */
export function printTransactions(page: Page, { committed, refused, contended, conflict }: TransactionsResult): void {
  const { seq, changes, buckets } = committed
  const { transactions, attempts, lostUpdates } = contended
  const row = (outcome: string, what: string, ms: number, detail: string): string[][] => [
    [outcome, what, formatDuration(ms)],
    ['', page.dim(detail), ''],
  ]
  page.table(
    ['outcome', 'transaction', 'time'],
    [
      ...row(
        page.good('committed'),
        'a country is founded, and its capital',
        committed.ms,
        `one log entry, seq ${formatCount(seq)}: ${formatThings(changes, 'change')} in ${buckets.join(' and ')}`,
      ),
      ...row(
        page.style('yellow', 'refused'),
        'the country grows, and a city of -5 people is founded',
        refused.ms,
        `${refused.error}; ${refused.changed ? page.bad('something changed') : 'records, counts and log are as they were'}`,
      ),
      ...row(
        page.style('yellow', 'conflict'),
        'somebody else wrote between its read and its write',
        conflict.ms,
        `${conflict.error}; nothing was written`,
      ),
      ...row(
        page.good('retried'),
        `${transactions} at once add 1 to one field, with retries`,
        contended.ms,
        `${attempts} attempts, ${lostUpdates === 0 ? 'no update was lost' : page.bad(`${formatThings(lostUpdates, 'update')} lost`)}`,
      ),
    ],
    ['left', 'left', 'right'],
  )
}
