import { afterAll, describe, expect, test } from 'vitest'
import * as sqlite from '../../src/sqlite.js'
import * as streams from '../../src/streams/index.js'
import { faultySqliteAdapter } from '../../src/testing/faults.js'
import type { StreamConformanceOptions } from '../../src/testing/stream-case.js'
import { describeStreamStore, runStreamCase, streamStoreCases } from '../../src/testing/stream-conformance.js'
import { ReferencePlace, ReferenceStore } from './reference.js'
import { bindings, memoryPlaces, type Places, sqlitePlaces } from './stream-places.mjs'

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

const found = await bindings(varve)
test('there is a binding with files, and node:sqlite is among them where Node.js has it', () => {
  const names = found.filter(({ files }) => files).map(({ name }) => name)
  expect(names).not.toEqual([])
  expect(names.includes('node:sqlite')).toBe(Number(process.versions.node.split('.')[0]) >= 22)
})

const FORMATS = ['kyneta', 'varve'] as const
const titleOf = (name: string, format: string): string => (format === 'varve' ? `${name}, in Varve's own format` : name)

for (const binding of found) {
  for (const format of FORMATS) {
    const places = sqlitePlaces(varve, binding, { format })
    describeStreamStore(titleOf(binding.name, format), places.open, places.options, framework)
    afterAll(places.end)
  }
}

// The largest payloads, on one binding only: they take long.
describe('payloads of 50 MB', () => {
  const size = { payloadBytesMax: 50_000_000 }
  const binding = found.find(({ name }) => name === 'better-sqlite3') ?? found.find(({ files }) => files)
  const places: [string, Places][] = [['memory', memoryPlaces(varve, size)]]
  for (const format of FORMATS) {
    if (binding === undefined) continue
    places.push([titleOf(binding.name, format), sqlitePlaces(varve, binding, { ...size, format })])
  }
  describe.each(places)('%s', (_name, { open, options, end }) => {
    afterAll(end)
    test.each(streamStoreCases.filter(({ needs }) => needs?.includes('bigPayloads')))(
      '$name',
      (one) => runStreamCase(one, open, options),
      240_000,
    )
  })
})
