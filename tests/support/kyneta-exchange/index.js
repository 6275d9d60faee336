/**
 * The helpers of @kyneta/exchange that @kyneta/sqlite-store 3.0.0 needs. That package is not in the registry, so they are written
 * here by their description in the research of record streams; nothing is copied. Tests and benchmarks run the real store on them.
 */
export const STORE_META_FORMAT_KEY = 'format'
export class StoreFormatVersionError extends Error {
  constructor(fields) {
    super('incompatible format (' + fields.reason + ')')
    Object.assign(this, fields)
  }
}
export class SeqNoTracker {
  #last = new Map()
  async next(id, discover) {
    const last = this.#last.has(id) ? this.#last.get(id) : ((await discover()) ?? -1)
    this.#last.set(id, last + 1)
    return last + 1
  }
  reset(id, seq) {
    this.#last.set(id, seq)
  }
  remove(id) {
    this.#last.delete(id)
  }
}
export function parseStoreFormat(text) {
  try {
    const { major, minor } = JSON.parse(text)
    return Number.isInteger(major) && Number.isInteger(minor) ? { major, minor } : 'malformed'
  } catch {
    return 'malformed'
  }
}
export function decideStoreFormat({ current, stored, storeHasData }) {
  if (stored === null)
    return storeHasData
      ? { action: 'refuse', reason: 'unversioned-existing-data' }
      : { action: 'stamp', value: current }
  return stored.major === current.major ? { action: 'open' } : { action: 'refuse', reason: 'incompatible-major' }
}
const mode = (meta) => JSON.stringify([meta.syncMode.writerModel, meta.syncMode.delivery, meta.syncMode.durability])
function compare(existing, incoming, where) {
  if (existing.replicaType[0] !== incoming.replicaType[0] || existing.replicaType[1] !== incoming.replicaType[1])
    throw new Error('Store: replicaType mismatch ' + where)
  if (mode(existing) !== mode(incoming)) throw new Error('Store: syncMode mismatch ' + where)
}
export function validateAppend(id, record, existing) {
  if (record.kind === 'entry') {
    if (existing === null) throw new Error('Store: first record for doc must be meta, got entry')
    return null
  }
  if (existing !== null) compare(existing, record.meta, 'for document')
  return record.meta
}
export function resolveMetaFromBatch(records, existing) {
  const metas = records.filter((record) => record.kind === 'meta').map((record) => record.meta)
  if (metas.length === 0) throw new Error('Store: batch must contain at least one meta record')
  for (const meta of metas) {
    if (existing !== null) compare(existing, meta, 'for document')
    compare(metas[0], meta, 'within batch')
  }
  return metas.at(-1)
}
