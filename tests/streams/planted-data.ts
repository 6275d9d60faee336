import { InvalidArgumentError } from '../../src/base/errors.js'
import type { SequencedRecord, StreamMeta, StreamRecord } from '../../src/streams/record.js'
import type { LoadOptions } from '../../src/streams/stream-store.js'
import { type PlantedBug, wellFormed } from './planted-bug.js'
import { type Doc, type Planned, ReferenceStore } from './reference.js'

/** Stores that get records, rules, ids or reading wrong. */
export const dataBugs: readonly PlantedBug[] = [
  [
    'an id is listed from the first call on, whatever became of that',
    [
      'a document that does not exist has no records and no meta, and is not listed',
      'a document is listed from its first record until it is deleted, and not for a call that was refused',
    ],
    class extends ReferenceStore {
      readonly #known = new Set<string>()
      protected override read(id: string): Doc | undefined {
        this.#known.add(id)
        return super.read(id)
      }
      protected override async *readIds(prefix: string): AsyncGenerator<string> {
        yield* super.readIds(prefix)
        for (const id of this.#known) if (!this.place.docs.has(id)) yield id
      }
    },
  ],
  [
    'major versions are not compared',
    [
      'a meta with another name or major version is refused, and nothing is written',
      'metas of one appendMany are checked against each other',
      'metas of a batch are checked against the document',
    ],
    class extends ReferenceStore {
      protected override compare(...[id, a, b, inBatch]: Parameters<ReferenceStore['compare']>): void {
        super.compare(id, { ...a, replicaType: b.replicaType }, b, inBatch)
      }
    },
  ],
  [
    'an empty list is refused',
    ['appendMany adds its records in order; an empty list does nothing'],
    class extends ReferenceStore {
      override async appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
        if (records.length === 0) throw new InvalidArgumentError('records', 'at least one', records)
        await super.appendMany(id, records)
      }
    },
  ],
  [
    'what is not known is left out',
    ['what is not a record is refused before anything is written, by every method that takes records'],
    class extends ReferenceStore {
      override async replace(id: string, records: readonly StreamRecord[]): Promise<void> {
        const kinds: readonly unknown[] = ['meta', 'entry']
        await super.replace(
          id,
          Array.isArray(records) ? records.filter((record) => kinds.includes(record?.kind)) : records,
        )
      }
    },
  ],
  [
    'arguments are checked before there is a promise',
    ['ids that are not text and lists that are not lists are refused by a rejection, not by a throw'],
    class extends ReferenceStore {
      override delete(id: string): Promise<void> {
        if (typeof id !== 'string') throw new InvalidArgumentError('id', 'text', id)
        return super.delete(id)
      }
    },
  ],
  [
    'the encoding is made of what the data is',
    ['both kinds and both encodings are kept, with text and with bytes, whatever the encoding says'],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        if (copy.kind === 'meta') return copy
        return {
          ...copy,
          payload: { ...copy.payload, encoding: typeof copy.payload.data === 'string' ? 'json' : 'binary' },
        }
      }
    },
  ],
  [
    'text goes through UTF-8',
    [
      'text is kept as it is: empty, NUL, lone surrogates, emoji, quotes',
      'versions are kept as they are',
      'schema hashes and names of replica types are kept as they are',
    ],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        return copy.kind === 'meta' ? copy : { ...copy, version: wellFormed(copy.version) }
      }
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        return typeof data === 'string' ? wellFormed(data) : super.copyBytes(data)
      }
      protected override copyMeta<M extends StreamMeta | null>(meta: M): M {
        return meta === null
          ? meta
          : (JSON.parse(wellFormed(JSON.stringify({ ...meta, schemaHash: wellFormed(meta.schemaHash) }))) as M)
      }
    },
  ],
  [
    'undefined is kept',
    ['a lineage that is undefined is an absent one'],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        if (record.kind === 'meta' || copy.kind === 'meta' || !('lineage' in record.payload)) return copy
        return { ...copy, payload: { ...copy.payload, lineage: record.payload.lineage } }
      }
    },
  ],
  [
    'metas are brought into the newer shape',
    ['both shapes of meta are kept, each as it came, and go with each other'],
    class extends ReferenceStore {
      protected override copyMeta<M extends StreamMeta | null>(meta: M): M {
        if (meta === null || 'syncMode' in meta) return super.copyMeta(meta)
        const { syncProtocol, ...rest } = meta
        return { ...rest, syncMode: syncProtocol } as unknown as M
      }
    },
  ],
  [
    'only fields that are known are kept',
    ['further fields of a meta are kept: when it is appended, read, replaced and folded'],
    class extends ReferenceStore {
      protected override copyMeta<M extends StreamMeta | null>(meta: M): M {
        if (meta === null) return meta
        const { replicaType, schemaHash } = meta
        const mode = 'syncMode' in meta ? { syncMode: meta.syncMode } : { syncProtocol: meta.syncProtocol }
        return super.copyMeta({ replicaType, schemaHash, ...mode } as unknown as M)
      }
    },
  ],
  [
    'a stream holds its last thousand records',
    ['many records of many sizes in one document are kept'],
    class extends ReferenceStore {
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        const doc = this.place.docs.get(args[0])
        if (doc !== undefined) this.place.docs.set(args[0], { ...doc, rows: doc.rows.slice(-1000) })
      }
    },
  ],
  [
    'what is larger than a megabyte is cut',
    ['payloads of a megabyte are kept, several in a stream', 'the largest payload is kept, as bytes and as text'],
    class extends ReferenceStore {
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        return super.copyBytes(data.slice(0, 1_000_000))
      }
    },
  ],
  [
    'a delete does not tell case apart',
    ['replacing, deleting and appending to one of several similar ids leaves the others alone'],
    class extends ReferenceStore {
      protected override remove(id: string): void {
        for (const other of this.place.docs.keys()) if (other.toLowerCase() === id.toLowerCase()) super.remove(other)
      }
    },
  ],
  [
    'ids are cut after 255 characters',
    ['a very long id is an id, and keeps apart from one that differs at its end'],
    class extends ReferenceStore {
      protected override write(...[id, ...rest]: Parameters<ReferenceStore['write']>): Promise<void> {
        return super.write(typeof id === 'string' ? id.slice(0, 255) : id, ...rest)
      }
      protected override read(id: string): Doc | undefined {
        return super.read(id.slice(0, 255))
      }
    },
  ],
  [
    'a prefix is compared with what UTF-8 makes of an id',
    ['an id with a lone surrogate is found under its prefix'],
    class extends ReferenceStore {
      protected override hasPrefix(id: string, prefix: string): boolean {
        return wellFormed(id).startsWith(prefix)
      }
    },
  ],
  [
    'ids are listed up to the end of the first page',
    ['listDocIds gives many ids, each once, and bears writes meanwhile'],
    class extends ReferenceStore {
      protected override async *readIds(prefix: string): AsyncGenerator<string> {
        let left = 1_000
        for await (const id of super.readIds(prefix)) if (left-- > 0) yield id
      }
    },
  ],
  [
    'a prefix is made into text',
    ['a prefix that is not text is refused'],
    class extends ReferenceStore {
      protected override readIds(prefix: unknown): AsyncGenerator<string> {
        return super.readIds(String(prefix))
      }
    },
  ],
  [
    'load gives entries only',
    ['load gives the records with their seqs, those that loadAll gives'],
    class extends ReferenceStore {
      protected override async *readAll(id: string): AsyncGenerator<StreamRecord> {
        for await (const { seq: _seq, ...record } of super.readSome(id, {})) yield record
      }
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        for await (const row of super.readSome(id, options)) if (row.kind === 'entry') yield row
      }
    },
  ],
  [
    'load begins with the seq that it is given',
    ['load starts after a seq and stops at a limit'],
    class extends ReferenceStore {
      protected override readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        const { after = -1 } = options
        return super.readSome(id, after > 0 ? { ...options, after: after - 1 } : options)
      }
    },
  ],
  [
    'load gives a thousand records at most',
    ['a long stream is read in pages of any size without losing or repeating a record'],
    class extends ReferenceStore {
      protected override readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        return super.readSome(id, { ...options, limit: Math.min(options.limit ?? 1_000, 1_000) })
      }
    },
  ],
  [
    'bounds are rounded',
    ['bounds that are not whole numbers are refused by load'],
    class extends ReferenceStore {
      protected override readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        const whole = (value: unknown): number => Math.trunc(Number(value))
        const { after, limit } = options
        return super.readSome(id, {
          ...(after === undefined ? {} : { after: whole(after) }),
          ...(limit === undefined ? {} : { limit: whole(limit) }),
        })
      }
    },
  ],
  [
    'a refused call gives back a seq that it never took',
    ['a seq that a failed call might have had does no harm: seqs still grow'],
    class extends ReferenceStore {
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        await super.write(...args).catch((error: unknown) => {
          this.place.next.set(args[0], (this.place.next.get(args[0]) ?? 1) - 1)
          throw error
        })
      }
    },
  ],
  [
    'all readers share one cursor',
    [
      'two iterators at once, of one document and of two, are whole, and so is each that runs twice',
      'two iterators of one iterable are each whole, and a later one reads anew',
    ],
    class extends ReferenceStore {
      #at = 0
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        const rows: SequencedRecord[] = []
        for await (const row of super.readSome(id, options)) rows.push(row)
        for (this.#at = 0; ; ) {
          const row = rows[this.#at++]
          if (row === undefined) return
          yield row
        }
      }
    },
  ],
  [
    'a fold is read up to 16 MB, and no reader goes on after a page of that size',
    [
      'a stream with large records is read whole, from the beginning and from any place',
      'compact keeps what fold keeps of a stream with large records',
    ],
    class extends ReferenceStore {
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        let bytes = 0
        for await (const row of super.readSome(id, options)) {
          yield row
          if (row.kind === 'entry' && (bytes += row.payload.data.length) > 16_000_000) return
        }
      }
      protected override planFold(...[id, doc, records]: Parameters<ReferenceStore['planFold']>): Planned | undefined {
        return super.planFold(id, doc, records.length > 20 ? records.slice(0, 16) : records)
      }
    },
  ],
  [
    'a reader takes ten thousand seqs at a time, and stops where there are none',
    ['a stream that begins at a high seq is read and told whole, after replace and compact'],
    class extends ReferenceStore {
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        let end = (options.after ?? -1) + 10_000
        for await (const row of super.readSome(id, options)) {
          if (row.seq > end) return
          end = row.seq + 10_000
          yield row
        }
      }
    },
  ],
]
