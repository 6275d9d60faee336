import type { OpenStreamStore, StreamConformanceOptions } from '../../src/testing/stream-case.js'
import type { Native } from '../support/sqlite-natives.mjs'

interface Binding extends Native {
  adapt(native: unknown, options: { own: boolean }): unknown
}

export interface Places {
  readonly open: OpenStreamStore
  readonly options: StreamConformanceOptions
  end(): void
}

/** Besides those of the store: how large payloads get. Default: 6 MB. */
interface PlaceOptions {
  readonly format?: 'kyneta' | 'varve'
  readonly payloadBytesMax?: number
}

export function bindings(varve: object): Promise<readonly Binding[]>
export function sqlitePlaces(varve: object, binding: Binding, options?: PlaceOptions): Places
export function memoryPlaces(varve: object, options?: Pick<PlaceOptions, 'payloadBytesMax'>): Places
