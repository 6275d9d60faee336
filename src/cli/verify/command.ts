import { Command } from 'commander'
import { Interrupt } from '../interrupt.js'
import { runVerify } from './verify.js'
import type { VerifyOptions, VerifyWorld } from './verify.js'

const DESCRIPTION = [
  'Checks a file (or the folder of a FileAdapter) from one end to the other: the structures of the file, checksums, chain and order of the',
  'log, each row, and whether rows and log agree. It changes nothing, and says for each thing that is wrong what to do about it.',
  'A file may be in use meanwhile; a folder may not.',
].join(' ')

const EXAMPLES = `
Examples:
  $ varve verify app.db                 print what is wrong, and what to do
  $ varve verify app.db --json | jq     the same for programs
  $ varve verify app.db && cp app.db …  go on only with a file that is whole

Environment:
  NO_COLOR=1      no colour, also on a terminal
  VARVE_DEBUG=1   errors with their stack, the same as --debug

Exit codes:
  0     nothing is wrong
  1     something is
  2     it cannot be read, or was called wrongly, and stderr says why
  130   interrupted
`

/** `varve verify`. */
export function verifyCommand(world: Omit<VerifyWorld, 'interrupt'>): Command {
  return new Command('verify')
    .description(DESCRIPTION)
    .summary('check whether a file is whole, without changing it')
    .argument('<file>', 'the SQLite file of a store, or the folder of a FileAdapter')
    .option('--json', 'print one JSON document instead of text; progress goes to stderr')
    .option('--debug', 'show errors with their stack')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: VerifyOptions) =>
      runVerify(file, options, { ...world, interrupt: new Interrupt() }),
    )
}
