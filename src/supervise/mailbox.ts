/** A call that waits. */
export interface Message {
  readonly fn: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  next: Message | undefined
}

/** Calls in order of arrival: a linked list, so that taking the first costs the same however many wait. */
export class Mailbox {
  #first: Message | undefined
  #last: Message | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  push(message: Message): void {
    if (this.#last === undefined) this.#first = message
    else this.#last.next = message
    this.#last = message
    this.#length += 1
  }

  /** Removes and returns the call that came first. */
  shift(): Message | undefined {
    const message = this.#first
    if (message === undefined) return undefined
    this.#first = message.next
    if (this.#first === undefined) this.#last = undefined
    this.#length -= 1
    return message
  }

  /** Removes all calls, and answers each with `error`. */
  refuse(error: Error): void {
    for (let message = this.shift(); message !== undefined; message = this.shift()) message.reject(error)
  }
}
