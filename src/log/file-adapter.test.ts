import { spawn } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeStorageAdapter } from '../testing/storage-conformance.js'
import { clearing, defining, dropping, putting, readAll, testRecord, TestWriter } from '../testing/storage-fixture.js'
import { FileAdapter } from './file-adapter.js'
import { frame } from './file-format.js'
import { nodeFileSystem } from './file-system.js'

/** Nobody pulls the plug here, and syncing is what takes time. */
const fast = { ...nodeFileSystem, sync() {}, syncFolder() {} }
const [a, b, c] = [testRecord('a', { name: 'Ann' }), testRecord('b'), testRecord('c')]

let root: string
let dir: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-file-'))
  dir = join(root, 'store')
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

async function opened(directory = dir, waitMs = 0): Promise<TestWriter> {
  const writer = new TestWriter(new FileAdapter({ directory, waitMs, files: fast }))
  const report = await writer.open()
  writer.durability = 'disk'
  writer.model.head = report.head
  return writer
}

async function prepared(): Promise<TestWriter> {
  const writer = await opened()
  await writer.writeGroup([defining('users'), putting('users', 1, a), putting('users', 2, b)])
  await writer.write(putting('users', 3, c))
  await writer.adapter.close()
  return writer
}

function bytes(): string {
  return readdirSync(dir)
    .map((name) => readFileSync(join(dir, name), 'latin1'))
    .join('')
}

/** The error that opening rejects with; the files are as they were afterwards. */
async function refusal(): Promise<Error> {
  const names = readdirSync(dir)
  const before = bytes()
  const error = await opened().then(
    () => new Error('it was opened'),
    (thrown: Error) => thrown,
  )
  expect(readdirSync(dir)).toEqual(names)
  expect(bytes()).toBe(before)
  return error
}

describeStorageAdapter(
  'files',
  {
    create() {
      const place = mkdtempSync(join(tmpdir(), 'varve-file-'))
      const reopen = (): FileAdapter => new FileAdapter({ directory: join(place, 'store'), waitMs: 20 })
      return { adapter: reopen(), reopen, cleanup: () => rmSync(place, { recursive: true }) }
    },
  },
  { describe, it },
)

