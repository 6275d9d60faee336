import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StorageUnreadableError } from '../../log/errors.js'
import { isVarveFile } from '../../log/sqlite-header.js'
import { Store } from '../../store.js'
import { CliError } from '../cli-error.js'
import { BUCKETS } from './buckets.js'

const FOLDER = '.varve'
const FILE = 'cities.db'

/** Where the demo keeps its data. */
export type Place =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'file'
      readonly path: string
      /** Nobody has named it: it is in a folder that only the demo uses. */
      readonly isDefault: boolean
    }

/** The place that was asked for: a file, memory, or `.varve/cities.db` in the current folder. */
export function choosePlace(file: string | undefined, inMemory: boolean): Place {
  if (inMemory) return { kind: 'memory' }
  return { kind: 'file', path: resolve(file ?? join(FOLDER, FILE)), isDefault: file === undefined }
}

/** How people call it. */
export function placeName(place: Place): string {
  if (place.kind === 'memory') return 'memory'
  const here = process.cwd()
  return place.path.startsWith(join(here, '/')) ? place.path.slice(here.length + 1) : place.path
}

/**
 * Makes the place ready to be opened: makes the demo's own folder, refuses what is not the demo's, and with `reset`
 * removes the file of an earlier run.
 *
 * @returns whether a file was removed.
 * @throws {CliError} the file is a Varve store with other data, or cannot be told from one; it was left as it is.
 * @throws {StorageError} the file is not a Varve store, or another process has it open; it was left as it is.
 */
export async function preparePlace(place: Place, reset: boolean): Promise<boolean> {
  if (place.kind === 'memory') return false
  const { path, isDefault } = place
  if (isDefault) makeFolder()
  if (!existsSync(path) || statSync(path).size === 0) return false
  await checkStore(path, reset && isDefault)
  if (!reset) return false
  removeFiles(path)
  return true
}

/** The demo's folder, which git leaves alone: it can be made again at any time. */
function makeFolder(): void {
  if (existsSync(FOLDER)) return
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, '.gitignore'), '*\n')
}

/**
 * Opens the file to see what it is, and closes it.
 *
 * @param mayBeDamaged a Varve file that cannot be opened will do too: only the demo can have made it, and it goes.
 */
async function checkStore(path: string, mayBeDamaged: boolean): Promise<void> {
  let store: Store
  try {
    store = await Store.start({ name: 'demo', file: path })
  } catch (error) {
    if (mayBeDamaged && error instanceof StorageUnreadableError && isVarveFile(path)) return
    throw error
  }
  const { buckets } = store.openReport
  await store.stop()
  const foreign = buckets.filter(({ bucket, key }) => !isOurs(bucket, key)).map(({ bucket }) => bucket)
  if (foreign.length === 0) return
  const has = `${path} is a Varve store with data of its own (${foreign.join(', ')})`
  throw new CliError(`${has}; it was left as it is; give the demo another path with --file`)
}

function isOurs(bucket: string, key: string): boolean {
  return Object.hasOwn(BUCKETS, bucket) && BUCKETS[bucket as keyof typeof BUCKETS].key === key
}

/** The main file last: without the others it is an older state of the store, and they without it are nothing. */
function removeFiles(path: string): void {
  for (const suffix of ['-shm', '-wal', '']) rmSync(path + suffix, { force: true })
}

/** Size of each file of the store that is there, by its name. */
export function fileSizes(place: Place): { [path: string]: number } {
  if (place.kind === 'memory') return {}
  const sizes: { [path: string]: number } = {}
  for (const suffix of ['', '-wal']) {
    const found = statSync(place.path + suffix, { throwIfNoEntry: false })
    if (found !== undefined) sizes[placeName(place) + suffix] = found.size
  }
  return sizes
}
