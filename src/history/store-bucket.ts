import type { Bucket } from '../commit/bucket.js'
import { BucketHandle } from '../commit/bucket-handle.js'
import type { Engine } from '../engine.js'
import type { AnyDefinition, KeyOf, RecordOf } from '../schema/infer.js'
import type { AnyLinks } from '../schema/links.js'
import { recordHistory } from './versions.js'
import type { RecordHistoryOptions, RecordVersion } from './versions.js'

/** What handles of the whole store have besides. */
export interface RecordHistory<D = AnyDefinition> {
  /**
   * What commits have made of the record under `key`, the newest first, with who and why: as far back as history goes. The
   * oldest version is `inserted` where none is missing.
   *
   * @throws {InvalidArgumentError} @throws the reason of the signal.
   */
  history(key: KeyOf<D>, options?: RecordHistoryOptions): Promise<RecordVersion<RecordOf<D>>[]>
}

/**
 * A bucket of the whole store: what `BucketHandle` has, and the history of its records. Both by name, because the compiler takes any
 * `BucketHandle` for a `BucketHandle` without arguments, but not a subclass.
 */
export type StoreBucket<D = AnyDefinition, L = AnyLinks> = BucketHandle<D, L> & RecordHistory<D>

/** The handle that the whole store makes. */
export class StoreBucketHandle<D = AnyDefinition, L = AnyLinks> extends BucketHandle<D, L> implements RecordHistory<D> {
  readonly #engine: Engine

  constructor(bucket: Bucket, engine: Engine) {
    super(bucket, engine.sequencer, engine.subscribeLive)
    this.#engine = engine
  }

  async history(key: KeyOf<D>, options: RecordHistoryOptions = {}): Promise<RecordVersion<RecordOf<D>>[]> {
    const { options: access, sequencer } = this.#engine
    // What the caller has written is in it, also where the write did not wait for the storage.
    await sequencer.settled()
    const versions = await recordHistory(this.name, key, options, access, sequencer.position.visible)
    return versions as unknown as RecordVersion<RecordOf<D>>[]
  }
}
