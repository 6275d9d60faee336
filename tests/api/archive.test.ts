import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { FileAdapter, readArchive, SQLiteAdapter, Store } from '../../src/index.js'
import type { Entry, StorageAdapter, StoreOptions } from '../../src/index.js'
import { ArchiveLines } from '../../src/history/archive-format.js'
import { Archive } from '../../src/history/archive.js'
import { nodeFileSystem } from '../../src/log/file-system.js'
import type { FileSystem } from '../../src/log/file-system.js'
import { virtualRuntime } from '../../src/testing/runtime.js'
import type { VirtualRuntime } from '../../src/testing/runtime.js'
import { quickFolder } from '../proof/support/places.js'
import { pumpPatiently } from '../proof/support/pump.js'
import { must } from '../proof/support/runs.js'
import { KEYED, rejection } from './opened.js'

const folders: string[] = []
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })))

type Kind = 'sqlite' | 'file'

/** A store with a file, an archive beside it, and a clock that the test moves. */
class Archiving {
  readonly runtime: VirtualRuntime
  readonly folder = quickFolder('varve-archive-')
  readonly archive: string
  readonly errors: Error[] = []
  readonly #kind: Kind
  store!: Store
  adapter!: StorageAdapter
  written = 0

  constructor(kind: Kind = 'sqlite', seed = 1, archive?: string) {
    this.archive = archive ?? join(this.folder, 'archive')
    this.runtime = virtualRuntime({ seed })
    this.#kind = kind
    folders.push(this.folder)
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return pumpPatiently(this.runtime, promise)
  }

  async open(rows = 10, entries = 20, wrap = (adapter: StorageAdapter): StorageAdapter => adapter): Promise<this> {
    const path = join(this.folder, 'store')
    this.adapter = wrap(this.#kind === 'sqlite' ? new SQLiteAdapter(path) : new FileAdapter(path))
    const options: StoreOptions = {
      runtime: this.runtime,
      durability: 'process',
      history: { rows, archive: { folder: this.archive, entries } },
      persistence: { adapter: this.adapter },
      onError: (error) => this.errors.push(error),
    }
    this.store = await this.run(Store.start({ ...options, buckets: { b: KEYED } }))
    return this
  }

  /** So many commits, and the minute after which the log is looked at. */
  async write(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const id = String(this.written++)
      await this.run(this.store.bucket('b').insert({ id, text: `${id} 🙂 \ud800` }))
    }
    await this.minute()
  }

  async minute(): Promise<void> {
    const { timers } = this.runtime.pending
    await this.runtime.advance(60_000)
    // Compressing does not go by that clock. When it is done, the history sleeps again.
    while (this.runtime.pending.timers < timers) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await this.runtime.advance(0)
    }
  }

  async logged(): Promise<number[]> {
    return (await this.run(Promise.resolve(this.store.log.read()))).map(({ seq }) => seq)
  }

  async read(options: Parameters<typeof readArchive>[1] = { log: this.store.log }): Promise<Entry[]> {
    const entries: Entry[] = []
    const collect = async (): Promise<void> => {
      for await (const entry of readArchive(this.archive, options)) entries.push(entry)
    }
    await this.run(collect())
    return entries
  }

  files(): string[] {
    return existsSync(this.archive) ? readdirSync(this.archive).filter((name) => name.startsWith('entries-')) : []
  }

  /** All of history is there, once, and says what was written. */
  async check(): Promise<void> {
    const entries = await this.read()
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: this.written }, (_, at) => at + 1))
    expect(entries.map(({ changes }) => changes[0]?.key)).toEqual(entries.map((_, at) => String(at)))
    expect(entries.at(-1)?.changes[0]?.after).toMatchObject({ text: `${this.written - 1} 🙂 \ud800` })
    expect(Object.isFrozen(entries[0]?.changes[0]?.after)).toBe(true)
  }
}

