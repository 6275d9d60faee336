import { afterAll, describe, expect, test } from 'vitest'
import * as sqlite from '../../src/sqlite.js'
import * as streams from '../../src/streams/index.js'
import { faultySqliteAdapter } from '../../src/testing/faults.js'
import type { StreamConformanceOptions } from '../../src/testing/stream-case.js'
import { describeStreamStore } from '../../src/testing/stream-conformance.js'
import { ReferencePlace, ReferenceStore } from './reference.js'
import { bindings, memoryPlaces, sqlitePlaces } from './stream-places.mjs'

const varve = { ...sqlite, ...streams, faultySqliteAdapter }

const framework = { describe, it: test }

/** Places in memory by name. */
function referencePlaces(): { open(place: string): ReferenceStore; options: StreamConformanceOptions } {
  const places = new Map<string, ReferencePlace>()
  const at = (name: string): ReferencePlace => {
    const place = places.get(name) ?? new ReferencePlace()
    places.set(name, place)
    return place
  }
  return {
    open: (place) => new ReferenceStore(at(place)),
    options: {
      reopen: true,
      secondHandle: true,
      namespaces: (place, namespace) => new ReferenceStore(at(`${place}/${namespace}`)),
      faults: (place, plan) => new ReferenceStore(at(place), plan),
      crash: () => undefined,
      keepsClears: true,
      payloadBytesMax: 5_000_000,
    },
  }
}

const reference = referencePlaces()
describeStreamStore('the reference', reference.open, reference.options, framework)

const memory = memoryPlaces(varve)
describeStreamStore('memory', memory.open, memory.options, framework)
afterAll(memory.end)

const found = bindings(varve)
test('node:sqlite is among the bindings, where Node.js has it', () => {
  const names = found.map((one) => one.name)
  expect(names.includes('node:sqlite')).toBe(Number(process.versions.node.split('.')[0]) >= 22)
  expect(names.length).toBeGreaterThanOrEqual(3)
})

for (const binding of found) {
  const places = sqlitePlaces(varve, binding)
  describeStreamStore(binding.name, places.open, places.options, framework)
  afterAll(places.end)
  const own = sqlitePlaces(varve, binding, { format: 'varve' })
  const { openForeign: _none, ...claims } = own.options
  describeStreamStore(`${binding.name}, in Varve's own format`, own.open, claims, framework)
  afterAll(own.end)
}
