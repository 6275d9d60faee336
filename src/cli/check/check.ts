import { asError } from '../../base/errors.js'
import { systemRuntime } from '../../base/runtime.js'
import type { Key, StoredRecord } from '../../base/value.js'
import { isInternalBucket } from '../../log/entry.js'
import type { Entry } from '../../log/entry.js'
import type { StorageAdapter, StorageReport } from '../../log/storage.js'
import { storedCheckpoints } from '../../sourcing/checkpoints.js'
import { ReplayStore } from '../../sourcing/replay-store.js'
import type { ReplayReport } from '../../sourcing/replay.js'
import { CliError, InterruptedError } from '../cli-error.js'
import type { CommandWorld } from '../command-world.js'
import type { Interrupt } from '../interrupt.js'
import type { Model } from '../model.js'
import { loadModel } from '../model.js'
import { Progress } from '../progress.js'
import { compareBucket, isDifferent } from './compare.js'
import type { BucketDifference } from './compare.js'
import { copyStore } from './file-copy.js'
import { printCheck } from './print.js'
import type { CheckResult } from './result.js'

/** What the user has asked for. */
export interface CheckOptions {
  readonly module: string
  readonly json?: boolean
}

const EXIT_DIFFERENT = 1
/** It cannot be checked. */
const EXIT_IMPOSSIBLE = 2

/**
 * Replays the log of a file under the code of a module, in memory, and prints what is different from what the file holds. Sets the exit
 * code to 1 where something is.
 *
 * @throws {InterruptedError} by a signal. @throws {CliError} with exit code 2: it cannot be checked. The file was only read.
 */
export async function runCheck(file: string, options: CheckOptions, world: CommandWorld): Promise<void> {
  const { json = false } = options
  try {
    const result = await check(file, options.module, world)
    if (json) world.out.write(`${JSON.stringify(result, null, 2)}\n`)
    else printCheck(world.out, result)
    if (!result.isSame) process.exitCode = EXIT_DIFFERENT
  } catch (thrown) {
    if (thrown instanceof InterruptedError) throw new InterruptedError(thrown.signal, 'the file was only read')
    const { message } = asError(thrown)
    if (json) world.out.write(`${JSON.stringify({ varve: world.version, file, error: message }, null, 2)}\n`)
    throw new CliError(message, { cause: thrown, exitCode: EXIT_IMPOSSIBLE })
  }
}

async function check(file: string, path: string, world: CommandWorld): Promise<CheckResult> {
  const began = performance.now()
  const model = await loadModel(path)
  const copy = await copyStore(file)
  let replay: ReplayStore | undefined
  try {
    const report = await openCopy(copy.adapter)
    replay = await openReplay(model)
    const done = await replayLog(replay, copy.adapter, report, world)
    const { buckets, undefinedBuckets } = await compareAll(replay, copy.adapter, report)
    const isSame = done.failed === 0 && !buckets.some(isDifferent)
    const { entries, events, failed } = done
    const failures = done.failures.map(({ seq, type, error }) => ({ seq, type, message: error.message }))
    const what = { varve: world.version, file, module: path, isSame, entries, events, failed, failures }
    const hash = await replay.stateHash()
    return { ...what, buckets, undefinedBuckets, hash, ms: performance.now() - began }
  } finally {
    await replay?.stop()
    await copy.adapter.close()
    copy.remove()
  }
}

async function openCopy(adapter: StorageAdapter): Promise<StorageReport> {
  const report = await adapter.open({
    store: 'check',
    now: () => systemRuntime.now(),
    uuid: () => systemRuntime.uuid(),
    // Folders are waited for, where another process is just letting go of one.
    setTimer: (ms, fn, holds) => systemRuntime.setTimer(ms, fn, holds),
    onError: () => undefined,
  })
  if (report.first > 1) {
    const what = `its log begins at entry ${report.first}: what was before cannot be replayed`
    throw new CliError(`${what}; nothing was done; keep all of it with history: 'forever'`)
  }
  return report
}

async function openReplay(model: Model): Promise<ReplayStore> {
  const { unknownEvents, define } = model
  const replay = await ReplayStore.open(unknownEvents === undefined ? {} : { unknownEvents })
  await replay.define(model)
  await define?.(replay)
  return replay
}

async function replayLog(
  replay: ReplayStore,
  adapter: StorageAdapter,
  { head }: StorageReport,
  { err, interrupt }: CommandWorld,
): Promise<ReplayReport> {
  const progress = new Progress(err, 'replaying', Math.max(head, 1))
  try {
    const positions = await positionsIn(adapter)
    return await replay.replay(checked(adapter.readLog(0), head, interrupt), {
      positions,
      onProgress: (position) => progress.update(position),
    })
  } finally {
    progress.end()
  }
}

/** All entries, or an error: what is made of a part of them says nothing. */
async function* checked(entries: AsyncIterable<Entry>, head: number, interrupt: Interrupt): AsyncGenerator<Entry> {
  let last = 0
  const mustFollow = (seq: number): void => {
    if (seq === last + 1) return
    throw new CliError(`entry ${last + 1} of the log is damaged; nothing was done; see what varve verify says`)
  }
  for await (const entry of entries) {
    mustFollow(entry.seq)
    last = entry.seq
    yield entry
    if (last % 1_000 === 0) await interrupt.check()
  }
  mustFollow(head + 1)
}

/** How far the projections of the file have got, where that is not as far as the log. */
async function positionsIn(adapter: StorageAdapter): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for await (const { name, seq, isLive } of storedCheckpoints(adapter)) if (!isLive) found.set(name, seq)
  return found
}

async function compareAll(
  replay: ReplayStore,
  adapter: StorageAdapter,
  { buckets: stored }: StorageReport,
): Promise<{ readonly buckets: BucketDifference[]; readonly undefinedBuckets: string[] }> {
  const buckets: BucketDifference[] = []
  const defined = new Set<string>()
  for (const { name, schema, persistent, table } of replay.buckets) {
    defined.add(name)
    if (!persistent) continue
    const before = new Map<Key, StoredRecord>()
    for await (const rows of adapter.loadBucket(name)) {
      for (const { record } of rows) before.set(record[schema.key] as Key, record)
    }
    const after = new Map<Key, StoredRecord>()
    table.forEach(({ record }) => void after.set(record[schema.key] as Key, record))
    buckets.push(compareBucket(name, before, after))
  }
  const names = stored.map(({ bucket }) => bucket)
  return { buckets, undefinedBuckets: names.filter((name) => !isInternalBucket(name) && !defined.has(name)) }
}
