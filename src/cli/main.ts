#!/usr/bin/env node
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { Command, CommanderError } from 'commander'
import { asError } from '../base/errors.js'
import { checkCommand } from './check/command.js'
import { CliError, EXIT_UNUSABLE, InterruptedError, messageOf } from './cli-error.js'
import { demoCommand } from './demo/command.js'
import { EXIT_INTERRUPTED } from './interrupt.js'
import { rebuildCommand } from './rebuild/command.js'
import { verifyCommand } from './verify/command.js'

/** What a shell says of a program that nobody listened to any more: 128 and the number of SIGPIPE. */
const EXIT_UNREAD = 141

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
const world = { version, out: process.stdout, err: process.stderr }

// A reader that has seen enough (`varve demo | head`) is no error. The store's file is safe at any moment.
process.stdout.on('error', (error: Error & { code?: string }) => {
  if (error.code === 'EPIPE') process.exit(EXIT_UNREAD)
  throw error
})

const EXAMPLES = `
Examples:
  $ varve demo                            see what it does, with real data
  $ varve demo --help                     see how to steer that
  $ varve verify app.db                   whether a file is whole
  $ varve check app.db --module model.js  what new code would make of its log
  $ varve rebuild app.db sales --module model.js
                                          make a projection anew

Exit codes:
  0     done
  1     something is wrong, or different
  2     it was called wrongly, or what it was given cannot be read
  130   interrupted
The help of a command says more.
`

const program = new Command('varve')
  .description('Varve, an embedded, reactive data store for TypeScript.')
  .version(version, '-v, --version', 'print the version')
  .option('--debug', 'show errors with their stack (or set VARVE_DEBUG)')
  .helpOption('-h, --help', 'show this help')
  .addCommand(demoCommand(world))
  .addCommand(verifyCommand(world))
  .addCommand(checkCommand(world))
  .addCommand(rebuildCommand(world))
  .addHelpText('after', EXAMPLES)

// Subcommands that are added do not inherit this.
for (const command of [program, ...program.commands]) {
  command.showHelpAfterError('(add --help to see what there is)').exitOverride()
}

try {
  await program.parseAsync()
} catch (thrown) {
  // Help and version end so as well; what was wrong is said already.
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : EXIT_UNUSABLE
  else fail(thrown)
}

function fail(thrown: unknown): void {
  const isAsked = [program, ...program.commands].some((command) => command.opts<{ debug?: boolean }>().debug === true)
  process.stderr.write(`varve: ${messageOf(thrown)}\n`)
  if (isAsked || Boolean(process.env['VARVE_DEBUG'])) process.stderr.write(`${inspect(asError(thrown))}\n`)
  if (thrown instanceof InterruptedError) process.exitCode = EXIT_INTERRUPTED
  else process.exitCode = thrown instanceof CliError ? thrown.exitCode : 1
}
