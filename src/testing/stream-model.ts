import type { StreamMeta, StreamRecord, SyncMode } from '../streams/record.js'
import { lastMeta, textOf } from './stream-fixture.js'

/** Why a call is refused: the name of the error class. */
export type Refusal = 'StreamFirstRecordError' | 'StreamNoMetaError' | 'StreamMismatchError'

/**
 * What streams should be, in as few words as possible: a list of records per document. The rules are written from the contract,
 * not from the store. A call that is refused changes nothing.
 */
export class StreamModel {
  readonly streams: Map<string, readonly StreamRecord[]> = new Map()

  of(id: string): readonly StreamRecord[] {
    return this.streams.get(id) ?? []
  }

  append(id: string, records: readonly StreamRecord[]): Refusal | undefined {
    const existing = this.of(id)
    const [first] = records
    if (first === undefined) return undefined
    if (existing.length === 0 && first.kind !== 'meta') return 'StreamFirstRecordError'
    if (!areCompatible([...metasOf(existing).slice(-1), ...metasOf(records)])) return 'StreamMismatchError'
    this.streams.set(id, [...existing, ...records])
    return undefined
  }

  replace(id: string, records: readonly StreamRecord[]): Refusal | undefined {
    const metas = metasOf(records)
    if (metas.length === 0) return 'StreamNoMetaError'
    if (!areCompatible([...metasOf(this.of(id)).slice(-1), ...metas])) return 'StreamMismatchError'
    this.streams.set(id, records)
    return undefined
  }

  delete(id: string): void {
    this.streams.delete(id)
  }

  meta(id: string): StreamMeta | null {
    return lastMeta(this.of(id))
  }
}

function metasOf(records: readonly StreamRecord[]): StreamMeta[] {
  return records.flatMap((record) => (record.kind === 'meta' ? [record.meta] : []))
}

/** Compatible is an equivalence: same name, same major version, same mode. */
function areCompatible(metas: readonly StreamMeta[]): boolean {
  return new Set(metas.map(kindOf)).size <= 1
}

function kindOf(meta: StreamMeta): string {
  const [name, major] = meta.replicaType
  const { writerModel, delivery, durability }: SyncMode = 'syncMode' in meta ? meta.syncMode : meta.syncProtocol
  return textOf([name, major, writerModel, delivery, durability])
}
