import { statSync } from 'node:fs'
import { CliError, EXIT_UNUSABLE } from './cli-error.js'

/** What there is at `path`: a file, or a folder. @throws {CliError} nothing. */
export function fileKind(path: string): 'file' | 'folder' {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined)
    throw new CliError(`${path}: there is no such file; nothing was done`, { exitCode: EXIT_UNUSABLE })
  return found.isDirectory() ? 'folder' : 'file'
}
