import type { StreamEntryRecord, StreamMeta, StreamRecord } from '../streams/record.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  checkEqual,
  checkStream,
  entry,
  load,
  loadAll,
  metaRecord,
  oldMetaRecord,
  COLLABORATIVE,
} from './stream-fixture.js'

const meta = metaRecord()

/** Texts that storages like to lose. */
const HARD_TEXTS: readonly string[] = [
  '',
  '\0',
  'a\0b\0',
  '\ud800',
  '\udfff\ud800',
  'x\udc00y',
  '😀',
  '👩‍👩‍👧‍👦 é e\u0301 \ufeff \uffff \ufffd \u{10ffff}',
  '"quoted" \\back\\ \'single\' `tick`',
  '{"json":[1,null,"\\u0000"]}',
  ' \r\n\t\u2028\u2029 ',
  "'; DROP TABLE kyneta_records; --",
  'null',
  '0',
]

function everyByte(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, i) => i)
}

async function checkKept(store: Parameters<typeof loadAll>[0], records: readonly StreamRecord[]): Promise<void> {
  for (const record of records) await store.append('doc', record)
  await checkStream(store, 'doc', records, 'the stream')
}

/** The one entry of `doc`, which has a meta and an entry. */
async function onlyEntry(store: Parameters<typeof loadAll>[0]): Promise<StreamEntryRecord> {
  const record = (await loadAll(store, 'doc')).at(-1)
  check(record?.kind === 'entry', 'the last record is an entry')
  return record
}

