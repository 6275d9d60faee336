import type { Runtime } from '../base/runtime.js'
import type { MaybePromise } from './stream-backend.js'

const WAIT_MS_FIRST = 5
/** Short: among many writers the lock is free for moments only. */
const WAIT_MS_MAX = 25
/** Beyond what the connection itself waits (`PRAGMA busy_timeout`). */
const WAITED_MS_MAX = 10_000

/**
 * What `work` returns. While it throws because somebody else has the database locked, it is tried again, for about ten
 * seconds: then the answer is a promise.
 *
 * @throws what `work` throws; the last one when it is locked all the time.
 */
export function retryBusy<T>(runtime: Runtime, work: () => T): MaybePromise<T> {
  try {
    return work()
  } catch (error) {
    if (!isBusy(error)) throw error
    return retryLater(runtime, work)
  }
}

async function retryLater<T>(runtime: Runtime, work: () => T): Promise<T> {
  let waited = 0
  for (let ms = WAIT_MS_FIRST; ; ms = Math.min(2 * ms, WAIT_MS_MAX)) {
    await new Promise<void>((resolve) => void runtime.setTimer(ms, resolve, true))
    waited += ms
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || waited >= WAITED_MS_MAX) throw error
    }
  }
}

/** Adapters of `varve/sqlite` say `SQLITE_BUSY`, others what their binding says. */
function isBusy(error: unknown): boolean {
  const { code, errcode, message } = error as { code?: unknown; errcode?: unknown; message?: unknown }
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true
  return (typeof errcode === 'number' && (errcode & 0xff) === 5) || /database is locked/.test(String(message))
}
