import type { Engine } from '../engine.js'
import type { Captured } from '../lifecycle/capture.js'

/** The state of a running store, for `capture`. */
export function capturedOf({ catalog, sequencer, undoneCount }: Engine): Captured {
  const { position } = sequencer
  const settled = (): Promise<void> | undefined => sequencer.settled()
  return { buckets: catalog.buckets, position, at: sequencer.now(), undoneCount, settled }
}
