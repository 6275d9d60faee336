import { InvalidArgumentError } from '../base/errors.js'
import type { EventReceipt } from './event-definition.js'
import { EventNotParkedError } from './errors.js'
import type { Events } from './events.js'
import type { EventQueue, QueueStats } from './queue.js'
import type { QueuedEvent } from './queue-bucket.js'

/** Events that were set aside because they kept failing: the dead letters. */
export class ParkedEvents {
  readonly #events: Events
  readonly #queue: EventQueue

  constructor(events: Events, queue: EventQueue) {
    this.#events = events
    this.#queue = queue
  }

  /** All of them, in the order in which they were queued. */
  list(): readonly QueuedEvent[] {
    return this.#queue.parked
  }

  /** The one of this id. */
  get(id: number): QueuedEvent | undefined {
    return this.#queue.parked.find((event) => event.id === id)
  }

  /**
   * Gives it other data, which is checked at once. It stays parked.
   *
   * @throws {EventNotParkedError} @throws {InvalidArgumentError} @throws {ValidationError} nothing was done.
   */
  async edit(id: number, data: object): Promise<QueuedEvent> {
    const { type } = this.#must(id)
    const { data: checked, version } = this.#events.checkData('parked.edit', type, data)
    await this.#queue.edit(id, checked, version)
    return this.#must(id)
  }

  /**
   * Handles it at once. What waited for it goes on.
   *
   * @throws {EventNotParkedError} nothing was done. @throws {EventFailedError} it has failed again, and stays parked.
   */
  async replay(id: number): Promise<EventReceipt> {
    return this.#queue.replay(this.#must(id))
  }

  /** Gives it up. What waited for it goes on. @throws {EventNotParkedError} */
  async drop(id: number): Promise<void> {
    await this.#queue.drop(this.#must(id))
  }

  #must(id: number): QueuedEvent {
    if (!Number.isSafeInteger(id)) throw new InvalidArgumentError('parked: id', 'the id of a parked event', id)
    const event = this.get(id)
    if (event === undefined) throw new EventNotParkedError(id)
    return event
  }
}

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

  /** Goes on after the queue has halted, with the event that failed, or after `Store.start({ queue: 'paused' })`. */
  resume(): void {
    this.#queue.resume()
  }

  /** Resolves when nothing is being handled and nothing is due; events may still wait for another attempt, or be parked. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }
}
