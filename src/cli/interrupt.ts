import { InterruptedError } from './cli-error.js'

/** What a shell expects of a program that the user has interrupted: 128 and the number of SIGINT. */
export const EXIT_INTERRUPTED = 130

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Turns signals into a question that long work asks at moments where it can end in order. A second signal ends the
 * process at once: files are safe at any moment, so nobody has to wait for a step that hangs.
 */
export class Interrupt {
  #signal: NodeJS.Signals | undefined

  readonly #take = (signal: NodeJS.Signals): void => {
    if (this.#signal !== undefined) process.exit(EXIT_INTERRUPTED)
    this.#signal = signal
  }

  /** Takes signals from now on, until `stop`. */
  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#take)
  }

  /** Leaves signals to whoever had them before. */
  stop(): void {
    for (const signal of SIGNALS) process.off(signal, this.#take)
  }

  /** Lets signals come in, then throws if one has. @throws {InterruptedError} */
  async check(): Promise<void> {
    // Signals are events: work that only ever awaits promise jobs would never be told.
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    if (this.#signal !== undefined) throw new InterruptedError(this.#signal)
  }
}
