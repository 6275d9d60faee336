import { InterruptedError } from './cli-error.js'

/** What a shell expects of a program that the user has interrupted: 128 and the number of SIGINT. */
export const EXIT_INTERRUPTED = 130

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Two signals within this time are one: npm passes on to its child what the terminal has sent there already. */
const SAME_SIGNAL_MS = 500

/**
 * Turns signals into a question that long work asks at moments where it can end in order. Who insists ends the process
 * at once: files are safe at any moment, so nobody has to wait for a step that hangs.
 */
export class Interrupt {
  #signal: NodeJS.Signals | undefined
  #takenAt = 0

  /** Takes signals from now on, for the rest of the process. */
  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => this.#take(signal))
  }

  #take(signal: NodeJS.Signals): void {
    const now = performance.now()
    if (this.#signal === undefined) {
      this.#signal = signal
      this.#takenAt = now
    } else if (now - this.#takenAt > SAME_SIGNAL_MS) process.exit(EXIT_INTERRUPTED)
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
