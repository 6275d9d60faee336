import { asError, InvalidArgumentError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import { afterSteps, type ConnectionState } from './connection-state.js'
import { asSqliteError, SqliteError } from './error.js'
import type { SavepointStep, SqlText } from './sql-text.js'

/** What transactions are run on. */
interface Host {
  readonly binding: { transaction?<R>(fn: () => R): R; inTransaction?(): boolean | undefined }
  readonly state: ConnectionState
  /** Runs a statement of the binding, whatever state the transaction is in. Its errors are the binding's. */
  command(sql: string): void
}

const ARGUMENT = 'transaction(fn)'

const ROLLED_BACK = 'SQLite has rolled it back after an error; nothing of it was written; let fn throw'
const ENDED =
  'somebody else has ended it on this connection, by COMMIT or ROLLBACK; what was written before stays as that left it, ' +
  'what comes after is refused; let fn end it, by returning or throwing'

/** The transactions of one connection: how deep they are nested, and whether the outermost is still there. */
export class Transactions {
  readonly #host: Host
  readonly #state: ConnectionState
  #depth = 0
  /** A rollback failed: there may be a transaction open. */
  #leftOpen = false

  constructor(host: Host) {
    this.#host = host
    this.#state = host.state
  }

  /**
   * Runs `fn` as one unit.
   *
   * @throws whatever `fn` throws, after everything is undone; {SqliteError} it cannot begin or commit; {InvalidArgumentError}
   * `fn` is asynchronous.
   */
  run<R>(fn: () => R): R {
    checkFunction(fn)
    this.checkWhole()
    const { savepoints } = this.#state
    this.#state.savepoints = []
    this.#state.transactions++
    try {
      return this.#host.binding.transaction === undefined ? this.#runHere(fn) : this.#runThere(fn)
    } finally {
      this.#state.transactions--
      this.#state.savepoints = savepoints
      if (this.#state.transactions === 0) this.#state.broken = ''
    }
  }

  /** @throws {SqliteError} the transaction that is running has been undone, or ended. */
  checkWhole(): void {
    const state = this.#state
    if (state.transactions === 0) return
    if (state.broken === '' && this.#isToldToBeOver()) state.broken = ENDED
    if (state.broken !== '') throw brokenError(state.broken)
  }

  /**
   * Runs a statement with `run`, and keeps account of whose the transaction is that it begins or ends.
   *
   * @throws what `run` throws; {SqliteError} `fn` runs, which it would end: nothing was done.
   */
  watch<T>({ begins, ends, savepoints }: SqlText, run: () => T): T {
    const state = this.#state
    if (ends !== '') this.#checkEnding(ends)
    if (state.transactions > 0) return this.#watchSavepoints(savepoints, run)
    if (!begins && savepoints.length === 0 && ends === '') return run()
    const isBegin = begins && (ends !== '' || this.#isSurelyOpen() === false)
    try {
      return run()
    } finally {
      if (this.#isSurelyOpen() !== true) state.owner = undefined
      else if (isBegin) state.owner = this.#host
    }
  }

  /** Those that were begun before `fn` are not its own to end: the one in which it runs would be gone with them. */
  #watchSavepoints<T>(steps: readonly SavepointStep[], run: () => T): T {
    if (steps.length === 0) return run()
    const state = this.#state
    const after = afterSteps(state.savepoints, steps)
    if ('verb' in after) {
      const message =
        `${ARGUMENT}: ${after.verb} of the savepoint ${after.name}, which fn has not begun through an adapter, would undo or ` +
        'end more than fn; nothing was done; use savepoints that fn begins, or throw to undo all of it'
      throw new SqliteError(message, 'MISUSE')
    }
    // After an error, those are there that may be there.
    const begun = steps.filter(({ verb }) => verb === 'SAVEPOINT').map(({ name }) => name)
    state.savepoints = [...state.savepoints, ...begun]
    const result = run()
    state.savepoints = after
    return result
  }

  /** @throws {SqliteError} `fn` runs, which it would end. */
  #checkEnding(verb: string): void {
    if (this.#state.transactions === 0) return
    const message =
      `${ARGUMENT}: ${verb} would end the transaction in which fn runs; nothing was done; ` +
      'let fn return to commit it, or throw to undo it, and use SAVEPOINT and ROLLBACK TO for a part of it'
    throw new SqliteError(message, 'MISUSE')
  }

  /** True while one is open, whoever has begun it; `undefined` where nobody can tell. Its errors are the binding's. */
  isOpen(): boolean | undefined {
    const { binding } = this.#host
    if (binding.transaction !== undefined) return this.#depth > 0 ? true : undefined
    const told = binding.inTransaction?.()
    if (told !== undefined) return told
    try {
      // Refused within a transaction, and takes no lock.
      this.#host.command('BEGIN')
    } catch (error) {
      if (isWithin(error)) return true
      throw error
    }
    this.#host.command('COMMIT')
    return false
  }

  /** As `isOpen`; `undefined` where that fails. */
  #isSurelyOpen(): boolean | undefined {
    // Whose a transaction is matters only when the adapter is closed, and it is nobody's then.
    return quietly(() => this.isOpen())
  }

  /** To be called when a statement has failed: after some errors SQLite rolls back by itself. */
  afterError(): void {
    const { binding } = this.#host
    const state = this.#state
    if (binding.transaction !== undefined) return
    if (state.transactions === 0) {
      if (state.owner !== undefined && this.#isSurelyOpen() !== true) state.owner = undefined
      return
    }
    if (state.broken !== '') return
    if (binding.inTransaction?.() !== undefined) {
      if (this.#isToldToBeOver()) state.broken = ROLLED_BACK
      return
    }
    // Within a transaction, which is the rule, SQLite refuses to begin another.
    const begun = quietly(() => {
      this.#host.command('BEGIN')
      return true
    })
    if (begun !== true) return
    state.broken = ROLLED_BACK
    this.#host.command('ROLLBACK')
  }

  #isToldToBeOver(): boolean {
    const { binding } = this.#host
    return binding.transaction === undefined && binding.inTransaction?.() === false
  }

  #runHere<R>(fn: () => R): R {
    const savepoint = this.#begin()
    this.#depth++
    try {
      const result = this.#attempt(savepoint, () => {
        const made = checkResult(fn())
        this.checkWhole()
        return made
      })
      this.#attempt(savepoint, () => {
        try {
          this.#host.command(savepoint === undefined ? 'COMMIT' : `RELEASE ${savepoint}`)
        } catch (error) {
          throw isOutside(error) ? brokenError(ENDED, error) : asSqliteError(error)
        }
      })
      return result
    } finally {
      this.#depth--
      if (savepoint === undefined) this.#state.owner = this.#leftOpen ? this.#host : undefined
    }
  }

  /** Where the binding has transactions of its own; they nest. */
  #runThere<R>(fn: () => R): R {
    let returned = false
    this.#depth++
    try {
      return (this.#host.binding as { transaction<T>(fn: () => T): T }).transaction(() => {
        const result = checkResult(fn())
        returned = true
        return result
      })
    } catch (error) {
      throw returned ? asSqliteError(error) : error
    } finally {
      this.#depth--
    }
  }

  /** @returns the savepoint; `undefined` for a transaction. @throws {SqliteError} it cannot begin. */
  #begin(): string | undefined {
    const savepoint = `varve_${this.#depth}`
    try {
      if (this.#leftOpen) this.#rollBackLeftover()
      if (this.#depth === 0 && this.#beginTransaction()) return undefined
      this.#host.command(`SAVEPOINT ${savepoint}`)
    } catch (error) {
      throw asSqliteError(error)
    }
    return savepoint
  }

  /** @returns false when the caller has one open. */
  #beginTransaction(): boolean {
    try {
      // DEFERRED could fail in the middle, when it first writes and somebody else has written since it first read.
      this.#host.command('BEGIN IMMEDIATE')
    } catch (error) {
      if (isWithin(error)) return false
      if (asSqliteError(error).result !== 'READONLY') throw error
      this.#host.command('BEGIN')
    }
    this.#state.owner = this.#host
    return true
  }

  #rollBackLeftover(): void {
    try {
      this.#host.command('ROLLBACK')
    } catch (error) {
      if (!isOutside(error)) throw error
    }
    this.#leftOpen = false
    this.#state.owner = undefined
  }

  #attempt<T>(savepoint: string | undefined, work: () => T): T {
    try {
      return work()
    } catch (error) {
      this.#undo(savepoint)
      throw error
    }
  }

  #undo(savepoint: string | undefined): void {
    try {
      if (savepoint === undefined) this.#host.command('ROLLBACK')
      else {
        this.#host.command(`ROLLBACK TO ${savepoint}`)
        this.#host.command(`RELEASE ${savepoint}`)
      }
    } catch (error) {
      if (savepoint !== undefined) this.#state.broken ||= ENDED
      else this.#leftOpen = !isOutside(error)
    }
  }
}

