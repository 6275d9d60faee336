import { Command } from 'commander'
import { Interrupt } from '../interrupt.js'
import { runRebuild } from './rebuild.js'
import type { RebuildCommandOptions, RebuildWorld } from './rebuild.js'

const DESCRIPTION = [
  'Makes the buckets of a projection anew from the log of a file, and puts them in the place of the old ones in one commit. Interrupted,',
  'by whatever, it goes on where it was when it is run again, or when the application is started.',
].join(' ')

const EXAMPLES = `
Examples:
  $ varve rebuild app.db --module ./model.js sales-by-day

The file must not be in use: a running application calls store.rebuild(name) instead.

Environment:
  NO_COLOR=1      no colour, also on a terminal
  VARVE_DEBUG=1   errors with their stack, the same as --debug

Exit codes: 0 done, 1 it cannot be done and stderr says why, 130 interrupted.
`

/** `varve rebuild`. */
export function rebuildCommand(world: Omit<RebuildWorld, 'interrupt'>): Command {
  return new Command('rebuild')
    .description(DESCRIPTION)
    .summary('make a projection anew from the log')
    .argument('<file>', 'the SQLite file of a store')
    .argument('<name>', 'the projection')
    .requiredOption('--module <path>', 'the module with the definitions')
    .option('--json', 'print one JSON document instead of text; progress goes to stderr')
    .option('--debug', 'show errors with their stack')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action((file: string, name: string, options: RebuildCommandOptions) =>
      runRebuild(file, name, options, { ...world, interrupt: new Interrupt() }),
    )
}
