/** The reads that are under way or wait: writes of their ids that come later wait for them. */
export class OpenReads {
  /** Their tickets by id, in order. */
  readonly #tickets = new Map<string, number[]>()
  /** Those that are of no id, which hold up nobody. */
  #others = 0
  readonly #onEnd: () => void

  /** @param onEnd called when one has ended. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  /** True: none holds up a write. */
  get isEmpty(): boolean {
    return this.#tickets.size === 0
  }

  /** True: none is under way. */
  get isQuiet(): boolean {
    return this.#tickets.size === 0 && this.#others === 0
  }

  /** The ticket of the read that came first; `Infinity`: none reads `id`. */
  firstOf(id: string): number {
    return this.#tickets.get(id)?.[0] ?? Infinity
  }

  /** Counts a read until `result` is there. @param id `undefined`: of all. */
  hold<T>(id: string | undefined, ticket: number, result: Promise<T>): Promise<T> {
    if (id === undefined) this.#others++
    else this.#tickets.set(id, [...(this.#tickets.get(id) ?? []), ticket])
    return result.finally(() => {
      if (id === undefined) this.#others--
      else this.#release(id, ticket)
      this.#onEnd()
    })
  }

  #release(id: string, ticket: number): void {
    const rest = (this.#tickets.get(id) ?? []).filter((one) => one !== ticket)
    if (rest.length > 0) this.#tickets.set(id, rest)
    else this.#tickets.delete(id)
  }
}