describe.each<Kind>(['sqlite', 'file'])('on %s', (kind) => {
  test('entries that leave the log are in files, and reading goes on in the log', async () => {
    const world = await new Archiving(kind).open()
    await world.write(25)
    // Fifteen are too many, which is not worth a file yet.
    expect(world.files()).toEqual([])
    expect((await world.logged()).length).toBe(25)
    await world.write(40)
    expect(world.files()).toEqual(['entries-0000000000000001-0000000000000055.jsonl.gz'])
    expect(await world.logged()).toEqual(Array.from({ length: 10 }, (_, at) => at + 56))
    await world.check()
    await world.store.stop()
    await world.open()
    await world.write(30)
    expect(world.files().length).toBe(2)
    await world.check()
    expect(await world.read({ after: 80, log: world.store.log })).toHaveLength(15)
    expect(await world.read({ after: 50 })).toHaveLength(35)
    expect(world.errors).toEqual([])
    await world.store.stop()
  })

  test('a crash between archive and trim: each entry is read once, and goes later', async () => {
    const world = new Archiving(kind)
    let isDown = true
    await world.open(10, 20, (adapter) => {
      const trim = adapter.trim.bind(adapter)
      adapter.trim = (budget) => (isDown ? Promise.reject(new Error('down')) : trim(budget))
      return adapter
    })
    await world.write(50)
    expect([world.files().length, (await world.logged()).length]).toEqual([1, 50])
    await world.check()
    expect(world.errors.map(({ message }) => message)).toEqual(['down'])
    await world.store.stop()
    isDown = false
    await world.open()
    await world.minute()
    expect(await world.logged()).toEqual(Array.from({ length: 10 }, (_, at) => at + 41))
    await world.write(30)
    await world.check()
    expect(world.files().length).toBe(2)
    await world.store.stop()
  })

  test('H2: an adapter that lets go of more than was archived is found out', async () => {
    const world = new Archiving(kind)
    await world.open(10, 20, (adapter) => {
      const trim = adapter.trim.bind(adapter)
      adapter.trim = () => trim({ rows: 1 })
      return adapter
    })
    await world.write(50)
    expect(world.errors).toEqual([expect.objectContaining({ name: 'InvariantError', invariant: 'H2' })])
    await world.store.stop()
  })
})

test('a file operation that fails, at whichever step: nothing is lost, and the next attempt goes on', async () => {
  for (let failing = 0; failing < 30; failing++) {
    const world = new Archiving()
    let left = failing
    let failed = ''
    const files = Object.fromEntries(
      Object.entries(nodeFileSystem).map(([name, operation]) => [
        name,
        (...args: unknown[]) => {
          if (!['identity', 'exists'].includes(name) && left-- === 0) {
            failed = name
            throw Object.assign(new Error('planted'), { code: 'ENOSPC' })
          }
          return (operation as (...given: unknown[]) => unknown)(...args)
        },
      ]),
    ) as unknown as FileSystem
    const store: Store = await world.run(
      Store.start({
        runtime: world.runtime,
        persistence: { adapter: new SQLiteAdapter(join(world.folder, 'other')) },
        history: 'forever',
      }),
    )
    await store.defineBucket('b', KEYED)
    for (let n = 0; n < 30; n++) await world.run(store.bucket('b').insert({ id: String(n) }))
    const { options, report } = (store as never as { engine: { options: never; report: { logId: string } } }).engine
    const open = (): Promise<Archive> =>
      Archive.open({
        folder: world.archive,
        entries: 5,
        logId: report.logId,
        head: 30,
        log: options,
        onError: () => undefined,
        files,
      })
    const outcomes: string[] = []
    // Also where it cannot be made, it can be read.
    mkdirSync(world.archive)
    for (let attempt = 0; attempt < 3; attempt++) {
      const saving = open().then((archive) => archive.save({ rows: 10 }))
      outcomes.push(await world.run(saving.then(String, (error: { code: string }) => error.code)))
      // What is there can be read at any moment.
      const seqs = (await world.read({ log: store.log })).map(({ seq }) => seq)
      expect(seqs).toEqual(Array.from({ length: 30 }, (_, at) => at + 1))
    }
    expect(outcomes.at(-1)).toBe('20')
    // A draft that cannot be removed is left to the next time.
    if (left >= 0 || failed === 'remove') expect(outcomes).toEqual(['20', '20', '20'])
    else expect(outcomes).toContain('STORAGE_FULL')
    expect(world.files().length).toBe(1)
    await world.run(store.stop())
  }
})

