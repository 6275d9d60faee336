import { Command, InvalidArgumentError } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import { runRebuild } from './rebuild.js'
import type { RebuildCommandOptions } from './rebuild.js'

const DESCRIPTION = [
  'Makes the buckets of a projection anew from the log of a file, and puts them in the place of the old ones in one commit. Interrupted,',
  'by whatever, it goes on where it was when it is run again, or when the application is started. Nothing else happens to the file: queued',
  'events stay in the queue, nothing expires, no entry leaves the log, and other projections of the module are left alone.',
].join(' ')

const EXAMPLES = `
The module is that of varve check: see varve check --help.

Examples:
  $ varve rebuild app.db sales --module ./model.js
  $ varve rebuild app.db sales --module ./model.js --archive ./old
        begin with the entries that have left the log

The file must not be in use: a running application calls store.rebuild(name).
`

const EXIT_CODES = `
  0     done
  1     it cannot be done, and stderr says why
  2     it was called wrongly, or the file or the module cannot be used
  130   interrupted
`

/** `varve rebuild`. */
export function rebuildCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('rebuild')
    .description(DESCRIPTION)
    .summary('make a projection anew from the log')
    .argument('<file>', 'the SQLite file of a store')
    .argument('<name>', 'the projection')
    .requiredOption('--module <path>', 'the module with the definitions (required)')
    .option('--archive <folder>', 'where the entries are that have left the log')
    .option('--kept', 'make it of the entries that are there, where the first ones have left the log')
    .option('--wait <seconds>', 'wait so long for a file that is in use (default: 1)', parseSeconds)
    .action((file: string, name: string, options: RebuildCommandOptions) =>
      runRebuild(file, name, options, { ...world, interrupt: new Interrupt() }),
    )
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}

function parseSeconds(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It has to be a number of seconds.')
}
