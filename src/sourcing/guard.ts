import { deepEqual } from '../base/equality.js'
import { watchHost } from '../base/watch-host.js'
import { NonDeterministicError } from './errors.js'
import type { EventPhase } from './errors.js'

/** Looks for handlers that would do something else when their event is handled again: each is run twice. */
export class Guard {
  readonly #report: (error: Error) => void
  readonly #reported = new Set<string>()

  constructor(report: (error: Error) => void) {
    this.#report = report
  }

  /** What `run` returns. A second run with a fresh view has to return the same, and neither may ask the host for time or chance. */
  watch<T>(type: string, phase: EventPhase, reducer: string, run: () => T): T {
    const tell = (what: string): void => {
      const error = new NonDeterministicError(type, phase, reducer, what)
      // Once is enough: it would be the same for every event.
      if (this.#reported.has(error.message)) return
      this.#reported.add(error.message)
      this.#report(error)
    }
    const result = watchHost(run, (name) => tell(`uses ${name}`))
    const again = watchHost(run, () => undefined)
    if (!deepEqual(result, again)) tell('returns something else when it is run again')
    return result
  }
}
