import type { ReferenceStore } from './reference.js'

export type StoreClass = new (...args: ConstructorParameters<typeof ReferenceStore>) => ReferenceStore

/** What a store gets wrong, the promises that it breaks by that, and such a store. */
export type PlantedBug = readonly [bug: string, caughtBy: readonly string[], store: StoreClass]

export function cut(id: string): string {
  return id.includes('\0') ? id.slice(0, id.indexOf('\0')) : id
}

export function wellFormed(id: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(id))
}
