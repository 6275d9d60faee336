import { asError, VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { StreamFormatError } from '../streams/errors.js'
import type { IdbDatabase, IdbFactory, IdbOpenRequest } from './port.js'

/** Documents by the bytes of their ids: `DocRow`. */
export const DOCS = 'varve_docs'
/** Documents that are gone: their seqs go on. */
export const GONE = 'varve_gone'
/** Records by `[bytes of the id, seq]`, as they are given and taken. */
export const RECORDS = 'varve_records'
/** `format`, and `commits`: how many there were. */
export const STATE = 'varve_state'

const STORES = [DOCS, GONE, RECORDS, STATE]
const VERSION = 1
/** So long others are waited for who have the database open and are asked to let go of it. */
const BLOCKED_MS_MAX = 10_000

/**
 * Opens a database, and makes it where there is none.
 *
 * @throws {StreamFormatError} it is somebody else's. It was left as it is. {VarveError} IDB_BLOCKED
 */
export async function openDatabase(factory: IdbFactory, name: string, runtime: Runtime): Promise<IdbDatabase> {
  const request = factory.open(name, VERSION)
  request.onupgradeneeded = () => {
    for (const store of STORES) request.result.createObjectStore(store)
    request.transaction?.objectStore(STATE).put({ major: 1, minor: 0 }, 'format' as never)
  }
  let db: IdbDatabase
  try {
    db = await settled(request, `indexedDB ${JSON.stringify(name)}: open`, runtime)
  } catch (error) {
    if ((error as { name?: unknown }).name !== 'VersionError') throw error
    throw foreign(name, 'a database with a higher version')
  }
  if (STORES.every((store) => db.objectStoreNames.contains(store))) return db
  db.close()
  throw foreign(name, 'a database without the stores of this one')
}

/** Removes a database, when all who have it open have let go of it. @throws {VarveError} IDB_BLOCKED */
export async function deleteDatabase(factory: IdbFactory, name: string, runtime: Runtime): Promise<void> {
  await settled(factory.deleteDatabase(name), `indexedDB ${JSON.stringify(name)}: delete`, runtime)
}

function settled<T>(request: IdbOpenRequest<T>, where: string, runtime: Runtime): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false
    request.onsuccess = () => {
      resolve(request.result)
      // Nobody waits for it any more.
      if (isLate) (request.result as Partial<IdbDatabase> | undefined)?.close?.()
    }
    request.onerror = () => reject(asError(request.error))
    request.onblocked = () => {
      runtime.setTimer(BLOCKED_MS_MAX, () => {
        isLate = true
        const message = `${where}: others have had it open for ${BLOCKED_MS_MAX} ms; it is done when they close; close other tabs`
        reject(new VarveError('IDB_BLOCKED', message))
      })
    }
  })
}

function foreign(name: string, found: string): StreamFormatError {
  const message =
    `indexeddb store: incompatible format (foreign-tables) — on disk ${found}, this build 1.0; database ` +
    `${JSON.stringify(name)}. No migration is performed; it was left as it is; take another name`
  return new StreamFormatError('STREAM_FORMAT', message, { reason: 'foreign-tables', stored: found, current: '1.0' })
}