test('reading while the log moves entries into the archive misses none', async () => {
  const world = await new Archiving().open(5, 5)
  await world.write(20)
  const seqs: number[] = []
  const collect = async (): Promise<void> => {
    for await (const { seq } of readArchive(world.archive, { log: world.store.log })) {
      seqs.push(seq)
      if (seq === 17) await world.write(600)
    }
  }
  await collect()
  expect(seqs).toEqual(Array.from({ length: 620 }, (_, at) => at + 1))
  await world.store.stop()
}, 60_000)

describe('damage', () => {
  const archived = async (): Promise<Archiving> => {
    const world = await new Archiving().open(5, 5)
    for (let round = 0; round < 4; round++) await world.write(20)
    expect(world.files().length).toBe(4)
    return world
  }
  const fileAt = (world: Archiving, at: number): string => must(world.files()[at])
  const change = (world: Archiving, at: number, edit: (text: string) => string): void => {
    const path = join(world.archive, fileAt(world, at))
    writeFileSync(path, gzipSync(edit(String(gunzipSync(readFileSync(path))))))
  }
  const message = async (world: Archiving): Promise<string> => {
    const error = await rejection(world.read())
    expect(error.code).toBe('ARCHIVE')
    await world.store.stop()
    return error.message
  }

  test.each<[name: string, edit: (text: string) => string, expected: RegExp]>([
    ['a changed byte', (text) => text.replace('"22 ', '"23 '), /line 9: the checksum does not match/],
    [
      'a line that is missing',
      (text) => text.replace(/\n.*"22 .*\n/, '\n'),
      /line 9: it does not follow from the entry before it/,
    ],
    ['a changed sum', (text) => text.replace(/\{"sum":\d/, '{"sum":0'), /line 2: the checksum does not match/],
    ['an end that is missing', (text) => text.replace(/\{"end".*\n/, ''), /line \d+: /],
    [
      'a header of another format',
      (text) => text.replace('"version":1', '"version":2'),
      /line 1: format 2 is not known/,
    ],
    ['another range', (text) => text.replace(/"first":\d+/, '"first":1'), /does not hold what its name says/],
    [
      'another beginning of the chain',
      (text) => text.replace(/"chain":\d+\}\n/, '"chain":1}\n'),
      /line 2: it does not follow/,
    ],
  ])('%s is found, with its line', async (_name, edit, expected) => {
    const world = await archived()
    change(world, 1, edit)
    expect(await message(world)).toMatch(expected)
  })

  test('a file that is cut off, missing, or exchanged', async () => {
    const cut = await archived()
    const path = join(cut.archive, fileAt(cut, 2))
    writeFileSync(path, readFileSync(path).subarray(0, -9))
    expect(await message(cut)).toMatch(/cannot be unpacked/)
    const missing = await archived()
    rmSync(join(missing.archive, fileAt(missing, 1)))
    expect(await message(missing)).toMatch(/entries \d+ to \d+ are missing before it/)
    const newest = await archived()
    rmSync(join(newest.archive, fileAt(newest, 3)))
    expect(await message(newest)).toMatch(/neither in it nor in the log; .* read on with \{ after: \d+ \}/)
    const exchanged = await archived()
    // Whole in itself, but not what the next one was written after.
    const name = fileAt(exchanged, 1)
    const [first = 0, last = 0] = (name.match(/\d{16}/g) ?? []).map(Number)
    const lines = new ArchiveLines({ logId: exchanged.store.openReport.logId, chain: 7 })
    for (const entry of await exchanged.read({ after: first - 1 })) if (entry.seq <= last) lines.add(entry)
    writeFileSync(join(exchanged.archive, name), await lines.bytes(first, last))
    expect(await message(exchanged)).toMatch(/it does not follow from the file before it/)
  })

  test('an archive whose last file is damaged, or that is of another store, is refused at start', async () => {
    const world = await archived()
    await world.store.stop()
    const other = new Archiving('sqlite', 2)
    mkdirSync(other.archive)
    for (const name of world.files()) renameSync(join(world.archive, name), join(other.archive, name))
    expect(await rejection(other.open())).toMatchObject({
      code: 'ARCHIVE',
      message: expect.stringContaining('of another store'),
    })
    change(other, 3, (text) => text.slice(0, -30))
    expect(await rejection(other.open())).toMatchObject({ code: 'ARCHIVE' })
  })
})

test('a store that was restored from a backup does not go on with an archive that is ahead of it, or of another past', async () => {
  for (const more of [0, 60]) {
    const world = await new Archiving().open(5, 5)
    await world.write(10)
    const backup = join(world.folder, 'backup')
    await world.run(world.store.backup(backup))
    await world.write(40)
    await world.store.stop()
    renameSync(backup, join(world.folder, 'store'))
    const restored = { history: 'forever', runtime: world.runtime, durability: 'process' } as const
    await world.runtime.advance(1_000)
    const persistence = { adapter: new SQLiteAdapter(join(world.folder, 'store')) }
    const store: Store = await world.run(Store.start({ ...restored, persistence }))
    await store.defineBucket('b', KEYED)
    for (let n = 0; n < more; n++) await world.run(store.bucket('b').insert({ id: `again ${n}` }))
    await store.stop()
    expect(await rejection(world.open(5, 5))).toMatchObject({
      code: 'ARCHIVE',
      message: expect.stringContaining('from a backup'),
    })
  }
})

describe('a folder that somebody else has, or had', () => {
  test('two stores that are given one empty folder: the second does not start', async () => {
    const one = await new Archiving('sqlite', 1).open(5, 5)
    const two = new Archiving('sqlite', 2, one.archive)
    const refused = { code: 'ARCHIVE', message: expect.stringContaining('give each store a folder of its own') }
    expect(await rejection(two.open(5, 5))).toMatchObject(refused)
    await one.write(40)
    await one.check()
    await one.store.stop()
    expect(await rejection(two.open(5, 5))).toMatchObject(refused)
    writeFileSync(join(one.archive, 'archive.json'), '{')
    expect(await rejection(one.open(5, 5))).toMatchObject({
      code: 'ARCHIVE',
      message: expect.stringContaining('does not say whose archive this is'),
    })
  })

  test('a copy of a store on the archive of the first: its entries stay in its log, and onError is told', async () => {
    const one = await new Archiving('sqlite', 1).open(5, 5)
    await one.write(20)
    await one.store.stop()
    const copy = new Archiving('sqlite', 2, one.archive)
    copyFileSync(join(one.folder, 'store'), join(copy.folder, 'store'))
    copy.written = one.written
    await one.open(5, 5)
    await copy.open(5, 5)
    await copy.runtime.advance(1_000)
    await one.write(20)
    await copy.write(20)
    await copy.write(30)
    await one.check()
    expect(copy.errors.length).toBeGreaterThan(0)
    for (const { message } of copy.errors)
      expect(message).toMatch(/was written by another store, a copy of this one; .*stay in the log/)
    expect((await copy.logged())[0]).toBe(16)
    expect(one.errors).toEqual([])
    await one.store.stop()
    await copy.store.stop()
    expect(await rejection(copy.open(5, 5))).toMatchObject({ code: 'ARCHIVE' })
  })

  test('of two that write at the same moment at most one has written, and none over the other', async () => {
    const world = await new Archiving().open(1_000, 5)
    await world.write(30)
    const { options, report } = (world.store as never as { engine: { options: never; report: { logId: string } } })
      .engine
    const other = Buffer.from('another')
    const files: FileSystem = {
      ...nodeFileSystem,
      link: (from, to) => {
        // Somebody else is a moment earlier.
        if (to.endsWith('.gz')) writeFileSync(to, other)
        nodeFileSystem.link(from, to)
      },
    }
    const folder = join(world.folder, 'shared')
    const about = { folder, entries: 5, logId: report.logId, head: 30, log: options, onError: () => undefined }
    const archive = await Archive.open({ ...about, files })
    expect(await rejection(archive.save({ rows: 10 }))).toMatchObject({ code: 'ARCHIVE' })
    expect(readdirSync(folder).map((name) => String(readFileSync(join(folder, name))))).toEqual([
      expect.stringContaining(report.logId),
      'another',
    ])
    await world.store.stop()
  })

  test('what is missing is told of: at the start, and whenever it is read', async () => {
    const world = await new Archiving().open(5, 5)
    for (let round = 0; round < 3; round++) await world.write(20)
    rmSync(join(world.archive, must(world.files()[0])))
    expect((await rejection(world.read({}))).message).toMatch(/entries 1 to \d+ are missing before it/)
    expect((await rejection(world.read())).message).toMatch(/entries 1 to \d+ are missing before it/)
    for (const name of world.files()) rmSync(join(world.archive, name))
    expect((await rejection(world.read())).message).toMatch(/entries 1 to 55 are neither in it nor in the log/)
    expect(await world.read({ after: 55, log: world.store.log })).toHaveLength(5)
    await world.store.stop()
    expect(world.errors).toEqual([])
    await world.open(5, 5)
    expect(world.errors.map(({ message }) => message)).toEqual([expect.stringContaining('entries 1 to 55 are neither')])
    await world.store.stop()
    rmSync(world.archive, { recursive: true })
    await world.open(5, 5)
    expect(world.errors).toHaveLength(2)
    // It begins there now, and says so once.
    await world.store.stop()
    await world.open(5, 5)
    expect(world.errors).toHaveLength(2)
    expect(await world.read()).toHaveLength(5)
    await world.write(20)
    expect((await world.read())[0]?.seq).toBe(56)
    await world.store.stop()
  })
})

test('a store that stops before its history was looked at archives what is due', async () => {
  const world = await new Archiving().open(10, 20)
  for (let n = 0; n < 50; n++) await world.run(world.store.bucket('b').insert({ id: String(world.written++) }))
  expect(world.files()).toEqual([])
  await world.run(world.store.stop())
  expect(world.files()).toEqual(['entries-0000000000000001-0000000000000040.jsonl.gz'])
  await world.open(10, 20)
  expect((await world.read()).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1))
  expect(await world.logged()).toHaveLength(10)
  await world.run(world.store.stop())
})

test('options that mean nothing are refused', async () => {
  const refused = async (options: object): Promise<string> => (await rejection(Store.start(options))).message
  expect(await refused({ history: { archive: 'a' } })).toContain('a store with a file')
  const file = join(quickFolder('varve-archive-'), 'a.db')
  for (const archive of [5, '', null, { folder: 1 }, { folder: 'a', entries: 0 }]) {
    expect(await refused({ file, history: { archive } })).toContain('archive')
  }
  expect(await refused({ file, history: { age: '30 days' } })).toBe(
    'Store.start({ history }): age: expected milliseconds above 0, or "30s", "5m", "12h", "30d", got string "30 days"; nothing was done',
  )
  expect(await refused({ file, history: { archive: join(file, 'a', 'b') } })).toContain('archive')
  for (const args of [[''], ['a', null], ['a', { after: -1 }], ['a', { log: {} }], ['a', { signal: 1 }]] as const) {
    expect(() => readArchive(...(args as unknown as [string]))).toThrow('readArchive(folder')
  }
  const error = await rejection(readArchive('./no/such/folder')[Symbol.asyncIterator]().next())
  expect(error).toMatchObject({ name: 'ArchiveError', code: 'ARCHIVE', path: './no/such/folder' })
  expect(error.message).toContain('there is no such folder')
})
