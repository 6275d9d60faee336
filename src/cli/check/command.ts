import { Command } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import { runCheck } from './check.js'
import type { CheckOptions } from './check.js'

const DESCRIPTION = [
  'Replays the log of a file under the code of a module, in memory, and prints what would be different: what new reducers and',
  'projections make of everything that has happened. The file is only read, and may be in use. The module exports buckets, events and',
  'projections as Store.start takes them, or a function define(store).',
].join(' ')

const EXAMPLES = `
  $ varve check app.db --module ./model.js                print the differences by bucket
  $ varve check app.db --module ./model.js --json | jq    the same for programs
  $ varve check app.db --module ./model.js && npm deploy  go on only with code that agrees with the file
`

const EXIT_CODES = '0 the same, 1 different, 2 it cannot be checked and stderr says why, 130 interrupted'

/** `varve check`. */
export function checkCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('check')
    .description(DESCRIPTION)
    .summary('replay the log under new code, and show what would be different')
    .argument('<file>', 'the SQLite file of a store, or the folder of a FileAdapter')
    .requiredOption('--module <path>', 'the module with the definitions')
    .action((file: string, options: CheckOptions) => runCheck(file, options, { ...world, interrupt: new Interrupt() }))
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}
