/** Counts work that is due or under way, for those who wait until there is none. */
export class WorkCount {
  #open = 0
  readonly #waiting: (() => void)[] = []

  begin(): void {
    this.#open++
  }

  end(): void {
    this.#open--
    if (this.#open > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when there is none. */
  async settled(): Promise<void> {
    while (this.#open > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}
