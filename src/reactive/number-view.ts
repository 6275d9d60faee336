import type { StoredRecord } from '../base/value.js'
import { Numbers } from '../query/aggregate.js'
import type { Source } from '../query/source.js'
import { View } from './view.js'
import type { Effect, PlacedChange } from './view.js'

/** A view that counts, adds up, or finds the smallest or largest number, of all records that match. */
export class NumberView extends View {
  #count = 0
  #numbers: Numbers | undefined
  #answer: number | undefined

  override get answer(): number | undefined {
    return this.#answer
  }

  protected override build(source: Source): void {
    const { spec, want } = this.question
    if ('path' in want) {
      this.#numbers = new Numbers(want.path)
      for (const record of source.find(spec.filter)) this.#numbers.add(record)
    } else this.#count = source.count(spec.filter)
    this.#settle()
  }

  override apply({ before, after }: PlacedChange): Effect {
    const wasIn = this.isIn(before)
    const isIn = this.isIn(after)
    if (!wasIn && !isIn) return 'none'
    const { version } = this
    const { want } = this.question
    if (this.#numbers === undefined) this.#count += Number(isIn) - Number(wasIn)
    else {
      // The smallest or largest number may have gone: who is next can only be looked up.
      if (wasIn && !this.#numbers.remove(before as StoredRecord, want.kind as 'sum')) return 'rebuild'
      if (isIn) this.#numbers.add(after as StoredRecord)
    }
    this.#settle()
    return version === this.version ? 'none' : 'changed'
  }

  #settle(): void {
    const { kind } = this.question.want
    const fresh = this.#numbers === undefined ? this.#count : this.#numbers.answer(kind as 'sum')
    if (Object.is(fresh, this.#answer) && this.version > 0) return
    this.#answer = fresh
    this.version++
  }
}
