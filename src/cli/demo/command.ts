import { Command, InvalidArgumentError, Option } from 'commander'
import type { CommandWorld } from '../command-world.js'
import { withCommonOptions } from '../command-world.js'
import { Interrupt } from '../interrupt.js'
import type { DemoOptions } from './demo.js'
import { runDemo } from './demo.js'

const DESCRIPTION = [
  'Imports 135,233 cities and 250 countries into a store and shows what it can do with them: queries, a live query,',
  'transactions, a crash, and what the store says about itself. The data stay in a file; a second run opens it instead',
  'of importing. An import that was interrupted, by whatever, is completed by the next run.',
].join(' ')

const EXAMPLES = `
  $ varve demo                          import into .varve/cities.db, or open it
  $ varve demo --reset                  throw that file away and import again
  $ varve demo --file /tmp/cities.db    keep the data elsewhere
  $ varve demo --in-memory --limit 999  a quick look that leaves nothing behind
  $ varve demo --json | jq .import      what was measured, for programs
`

const EXIT_CODES = `
  0     done
  1     it cannot be done, and stderr says why
  2     it was called wrongly
  130   interrupted
`

/** `varve demo`. */
export function demoCommand(world: Omit<CommandWorld, 'interrupt'>): Command {
  const command = new Command('demo')
    .description(DESCRIPTION)
    .summary('import real data and show what the store can do')
    .option('--file <path>', 'the file to keep the data in (default: .varve/cities.db)')
    .addOption(new Option('--in-memory', 'keep the data in memory, write no file').conflicts(['file', 'reset']))
    .option('--reset', "first remove the file of an earlier run; refuses a file that is not the demo's")
    .option('--limit <n>', 'import only n cities, spread over the whole world', parseLimit)
    .action((options: DemoOptions) => runDemo(options, { ...world, interrupt: new Interrupt() }))
  return withCommonOptions(command, EXAMPLES, EXIT_CODES)
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (/^\d+$/.test(text) && limit >= 1 && Number.isSafeInteger(limit)) return limit
  throw new InvalidArgumentError('It has to be a whole number from 1.')
}
