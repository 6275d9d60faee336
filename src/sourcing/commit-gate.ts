/** Holds back commits of events for as long as somebody needs the log to have no more of them. */
export class CommitGate {
  #holders = 0
  #opened: Promise<void> | undefined
  #open: (() => void) | undefined
  #last: Promise<unknown> = Promise.resolve()

  /** Settles when it is open again; undefined where it is. */
  get closed(): Promise<void> | undefined {
    return this.#opened
  }

  /** Runs `work` while no event is committed; one such work at a time. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holders++
    this.#opened ??= new Promise((resolve) => (this.#open = resolve))
    const before = this.#last
    const run = (async () => {
      await before
      return work()
    })()
    // The next one only waits for the end; what went wrong is for the caller of this one.
    this.#last = run.catch(() => undefined)
    try {
      return await run
    } finally {
      if (--this.#holders === 0) {
        this.#opened = undefined
        this.#open?.()
      }
    }
  }
}
