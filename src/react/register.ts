import type { Store } from '../core-store.js'
import type { AnyBuckets } from '../store-options.js'

/**
 * Says of which type the application's store is, so that hooks know its buckets by name:
 * `declare module 'varve/react' { interface Register { store: typeof store } }`.
 */
// oxlint-disable-next-line typescript/no-empty-interface, typescript/no-empty-object-type -- applications add to it
export interface Register {}

/** The application's store, where it was registered; any store otherwise. */
export type RegisteredStore = Register extends { store: infer S } ? S : Store

/** The buckets of the application's store, as they were given to `start`. */
export type RegisteredBuckets = RegisteredStore extends Store<infer B> ? B : AnyBuckets
