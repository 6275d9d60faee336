import type { EventQueue, QueueStats } from './queue.js'

/** The queue, to look at and to steer. */
export class QueueControl {
  readonly #queue: EventQueue

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  /** How much there is to do. */
  get stats(): QueueStats {
    return this.#queue.stats
  }

  /** Goes on after the queue has halted, with the event that failed, or after it was paused from the start. */
  resume(): void {
    this.#queue.resume()
  }

  /** Resolves when nothing is being handled and nothing is due; events may still wait for another attempt, or be parked. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }
}
