import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a runtime is, or why it is not there. */
export interface Found {
  readonly path: string | undefined
  /** For the heading of its tests, where they are skipped. */
  readonly missing: string
  /** By hand a machine without it is no reason to fail; in CI it is. */
  readonly isSkipped: boolean
}

/** The program that the environment variable names, or the one of that name on the PATH. */
export function findProgram(variable: string, name: string): Found {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name))
  return found(process.env[variable] ?? places.find(isExecutable), variable, `${name} on the PATH`)
}

/** A Node.js of 22 or later: the one that the variable names, or the one that runs this. */
export function findNode(variable: string): Found {
  const own = Number(process.versions.node.split('.')[0]) >= 22 ? process.execPath : undefined
  return found(process.env[variable] ?? own, variable, 'Node.js 22 or later')
}

/** The folder that the environment variable names. */
export function findFolder(variable: string, of: string): Found {
  return found(process.env[variable], variable, of)
}

/** @throws {Error} it is not there; only in CI is this asked for without it. */
export function mustFind({ path, missing }: Found): string {
  if (path === undefined || !existsSync(path)) throw new Error(`${missing}; in CI .ci/run installs it`)
  return path
}

function found(path: string | undefined, variable: string, what: string): Found {
  const missing = path === undefined ? `no ${what}, and ${variable} names none` : `${variable} names ${path}`
  const isSkipped = path === undefined && process.env['CI'] !== 'true'
  if (isSkipped) console.warn(`tests/runtimes: ${missing}, so its tests are skipped`)
  return { path, missing, isSkipped }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === undefined
  }
}
