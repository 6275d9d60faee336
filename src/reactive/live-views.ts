import type { Question } from '../query/query-spec.js'
import type { Dependent, View } from './view.js'
import type { Views } from './views.js'

/**
 * The views that a query has read: what its last evaluation has read and, while one is running, what that has read so far. An
 * evaluation that reads what the one before it has read finds the answers there.
 */
export class LiveViews {
  readonly #views: Views
  readonly #dependent: Dependent
  /** Each with the number of the last evaluation that has read it. */
  readonly #read = new Map<View, number>()
  #evaluation = 0

  constructor(views: Views, dependent: Dependent) {
    this.#views = views
    this.#dependent = dependent
  }

  /** The answer to `question` as it is now; from here on the query depends on it. An array is the caller's own. */
  answer(question: Question): unknown {
    const view = this.#views.acquire(question)
    // One use is enough, however often it is read.
    if (this.#read.has(view)) this.#views.release(view)
    else view.dependents.add(this.#dependent)
    this.#read.set(view, this.#evaluation)
    const answer = this.#views.read(view)
    // V8 takes forty times as long for `slice` of a frozen array.
    return Array.isArray(answer) ? [...(answer as unknown[])] : answer
  }

  /** An evaluation begins. What the one before it has read still counts. */
  begin(): void {
    this.#evaluation++
  }

  /** The evaluation has come to its end: what only those before it have read does not count any more. */
  keepCurrent(): void {
    for (const [view, evaluation] of this.#read) if (evaluation !== this.#evaluation) this.#release(view)
  }

  #release(view: View): void {
    this.#read.delete(view)
    view.dependents.delete(this.#dependent)
    this.#views.release(view)
  }

  /** Lets go of all of them. */
  end(): void {
    for (const view of this.#read.keys()) this.#release(view)
  }
}
