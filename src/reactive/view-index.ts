import type { Key, StoredRecord, Value } from '../base/value.js'
import { fieldOf } from '../query/field-path.js'
import type { View } from './view.js'

type ByValue = Map<Value, Set<View>>

/** A filter with a longer list of values is tested for every change. */
const LIST_MAX = 100

/**
 * Finds the views of one bucket that a change can touch: by the values that their filters ask for in some field. What that
 * costs depends on how many views ask for what changed, not on how many there are; views whose filters ask for no value
 * are candidates for every change.
 */
export class ViewIndex {
  /** By path, then by value. */
  readonly #byValue = new Map<string, ByValue>()
  readonly #others = new Set<View>()
  readonly all: Set<View> = new Set()

  get size(): number {
    return this.all.size
  }

  add(view: View): void {
    this.all.add(view)
    const asked = valuesAsked(view)
    if (asked === undefined) {
      this.#others.add(view)
      return
    }
    let byValue = this.#byValue.get(asked.path)
    if (byValue === undefined) this.#byValue.set(asked.path, (byValue = new Map()))
    for (const value of asked.values) {
      const known = byValue.get(value)
      if (known === undefined) byValue.set(value, new Set([view]))
      else known.add(view)
    }
  }

  delete(view: View): void {
    this.all.delete(view)
    this.#others.delete(view)
    const asked = valuesAsked(view)
    const byValue = asked === undefined ? undefined : this.#byValue.get(asked.path)
    if (asked === undefined || byValue === undefined) return
    for (const value of asked.values) {
      const known = byValue.get(value)
      known?.delete(view)
      if (known?.size === 0) byValue.delete(value)
    }
    if (byValue.size === 0) this.#byValue.delete(asked.path)
  }

  /** The views that the change can touch, each once, and perhaps some more. */
  candidates({ before, after }: Sides): Iterable<View> {
    let found: Set<View> | undefined
    let isOwn = false
    const add = (views: ReadonlySet<View> | undefined): void => {
      if (views === undefined || views.size === 0) return
      if (found === undefined) found = views as Set<View>
      else {
        if (!isOwn) found = new Set(found)
        isOwn = true
        for (const view of views) found.add(view)
      }
    }
    add(this.#others)
    for (const [path, byValue] of this.#byValue) {
      const was = before === undefined ? undefined : fieldOf(before, path)
      const is = after === undefined ? undefined : fieldOf(after, path)
      if (before !== undefined) add(byValue.get(was ?? null))
      if (after !== undefined && (before === undefined || is !== was)) add(byValue.get(is ?? null))
    }
    return found ?? []
  }
}

interface Sides {
  readonly before: StoredRecord | undefined
  readonly after: StoredRecord | undefined
}

/** The values of one field that all records of the view have one of; undefined where its filter asks for none. */
function valuesAsked({ question }: View): { path: string; values: readonly (Key | null)[] } | undefined {
  const { conditions } = question.spec.filter
  for (const condition of conditions) {
    if (condition.op === 'eq') return { path: condition.path, values: [condition.value] }
  }
  for (const condition of conditions) {
    if (condition.op !== 'in' || condition.value.length > LIST_MAX) continue
    return { path: condition.path, values: [...new Set(condition.value)] }
  }
  return undefined
}
