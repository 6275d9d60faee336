import { asError } from '../base/errors.js'
import { quietly } from '../base/quietly.js'
import type { IdbDatabase, IdbRequest, IdbTransaction } from './port.js'

/** Goes on when a request has been answered, in the same transaction. */
export type Then = <T>(request: IdbRequest<T>, next: (answer: T) => void) => void

/**
 * Runs one transaction. Nothing is awaited in it: a transaction ends by itself when nobody has asked anything of it.
 *
 * @param work begins it. What it and its continuations throw undoes everything, and is thrown.
 * @param result read when it has been committed.
 */
export function inTransaction<T>(
  db: IdbDatabase,
  stores: readonly string[],
  mode: 'readonly' | 'readwrite',
  work: (tx: IdbTransaction, then: Then) => void,
  result: () => T,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // Strict: it is complete when it is on the disk, and not before.
    const tx = db.transaction([...stores], mode, { durability: 'strict' })
    let thrown: Error | undefined
    const guarded = (step: () => void): void => {
      if (thrown !== undefined) return
      try {
        step()
      } catch (error) {
        thrown = asError(error)
        // It throws where the transaction is undone already, which is what is wanted.
        quietly(() => tx.abort())
      }
    }
    tx.oncomplete = () => {
      if (thrown === undefined) resolve(result())
      else reject(thrown)
    }
    tx.onabort = () => reject(thrown ?? asError(tx.error))
    guarded(() =>
      work(tx, (request, next) => {
        request.onsuccess = () => guarded(() => next(request.result))
      }),
    )
  })
}
