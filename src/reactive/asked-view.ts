import { deepEqual } from '../base/equality.js'
import { answer } from '../query/answer.js'
import type { Source } from '../query/source.js'
import { View } from './view.js'
import type { Effect, PlacedChange } from './view.js'

/** A view that asks again, whenever a commit touches what the question is about. */
export class AskedView extends View {
  #answer: unknown

  override get answer(): unknown {
    return this.#answer
  }

  protected override build(source: Source): void {
    const fresh = answer(source, this.question)
    if (deepEqual(fresh, this.#answer)) return
    this.#answer = fresh
    this.version++
  }

  override apply({ before, after }: PlacedChange): Effect {
    return this.isIn(before) || this.isIn(after) ? 'rebuild' : 'none'
  }
}
