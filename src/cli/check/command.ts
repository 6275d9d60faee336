import { Command } from 'commander'
import { Interrupt } from '../interrupt.js'
import { runCheck } from './check.js'
import type { CheckOptions, CheckWorld } from './check.js'

const DESCRIPTION = [
  'Replays the log of a file under the code of a module, in memory, and prints what would be different: what new reducers and',
  'projections make of everything that has happened. The file is only read, and may be in use. The module exports buckets, events and',
  'projections as Store.start takes them, or a function define(store).',
].join(' ')

const EXAMPLES = `
Examples:
  $ varve check app.db --module ./model.js                print the differences by bucket
  $ varve check app.db --module ./model.js --json | jq    the same for programs
  $ varve check app.db --module ./model.js && npm deploy  go on only with code that agrees with the file

Environment:
  NO_COLOR=1      no colour, also on a terminal
  VARVE_DEBUG=1   errors with their stack, the same as --debug

Exit codes: 0 the same, 1 different, 2 it cannot be checked and stderr says why, 130 interrupted.
`

/** `varve check`. */
export function checkCommand(world: Omit<CheckWorld, 'interrupt'>): Command {
  return new Command('check')
    .description(DESCRIPTION)
    .summary('replay the log under new code, and show what would be different')
    .argument('<file>', 'the SQLite file of a store, or the folder of a FileAdapter')
    .requiredOption('--module <path>', 'the module with the definitions')
    .option('--json', 'print one JSON document instead of text; progress goes to stderr')
    .option('--debug', 'show errors with their stack')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: CheckOptions) => runCheck(file, options, { ...world, interrupt: new Interrupt() }))
}
