import { Command } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import { runVerify } from './verify.js'
import type { VerifyOptions } from './verify.js'

const DESCRIPTION = [
  'Checks a file (or the folder of a FileAdapter) from one end to the other: the structures of the file, checksums, chain and order of the',
  'log, each row, and whether rows and log agree. It changes nothing, and says for each thing that is wrong what to do about it.',
  'A file may be in use meanwhile; a folder may not.',
].join(' ')

const EXAMPLES = `
  $ varve verify app.db                 print what is wrong, and what to do
  $ varve verify app.db --json | jq     the same for programs
  $ varve verify app.db && cp app.db …  go on only with a file that is whole
`

const EXIT_CODES = `
  0     nothing is wrong
  1     something is
  2     it cannot be read, or was called wrongly, and stderr says why
  130   interrupted
`

/** `varve verify`. */
export function verifyCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('verify')
    .description(DESCRIPTION)
    .summary('check whether a file is whole, without changing it')
    .argument('<file>', 'the SQLite file of a store, or the folder of a FileAdapter')
    .action((file: string, options: VerifyOptions) =>
      runVerify(file, options, { ...world, interrupt: new Interrupt() }),
    )
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}
