import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime, Timer } from '../base/runtime.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { HistoryBudget, StorageAdapter } from '../log/storage.js'
import { parseTtl } from '../schema/ttl.js'

/** How much of the log a store keeps; whichever bound is reached first. */
export type HistoryOption =
  | 'forever'
  | 'none'
  | {
      /** Milliseconds, or `'7d'`. */
      readonly age?: number | string
      /** Bytes, or `'256MB'`. */
      readonly bytes?: number | string
      /** Entries. */
      readonly rows?: number
    }

/** Seven days or 256 MB, whichever comes first. */
export const HISTORY_DEFAULT: HistoryOption = Object.freeze({ age: '7d', bytes: '256MB' })

const BYTES = /^(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB)$/
const UNIT_BYTES: { readonly [unit: string]: number } = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 }

/** The budget that `option` means; undefined: keep everything. @throws {InvalidArgumentError} @throws {TtlError} */
export function parseHistory(option: HistoryOption): HistoryBudget | undefined {
  const argument = 'Store.start({ history })'
  if (option === 'forever') return undefined
  if (option === 'none') return { rows: 0 }
  if (typeof option !== 'object' || option === null) {
    throw new InvalidArgumentError(argument, '"forever", "none" or { age, bytes, rows }', option)
  }
  const { age, bytes, rows } = option
  if (rows !== undefined && !(Number.isSafeInteger(rows) && rows >= 0)) {
    throw new InvalidArgumentError(`${argument}: rows`, 'a whole number from 0', rows)
  }
  return {
    ...(age === undefined ? undefined : { ageMs: parseTtl(age) }),
    ...(bytes === undefined ? undefined : { bytes: parseBytes(bytes, argument) }),
    ...(rows === undefined ? undefined : { rows }),
  }
}

function parseBytes(bytes: number | string, argument: string): number {
  if (typeof bytes === 'number' && Number.isFinite(bytes) && bytes >= 0) return bytes
  const match = typeof bytes === 'string' && bytes.length < 50 ? BYTES.exec(bytes) : null
  if (match === null) throw new InvalidArgumentError(`${argument}: bytes`, 'a number of bytes, or "256MB"', bytes)
  return Number(match[1]) * (UNIT_BYTES[match[2] as string] as number)
}

/** History is looked at after so many commits, and from time to time for what has grown old. */
const TRIM_COMMITS = 1_000
const TRIM_MS = 60_000

/** What history needs of its store. */
export interface HistoryOptions {
  readonly runtime: Runtime
  readonly sequencer: Sequencer
  readonly storage: StorageAdapter
  readonly onError: (error: Error) => void
}

/** Keeps the log within its budget, a bounded amount of work at a time, between groups of commits. */
export class History {
  readonly #options: HistoryOptions
  readonly #budget: HistoryBudget
  #commits = 0
  #timer: Timer | undefined
  #isTrimming = false
  #isStopped = true

  constructor(options: HistoryOptions, budget: HistoryBudget) {
    this.#options = options
    this.#budget = budget
  }

  /** Looks at the log from time to time from now on. */
  start(): void {
    this.#isStopped = false
    this.#sleep()
  }

  /** Ends that; a step that is under way comes to its end. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  /** A commit was written. */
  notice(): void {
    if (++this.#commits < TRIM_COMMITS) return
    this.#commits = 0
    void this.#trim()
  }

  #sleep(): void {
    this.#timer?.cancel()
    this.#timer = this.#options.runtime.setTimer(TRIM_MS, () => void this.#trim())
  }

  /** Lets go of everything beyond the budget. */
  async #trim(): Promise<void> {
    if (this.#isTrimming || this.#isStopped) return
    this.#isTrimming = true
    const { sequencer, storage, onError } = this.#options
    try {
      let gone: number
      do gone = await sequencer.exclusive(() => storage.trim(this.#budget))
      while (gone > 0 && !this.#isStopped)
    } catch (error) {
      onError(asError(error))
    }
    this.#isTrimming = false
    if (!this.#isStopped) this.#sleep()
  }
}
