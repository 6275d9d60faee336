import { systemRuntime } from '../../base/runtime.js'
import type { Key, StoredRecord } from '../../base/value.js'
import { isInternalBucket } from '../../log/entry.js'
import type { Entry } from '../../log/entry.js'
import type { StorageAdapter, StorageReport } from '../../log/storage.js'
import { storedCheckpoints } from '../../sourcing/checkpoints.js'
import { ReplayStore } from '../../sourcing/replay-store.js'
import type { ReplayReport } from '../../sourcing/replay.js'
import { readArchived } from '../archived-log.js'
import { CliError, EXIT_UNUSABLE, InterruptedError, messageOf } from '../cli-error.js'
import type { CommandWorld } from '../command-world.js'
import type { Interrupt } from '../interrupt.js'
import { defineModel, loadModel } from '../model.js'
import type { Model } from '../model.js'
import { Progress } from '../progress.js'
import { compareBucket, isDifferent } from './compare.js'
import type { BucketDifference } from './compare.js'
import { copyStore } from './file-copy.js'
import { printCheck } from './print.js'
import type { CheckResult } from './result.js'

/** What the user has asked for. */
export interface CheckOptions {
  readonly module: string
  /** Buckets that are not to be compared. */
  readonly ignore?: readonly string[]
  /** The folder with the entries that have left the log. */
  readonly archive?: string
  readonly runTransact?: boolean
  readonly json?: boolean
}

const EXIT_DIFFERENT = 1
/** What was compared is the same, and something was not compared. */
const EXIT_INCOMPLETE = 3

/**
 * Replays the log of a file under the code of a module, in memory, and prints what is different from what the file holds. Sets the exit
 * code to 1 where something is, and to 3 where nothing is, but not everything was compared.
 *
 * @throws {InterruptedError} by a signal. @throws {CliError} with exit code 2: it cannot be checked. The file was only read.
 */
export async function runCheck(file: string, options: CheckOptions, world: CommandWorld): Promise<void> {
  const { json = false } = options
  try {
    const result = await check(file, options, world)
    if (json) world.out.write(`${JSON.stringify(result, null, 2)}\n`)
    else printCheck(world.out, result)
    if (!result.isSame) process.exitCode = EXIT_DIFFERENT
    else if (!result.isComplete) process.exitCode = EXIT_INCOMPLETE
  } catch (thrown) {
    if (thrown instanceof InterruptedError) throw new InterruptedError(thrown.signal, 'the file was only read')
    const message = messageOf(thrown)
    if (json) world.out.write(`${JSON.stringify({ varve: world.version, file, error: message }, null, 2)}\n`)
    throw new CliError(message, { cause: thrown, exitCode: EXIT_UNUSABLE })
  }
}

async function check(file: string, options: CheckOptions, world: CommandWorld): Promise<CheckResult> {
  const began = performance.now()
  const { ignore = [] } = options
  const model = await loadModel(options.module)
  const copy = await copyStore(file)
  let replay: ReplayStore | undefined
  try {
    const report = await openCopy(file, copy.adapter, options)
    replay = await openReplay(model)
    mustKnow(ignore, replay, report)
    const done = await replayLog(replay, copy.adapter, report, options, world)
    const { buckets, notCompared } = await compareAll(replay, copy.adapter, report, ignore)
    const compared = new Set(buckets.map(({ bucket }) => bucket))
    const { entries, events, recorded, transactTypes, unknownBuckets, skipped, failed } = done
    const failures = done.failures.map(({ seq, type, error }) => ({ seq, type, message: error.message }))
    return {
      ...{ varve: world.version, file, module: options.module },
      isSame: failed === 0 && !buckets.some(isDifferent),
      isComplete: notCompared.length === 0,
      ...{ entries, events, recorded, transactTypes, unknownBuckets, skipped },
      ...{ failed, failures, buckets, notCompared },
      ignored: ignore,
      hash: await replay.stateHash(compared),
      ms: performance.now() - began,
    }
  } finally {
    await replay?.stop()
    await copy.adapter.close()
    copy.remove()
  }
}

async function openCopy(file: string, adapter: StorageAdapter, { archive }: CheckOptions): Promise<StorageReport> {
  const report = await adapter.open({
    store: 'check',
    now: () => systemRuntime.now(),
    uuid: () => systemRuntime.uuid(),
    // Folders are waited for, where another process is just letting go of one.
    setTimer: (ms, fn, holds) => systemRuntime.setTimer(ms, fn, holds),
    onError: () => undefined,
  })
  if (report.first > 1 && archive === undefined) {
    const gone = report.first === 2 ? 'entry 1 has' : `entries 1 to ${report.first - 1} have`
    const what = `${file}: its log begins at entry ${report.first}: ${gone} left it and cannot be replayed; nothing was done`
    const remedy = 'if they were archived, say where with --archive <folder>'
    throw new CliError(`${what}; ${remedy}; history: 'forever', or an archive, keeps what is written from now on`)
  }
  return report
}

async function openReplay(model: Model): Promise<ReplayStore> {
  const { unknownEvents } = model
  const replay = await ReplayStore.open(unknownEvents === undefined ? {} : { unknownEvents })
  await defineModel(replay, model)
  return replay
}

/** A name that was mistyped would leave nothing out. */
function mustKnow(ignore: readonly string[], replay: ReplayStore, { buckets }: StorageReport): void {
  const known = new Set([...buckets.map(({ bucket }) => bucket), ...Array.from(replay.buckets, ({ name }) => name)])
  for (const name of ignore) {
    if (!known.has(name)) throw new CliError(`--ignore ${name}: neither the file nor the module has such a bucket`)
  }
}

async function replayLog(
  replay: ReplayStore,
  adapter: StorageAdapter,
  { head, logId }: StorageReport,
  { archive, runTransact = false }: CheckOptions,
  { err, interrupt }: CommandWorld,
): Promise<ReplayReport> {
  const progress = new Progress(err, 'replaying', Math.max(head, 1))
  try {
    const positions = await positionsIn(adapter)
    const readLog = (after: number): AsyncIterable<Entry> => adapter.readLog(after)
    const entries = archive === undefined ? readLog(0) : readArchived({ archive, logId, readLog }, 0)
    return await replay.replay(checked(entries, head, interrupt), {
      positions,
      runTransact,
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
  ignore: readonly string[],
): Promise<{ readonly buckets: BucketDifference[]; readonly notCompared: string[] }> {
  const buckets: BucketDifference[] = []
  const inFile = new Set(stored.map(({ bucket }) => bucket).filter((name) => !isInternalBucket(name)))
  for (const { name, schema, persistent, table } of replay.buckets) {
    if (!persistent || ignore.includes(name)) continue
    const before = new Map<Key, StoredRecord>()
    for await (const rows of adapter.loadBucket(name)) {
      for (const { record } of rows) before.set(record[schema.key] as Key, record)
    }
    const after = new Map<Key, StoredRecord>()
    table.forEach(({ record }) => void after.set(record[schema.key] as Key, record))
    buckets.push(compareBucket(name, before, after, !inFile.has(name)))
    inFile.delete(name)
  }
  const notCompared: string[] = []
  for (const name of inFile) {
    if (!ignore.includes(name) && (await hasRecords(adapter, name))) notCompared.push(name)
  }
  return { buckets, notCompared }
}

async function hasRecords(adapter: StorageAdapter, bucket: string): Promise<boolean> {
  for await (const rows of adapter.loadBucket(bucket)) if (rows.length > 0) return true
  return false
}
