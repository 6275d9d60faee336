import { InvalidArgumentError } from '../base/errors.js'
import type { EventReceipt } from './event-definition.js'
import { EventNotParkedError } from './errors.js'
import type { Events } from './events.js'
import type { EventQueue } from './queue.js'
import type { QueuedEvent } from './queue-bucket.js'

/** Events that were set aside because they kept failing: the dead letters. */
export class ParkedEvents {
  readonly #events: Events
  readonly #queue: EventQueue

  constructor(events: Events) {
    this.#events = events
    this.#queue = events.queue
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
    return this.#queue.replay(this.#must(id).id)
  }

  /** Gives it up. What waited for it goes on. @throws {EventNotParkedError} */
  async drop(id: number): Promise<void> {
    await this.#queue.drop(this.#must(id).id)
  }

  #must(id: number): QueuedEvent {
    if (!Number.isSafeInteger(id)) throw new InvalidArgumentError('parked: id', 'the id of a parked event', id)
    const event = this.get(id)
    if (event === undefined) throw new EventNotParkedError(id)
    return event
  }
}
