import { bytesOf, idOf } from '../streams/sqlite-ids.js'

/**
 * The key of a document: a byte, then those of its id (generalised UTF-8). Binary keys are in the order of their bytes, those
 * of text are in that of UTF-16. The first byte is there because an empty buffer is taken for one that was given away.
 */
export function keyOf(id: string): Uint8Array {
  const bytes = bytesOf(id)
  const key = new Uint8Array(bytes.length + 1)
  key.set(bytes, 1)
  return key
}

/** The id of a key as IndexedDB gives it. */
export function idOfKey(key: unknown): string {
  return idOf(new Uint8Array(key as ArrayBuffer).subarray(1))
}
