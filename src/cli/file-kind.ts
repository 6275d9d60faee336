import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CliError, EXIT_UNUSABLE } from './cli-error.js'

/** What there is at `path`: a file, or a folder. @throws {CliError} nothing. */
export function fileKind(path: string): 'file' | 'folder' {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined)
    throw new CliError(`${path}: there is no such file; nothing was done`, { exitCode: EXIT_UNUSABLE })
  return found.isDirectory() ? 'folder' : 'file'
}

/** As `fileKind`, of something that a store has been made of. @throws {CliError} nothing, or an empty file or folder. */
export function storeKind(path: string): 'file' | 'folder' {
  const kind = fileKind(path)
  const isEmpty = kind === 'folder' ? !existsSync(join(path, 'varve.store')) : statSync(path).size === 0
  if (!isEmpty) return kind
  const what = kind === 'folder' ? 'there is no store in that folder' : 'it is empty'
  throw new CliError(`${path}: ${what}; nothing was done; give the file of a store`, { exitCode: EXIT_UNUSABLE })
}
