import { asError, VarveError } from '../base/errors.js'

/** It was called wrongly, or what it was given cannot be read: nothing was done. Every command ends so. */
export const EXIT_UNUSABLE = 2

/** Something that the user can do something about: it is shown as one sentence, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
  }
}

/** A signal has ended the work, between two steps of it. What it left is in order. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
  readonly signal: NodeJS.Signals

  /** @param left what is left behind, and how to go on. */
  constructor(signal: NodeJS.Signals, left?: string) {
    super(left === undefined ? `interrupted by ${signal}` : `interrupted by ${signal}; ${left}`)
    this.signal = signal
  }
}

/** What `thrown` says, for somebody at a command line: what only code can do is left out. */
export function messageOf(thrown: unknown): string {
  const { message } = asError(thrown)
  if (!(thrown instanceof VarveError) || thrown.code !== 'STORAGE_LOCKED') return message
  return message.replace(', or raise waitMs', '')
}
