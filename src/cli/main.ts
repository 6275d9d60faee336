#!/usr/bin/env node
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { Command } from 'commander'
import { asError } from '../base/errors.js'
import { checkCommand } from './check/command.js'
import { CliError, InterruptedError } from './cli-error.js'
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

const program = new Command('varve')
  .description('Varve, an embedded, reactive data store for TypeScript.')
  .version(version, '-v, --version', 'print the version')
  .option('--debug', 'show errors with their stack (or set VARVE_DEBUG)')
  .helpOption('-h, --help', 'show this help')
  .showHelpAfterError('(add --help to see what there is)')
  .addCommand(demoCommand(world))
  .addCommand(verifyCommand(world))
  .addCommand(checkCommand(world))
  .addCommand(rebuildCommand(world))
  .addHelpText(
    'after',
    '\nExamples:\n  $ varve demo          see what it does, with real data\n  $ varve demo --help   see how to steer that\n  $ varve verify app.db whether a file is whole',
  )

try {
  await program.parseAsync()
} catch (thrown) {
  const error = asError(thrown)
  const isAsked = [program, ...program.commands].some((command) => command.opts<{ debug?: boolean }>().debug === true)
  process.stderr.write(`varve: ${error.message}\n`)
  if (isAsked || Boolean(process.env['VARVE_DEBUG'])) process.stderr.write(`${inspect(error)}\n`)
  if (error instanceof InterruptedError) process.exitCode = EXIT_INTERRUPTED
  else process.exitCode = error instanceof CliError ? error.exitCode : 1
}