describe('files that are not ours, or damaged', () => {
  it('a torn tail is cut at any byte and reported, and the store goes on', async () => {
    await prepared()
    const log = join(dir, 'log-1.varve')
    const good = readFileSync(log)
    const last = good.lastIndexOf(10, good.length - 2) + 1
    for (let length = last + 1; length < good.length; length += 7) {
      writeFileSync(log, good.subarray(0, length))
      const writer = await opened()
      expect(writer.report).toMatchObject({ head: 3, truncatedBytes: length - last })
      await writer.write(putting('users', 3, c))
      expect((await readAll(writer.adapter)).map((entry) => entry.seq)).toEqual([1, 2, 3, 4])
      await writer.adapter.close()
      const again = await opened()
      expect(again.report).toMatchObject({ head: 4, truncatedBytes: 0 })
      await again.adapter.close()
    }
    writeFileSync(log, Buffer.concat([good, Buffer.alloc(5_000)]))
    const writer = await opened()
    expect(writer.report).toMatchObject({ head: 4, truncatedBytes: 5_000 })
    await writer.adapter.close()
  })

  it('an unfinished stretch of several writes that were not synced is cut as a whole', async () => {
    const writer = await prepared()
    const again = await opened()
    again.durability = 'process'
    for (let i = 10; i < 15; i++) await again.write(putting('users', i, testRecord(`${i}`)))
    await again.adapter.close()
    const log = join(dir, 'log-1.varve')
    const text = readFileSync(log)
    // The sync of `close` is not recorded in the file, so these five may have reached the disk in any order.
    const at = text.indexOf('"10"')
    text[at] = 0
    writeFileSync(log, text)
    const cut = await opened()
    expect(cut.report?.head).toBe(writer.model.head)
    expect(cut.report?.truncatedBytes).toBeGreaterThan(100)
    await cut.adapter.close()
  })

  it('damage before the end is refused, untouched', async () => {
    const writer = await prepared()
    const again = await opened()
    await again.write(putting('users', 9, testRecord('9')))
    await again.adapter.close()
    const log = join(dir, 'log-1.varve')
    const good = readFileSync(log)
    for (const text of ['"varve"', 'Ann', '"sums"', '\n']) {
      const bad = Buffer.from(good)
      const at = bad.indexOf(text)
      bad[at] = (bad[at] ?? 0) ^ 1
      writeFileSync(log, bad)
      expect(await refusal(), text).toMatchObject({ name: 'StorageUnreadableError' })
    }
    // A line that is gone, or there twice.
    const lines = good.toString().split('\n')
    for (const changed of [lines.filter((_, i) => i !== 2), [...lines.slice(0, 2), ...lines.slice(1)]]) {
      writeFileSync(log, changed.join('\n'))
      expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError' })
    }
    writeFileSync(log, good)
    expect((await opened()).report?.head).toBe(writer.model.head + 1)
  })

  it('damaged rows, list of files, or a missing file are refused, untouched', async () => {
    const writer = await opened()
    await writer.writeGroup([defining('users'), putting('users', 1, a), defining('notes')])
    await writer.write(clearing('notes'))
    await writer.adapter.close()
    const names = readdirSync(dir)
    expect(names.filter((name) => name.startsWith('rows-'))).toHaveLength(1)
    for (const name of names) {
      const good = readFileSync(join(dir, name))
      for (const bad of [
        Buffer.alloc(0),
        good.subarray(0, good.length - 2),
        Buffer.concat([good.subarray(1)]),
        Buffer.from('what?\n'),
      ]) {
        // An empty end of the journal is a torn tail; and history that is damaged is reported when it is read.
        if (name.startsWith('old-') || (name.startsWith('log-') && bad.length === good.length - 2)) continue
        writeFileSync(join(dir, name), bad)
        expect(await refusal(), `${name} ${bad.length}`).toMatchObject({ name: 'StorageUnreadableError' })
      }
      if (!name.startsWith('old-')) {
        unlinkSync(join(dir, name))
        expect(await refusal(), name).toMatchObject({ name: 'StorageUnreadableError' })
      }
      writeFileSync(join(dir, name), good)
    }
    await (await opened()).adapter.close()
  })

  it('L1: damaged history is reported when it is read, and the rest of it is given', async () => {
    const writer = await opened()
    await writer.write(defining('users'))
    for (let i = 1; i < 5; i++) await writer.write(putting('users', i, testRecord(`k${i}`)))
    await writer.writeGroup([defining('notes'), clearing('notes')])
    await writer.adapter.close()
    const old = readdirSync(dir).find((name) => name.startsWith('old-')) as string
    const text = readFileSync(join(dir, old), 'utf8')
    writeFileSync(join(dir, old), text.replace('k2', 'kk'))
    const again = await opened()
    expect((await readAll(again.adapter)).map((entry) => entry.seq)).toEqual([1, 2, 4, 5, 6, 7])
    expect(again.adapter.quarantined?.()).toMatchObject([{ what: 'entry', at: 3 }])
    expect((await again.load('users')).length).toBe(4)
    await again.adapter.close()
  })

  it('newer versions, other folders and files are refused, untouched', async () => {
    await prepared()
    const manifest = join(dir, 'varve.store')
    const good = readFileSync(manifest, 'utf8')
    const payload = good.slice(good.indexOf('{')).trim()
    writeFileSync(manifest, frame(payload.replace('"format":1', '"format":2')))
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /format 2.*newer varve/s })
    rmSync(dir, { recursive: true })
    mkdirSync(dir)
    writeFileSync(join(dir, 'holiday.jpg'), 'x')
    expect(await refusal()).toMatchObject({ name: 'StorageUnreadableError', message: /holiday\.jpg/ })
    rmSync(dir, { recursive: true })
    writeFileSync(dir, 'a file')
    await expect(opened()).rejects.toMatchObject({ name: 'StorageError' })
    await expect(opened(join(root, 'no', 'store'))).rejects.toMatchObject({
      name: 'StorageError',
      message: /create it first/,
    })
    for (const options of ['', 'a\u0000', {}, { directory: 'x', waitMs: -1 }]) {
      expect(() => new FileAdapter(options as never)).toThrow(/FileAdapter/)
    }
  })

  it('the left-overs of a creation that was interrupted are no obstacle', async () => {
    mkdirSync(dir)
    writeFileSync(join(dir, 'varve.store.new'), 'half')
    writeFileSync(join(dir, 'log-1.varve'), '')
    const writer = await opened()
    expect(writer.report?.created).toBe(true)
    await writer.adapter.close()
  })
})