function isWithin(thrown: unknown): boolean {
  return asError(thrown).message.includes('within a transaction')
}

function isOutside(thrown: unknown): boolean {
  return /no transaction is active|no such savepoint/.test(asError(thrown).message)
}

function brokenError(why: string, cause?: unknown): SqliteError {
  return new SqliteError(`${ARGUMENT}: ${why}`, 'ABORT', undefined, cause === undefined ? undefined : { cause })
}

/** Functions whose work happens after the transaction has ended. */
const LATER: readonly string[] = ['AsyncFunction', 'GeneratorFunction', 'AsyncGeneratorFunction']

function checkFunction(fn: unknown): void {
  const kind = Object.prototype.toString.call(fn).slice(8, -1)
  if (typeof fn === 'function' && !LATER.includes(kind)) return
  throw new InvalidArgumentError(
    ARGUMENT,
    'a function that is not async and no generator',
    typeof fn === 'function' ? kind : fn,
  )
}

function checkResult<R>(result: R): R {
  if (typeof result !== 'object' || result === null) return result
  const { then } = result as { then?: unknown }
  if (typeof then !== 'function') return result
  // Nobody else can see this promise, and its failure is a consequence of this one.
  quietly(() => void (then as Promise<unknown>['then']).call(result, undefined, () => undefined))
  const message = 'a function that returns no promise: what it does later would be outside; everything was rolled back'
  throw new InvalidArgumentError(ARGUMENT, message, result)
}
