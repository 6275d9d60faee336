import { Command } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import { runRebuild } from './rebuild.js'
import type { RebuildCommandOptions } from './rebuild.js'

const DESCRIPTION = [
  'Makes the buckets of a projection anew from the log of a file, and puts them in the place of the old ones in one commit. Interrupted,',
  'by whatever, it goes on where it was when it is run again, or when the application is started.',
].join(' ')

const EXAMPLES = `
  $ varve rebuild app.db --module ./model.js sales-by-day

The file must not be in use: a running application calls store.rebuild(name) instead.
`

const EXIT_CODES = '0 done, 1 it cannot be done and stderr says why, 130 interrupted'

/** `varve rebuild`. */
export function rebuildCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('rebuild')
    .description(DESCRIPTION)
    .summary('make a projection anew from the log')
    .argument('<file>', 'the SQLite file of a store')
    .argument('<name>', 'the projection')
    .requiredOption('--module <path>', 'the module with the definitions')
    .action((file: string, name: string, options: RebuildCommandOptions) =>
      runRebuild(file, name, options, { ...world, interrupt: new Interrupt() }),
    )
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}