describe('one store at a time', () => {
  it('the lock of a dead process is taken over, that of a living one is not', async () => {
    await prepared()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const lock = join(dir, 'varve.lock')
    writeFileSync(lock, JSON.stringify({ pid: child.pid, store: 'other', since: 1_700_000_000_000, token: 'x' }))
    await expect(opened()).rejects.toMatchObject({
      name: 'StorageLockedError',
      message: expect.stringContaining(`store "other" of process ${child.pid} has it open since 2023-11-14`),
    })
    const waiting = opened(dir, 10_000)
    child.kill('SIGKILL')
    const writer = await waiting
    await expect(opened()).rejects.toMatchObject({ name: 'StorageLockedError', message: /this one/ })
    await writer.adapter.close()
    expect(existsSync(lock)).toBe(false)
  })

  it('a lock left empty, unreadable, or by a process whose number was given again, is taken over', async () => {
    await prepared()
    const lock = join(dir, 'varve.lock')
    const reused = JSON.stringify({ pid: process.pid, store: 's', since: 1, started: 'another time', token: 'x' })
    for (const text of ['', '{', '[]', ...(process.platform === 'linux' ? [reused] : [])]) {
      writeFileSync(lock, text)
      await (await opened()).adapter.close()
    }
    expect(readdirSync(dir).filter((name) => name.startsWith('varve.lock'))).toEqual([])
  })

  it('of several that want a stale lock at once, one gets it', async () => {
    await prepared()
    writeFileSync(join(dir, 'varve.lock'), '{}')
    const results = await Promise.allSettled([opened(), opened(), opened()])
    expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
    for (const one of results) if (one.status === 'fulfilled') await one.value.adapter.close()
  })

  it('two spellings of one path are one store', async () => {
    const writer = await opened()
    symlinkSync(dir, join(root, 'link'))
    await expect(opened(join(root, 'link'))).rejects.toMatchObject({ name: 'StorageLockedError' })
    await expect(opened(join(dir, '..', 'store'))).rejects.toMatchObject({ name: 'StorageLockedError' })
    await writer.adapter.close()
  })
})

