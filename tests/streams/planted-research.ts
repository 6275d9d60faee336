import { StreamMismatchError } from '../../src/streams/errors.js'
import type { SequencedRecord, StreamMeta, StreamRecord } from '../../src/streams/record.js'
import type { LoadOptions, OnRecord, StreamTail, TailOptions, TailPrefix } from '../../src/streams/stream-store.js'
import { cut, type PlantedBug, wellFormed } from './planted-bug.js'
import { type Doc, type Seen, ReferenceStore } from './reference.js'

/** What stores get wrong, by the research and by experience, and the promise that each of them breaks. */
export const researchBugs: readonly PlantedBug[] = [
  [
    'the seq is kept in memory by each handle',
    ['alternate appends of two handles never collide: nothing is lost, seqs grow'],
    class extends ReferenceStore {
      readonly #seqs = new Map<string, number>()
      protected override nextSeq(id: string, doc: Doc | undefined): number {
        const seq = this.#seqs.get(id) ?? (doc?.rows.at(-1)?.seq ?? -1) + 1
        this.#seqs.set(id, seq + 1)
        return seq
      }
    },
  ],
  [
    'prefixes are compared as LIKE does, without case',
    ['listDocIds(prefix) compares bytes: case, accents and wildcards count, and nothing that begins so is missing'],
    class extends ReferenceStore {
      protected override hasPrefix(id: string, prefix: string): boolean {
        return id.toLowerCase().startsWith(prefix.toLowerCase())
      }
    },
  ],
  [
    'wildcards of LIKE are not escaped',
    ['listDocIds(prefix) compares bytes: case, accents and wildcards count, and nothing that begins so is missing'],
    class extends ReferenceStore {
      protected override hasPrefix(id: string, prefix: string): boolean {
        return prefix.includes('%') || id.startsWith(prefix)
      }
    },
  ],
  [
    'a range of ids ends at prefix + U+00FF',
    ['listDocIds(prefix) compares bytes: case, accents and wildcards count, and nothing that begins so is missing'],
    class extends ReferenceStore {
      protected override hasPrefix(id: string, prefix: string): boolean {
        return id >= prefix && id < `${prefix}\u00ff`
      }
    },
  ],
  [
    'ids are listed in the order of UTF-16',
    ['listDocIds gives all ids in the order of their UTF-8 bytes'],
    class extends ReferenceStore {
      protected override async *readIds(prefix: string): AsyncGenerator<string> {
        const ids: string[] = []
        for await (const id of super.readIds(prefix)) ids.push(id)
        yield* ids.sort()
      }
    },
  ],
  [
    'a meta only changes what is known, and is not in the stream',
    ['what was appended is read in this order, metas in the stream too'],
    class extends ReferenceStore {
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        for await (const row of super.readSome(id, options)) if (row.kind === 'entry' || row.seq === 0) yield row
      }
    },
  ],
  [
    'replace deletes first and writes later',
    [
      'readers see the old stream or the new one while it is replaced, never none and never a mixture',
      'readers of another handle see the old stream or the new one while it is replaced',
    ],
    class extends ReferenceStore {
      override async replace(id: string, records: readonly StreamRecord[]): Promise<void> {
        await this.delete(id)
        await super.replace(id, records)
      }
    },
  ],
  [
    'replace writes in two steps, and readers see both',
    ['readers see the old stream or the new one while it is replaced, never none and never a mixture'],
    class extends ReferenceStore {
      override async replace(id: string, records: readonly StreamRecord[]): Promise<void> {
        await super.replace(id, records.slice(0, 3))
        await super.appendMany(id, records.slice(3))
      }
    },
  ],
  [
    'a compact forgets what was appended while fold worked',
    [
      'what another handle appends while fold works is not lost: fold is called again with it',
      'what is appended while fold works is not lost',
      'a document that another handle deletes while fold works does not come back',
      'compacts of one handle lose nothing of what another handle appends meanwhile',
    ],
    class extends ReferenceStore {
      override async compact(id: string, fold: (all: readonly StreamRecord[]) => StreamRecord[]): Promise<void> {
        const all: StreamRecord[] = []
        for await (const record of this.loadAll(id)) all.push(record)
        await this.replace(id, await fold(all))
      }
    },
  ],
  [
    'bytes are kept by reference',
    ['what the caller changes after a call has been made does not reach the store'],
    class extends ReferenceStore {
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        return data
      }
    },
  ],
  [
    'a meta is kept by reference',
    ['what was read can be changed without any effect on the store'],
    class extends ReferenceStore {
      protected override copyMeta<M extends StreamMeta | null>(meta: M): M {
        return meta
      }
    },
  ],
  [
    'blobs that come as ArrayBuffer are lost',
    ['bytes are kept as they are: none, zeros, every value'],
    class extends ReferenceStore {
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        const buffer = data as unknown as { buffer: ArrayBuffer; byteOffset: undefined }
        return typeof data === 'string' ? data : new Uint8Array(buffer.buffer.slice(0, 0))
      }
    },
  ],
  [
    'the whole buffer of a view is kept',
    ['a view on a part of a larger buffer is kept as that part, subclasses included'],
    class extends ReferenceStore {
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        return typeof data === 'string' ? data : new Uint8Array(data.buffer.slice(0))
      }
    },
  ],
  [
    'bytes come back as a Buffer',
    ['bytes come back as a plain Uint8Array of the same length'],
    class extends ReferenceStore {
      protected override copyBytes(data: string | Uint8Array): string | Uint8Array {
        return typeof data === 'string' ? data : Buffer.from(data)
      }
    },
  ],
  [
    'a cursor is held open, and writing waits for it',
    [
      'an iterator that is abandoned early holds nothing: writing and reading go on',
      'writing while somebody reads works, and the reader sees one state',
      'a reader that takes its time holds up nobody',
    ],
    class extends ReferenceStore {
      #readers = 0
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        this.#readers++
        yield* super.readSome(id, options)
        this.#readers--
      }
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        if (this.#readers > 0) throw new Error('This database connection is busy executing a query')
        super.put(...args)
      }
    },
  ],
  [
    'pages of one reader come from different states',
    ['a reader that is in the middle of a stream when it is replaced sees one state, or is told to read again'],
    class extends ReferenceStore {
      protected override async *readSome(id: string, options: LoadOptions): AsyncGenerator<SequencedRecord> {
        let after = options.after ?? -1
        for (;;) {
          const page: SequencedRecord[] = []
          for await (const row of super.readSome(id, { after, limit: Math.min(7, options.limit ?? 7) })) page.push(row)
          yield* page
          if (page.length < 7) return
          after = page.at(-1)?.seq ?? after
        }
      }
    },
  ],
  [
    'a failed write poisons the next one',
    ['a refused call does not poison the next on its document'],
    class extends ReferenceStore {
      readonly #failed = new Set<string>()
      protected override write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        const [id] = args
        if (this.#failed.has(id)) return Promise.reject(new Error('an earlier write failed'))
        return super.write(...args).catch((error: unknown) => {
          this.#failed.add(id)
          throw error
        })
      }
    },
  ],
  [
    'seqs start again after replace',
    [
      'seqs grow over appends, and go on after replace',
      'replaces of one handle among appends of another lose nothing that comes after, and no seq is given twice',
    ],
    class extends ReferenceStore {
      protected override nextSeq(id: string, doc: Doc | undefined, clear: boolean): number {
        return clear ? 0 : super.nextSeq(id, doc, clear)
      }
    },
  ],
  [
    'seqs start again when the place is opened again',
    ['seqs are the same when the place is opened again, and go on, after replace and compact too'],
    class extends ReferenceStore {
      #began = false
      protected override nextSeq(id: string, doc: Doc | undefined, clear: boolean): number {
        const seq = this.#began ? super.nextSeq(id, doc, clear) : 0
        this.#began = true
        return seq
      }
    },
  ],
  [
    'delete leaves what is known about the document',
    ['delete removes the stream and its meta; a document that does not exist is no error'],
    class extends ReferenceStore {
      readonly #metas = new Map<string, StreamMeta>()
      override async delete(id: string): Promise<void> {
        const meta = await this.currentMeta(id)
        if (meta !== null) this.#metas.set(id, meta)
        await super.delete(id)
      }
      override async currentMeta(id: string): Promise<StreamMeta | null> {
        return (await super.currentMeta(id)) ?? this.#metas.get(id) ?? null
      }
    },
  ],
  [
    'close fails when it is called twice',
    ['close is safe twice, one after the other and at once'],
    class extends ReferenceStore {
      override async close(): Promise<void> {
        this.checkOpen()
        await super.close()
      }
    },
  ],
  [
    'close does not wait for what was called before',
    [
      'calls that were made before close are done',
      'close waits for a compact whose fold answers at once that was called before',
    ],
    class extends ReferenceStore {
      #gone = false
      override async close(): Promise<void> {
        void super.close()
        this.#gone = true
      }
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        if (this.#gone) throw new Error('The database connection is not open')
        super.put(...args)
      }
    },
  ],
  [
    'a method works after close',
    ['every method rejects after close with StreamClosedError'],
    class extends ReferenceStore {
      override async flush(): Promise<void> {
        await Promise.resolve()
      }
    },
  ],
  [
    'ids end at a NUL',
    ['ids that differ in anything are different documents'],
    class extends ReferenceStore {
      override async append(id: string, record: StreamRecord): Promise<void> {
        await super.append(cut(id), record)
      }
      override async appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
        await super.appendMany(cut(id), records)
      }
      override load(id: string, options?: LoadOptions): AsyncIterable<SequencedRecord> {
        return super.load(cut(id), options)
      }
    },
  ],
  [
    'lone surrogates in ids become U+FFFD',
    ['ids that differ in anything are different documents'],
    class extends ReferenceStore {
      override async appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
        await super.appendMany(wellFormed(id), records)
      }
      override load(id: string, options?: LoadOptions): AsyncIterable<SequencedRecord> {
        return super.load(wellFormed(id), options)
      }
    },
  ],
  [
    'lineage is dropped',
    ['lineage is kept with text and with bytes; absent stays absent'],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        if (copy.kind === 'entry') delete (copy.payload as { lineage?: string }).lineage
        return copy
      }
    },
  ],
  [
    'an absent lineage becomes null',
    ['lineage is kept with text and with bytes; absent stays absent'],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        if (copy.kind === 'meta') return copy
        return { ...copy, payload: { ...copy.payload, lineage: copy.payload.lineage ?? null } }
      }
    },
  ],
  [
    'an empty lineage is taken for none',
    ['lineage is kept with text and with bytes; absent stays absent'],
    class extends ReferenceStore {
      protected override copy<R extends StreamRecord>(record: R): R {
        const copy = super.copy(record)
        if (copy.kind === 'entry' && copy.payload.lineage === '') delete (copy.payload as { lineage?: string }).lineage
        return copy
      }
    },
  ],
  [
    'entries are taken before any meta',
    ['an entry before any meta is refused with the words of kyneta, and nothing is written'],
    class extends ReferenceStore {
      protected override planAppend(...[id, doc, records]: Parameters<ReferenceStore['planAppend']>) {
        if (doc === undefined && records[0]?.kind === 'entry') return { clear: false, add: records }
        return super.planAppend(id, doc, records)
      }
    },
  ],
  [
    'another minor version is refused',
    ['a meta with another minor version is accepted, up and down, and counts'],
    class extends ReferenceStore {
      protected override compare(...[id, a, b, inBatch]: Parameters<ReferenceStore['compare']>): void {
        super.compare(id, a, b, inBatch)
        if (a.replicaType[2] > b.replicaType[2]) throw new StreamMismatchError(id, 'replicaType', a, b, inBatch)
      }
    },
  ],
  [
    'one axis of the mode is not compared',
    ['a meta that differs in any axis of the mode is refused, and nothing is written'],
    class extends ReferenceStore {
      protected override compare(...[id, a, b, inBatch]: Parameters<ReferenceStore['compare']>): void {
        const same = 'syncMode' in a && 'syncMode' in b && a.syncMode.durability !== b.syncMode.durability
        if (!same) super.compare(id, a, b, inBatch)
      }
    },
  ],
  [
    'metas of a batch are not checked against each other',
    ['metas of a batch are checked against each other'],
    class extends ReferenceStore {
      protected override compare(...[id, a, b, inBatch]: Parameters<ReferenceStore['compare']>): void {
        if (!inBatch) super.compare(id, a, b, inBatch)
      }
    },
  ],
  [
    'the first meta of a batch counts',
    ['the meta of a batch may be anywhere, and the last one counts', 'the last schemaHash counts'],
    class extends ReferenceStore {
      override async currentMeta(id: string): Promise<StreamMeta | null> {
        for await (const record of this.loadAll(id)) if (record.kind === 'meta') return record.meta
        return super.currentMeta(id)
      }
    },
  ],
  [
    'a batch with a refused record is written in part',
    ['a batch of appendMany with one record that is refused is not written at all'],
    class extends ReferenceStore {
      override async appendMany(id: string, records: readonly StreamRecord[]): Promise<void> {
        for (const record of records) await super.append(id, record)
      }
    },
  ],
  [
    'a tail tells what was written while it caught up twice',
    ['what is written between catching up and waiting is told once and not lost'],
    class extends ReferenceStore {
      protected override listen(target: string | TailPrefix, options: TailOptions, onRecord: OnRecord): StreamTail {
        let calls = 0
        return super.listen(target, options, async (record, id) => {
          await onRecord(record, id)
          if (++calls === 350) await onRecord(record, id)
        })
      }
    },
  ],
  [
    'a tail loses what is written while it caught up',
    ['what is written between catching up and waiting is told once and not lost'],
    class extends ReferenceStore {
      protected override nextOf(target: string | TailPrefix, seen: Map<string, Seen>) {
        const next = super.nextOf(target, seen)
        const last = next === undefined ? -1 : (this.place.docs.get(next[0])?.rows.at(-1)?.seq ?? -1)
        if (next === undefined || next[1].seq !== 701 || last === 701) return next
        seen.set(next[0], { seq: last - 1, clearedTo: -1 })
        return super.nextOf(target, seen)
      }
    },
  ],
  [
    'a tail polls its own writes',
    ['a tail tells what is there and then what comes, own writes without waiting for a poll'],
    class extends ReferenceStore {
      protected override put(...args: Parameters<ReferenceStore['put']>): void {
        super.put(...args)
        this.place.listeners.clear()
      }
    },
  ],
  [
    'a tail of a prefix does not know documents that came later',
    ['a tail of a prefix tells every document under it, new ones too, and no other'],
    class extends ReferenceStore {
      protected override listen(target: string | TailPrefix, options: TailOptions, onRecord: OnRecord): StreamTail {
        const known = new Set(this.place.docs.keys())
        return super.listen(target, options, (record, id) => (known.has(id) ? onRecord(record, id) : undefined))
      }
    },
  ],
  [
    'concurrent calls on one document overtake each other',
    ['concurrent appends to one document take effect in the order of the calls'],
    class extends ReferenceStore {
      #turn = 0
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        if (this.#turn++ % 5 === 3) for (let wait = 0; wait < 40; wait++) await Promise.resolve()
        await super.write(...args)
      }
    },
  ],
  [
    'reads do not wait for the writes before them',
    ['concurrent calls of all kinds on one document take effect in the order of the calls, reads included'],
    class extends ReferenceStore {
      override async currentMeta(id: string): Promise<StreamMeta | null> {
        return this.place.docs.get(id)?.meta ?? null
      }
    },
  ],
  [
    'a fault after the first of several writes leaves the others out',
    [
      'a write whose n-th storage operation fails before it was done rejects, leaves the old state, and the next call works',
    ],
    class extends ReferenceStore {
      protected override put(...[id, doc, planned]: Parameters<ReferenceStore['put']>): void {
        const [first, ...rest] = planned.add
        super.put(id, doc, { ...planned, add: first === undefined ? [] : [first] })
        if (rest.length === 0) return
        this.operation('write', () => super.put(id, this.place.docs.get(id), { clear: false, add: rest }))
      }
    },
  ],
  [
    'replace is not one transaction: a crash leaves an empty document',
    ['a crash at any point of replace of a document leaves the whole old state or the whole new one'],
    class extends ReferenceStore {
      protected override commit(...args: Parameters<ReferenceStore['commit']>): void {
        const [id, change] = args
        const doc = this.read(id)
        if (doc !== undefined && change(doc)?.clear === true) this.operation('clear', () => this.place.docs.delete(id))
        super.commit(...args)
      }
    },
  ],
  [
    'an error of the storage is swallowed',
    [
      'a write whose n-th storage operation fails before it was done rejects, leaves the old state, and the next call works',
      'in a concurrent group, a call that resolved is written and one that rejected is not, whatever fails',
      'while the storage is down every call rejects, and when it is back all is as it was',
    ],
    class extends ReferenceStore {
      protected override async write(...args: Parameters<ReferenceStore['write']>): Promise<void> {
        await super.write(...args).catch((error: Error) => {
          if (!/fault/.test(error.message)) throw error
        })
      }
    },
  ],
  [
    'stores of one database share their documents',
    ['stores in one database share nothing: documents, lists, stats, tails'],
    ReferenceStore,
  ],
]
