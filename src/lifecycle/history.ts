import { asError, InvalidArgumentError } from '../base/errors.js'
import type { Runtime, Timer } from '../base/runtime.js'
import type { Sequencer } from '../commit/sequencer.js'
import type { HistoryBudget, StorageAdapter } from '../log/storage.js'
import { parseTtl, TtlError } from '../schema/ttl.js'

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
      /**
       * A folder for compressed files, into which entries are written before they leave the log; made where its parent is there.
       * Needs a store with a file. Without bounds beside it, those of the default hold. `clear` and `dropBucket` take data out
       * of the log, not out of the archive: that is yours, also to delete.
       */
      readonly archive?: string | ArchiveOption
    }

/** Where entries go that leave the log. */
export interface ArchiveOption {
  readonly folder: string
  /**
   * A file is written when so many entries, or 4 MB of them, are to leave the log; so much more than the budget is kept. Default
   * 1,000.
   */
  readonly entries?: number
}

/** Seven days or 256 MB, whichever comes first. */
export const HISTORY_DEFAULT: Bounds = Object.freeze({ age: '7d', bytes: '256MB' })

type Bounds = { readonly age?: number | string; readonly bytes?: number | string; readonly rows?: number }

const BYTES = /^(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB)$/
const UNIT_BYTES: { readonly [unit: string]: number } = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 }

/** The budget that `option` means; undefined: keep everything. @throws {InvalidArgumentError} */
export function parseHistory(option: HistoryOption): HistoryBudget | undefined {
  const argument = 'Store.start({ history })'
  if (option === 'forever') return undefined
  if (option === 'none') return { rows: 0 }
  if (typeof option !== 'object' || option === null) {
    throw new InvalidArgumentError(argument, '"forever", "none" or { age, bytes, rows }', option)
  }
  const { archive } = option
  const isBounded = option.age !== undefined || option.bytes !== undefined || option.rows !== undefined
  const { age, bytes, rows } = archive === undefined || isBounded ? option : HISTORY_DEFAULT
  if (rows !== undefined && !(Number.isSafeInteger(rows) && rows >= 0)) {
    throw new InvalidArgumentError(`${argument}: rows`, 'a whole number from 0', rows)
  }
  return {
    ...(age === undefined ? undefined : { ageMs: parseAge(age, argument) }),
    ...(bytes === undefined ? undefined : { bytes: parseBytes(bytes, argument) }),
    ...(rows === undefined ? undefined : { rows }),
  }
}

/** The archive that `option` asks for; undefined: none. @throws {InvalidArgumentError} */
export function parseArchive(option: HistoryOption): Required<ArchiveOption> | undefined {
  if (typeof option !== 'object' || option.archive === undefined) return undefined
  const argument = 'Store.start({ history: { archive } })'
  const given: unknown = typeof option.archive === 'string' ? { folder: option.archive } : option.archive
  if (typeof given !== 'object' || given === null) {
    throw new InvalidArgumentError(argument, 'the path of a folder, or { folder, entries }', given)
  }
  const { folder, entries = ARCHIVE_ENTRIES } = given as Partial<ArchiveOption>
  if (typeof folder !== 'string' || folder === '' || folder.includes('\0')) {
    throw new InvalidArgumentError(`${argument}: folder`, 'the path of a folder', folder)
  }
  if (!(Number.isSafeInteger(entries) && entries >= 1)) {
    throw new InvalidArgumentError(`${argument}: entries`, 'a whole number from 1', entries)
  }
  return { folder, entries }
}

function parseAge(age: number | string, argument: string): number {
  try {
    return parseTtl(age)
  } catch (error) {
    if (!(error instanceof TtlError)) throw error
    throw new InvalidArgumentError(`${argument}: age`, 'milliseconds above 0, or "30s", "5m", "12h", "30d"', age)
  }
}

function parseBytes(bytes: number | string, argument: string): number {
  if (typeof bytes === 'number' && Number.isFinite(bytes) && bytes >= 0) return bytes
  const match = typeof bytes === 'string' && bytes.length < 50 ? BYTES.exec(bytes) : null
  if (match === null) throw new InvalidArgumentError(`${argument}: bytes`, 'a number of bytes, or "256MB"', bytes)
  return Number(match[1]) * (UNIT_BYTES[match[2] as string] as number)
}

const ARCHIVE_ENTRIES = 1_000

/** History is looked at after so many commits, and from time to time for what has grown old. */
const TRIM_COMMITS = 1_000
const TRIM_MS = 60_000
/** So long, and a step, a store that is stopped goes on letting go of what is due. The next run does the rest. */
const STOP_MS = 1_000

/** What history needs of its store. */
export interface HistoryOptions {
  readonly runtime: Runtime
  readonly sequencer: Sequencer
  readonly storage: StorageAdapter
  readonly onError: (error: Error) => void
  /** Seq of the first entry that somebody still has to read; undefined where nobody has. */
  readonly needed?: () => number | undefined
  /** Takes entries before they go. */
  readonly archive?: Archiver | undefined
}

/** Takes in entries before the log lets them go. */
export interface Archiver {
  /** Takes in what the budget would let go of, as far as it is worth a file. @returns seq of the last entry that it has. */
  save(budget: HistoryBudget): Promise<number>
  /** The log has let go of entries. Throws when it has let go of one that is not in the archive (H2). */
  checkTrimmed(): Promise<void>
}

/** Keeps the log within its budget, a bounded amount of work at a time, between groups of commits. */
export class History {
  readonly #options: HistoryOptions
  readonly #budget: HistoryBudget
  #commits = 0
  #timer: Timer | undefined
  #trimming: Promise<void> | undefined
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

  /** Ends that, with a last look at what is due: programs that run for less than a minute have a budget, and an archive, too. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#trimming
    const { runtime } = this.#options
    const until = runtime.elapsed() + STOP_MS
    await this.#trimAll(() => runtime.elapsed() < until)
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
  #trim(): Promise<void> {
    if (this.#trimming !== undefined || this.#isStopped) return Promise.resolve()
    this.#trimming = this.#trimAll(() => !this.#isStopped).finally(() => {
      this.#trimming = undefined
      if (!this.#isStopped) this.#sleep()
    })
    return this.#trimming
  }

  async #trimAll(goesOn: () => boolean): Promise<void> {
    try {
      let gone: number
      do gone = await this.#step()
      while (gone > 0 && goesOn())
    } catch (error) {
      this.#options.onError(asError(error))
    }
  }

  async #step(): Promise<number> {
    const { sequencer, storage, archive, needed } = this.#options
    const free = (needed?.() ?? Number.POSITIVE_INFINITY) - 1
    const budget = Number.isFinite(free) ? { ...this.#budget, upTo: free } : this.#budget
    if (free < 1) return 0
    if (archive === undefined) return sequencer.exclusive(() => storage.trim(budget))
    const upTo = Math.min(await archive.save(budget), free)
    if (upTo === 0) return 0
    const gone = await sequencer.exclusive(() => storage.trim({ ...budget, upTo }))
    if (gone > 0) await archive.checkTrimmed()
    return gone
  }
}
