import { EventFailedError } from './errors.js'
import type { QueuedEvent } from './queue-bucket.js'

/** What becomes of an event after its last attempt, and what can be done. */
const OUTCOMES = {
  skipped: 'it has left the queue for good',
  parked: 'it is parked; store.parked.edit, replay or drop it',
  halted: 'the queue stands still; repair its handlers and call store.queue.resume()',
} as const

/** An event of the queue could not be handled, and was not to be tried again by itself. Nothing of it was written. */
export class QueuedEventFailedError extends EventFailedError {
  /** Its id in the queue. */
  readonly id: number
  readonly lane: string | undefined
  /** How often it was tried. */
  readonly attempts: number
  readonly outcome: keyof typeof OUTCOMES

  constructor(error: EventFailedError, event: QueuedEvent, attempts: number, outcome: keyof typeof OUTCOMES) {
    const { id, lane } = event
    super(error.phase, error.reducer, error.path, error.cause)
    const where = `queued as ${id}${lane === undefined ? '' : ` in lane ${JSON.stringify(lane)}`}, attempt ${attempts}`
    this.message = `${error.message} (${where}); ${OUTCOMES[outcome]}`
    this.id = id
    this.lane = lane
    this.attempts = attempts
    this.outcome = outcome
  }
}
