import type { OpenStreamStore, StreamConformanceOptions } from '../../src/testing/stream-case.js'

interface Binding {
  readonly name: string
  open(path: string): unknown
  adapt(native: unknown, options: { own: boolean }): unknown
}

export interface Places {
  readonly open: OpenStreamStore
  readonly options: StreamConformanceOptions
  end(): void
}

export function bindings(varve: object): Binding[]
export function sqlitePlaces(varve: object, binding: Binding, options?: object): Places
export function memoryPlaces(varve: object): Places
