import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { splitmix32 } from '../../src/base/seeded-random.js'
import { createMemoryStreamStore, createSqliteStreamStore, MemoryStreams } from '../../src/streams/index.js'
import type { StreamRecord, StreamStore } from '../../src/streams/index.js'
import { adapterOn } from './adapters.js'
import { all } from './records.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Options {
  readonly updatesMax?: number
  readonly pollMs?: number
  readonly onError?: (error: Error) => void
}

/** The class of the example, which is plain JavaScript. */
interface Persistence {
  readonly doc: Y.Doc
  saved(): Promise<void>
  compact(): Promise<void>
  close(): Promise<void>
}

const { YjsPersistence } = (await import(pathToFileURL(join(ROOT, 'examples/yjs/yjs-persistence.mjs')).href)) as {
  YjsPersistence: { open(store: StreamStore, id: string, options?: Options): Promise<Persistence> }
}

const textOf = (doc: Y.Doc): string => doc.getText('text').toString()
const vectorOf = (doc: Y.Doc): string => Buffer.from(Y.encodeStateVector(doc)).toString('hex')

async function entriesOf(store: StreamStore): Promise<StreamRecord[]> {
  return (await all(store.loadAll('doc'))).filter(({ kind }) => kind === 'entry')
}

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'varve-yjs-'))
}

/** Handles on one place, each of which might be another process. */
function handles(kind: 'memory' | 'kyneta' | 'varve'): { open(): Promise<StreamStore>; end(): void } {
  const streams = new MemoryStreams()
  if (kind === 'memory') return { open: async () => createMemoryStreamStore({ streams }), end: () => undefined }
  const path = folder()
  const open = (): Promise<StreamStore> => {
    const adapter = adapterOn(join(path, 'a.db'))
    adapter.exec('PRAGMA journal_mode = WAL')
    return createSqliteStreamStore(adapter, { format: kind })
  }
  return { open, end: () => rmSync(path, { recursive: true, force: true }) }
}

/** Edits at random places, by one or the other. @returns how many. */
async function editAtRandom(
  editors: readonly [Persistence, Persistence],
  random: () => number,
  edits: number,
): Promise<number> {
  let made = 0
  for (let i = 0; i < edits; i++) {
    const text = editors[random() < 0.5 ? 0 : 1].doc.getText('text')
    const at = Math.floor(random() * (text.length + 1))
    if (random() < 0.3 && at < text.length) text.delete(at, Math.min(3, text.length - at))
    else text.insert(at, `${i} `)
    made++
    if (random() < 0.2) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await Promise.all(editors.map((editor) => editor.saved()))
  return made
}

const converged = (one: Persistence, other: Persistence): Promise<void> =>
  expect
    .poll(() => vectorOf(one.doc) === vectorOf(other.doc) && textOf(one.doc) === textOf(other.doc), { timeout: 10_000 })
    .toBe(true)

for (const kind of ['memory', 'kyneta', 'varve'] as const) {
  test(`Yjs documents of two handles converge, before, while and after they are compacted (${kind})`, async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
    const bits = splitmix32(seed)
    const random = (): number => bits() / 2 ** 32
    const place = handles(kind)
    const stores = [await place.open(), await place.open()] as const
    const errors: Error[] = []
    const options = { pollMs: 2, updatesMax: 1_000, onError: (error: Error) => void errors.push(error) }
    const [one, other] = [
      await YjsPersistence.open(stores[0], 'doc', options),
      await YjsPersistence.open(stores[1], 'doc', options),
    ]
    try {
      const edits = await editAtRandom([one, other], random, 120)
      await converged(one, other)
      // One record for each edit: what came from the other one was not written again.
      expect(await entriesOf(stores[0]), `seed ${seed}`).toHaveLength(edits)

      await Promise.all([editAtRandom([one, other], random, 60), one.compact(), other.compact()])
      await editAtRandom([one, other], random, 10)
      await converged(one, other)
      await one.compact()
      expect(await entriesOf(stores[1])).toHaveLength(1)
      await editAtRandom([one, other], random, 10)
      await converged(one, other)
      expect(errors).toEqual([])

      const expected = { text: textOf(one.doc), state: Buffer.from(Y.encodeStateAsUpdate(one.doc)) }
      await one.close()
      await other.close()
      await Promise.all(stores.map((store) => store.close()))
      const store = await place.open()
      const again = await YjsPersistence.open(store, 'doc')
      expect(textOf(again.doc), `seed ${seed}`).toBe(expected.text)
      expect(Buffer.from(Y.encodeStateAsUpdate(again.doc)).equals(expected.state), `seed ${seed}`).toBe(true)
      await again.close()
      await store.close()
    } finally {
      place.end()
    }
  })
}

test('a Yjs document is compacted by itself, and an edit that could not be written is written with the next', async () => {
  const store = createMemoryStreamStore()
  let isFull = false
  const errors: string[] = []
  const failing: StreamStore = Object.assign(Object.create(store) as StreamStore, {
    appendMany: (id: string, records: readonly StreamRecord[]) =>
      isFull ? Promise.reject(new Error('disk full')) : store.appendMany(id, records),
    append: store.append.bind(store),
    load: store.load.bind(store),
    tail: store.tail.bind(store),
    compact: store.compact.bind(store),
    currentMeta: store.currentMeta.bind(store),
  })
  const onError = (error: Error): void => void errors.push(error.message)
  const notes = await YjsPersistence.open(failing, 'doc', { updatesMax: 5, pollMs: 2, onError })
  const text = notes.doc.getText('text')
  for (let i = 0; i < 30; i++) {
    text.insert(0, 'a')
    await notes.saved()
  }
  expect((await entriesOf(store)).length).toBeLessThan(10)

  isFull = true
  text.insert(0, 'b')
  await expect(notes.saved()).rejects.toThrow('disk full')
  isFull = false
  text.insert(0, 'c')
  await notes.saved()
  const again = await YjsPersistence.open(store, 'doc')
  expect(textOf(again.doc)).toBe(`cb${'a'.repeat(30)}`)
  expect(errors).toEqual(['disk full'])
  await notes.close()
  await again.close()
  await store.close()
})

test('examples/yjs: two processes converge, and what was saved survives kill -9, a restart and a compaction', () => {
  const path = folder()
  try {
    const args = ['--disable-warning=ExperimentalWarning', join(ROOT, 'examples/yjs/main.mjs'), join(path, 'a.db')]
    for (let life = 1; life <= 2; life++) {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 55_000 })
      expect(stdout + stderr).not.toContain('WRONG')
      expect(stdout.match(/^ok /gm), stdout + stderr).toHaveLength(5)
      expect(status).toBe(0)
    }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}, 120_000)
