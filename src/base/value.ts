/** A primary key: what a `Map` can hold and JSON can carry. Numbers are finite. `'1'` and `1` are different keys. */
export type Key = string | number | boolean

/** A value of a record: JSON, plus `Infinity` and `-Infinity`. Frozen to the bottom. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [field: string]: Value }

/** A record as the log and the tables know it: frozen, with its metadata in `_` fields. */
export interface StoredRecord {
  readonly [field: string]: Value
}

/** True for what can be a primary key. */
export function isKey(value: unknown): value is Key {
  return (
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
  )
}
