import type { QueryPage } from '../query/answer.js'
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
  readonly read: Map<View, number> = new Map()
  #evaluation = 0
  /** So many of them, the first ones, count because the last evaluation that came to a result has read them. */
  #good = 0
  #isEnded = false

  constructor(views: Views, dependent: Dependent) {
    this.#views = views
    this.#dependent = dependent
  }

  /** The answer to `question` as it is now; from here on the query depends on it. An array is the caller's own. */
  answer(question: Question): unknown {
    const view = this.#views.acquire(question)
    if (this.#isEnded) {
      // Nobody waits for the rest of the evaluation.
      try {
        return ownAnswer(question, this.#views.read(view))
      } finally {
        this.#views.release(view)
      }
    }
    // One use is enough, however often it is read.
    if (this.read.has(view)) this.#views.release(view)
    else view.dependents.add(this.#dependent)
    this.read.set(view, this.#evaluation)
    return ownAnswer(question, this.#views.read(view))
  }

  /** An evaluation begins. What the one before it has read still counts. */
  begin(): void {
    this.#evaluation++
  }

  /**
   * The evaluation has come to its end: what only those before it have read does not count any more.
   *
   * @param hasFailed then what the last one that has not has read still does.
   */
  keepCurrent(hasFailed: boolean): void {
    let kept = hasFailed ? this.#good : 0
    for (const [view, evaluation] of this.read) {
      if (kept-- <= 0 && evaluation !== this.#evaluation) this.#release(view)
    }
    if (!hasFailed) this.#good = this.read.size
  }

  #release(view: View): void {
    this.read.delete(view)
    view.dependents.delete(this.#dependent)
    this.#views.release(view)
  }

  /** Lets go of all of them. */
  end(): void {
    this.#isEnded = true
    for (const view of this.read.keys()) this.#release(view)
  }
}

/** The answer with arrays that the caller may change: the view keeps its own. */
function ownAnswer({ want }: Question, answer: unknown): unknown {
  // V8 takes forty times as long for `slice` of a frozen array.
  if (Array.isArray(answer)) return [...(answer as unknown[])]
  if (want.kind !== 'page') return answer
  const page = answer as QueryPage<unknown>
  return { ...page, records: page.records.slice() }
}
