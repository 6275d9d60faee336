import { describe, expect, test } from 'vitest'
import { FaultPlan } from '../../src/testing/faults.js'
import type { StreamStoreOptions } from '../../src/testing/stream-case.js'
import { describeStreamStore, runStreamCase, streamStoreCases } from '../../src/testing/stream-conformance.js'
import { ReferencePlace, ReferenceStore } from './reference.js'

/** Places in memory by name. */
function referencePlaces(): { open(place: string): ReferenceStore; options: StreamStoreOptions } {
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
      payloadBytesMax: 5_000_000,
    },
  }
}

const reference = referencePlaces()
describeStreamStore('the reference', reference.open, reference.options, { describe, it: test })
