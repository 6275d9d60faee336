import { StreamFirstRecordError, StreamMismatchError, StreamNoMetaError } from './errors.js'
import type { StreamMeta, StreamRecord, SyncMode } from './record.js'

/** The three axes, in whichever shape the meta has them. */
export function syncModeOf(meta: StreamMeta): SyncMode {
  return 'syncMode' in meta ? meta.syncMode : meta.syncProtocol
}

/**
 * What is known about a document after `records` were appended.
 *
 * @param existing what is known before; `null`: there is no such document.
 * @throws {StreamFirstRecordError} {StreamMismatchError}
 */
export function metaAfterAppend(id: string, existing: StreamMeta | null, records: readonly StreamRecord[]): StreamMeta {
  let meta = existing
  for (const record of records) {
    if (record.kind === 'meta') {
      if (meta !== null) mustMatch(id, meta, record.meta, false)
      meta = record.meta
    } else if (meta === null) throw new StreamFirstRecordError(id)
  }
  // Only an empty list could leave it unknown, and nobody appends one.
  return meta as StreamMeta
}

/**
 * What is known about a document after all that it had was replaced by `records`.
 *
 * @throws {StreamNoMetaError} {StreamMismatchError}
 */
export function metaAfterReplace(
  id: string,
  existing: StreamMeta | null,
  records: readonly StreamRecord[],
): StreamMeta {
  let last: StreamMeta | undefined
  for (const record of records) {
    if (record.kind !== 'meta') continue
    if (existing !== null) mustMatch(id, existing, record.meta, false)
    if (last !== undefined) mustMatch(id, last, record.meta, true)
    last = record.meta
  }
  if (last === undefined) throw new StreamNoMetaError(id)
  return last
}

/** The same algorithm in a version that understands the other (equal majors), and the same mode on all three axes. */
function mustMatch(id: string, existing: StreamMeta, incoming: StreamMeta, inBatch: boolean): void {
  const [before, after] = [existing.replicaType, incoming.replicaType]
  if (before[0] !== after[0] || before[1] !== after[1]) {
    throw new StreamMismatchError(id, 'replicaType', before, after, inBatch)
  }
  const [had, has] = [syncModeOf(existing), syncModeOf(incoming)]
  if (had.writerModel !== has.writerModel || had.delivery !== has.delivery || had.durability !== has.durability) {
    throw new StreamMismatchError(id, 'syncMode', had, has, inBatch)
  }
}
