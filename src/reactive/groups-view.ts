import { deepEqual } from '../base/equality.js'
import type { StoredRecord } from '../base/value.js'
import { Group, groupText } from '../query/aggregate.js'
import type { Aggregates } from '../query/aggregate.js'
import { groupRows } from '../query/answer.js'
import type { Question } from '../query/query-spec.js'
import type { Source } from '../query/source.js'
import { View } from './view.js'
import type { Effect, PlacedChange } from './view.js'

const NO_AGGREGATES: Aggregates = Object.freeze({})

/**
 * A view of groups: the records that agree on some fields, with what is to be said of each group; or of the different values
 * of one field, which are groups of which nothing more is said.
 */
export class GroupsView extends View {
  readonly #by: readonly string[]
  readonly #aggregates: Aggregates
  #groups = new Map<string, Group>()
  /** Made when it is asked for. */
  #answer: readonly unknown[] | undefined

  constructor(question: Question) {
    super(question)
    const { want } = question
    this.#by = want.kind === 'groups' ? want.by : [(want as { path: string }).path]
    this.#aggregates = want.kind === 'groups' ? want.aggregates : NO_AGGREGATES
  }

  override get answer(): readonly unknown[] {
    if (this.#answer === undefined) {
      const rows = groupRows(this.#groups.values())
      const isDistinct = this.question.want.kind === 'distinct'
      this.#answer = Object.freeze(isDistinct ? rows.map(({ key }) => key[0]) : rows.map((group) => group.row()))
    }
    return this.#answer
  }

  protected override build(source: Source): void {
    this.#groups = new Map()
    for (const record of source.find(this.question.spec.filter)) this.#add(record)
    this.#change()
  }

  #add(record: StoredRecord): void {
    const text = groupText(record, this.#by)
    let group = this.#groups.get(text)
    if (group === undefined) this.#groups.set(text, (group = new Group(this.#by, record, this.#aggregates)))
    group.add(record)
  }

  /** @returns false where the group has to be counted anew, because its smallest or largest number has gone. */
  #remove(record: StoredRecord): boolean {
    const text = groupText(record, this.#by)
    const group = this.#groups.get(text) as Group
    const isKnown = group.remove(record)
    if (group.count === 0) this.#groups.delete(text)
    return isKnown || group.count === 0
  }

  override apply({ before, after }: PlacedChange): Effect {
    const wasIn = this.isIn(before)
    const isIn = this.isIn(after)
    if (!wasIn && !isIn) return 'none'
    if (wasIn && !this.#remove(before as StoredRecord)) return 'rebuild'
    if (isIn) this.#add(after as StoredRecord)
    return this.#change() ? 'changed' : 'none'
  }

  /** Notes that the groups have changed. @returns false where the answer is all the same. */
  #change(): boolean {
    const known = this.#answer
    this.#answer = undefined
    if (known !== undefined && deepEqual(known, this.answer)) {
      this.#answer = known
      return false
    }
    this.version++
    return true
  }
}
