import { deepEqual } from '../base/equality.js'
import { watchHost } from '../base/watch-host.js'
import { NonDeterministicError, reasonOf } from './errors.js'
import type { EventPhase } from './errors.js'
import { disown } from './promises.js'

/** Looks for handlers that would do something else when their event is handled again: each is run twice. */
export class Guard {
  readonly #report: (error: Error) => void
  readonly #reported = new Set<string>()

  constructor(report: (error: Error) => void) {
    this.#report = report
  }

  /**
   * What `run` returns. A second run with a fresh view has to return the same, and neither may ask the host for time or chance.
   *
   * @param found gets what is wrong, for `report` once nothing runs any more.
   */
  watch<T>(run: () => T, found: string[]): T {
    const result = watchHost(run, (name) => void found.push(`uses ${name}`))
    try {
      const again = watchHost(run, () => undefined)
      disown(again)
      if (!deepEqual(result, again)) found.push('returns something else when it is run again')
    } catch (error) {
      found.push(`throws when it is run again (${reasonOf('', error)})`)
    }
    return result
  }

  /** Tells what was found. Once is enough: it would be the same for every event. */
  report(type: string, phase: EventPhase, reducer: string, found: readonly string[]): void {
    for (const what of found) {
      const error = new NonDeterministicError(type, phase, reducer, what)
      if (this.#reported.has(error.message)) continue
      this.#reported.add(error.message)
      this.#report(error)
    }
  }
}
