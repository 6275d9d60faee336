import type { StreamRecord } from '../streams/record.js'
import type { StreamStore } from '../streams/stream-store.js'
import { check } from './expect.js'
import type { StreamCase } from './stream-case.js'
import {
  checkEqual,
  checkError,
  checkStream,
  entries,
  entry,
  EPHEMERAL,
  failureOf,
  listIds,
  loadAll,
  metaRecord,
  oldMetaRecord,
  textOf,
  turn,
} from './stream-fixture.js'

const meta = metaRecord()

/**
 * Changes `id` with `change` while others read it, again and again. Each reader has to see one of `states`, whole.
 *
 * @param small whether the stream fits in a page: then no reader may be refused.
 */
export async function checkReadersDuring(
  reader: StreamStore,
  id: string,
  states: readonly (readonly StreamRecord[])[],
  small: boolean,
  change: () => Promise<void>,
): Promise<void> {
  const allowed = new Set(states.map(textOf))
  let busy = true
  let reads = 0
  const read = async (): Promise<void> => {
    while (busy) {
      let seen: StreamRecord[] | undefined
      const failure = await failureOf(loadAll(reader, id).then((records) => void (seen = records)))
      reads++
      if (failure === undefined) check(allowed.has(textOf(seen)), `a reader saw ${textOf(seen).slice(0, 200)}`)
      else
        check(!small && failure.name === 'StreamReplacedError', `a reader failed: ${failure.name} ${failure.message}`)
      check((await reader.currentMeta(id)) !== null, 'a reader saw no meta')
      check((await listIds(reader, id)).includes(id), 'a reader did not find the id')
      // Reads of a storage in memory may end without a task: a writer that waits for one would wait forever. Between tasks
      // there are many reads, so that they fall between the steps of a write, too.
      if (reads % 20 === 0) await turn()
    }
  }
  const readers = Promise.allSettled([read(), read(), read()])
  try {
    await change()
  } finally {
    busy = false
  }
  for (const outcome of await readers) if (outcome.status === 'rejected') throw outcome.reason
  check(reads > 0, 'somebody has read')
}