/** What goes in comes out, and nothing is shared with the caller. */
export const dataCases: readonly StreamCase[] = [
  {
    name: 'both kinds and both encodings are kept, with text and with bytes, whatever the encoding says',
    async run({ store }) {
      const records: StreamRecord[] = [meta]
      for (const kind of ['entirety', 'since'] as const) {
        for (const encoding of ['json', 'binary'] as const) {
          for (const data of ['{"a":1}', Uint8Array.of(0, 255)])
            records.push(entry(data, `${kind} ${encoding}`, { kind, encoding }))
        }
      }
      await checkKept(store, records)
    },
  },
  {
    name: 'text is kept as it is: empty, NUL, lone surrogates, emoji, quotes',
    async run({ store }) {
      await checkKept(store, [meta, ...HARD_TEXTS.map((text) => entry(text))])
    },
  },
  {
    name: 'bytes are kept as they are: none, zeros, every value',
    async run({ store }) {
      const bytes = [new Uint8Array(0), Uint8Array.of(0), new Uint8Array(5), everyByte()]
      await checkKept(store, [meta, ...bytes.map((data) => entry(data))])
    },
  },
  {
    name: 'bytes come back as a plain Uint8Array of the same length',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry(Uint8Array.of(1, 2, 3))])
      for (const record of [await onlyEntry(store), (await load(store, 'doc')).at(-1) as StreamEntryRecord]) {
        const { data } = record.payload
        check(data instanceof Uint8Array, `bytes are a Uint8Array, got ${Object.prototype.toString.call(data)}`)
        check(Object.getPrototypeOf(data) === Uint8Array.prototype, `a plain one, got ${data.constructor.name}`)
        checkEqual(data, Uint8Array.of(1, 2, 3), 'the bytes')
      }
    },
  },
  {
    name: 'a view on a part of a larger buffer is kept as that part, subclasses included',
    async run({ store }) {
      class Special extends Uint8Array {}
      const part = everyByte().subarray(10, 13)
      await store.appendMany('doc', [meta, entry(part), entry(Special.of(7, 8))])
      const wanted = [meta, entry(Uint8Array.of(10, 11, 12)), entry(Uint8Array.of(7, 8))]
      await checkStream(store, 'doc', wanted, 'views')
    },
  },
  {
    name: 'versions are kept as they are',
    async run({ store }) {
      await checkKept(store, [meta, ...HARD_TEXTS.map((text) => entry('x', text))])
    },
  },
  {
    name: 'lineage is kept with text and with bytes; absent stays absent',
    async run({ store }) {
      const lineages = HARD_TEXTS.flatMap((lineage) => [
        entry('x', 'v', { lineage }),
        entry(Uint8Array.of(1), 'v', { lineage }),
      ])
      const records = [meta, entry('none'), entry(Uint8Array.of(2)), ...lineages]
      await checkKept(store, records)
      for (const record of await loadAll(store, 'doc')) {
        if (record.kind === 'meta' || (record.payload.data !== 'none' && record.payload.lineage !== undefined)) continue
        check(!('lineage' in record.payload), 'a payload without lineage has no such field')
      }
    },
  },
  {
    name: 'a lineage that is undefined is an absent one',
    async run({ store }) {
      const given = { ...entry('x'), payload: { ...entry('x').payload, lineage: undefined } }
      await store.appendMany('doc', [meta, given as unknown as StreamEntryRecord])
      await checkStream(store, 'doc', [meta, entry('x')], 'an undefined lineage')
    },
  },
  {
    name: 'both shapes of meta are kept, each as it came, and go with each other',
    async run({ store }) {
      const records = [oldMetaRecord('h1'), metaRecord('h2'), entry('x'), oldMetaRecord('h3')]
      await checkKept(store, records)
      check('syncProtocol' in ((await store.currentMeta('doc')) ?? {}), 'currentMeta has the shape of the last meta')
      await store.replace('doc', [metaRecord('h4')])
      await checkStream(store, 'doc', [metaRecord('h4')], 'replaced by the other shape')
    },
  },
  {
    name: 'further fields of a meta are kept: when it is appended, read, replaced and folded',
    async run({ store }) {
      const fields = { supportedHashes: ['h0', 'h1'], more: { deep: [1, null, 'é\0', { yes: true }] } }
      const wide: StreamRecord = { kind: 'meta', meta: { ...meta.meta, ...fields } }
      await store.append('doc', wide)
      await store.appendMany('doc', [entry('a'), wide])
      await checkStream(store, 'doc', [wide, entry('a'), wide], 'appended')
      await store.replace('doc', await loadAll(store, 'doc'))
      await checkStream(store, 'doc', [wide, entry('a'), wide], 'replaced by what was read')
      await store.compact('doc', (records) => records.slice(0, 2))
      await checkStream(store, 'doc', [wide, entry('a')], 'folded')
      checkEqual(await store.currentMeta('doc'), wide.meta, 'currentMeta')
    },
  },
  {
    name: 'schema hashes and names of replica types are kept as they are',
    async run({ store }) {
      for (const [i, text] of HARD_TEXTS.entries()) {
        const record = metaRecord(text, [text, 3, 12])
        await store.append(`doc${i}`, record)
        await checkStream(store, `doc${i}`, [record], JSON.stringify(text))
      }
    },
  },
  {
    name: 'what the caller changes after a call has been made does not reach the store',
    async run({ store }) {
      const bytes = Uint8Array.of(1, 2, 3)
      const own = { replicaType: ['yjs', 1, 0] as [string, number, number], syncMode: { ...COLLABORATIVE } }
      const first = { kind: 'meta' as const, meta: { ...own, schemaHash: 'h1' } }
      const payload = { kind: 'since' as const, encoding: 'binary' as const, data: bytes, lineage: 'l' }
      const second = { kind: 'entry' as const, payload, version: 'v' }
      const list: StreamRecord[] = [first, second]
      for (const [id, call] of [
        ['many', () => store.appendMany('many', list)],
        ['replaced', () => store.replace('replaced', list)],
        ['one', () => Promise.all([store.append('one', first), store.append('one', second)])],
      ] as const) {
        const under = call()
        // Before it is done …
        Object.assign(first.meta, { schemaHash: 'changed', replicaType: ['changed', 9, 9] })
        Object.assign(own.syncMode, { durability: 'transient' })
        own.replicaType[0] = 'changed'
        bytes.fill(9)
        Object.assign(payload, { lineage: 'changed' })
        Object.assign(second, { version: 'changed' })
        list.length = 0
        await under
        const wanted = [metaRecord(), entry(Uint8Array.of(1, 2, 3), 'v', { lineage: 'l' })]
        await checkStream(store, id, wanted, `${id}: changed while the call was under way`)
        // … and afterwards.
        bytes.fill(8)
        await checkStream(store, id, wanted, `${id}: changed after the call`)
        own.replicaType[0] = 'yjs'
        own.syncMode = { ...COLLABORATIVE }
        Object.assign(first, { meta: { ...own, schemaHash: 'h1' } })
        bytes.set([1, 2, 3])
        Object.assign(payload, { lineage: 'l' })
        Object.assign(second, { version: 'v' })
        list.push(first, second)
      }
    },
  },
  {
    name: 'what was read can be changed without any effect on the store',
    async run({ store }) {
      const fresh = (): StreamRecord[] => [metaRecord(), entry(Uint8Array.of(1, 2, 3))]
      await store.appendMany('doc', fresh())
      const spoil = (record: StreamRecord): void => {
        if (record.kind === 'meta') spoilMeta(record.meta)
        else if (record.payload.data instanceof Uint8Array) record.payload.data.fill(9)
      }
      for (const record of await loadAll(store, 'doc')) spoil(record)
      for (const record of await load(store, 'doc')) spoil(record)
      const current = await store.currentMeta('doc')
      check(current !== null, 'there is a meta')
      spoilMeta(current)
      await checkStream(store, 'doc', fresh(), 'after all that was read was changed')
      await store.append('doc', metaRecord('h2'))
    },
  },
  {
    name: 'many records of many sizes in one document are kept',
    async run({ store }) {
      const records: StreamRecord[] = [meta]
      for (let i = 0; i < 1200; i++) {
        const size = (i * 37) % 700
        records.push(i % 2 === 0 ? entry('t'.repeat(size), `v${i}`) : entry(new Uint8Array(size).fill(i), `v${i}`))
      }
      await store.appendMany('doc', records.slice(0, 700))
      for (const record of records.slice(700, 710)) await store.append('doc', record)
      await store.appendMany('doc', records.slice(710))
      await checkStream(store, 'doc', records, 'many records')
    },
  },
  {
    name: 'payloads of a megabyte are kept, several in a stream',
    needs: ['bigPayloads'],
    async run({ store, options }) {
      const size = Math.min(1_000_003, options.payloadBytesMax ?? 1_000_003)
      const text = '"\\é😀\0'.repeat(Math.floor(size / 6))
      const bytes = new Uint8Array(size)
      for (let i = 0; i < bytes.length; i++) bytes[i] = i * 31
      const records = [meta, entry(bytes, 'v1'), entry(text, 'v2'), entry('small', 'v3'), entry(bytes, 'v4')]
      await store.appendMany('doc', records)
      await checkStream(store, 'doc', records, 'large payloads')
    },
  },
  {
    name: 'the largest payload is kept, as bytes and as text',
    needs: ['bigPayloads'],
    timeoutMs: 240_000,
    async run({ store, options }) {
      const size = options.payloadBytesMax ?? 50_000_000
      const bytes = new Uint8Array(size)
      for (let i = 0; i < size; i += 4093) bytes[i] = i
      await store.append('bytes', meta)
      await store.append('bytes', entry(bytes))
      const [, first] = await loadAll(store, 'bytes')
      check(first?.kind === 'entry' && first.payload.data instanceof Uint8Array, 'bytes come back as bytes')
      check(isSame(first.payload.data, bytes), 'the bytes are the same')
      await store.delete('bytes')
      const text = 'abcdefgh'.repeat(size / 8)
      await store.appendMany('text', [meta, entry(text)])
      const [, second] = await loadAll(store, 'text')
      check(second?.kind === 'entry' && second.payload.data === text, 'the text is the same')
    },
  },
]

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Changes a meta where it lets that happen: a store may freeze what it gives. */
function spoilMeta(meta: StreamMeta): void {
  Reflect.set(meta, 'schemaHash', 'spoiled')
  Reflect.set(meta.replicaType, 0, 'spoiled')
  Reflect.set('syncMode' in meta ? meta.syncMode : meta.syncProtocol, 'durability', 'transient')
}
