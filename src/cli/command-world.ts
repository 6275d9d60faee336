import type { Command } from 'commander'
import type { Interrupt } from './interrupt.js'
import type { TextStream } from './page.js'

/** What connects a command with the world. */
export interface CommandWorld {
  /** The result: text, or one JSON document. */
  readonly out: TextStream
  /** Progress and what else is for people only. */
  readonly err: TextStream
  readonly interrupt: Interrupt
  /** Version of varve. */
  readonly version: string
}

const ENVIRONMENT = `Environment:
  NO_COLOR=1      no colour, also on a terminal
  VARVE_DEBUG=1   errors with their stack, the same as --debug
`

/**
 * Gives `command` the options that every command has, and the end of its help.
 *
 * @param examples lines; notes may follow them.
 * @param exitCodes lines, each a code and what it means.
 */
export function withCommonOptions(command: Command, examples: string, exitCodes: string): Command {
  return command
    .option('--json', 'print one JSON document instead of text; progress goes to stderr')
    .option('--debug', 'show errors with their stack')
    .helpOption('-h, --help', 'show this help')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.replaceAll(/^\n|\n$/g, '')}\n\n${ENVIRONMENT}\nExit codes:\n${exitCodes.replaceAll(/^\n|\n$/g, '')}\n`,
    )
}
