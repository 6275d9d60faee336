import { StorageLockedError } from '../../log/errors.js'
import { SQLiteAdapter } from '../../log/sqlite-adapter.js'
import type { RebuildReport } from '../../sourcing/rebuild.js'
import { ProjectionGapError } from '../../sourcing/projection-errors.js'
import { Store } from '../../store.js'
import type { CommandWorld } from '../command-world.js'
import { fileKind, storeKind } from '../file-kind.js'
import { ArchivedAdapter } from '../archived-log.js'
import { CliError, InterruptedError, messageOf } from '../cli-error.js'
import { formatDuration, formatThings } from '../format.js'
import { defineModel, loadModel } from '../model.js'
import type { Model } from '../model.js'
import { Page } from '../page.js'
import { Progress } from '../progress.js'

/** What the user has asked for. */
export interface RebuildCommandOptions {
  readonly module: string
  /** The folder with the entries that have left the log. */
  readonly archive?: string
  /** Make it of the entries that are there, where the first ones are not. */
  readonly kept?: boolean
  /** Seconds to wait for a file that is in use. */
  readonly wait?: number
  readonly json?: boolean
}

/** How often signals are looked for. */
const INTERRUPT_MS = 100

/**
 * Makes a projection of a file anew, and prints what has changed. Nothing else is done: the queue stands still, nothing expires and no entry
 * leaves the log; only that projection of the module is defined.
 *
 * @throws {InterruptedError} by a signal: run again, it goes on where it was. @throws {CliError} it cannot be done.
 */
export async function runRebuild(
  file: string,
  name: string,
  options: RebuildCommandOptions,
  world: CommandWorld,
): Promise<void> {
  const began = performance.now()
  let report: RebuildReport
  try {
    report = await rebuildIn(file, name, options, world)
  } catch (thrown) {
    const error = withRemedy(file, thrown)
    if (options.json === true && !(error instanceof InterruptedError)) {
      world.out.write(`${JSON.stringify({ varve: world.version, file, name, error: messageOf(error) }, null, 2)}\n`)
    }
    throw error
  }
  const ms = performance.now() - began
  if (options.json === true) {
    world.out.write(`${JSON.stringify({ varve: world.version, file, name, ...report, ms }, null, 2)}\n`)
    return
  }
  const page = new Page(world.out)
  const what = `${formatThings(report.changed, 'record')} changed, up to entry ${report.position}`
  page.line(`${page.good(`Projection "${name}" is made anew:`)} ${what}, in ${formatDuration(ms)}.`)
}

async function rebuildIn(
  file: string,
  name: string,
  options: RebuildCommandOptions,
  world: CommandWorld,
): Promise<RebuildReport> {
  if (fileKind(file) === 'folder') {
    throw new CliError(`${file}: it is a folder; nothing was done; give it the SQLite file of a store`)
  }
  storeKind(file)
  const model = onlyProjection(await loadModel(options.module), name, options)
  const store = await openStore(file, model, options)
  try {
    await defineModel(store, model)
    return await rebuild(store, name, options, world)
  } finally {
    await store.stop()
  }
}

/** The others would begin to follow the log, or to be made anew, which nobody has asked for. */
function onlyProjection(model: Model, name: string, { kept = false }: RebuildCommandOptions): Model {
  if (!Object.hasOwn(model.projections, name)) return { ...model, projections: {} }
  const found = model.projections[name]
  return { ...model, projections: { [name]: { ...found, ...(kept && { history: 'kept' }) } } }
}

async function openStore(file: string, { unknownEvents }: Model, options: RebuildCommandOptions): Promise<Store> {
  const { archive, wait } = options
  const at = { filename: file, ...(wait !== undefined && { waitMs: wait * 1_000 }) }
  const adapter = archive === undefined ? new SQLiteAdapter(at) : new ArchivedAdapter(at, archive)
  try {
    return await Store.start({
      persistence: { adapter },
      history: 'forever',
      queue: 'paused',
      ttlCheckIntervalMs: 0,
      ...(unknownEvents && { unknownEvents }),
      // What fails is thrown by the rebuild.
      onError: () => undefined,
    })
  } catch (thrown) {
    if (!(thrown instanceof StorageLockedError)) throw thrown
    const remedy = 'or wait for it with --wait <seconds>; a running application calls store.rebuild(name)'
    throw new CliError(`${messageOf(thrown)}, ${remedy}`, { cause: thrown })
  }
}

/** What entries that are not there can be done about here. */
function withRemedy(file: string, thrown: unknown): unknown {
  if (!(thrown instanceof ProjectionGapError)) return thrown
  const { projection, first, last } = thrown
  const what = `${file}: projection "${projection}" is made of all entries, and ${first} to ${last} have left the log`
  const remedy =
    'say where they were archived with --archive <folder>, or make it of the entries that are there with --kept'
  return new CliError(`${what}; it stands as it was; ${remedy}`, { cause: thrown })
}

async function rebuild(
  store: Store,
  name: string,
  { kept = false }: RebuildCommandOptions,
  { err, interrupt }: CommandWorld,
): Promise<RebuildReport> {
  let progress: Progress | undefined
  const done = store.rebuild(name, {
    fromKept: kept,
    onProgress: ({ position, total, began }) => {
      progress ??= new Progress(err, 'rebuilding', total, began)
      progress.update(position, total)
    },
  })
  let timer: NodeJS.Timeout | undefined
  // The store is stopped then, and what was made so far stays.
  const interrupted = new Promise<never>((_, reject) => {
    timer = setInterval(() => void interrupt.check().catch(reject), INTERRUPT_MS)
  })
  try {
    return await Promise.race([done, interrupted])
  } catch (thrown) {
    // Who was interrupted is told that, and not what it has led to.
    done.catch(() => undefined)
    if (!(thrown instanceof InterruptedError)) throw thrown
    throw new InterruptedError(thrown.signal, 'what was made so far is kept; run it again to go on')
  } finally {
    clearInterval(timer)
    progress?.end()
  }
}
