const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object

/** What an array says by its internal slots: arrays of other realms do, too, and no imitation fools it. */
function slot(name: string | symbol): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get as (this: unknown) => unknown
}

const nameOf = slot(Symbol.toStringTag)
const bufferOf = slot('buffer')
const offsetOf = slot('byteOffset')
const lengthOf = slot('length')

/** Whether `value` is a Uint8Array, a Buffer among them, whatever it says of itself. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return nameOf.call(value) === 'Uint8Array'
}

/** The same bytes as an array without a class or properties of its own; `bytes` may be of any class. */
export function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(
    bufferOf.call(bytes) as ArrayBuffer,
    offsetOf.call(bytes) as number,
    lengthOf.call(bytes) as number,
  )
}