describe('what is on disk', () => {
  it('nothing is acknowledged into a journal that was deleted or replaced', async () => {
    for (const harm of [() => unlinkSync(join(dir, 'log-1.varve')), () => renameSync(dir, join(root, 'moved'))]) {
      rmSync(root, { recursive: true })
      mkdirSync(root)
      const writer = await opened()
      await writer.write(defining('users'))
      harm()
      await expect(writer.write(putting('users', 1, a))).rejects.toMatchObject({
        code: 'STORAGE_GONE',
        outcome: 'nothing written',
      })
      expect(await writer.load('users')).toEqual([])
      await writer.adapter.close()
    }
  })

  it('the folder does not grow without bound under a write loop with a small budget', async () => {
    const writer = await opened()
    await writer.write(defining('users'))
    const text = 'x'.repeat(1_000)
    let most = 0
    for (let round = 0; round < 120; round++) {
      const { entries, ops } = writer.batch(
        Array.from({ length: 100 }, (_, n) => putting('users', n, testRecord(`${n}`, { text, round }))),
      )
      await writer.adapter.append(writer.model.head, { entries, ops, durability: 'process' })
      writer.model.head += entries.length
      await writer.adapter.trim({ bytes: 500_000 })
      const sizes = readdirSync(dir).map((name) => statSync(join(dir, name)).size)
      most = Math.max(
        most,
        sizes.reduce((sum, size) => sum + size, 0),
      )
    }
    // A journal of at most 4 MB, the one before it, and the rows.
    expect(most).toBeLessThan(10_000_000)
    const kept = await readAll(writer.adapter)
    expect(kept.at(-1)?.seq).toBe(writer.model.head)
    expect(kept.length).toBeLessThan(500)
    await writer.adapter.close()
    const again = await opened()
    expect(await readAll(again.adapter)).toEqual(kept)
    expect((await again.load('users')).length).toBe(100)
    await again.adapter.close()
  })

  it('history is read across checkpoints, whole and in order, also by a reader that began before one', async () => {
    const writer = await opened()
    await writer.write(defining('users'))
    const text = 'x'.repeat(20_000)
    const seen: number[] = []
    for (let i = 1; i <= 300; i++) await writer.write(putting('users', i, testRecord(`${i}`, { text })))
    for await (const entry of writer.adapter.readLog(100)) {
      seen.push(entry.seq)
      if (entry.seq === 150) {
        for (let i = 301; i <= 400; i++) await writer.write(putting('users', i, testRecord(`${i}`, { text })))
        await writer.write(dropping('users'))
      }
    }
    expect(readdirSync(dir).length).toBeGreaterThan(3)
    expect(seen).toEqual(Array.from({ length: 302 }, (_, i) => i + 101))
    expect((await readAll(writer.adapter, 200)).map((entry) => entry.seq)).toEqual(
      Array.from({ length: 202 }, (_, i) => i + 201),
    )
    await writer.adapter.close()
  })

  it.each(['clear', 'drop'])('after %s the data is gone from every file', async (how) => {
    const writer = await opened()
    await writer.writeGroup([
      defining('users'),
      putting('users', 1, testRecord('s', { text: 'MARKER-3d1f' })),
      defining('notes'),
      putting('notes', 1, a),
    ])
    expect(bytes()).toContain('MARKER-3d1f')
    await writer.write(how === 'clear' ? clearing('users') : dropping('users'))
    expect(bytes()).not.toContain('MARKER-3d1f')
    expect(await readAll(writer.adapter)).toEqual(writer.model.entries)
    await writer.adapter.close()
    const again = await opened()
    expect(await readAll(again.adapter)).toEqual(writer.model.entries)
    expect((await again.load('notes')).length).toBe(1)
    await again.adapter.close()
  })

  it('a store that was killed after a clear, before the old data was gone, erases it when it opens', async () => {
    const writer = await opened()
    await writer.writeGroup([defining('users'), putting('users', 1, testRecord('s', { text: 'MARKER-3d1f' }))])
    await writer.adapter.close()
    const log = join(dir, 'log-1.varve')
    const payload = JSON.parse(readFileSync(log, 'utf8').split('\n')[1]?.split(' ').slice(2).join(' ') ?? '') as {
      chain: number
    }
    appendFileSync(
      log,
      frame(JSON.stringify({ synced: 0, chain: payload.chain, sums: [], entries: [], ops: [['clear', 'users', 9]] })),
    )
    const again = await opened()
    expect(await again.load('users')).toEqual([])
    expect(bytes()).not.toContain('MARKER-3d1f')
    await again.adapter.close()
  })

  it('a backup opens as a store and does not replace anything', async () => {
    const writer = await prepared()
    const again = await opened()
    const copy = join(root, 'copy')
    await again.adapter.backup?.(copy)
    await expect(again.adapter.backup?.(copy)).rejects.toMatchObject({ code: 'STORAGE_EXISTS' })
    await again.write(putting('users', 9, a))
    const copied = await opened(copy)
    expect(copied.report).toMatchObject({ created: false, head: 4, logId: writer.report?.logId })
    expect(await readAll(copied.adapter)).toEqual(writer.model.entries)
    await copied.adapter.close()
    await again.adapter.close()
    expect(readdirSync(root)).toEqual(['copy', 'store'])
  })

  it('an unfinished checkpoint is forgotten', async () => {
    const writer = await prepared()
    writeFileSync(join(dir, 'rows-2.varve'), 'half')
    writeFileSync(join(dir, 'log-2.varve'), 'half')
    truncateSync(join(dir, 'rows-2.varve'), 2)
    const again = await opened()
    expect(await readAll(again.adapter)).toEqual(writer.model.entries)
    expect(readdirSync(dir).sort()).toEqual(['log-1.varve', 'varve.lock', 'varve.store'])
    await again.adapter.close()
  })
})