/** Replacing and deleting. */
export const replaceCases: readonly StreamCase[] = [
  {
    name: 'replace puts a batch in the place of the stream, existing or not',
    async run({ store }) {
      const first = [meta, entry('a'), entry(Uint8Array.of(1))]
      await store.replace('doc', first)
      await checkStream(store, 'doc', first, 'a new document')
      await store.replace('doc', [metaRecord('h2'), entry('b')])
      await checkStream(store, 'doc', [metaRecord('h2'), entry('b')], 'shorter')
      const longer = [metaRecord('h3'), ...entries(20)]
      await store.replace('doc', longer)
      await store.append('doc', entry('after'))
      await checkStream(store, 'doc', [...longer, entry('after')], 'longer, and an append')
    },
  },
  {
    name: 'the meta of a batch may be anywhere, and the last one counts',
    async run({ store }) {
      const records = [entry('a'), metaRecord('h2'), entry('b'), oldMetaRecord('h3', ['yjs', 1, 4]), entry('c')]
      await store.replace('doc', records)
      await checkStream(store, 'doc', records, 'metas in the middle')
      await store.replace('doc', [entry('a'), meta])
      await checkStream(store, 'doc', [entry('a'), meta], 'a meta at the end')
    },
  },
  {
    name: 'a batch without a meta is refused with the words of kyneta, and nothing is written',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const words = /batch must contain at least one meta record/
      for (const batch of [[], [entry('b')], entries(3)]) {
        await checkError(store.replace('doc', batch), 'StreamNoMetaError', words, `${batch.length} records`)
        await checkError(store.replace('new', batch), 'StreamNoMetaError', words, `${batch.length} records, new`)
      }
      await checkStream(store, 'doc', [meta, entry('a')], 'the document')
      await checkStream(store, 'new', [], 'a new document')
    },
  },
  {
    name: 'metas of a batch are checked against the document',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      const type = store.replace('doc', [metaRecord('h1', ['loro', 1, 0])])
      await checkError(type, 'StreamMismatchError', /replicaType mismatch .*existing .* vs incoming/s, 'another type')
      const mode = store.replace('doc', [metaRecord('h1', ['yjs', 1, 0], EPHEMERAL)])
      await checkError(mode, 'StreamMismatchError', /syncMode mismatch .*existing .* vs incoming/s, 'another mode')
      await checkStream(store, 'doc', [meta, entry('a')], 'after the refusals')
    },
  },
  {
    name: 'metas of a batch are checked against each other',
    async run({ store }) {
      for (const id of ['old', 'new']) {
        if (id === 'old') await store.append(id, meta)
        const type = store.replace(id, [meta, entry('a'), metaRecord('h1', ['yjs', 2, 0])])
        await checkError(type, 'StreamMismatchError', /replicaType mismatch/, `${id}: two types`)
        const mode = store.replace(id, [meta, oldMetaRecord('h1', ['yjs', 1, 0], EPHEMERAL)])
        await checkError(mode, 'StreamMismatchError', /syncMode mismatch/, `${id}: two modes`)
      }
      const within = store.replace('new', [meta, metaRecord('h1', ['loro', 1, 0])])
      await checkError(within, 'StreamMismatchError', /replicaType mismatch within batch — /, 'the words of kyneta')
      await checkStream(store, 'old', [meta], 'the document')
      await checkStream(store, 'new', [], 'a new document')
    },
  },
  {
    name: 'readers see the old stream or the new one while it is replaced, never none and never a mixture',
    timeoutMs: 120_000,
    async run({ store }) {
      const states = [0, 1, 2].map((i) => [metaRecord(`h${i}`), ...entries(10 + 10 * i, `s${i}-`)])
      await store.replace('doc', states[0] ?? [])
      await checkReadersDuring(store, 'doc', states, true, async () => {
        for (let round = 1; round <= 30; round++) await store.replace('doc', states[round % 3] ?? [])
      })
      const large = [0, 1].map((i) => [metaRecord(`h${i}`), ...entries(1500 + 200 * i, `s${i}-`)])
      await store.replace('large', large[0] ?? [])
      await checkReadersDuring(store, 'large', large, false, async () => {
        for (let round = 1; round <= 6; round++) await store.replace('large', large[round % 2] ?? [])
      })
    },
  },
  {
    name: 'a reader that is in the middle of a stream when it is replaced sees one state, or is told to read again',
    async run({ store }) {
      const [old, young] = [
        [meta, ...entries(2000, 'old')],
        [metaRecord('h2'), ...entries(2000, 'new')],
      ]
      await store.replace('doc', old)
      const seen: StreamRecord[] = []
      const reading = async (): Promise<void> => {
        for await (const record of store.loadAll('doc')) {
          if (seen.length === 5) await store.replace('doc', young)
          seen.push(record)
        }
      }
      const failure = await failureOf(reading())
      if (failure === undefined) check(textOf(seen) === textOf(old), `the reader saw ${seen.length} records`)
      else checkEqual(failure.name, 'StreamReplacedError', `the reader failed: ${failure.message}`)
      await checkStream(store, 'doc', young, 'afterwards')
    },
  },
  {
    name: 'delete removes the stream and its meta; a document that does not exist is no error',
    async run({ store }) {
      await store.delete('nobody')
      await store.appendMany('doc', [meta, entry('a')])
      await store.append('other', meta)
      await store.delete('doc')
      await checkStream(store, 'doc', [], 'deleted')
      await store.delete('doc')
      await checkStream(store, 'other', [meta], 'the other document')
    },
  },
  {
    name: 'after delete the first record has to be a meta again',
    async run({ store }) {
      await store.append('doc', meta)
      await store.delete('doc')
      await checkError(store.append('doc', entry('a')), 'StreamFirstRecordError', /must be meta, got entry/, 'an entry')
      await checkStream(store, 'doc', [], 'after the refusal')
    },
  },
  {
    name: 'a deleted document can be made anew with another replica type and mode',
    async run({ store }) {
      await store.appendMany('doc', [meta, entry('a')])
      for (const again of [metaRecord('h9', ['loro', 4, 0], EPHEMERAL), oldMetaRecord('h8', ['plain', 1, 0])]) {
        await store.delete('doc')
        await store.append('doc', again)
        await store.append('doc', entry('b'))
        await checkStream(store, 'doc', [again, entry('b')], 'made anew')
      }
      await store.delete('doc')
      await store.replace('doc', [meta])
      await checkStream(store, 'doc', [meta], 'made anew by replace')
    },
  },
]
