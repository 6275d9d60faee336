import type { MaybePromise } from './stream-backend.js'

const PAGE_IDS_MAX = 1_000

/** Reads a page of ids; see `StreamBackend.list`. @throws {StreamClosedError} the store is closed. */
export type ReadIds = (after: string | undefined, limit: number) => MaybePromise<readonly string[]>

/**
 * Ids page by page. Those that are there all the while come exactly once; those that come or go meanwhile may. Each iteration
 * reads anew.
 *
 * @param mustBeOpen throws when the store is closed.
 */
export function listIds(read: ReadIds, mustBeOpen: () => void): AsyncIterable<string> {
  return { [Symbol.asyncIterator]: () => pagesOf(read, mustBeOpen) }
}

async function* pagesOf(read: ReadIds, mustBeOpen: () => void): AsyncGenerator<string, void, void> {
  let after: string | undefined
  for (;;) {
    const page = read(after, PAGE_IDS_MAX)
    const ids = page instanceof Promise ? await page : page
    for (const id of ids) {
      mustBeOpen()
      yield id
    }
    after = ids.at(-1)
    if (ids.length < PAGE_IDS_MAX) return
  }
}
