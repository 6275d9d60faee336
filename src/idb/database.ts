import { asError, VarveError } from '../base/errors.js'
import type { Runtime } from '../base/runtime.js'
import { StreamFormatError } from '../streams/errors.js'
import type { IdbDatabase, IdbFactory, IdbOpenRequest, IdbTransaction } from './port.js'
import { inTransaction, type Then } from './work.js'

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
/** The version of the format that is written here, and the major that is read. */
const FORMAT = { major: 1, minor: 0 }
/** So long others are waited for who have the database open and are asked to let go of it. */
const BLOCKED_MS_MAX = 10_000

/**
 * Opens a database, and makes it where there is none.
 *
 * @throws {StreamFormatError} it is somebody else's, or of another format. It was left as it is. {VarveError} IDB_BLOCKED
 */
export async function openDatabase(factory: IdbFactory, name: string, runtime: Runtime): Promise<IdbDatabase> {
  const request = factory.open(name, VERSION)
  request.onupgradeneeded = () => {
    for (const store of STORES) request.result.createObjectStore(store)
    request.transaction?.objectStore(STATE).put(FORMAT, 'format' as never)
  }
  let db: IdbDatabase
  try {
    db = await settled(request, `indexedDB ${JSON.stringify(name)}: open`, runtime)
  } catch (error) {
    if ((error as { name?: unknown }).name !== 'VersionError') throw error
    throw formatError(name, 'a database with a higher version', 'foreign-tables')
  }
  try {
    if (!STORES.every((store) => db.objectStoreNames.contains(store))) {
      throw formatError(name, 'a database without the stores of this one', 'foreign-tables')
    }
    await checkFormat(db, name)
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

async function checkFormat(db: IdbDatabase, name: string): Promise<void> {
  let found: unknown
  const read = (tx: IdbTransaction, then: Then): void =>
    then(tx.objectStore(STATE).get('format' as never), (format) => {
      found = format
    })
  await inTransaction(db, [STATE], 'readonly', read, () => undefined)
  const { major, minor } = (found ?? {}) as { readonly major?: unknown; readonly minor?: unknown }
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
  if (!isCount(major) || !isCount(minor)) throw formatError(name, String(JSON.stringify(found)), 'malformed-version')
  if (major !== FORMAT.major) throw formatError(name, `${String(major)}.${String(minor)}`, 'incompatible-major')
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

function formatError(name: string, found: string, reason: StreamFormatError['reason']): StreamFormatError {
  const current = `${FORMAT.major}.${FORMAT.minor}`
  const message =
    `indexeddb store: incompatible format (${reason}) — on disk ${found}, this build ${current}; database ` +
    `${JSON.stringify(name)}. No migration is performed; it was left as it is; take another name`
  return new StreamFormatError('STREAM_FORMAT', message, { reason, stored: found, current })
}
