import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { type FileIdentity, fileIdentity } from './file-path.js'

/**
 * Every file operation of `FileAdapter`, so that tests can make the n-th one fail. All are synchronous and throw what
 * node:fs throws. `handle` is a file descriptor.
 */
export interface FileSystem {
  exists(path: string): boolean
  identity(path: string): FileIdentity | undefined
  /** Bytes of a file. */
  size(path: string): number
  /** Names in a folder; empty when there is no such folder. */
  list(folder: string): string[]
  /** Makes a folder; its parent exists. Fine when it exists. */
  makeFolder(path: string): void
  readText(path: string): string
  /** @param flags `'r'`, `'r+'`, `'wx'` (create, must not exist) or `'w'` (create or empty). */
  open(path: string, flags: 'r' | 'r+' | 'w' | 'wx'): number
  close(handle: number): void
  /** Reads up to `buffer.length` bytes. @returns how many; 0 at the end. */
  read(handle: number, buffer: Uint8Array, position: number): number
  /** Writes some of `bytes`. @returns how many. */
  write(handle: number, bytes: Uint8Array, position: number): number
  truncate(handle: number, length: number): void
  /** Makes what was written survive a power cut. */
  sync(handle: number): void
  /** Makes names in a folder survive a power cut. */
  syncFolder(path: string): void
  rename(from: string, to: string): void
  /** Gives a file a second name, which must not exist. */
  link(from: string, to: string): void
  remove(path: string): void
}

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  exists: existsSync,
  identity: fileIdentity,
  size: (path) => statSync(path).size,
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : []),
  makeFolder: (path) => void (existsSync(path) || mkdirSync(path)),
  readText: (path) => readFileSync(path, 'utf8'),
  open: (path, flags) => openSync(path, flags),
  close: closeSync,
  read: (handle, buffer, position) => readSync(handle, buffer, 0, buffer.length, position),
  write: (handle, bytes, position) => writeSync(handle, bytes, 0, bytes.length, position),
  truncate: ftruncateSync,
  sync: fdatasyncSync,
  syncFolder(path) {
    // Windows has no such operation, and needs none.
    if (process.platform === 'win32') return
    const handle = openSync(path, 'r')
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  },
  rename: renameSync,
  link: linkSync,
  remove: unlinkSync,
}

/** Writes all of `bytes` at `position`. */
export function writeAll(files: FileSystem, handle: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += files.write(handle, done === 0 ? bytes : bytes.subarray(done), position + done)
  }
}

/** All bytes of a file. */
export function readAll(files: FileSystem, path: string): Uint8Array {
  const bytes = new Uint8Array(files.size(path))
  const handle = files.open(path, 'r')
  try {
    for (let done = 0; done < bytes.length; ) {
      const count = files.read(handle, bytes.subarray(done), done)
      if (count === 0) return bytes.subarray(0, done)
      done += count
    }
    return bytes
  } finally {
    files.close(handle)
  }
}
