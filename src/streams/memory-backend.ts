import { copyMeta, copyRecord } from './check-record.js'
import { compareIds, hasIdPrefix } from './id-order.js'
import type { StreamMeta, StreamRecord } from './record.js'
import type {
  EntriesToAppend,
  PlacedRecord,
  PlanWrites,
  ReadState,
  StreamBackend,
  StreamHead,
  StreamPage,
  StreamWrite,
} from './stream-backend.js'

interface MemoryStream {
  meta: StreamMeta | null
  seqNext: number
  /** Replaced, not emptied, when the stream is cleared: pages are marked with it. */
  records: PlacedRecord[]
  /** See `StreamWrite.clearedTo`. */
  clearedTo: number
}

/** More ids than this are sorted in together. */
const SPLICES_MAX = 64

/** Streams in memory, for any number of stores at a time or one after another. */
export class MemoryStreams {
  /** Those of documents that are gone, too: their seqs go on. */
  readonly #streams = new Map<string, MemoryStream>()
  /** The ids of documents in order, as they were when they were listed last. */
  #ids: string[] = []
  /** Those that have come or gone since. */
  readonly #touched = new Set<string>()
  #version = 0

  /** A backend on these streams. Any number of them see the same. */
  backend(): StreamBackend {
    let own = 0
    return {
      name: 'memory',
      commit: (ids, plan, read) => (own++, this.#commit(ids, plan, read)),
      append: (batch) => (own++, this.#append(batch)),
      head: (id) => this.#head(id),
      page: (id, after, limit, mark) => this.#page(id, after, limit, mark),
      list: (prefix, after, limit) => this.#list(prefix, after, limit),
      version: () => this.#version - own,
      stats: () => this.#stats(),
      flush: () => undefined,
      close: () => undefined,
    }
  }

  #head(id: string): StreamHead {
    const stream = this.#streams.get(id)
    if (stream === undefined) return { meta: null, seqNext: 0 }
    return { meta: stream.meta === null ? null : copyMeta(stream.meta), seqNext: stream.seqNext }
  }

  #commit(ids: readonly string[], plan: PlanWrites, read: readonly ReadState[]): void {
    this.#version++
    const heads = new Map(ids.map((id) => [id, this.#head(id)]))
    for (const write of plan(heads, new Set(read.filter((state) => this.#isUnmoved(state))))) this.#write(write)
  }

  #isUnmoved({ id, seqLast, mark }: ReadState): boolean {
    const records = this.#streams.get(id)?.records
    return records === mark && records?.at(-1)?.seq === seqLast
  }

  #write({ id, clear, clearedTo, meta, records, seqNext }: StreamWrite): void {
    const stream = this.#streams.get(id) ?? { meta: null, seqNext: 0, records: [], clearedTo: -1 }
    this.#streams.set(id, stream)
    if (meta !== undefined && (meta === null) !== (stream.meta === null)) this.#touched.add(id)
    if (meta !== undefined) stream.meta = meta
    if (clear) {
      stream.records = [...records]
      stream.clearedTo = clearedTo ?? stream.seqNext - 1
    } else for (const record of records) stream.records.push(record)
    stream.seqNext = seqNext
  }

  #append(batch: readonly EntriesToAppend[]): boolean[] {
    this.#version++
    return batch.map(({ id, records }) => {
      const stream = this.#streams.get(id)
      if (stream === undefined || stream.meta === null) return false
      for (const record of records) stream.records.push({ seq: stream.seqNext++, record })
      return true
    })
  }

  #page(id: string, after: number, limit: number, mark: unknown): StreamPage | undefined {
    const stream = this.#streams.get(id)
    const records = stream?.records ?? []
    if (mark !== undefined && mark !== records) return undefined
    const from = firstBeyond(records, after)
    const page = records.slice(from, from + limit)
    return {
      records: page.map(({ seq, record }) => ({ seq, record: copyRecord(record) })),
      more: from + page.length < records.length,
      mark: stream?.records,
      clearedTo: stream?.clearedTo ?? -1,
    }
  }

  #list(prefix: string, after: string | undefined, limit: number): string[] {
    const ids = this.#sortedIds()
    const from = after === undefined || compareIds(prefix, after) > 0 ? prefix : after
    const found: string[] = []
    for (let i = firstNotBefore(ids, from); i < ids.length && found.length < limit; i++) {
      const id = ids[i] as string
      if (!hasIdPrefix(id, prefix)) break
      if (id !== after) found.push(id)
    }
    return found
  }

  #sortedIds(): readonly string[] {
    const touched = this.#touched
    const isThere = (id: string): boolean => (this.#streams.get(id)?.meta ?? null) !== null
    if (touched.size > SPLICES_MAX) {
      const left = this.#ids.filter((id) => !touched.has(id))
      // Two lists in order are put together in one go.
      this.#ids = [...left, ...[...touched].filter(isThere).sort(compareIds)].sort(compareIds)
    } else {
      for (const id of touched) {
        const at = firstNotBefore(this.#ids, id)
        this.#ids.splice(at, this.#ids[at] === id ? 1 : 0, ...(isThere(id) ? [id] : []))
      }
    }
    touched.clear()
    return this.#ids
  }

  #stats(): { docs: number; records: number; bytes: number } {
    const stats = { docs: 0, records: 0, bytes: 0 }
    for (const { meta, records } of this.#streams.values()) {
      if (meta !== null) stats.docs++
      stats.records += records.length
      for (const { record } of records) stats.bytes += bytesOf(record)
    }
    return stats
  }
}

/** Index of the first record with a seq beyond `after`. */
function firstBeyond(records: readonly PlacedRecord[], after: number): number {
  return firstWhere(records.length, (i) => (records[i] as PlacedRecord).seq > after)
}

/** Index of the first id that does not come before `id`. */
function firstNotBefore(ids: readonly string[], id: string): number {
  return firstWhere(ids.length, (i) => compareIds(ids[i] as string, id) >= 0)
}

/** The first index at which `isThere` is true, when it is so for all that follow. */
function firstWhere(length: number, isThere: (index: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isThere(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** Two bytes per character of text: what memory holds. */
function bytesOf(record: StreamRecord): number {
  if (record.kind === 'meta') return 2 * JSON.stringify(record.meta).length
  const { data } = record.payload
  return 2 * record.version.length + (typeof data === 'string' ? 2 * data.length : data.length)
}
