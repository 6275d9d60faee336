import type { RebuildReport } from '../../sourcing/rebuild.js'
import { Store } from '../../store.js'
import type { StoreOptions } from '../../store.js'
import { CliError, InterruptedError } from '../cli-error.js'
import type { CommandWorld } from '../command-world.js'
import { fileKind } from '../file-kind.js'
import { formatDuration, formatThings } from '../format.js'
import type { Model } from '../model.js'
import { loadModel } from '../model.js'
import { Page } from '../page.js'
import { Progress } from '../progress.js'

/** What the user has asked for. */
export interface RebuildCommandOptions {
  readonly module: string
  readonly json?: boolean
}

/** How often signals are looked for. */
const INTERRUPT_MS = 100

/**
 * Makes a projection of a file anew, and prints what has changed.
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
  if (fileKind(file) === 'folder') {
    throw new CliError(`${file}: it is a folder; nothing was done; give it the SQLite file of a store`)
  }
  const model = await loadModel(options.module)
  const store = await openStore(file, model)
  let report: RebuildReport
  try {
    await model.define?.(store)
    report = await rebuild(store, name, world)
  } finally {
    await store.stop()
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

function openStore(file: string, { buckets, events, projections, unknownEvents }: Model): Promise<Store> {
  const options = { file, buckets, events, projections, history: 'forever', ...(unknownEvents && { unknownEvents }) }
  // What fails is thrown by the rebuild.
  return Store.start({ ...options, onError: () => undefined } as StoreOptions) as Promise<Store>
}

async function rebuild(store: Store, name: string, { err, interrupt }: CommandWorld): Promise<RebuildReport> {
  let progress: Progress | undefined
  const done = store.rebuild(name, {
    onProgress: ({ position, total, began }) => {
      progress ??= new Progress(err, 'rebuilding', total, began)
      progress.update(position)
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
