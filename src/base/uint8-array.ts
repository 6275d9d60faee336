// The getter looks at an internal slot: it knows arrays of other realms, and no imitation fools it.
const nameOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined

/** Whether `value` is a Uint8Array, a Buffer among them, whatever it says of itself. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return nameOf.call(value) === 'Uint8Array'
}
