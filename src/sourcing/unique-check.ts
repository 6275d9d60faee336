import type { Key } from '../base/value.js'
import { UniqueConstraintError } from '../commit/errors.js'
import type { Overlay } from '../commit/overlay.js'
import type { FieldIndex, IndexValue } from '../state/field-index.js'

/** What a transaction has written under one unique index. */
interface Held {
  readonly index: FieldIndex
  readonly keyOf: Map<IndexValue, Key>
  readonly valueOf: Map<Key, IndexValue>
}

/**
 * Checks the unique fields of what a transaction has written so far, after each of several steps that would else be commits of their own: so
 * that a step is refused whatever comes after it, as it is where it is alone.
 */
export class UniqueCheck {
  readonly #held = new Map<Overlay, readonly Held[]>()
  readonly #touched = new Map<Overlay, Set<Key>>()

  /** A record was written, or deleted. */
  touch(overlay: Overlay, key: Key): void {
    if (this.#heldOf(overlay).length === 0) return
    let keys = this.#touched.get(overlay)
    if (keys === undefined) this.#touched.set(overlay, (keys = new Set()))
    keys.add(key)
  }

  /** The bucket was emptied. */
  cleared(overlay: Overlay): void {
    this.#touched.delete(overlay)
    for (const { keyOf, valueOf } of this.#heldOf(overlay)) {
      keyOf.clear()
      valueOf.clear()
    }
  }

  /** Checks what was written since the last call. @throws {UniqueConstraintError} then the transaction is of no use. */
  check(): void {
    for (const [overlay, keys] of this.#touched) {
      for (const held of this.#heldOf(overlay)) checkIndex(overlay, held, keys)
    }
    this.#touched.clear()
  }

  #heldOf(overlay: Overlay): readonly Held[] {
    let held = this.#held.get(overlay)
    if (held === undefined) {
      const { indexes } = overlay.bucketState.table
      const unique = indexes.map(({ hash }) => hash).filter((hash) => hash?.unique === true) as FieldIndex[]
      held = unique.map((index) => ({ index, keyOf: new Map(), valueOf: new Map() }))
      this.#held.set(overlay, held)
    }
    return held
  }
}

function checkIndex(overlay: Overlay, { index, keyOf, valueOf }: Held, keys: ReadonlySet<Key>): void {
  // First what they gave up: records may exchange their values.
  for (const key of keys) {
    const before = valueOf.get(key)
    if (before !== undefined && keyOf.get(before) === key) keyOf.delete(before)
    valueOf.delete(key)
  }
  const { name, schema } = overlay.bucketState
  for (const key of keys) {
    const record = overlay.get(key)
    const value = record && index.valueIn(record)
    if (value === undefined) continue
    const stored = overlay.isCleared ? undefined : index.only(value)
    const other = keyOf.get(value) ?? (stored && schema.keyOf(stored.record))
    // One of the table that was written since is in the maps, or has another value now.
    const isTaken = other !== undefined && other !== key
    if (isTaken && (keyOf.has(value) || overlay.get(other) === stored?.record)) {
      throw new UniqueConstraintError(name, index.name, value)
    }
    keyOf.set(value, key)
    valueOf.set(key, value)
  }
}
