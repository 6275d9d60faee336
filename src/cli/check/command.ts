import { Command } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import { runCheck } from './check.js'
import type { CheckOptions } from './check.js'

const DESCRIPTION = [
  'Replays the log of a file under the code of a module, in memory, and prints what would be different: what new reducers and',
  'projections make of everything that has happened. The file is only read, and may be in use. Events with transact are taken as they',
  'were recorded: it may do things outside of the store, as sending a mail, and is not run again.',
].join(' ')

const EXAMPLES = `
The module is JavaScript that exports, by these names:
  buckets, events, projections   what Store.start takes
  unknownEvents                  'keep' leaves alone what events does not have
  define (or default)            a function define(store), also async, for
                                 whatever is no object

Examples:
  $ varve check app.db --module ./model.js
        print the differences by bucket
  $ varve check app.db --module ./model.js --json | jq
        the same for programs
  $ varve check app.db --module ./model.js && npm run deploy
        go on only with code that agrees with the file
  $ varve check app.db --module ./model.js --ignore sessions
        leave out a bucket that the module does not know
  $ varve check app.db --module ./model.js --archive ./old
        begin with the entries that have left the log
`

const EXIT_CODES = `
  0     the same
  1     different
  2     it cannot be checked, or was called wrongly, and stderr says why
  3     incomplete: what was compared is the same, but the file has buckets that
        the module does not define
  130   interrupted
`

/** `varve check`. */
export function checkCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('check')
    .description(DESCRIPTION)
    .summary('replay the log under new code, and show what would be different')
    .argument('<file>', 'the SQLite file of a store, or the folder of a FileAdapter')
    .requiredOption('--module <path>', 'the module with the definitions (required)')
    .option('--ignore <bucket>', 'do not compare this bucket; may be given more than once', collected)
    .option('--archive <folder>', 'where the entries are that have left the log')
    .option('--run-transact', 'run transact again, whatever it does outside of the store')
    .action((file: string, options: CheckOptions) => runCheck(file, options, { ...world, interrupt: new Interrupt() }))
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
