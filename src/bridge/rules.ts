import { asError, InvalidArgumentError } from '../base/errors.js'
import type { BucketEvent } from '../lifecycle/bucket-events.js'

/** Whoever takes the events: a rule engine, or anything with `emit`. */
export interface EventReceiver {
  emit(topic: string, data: Record<string, unknown>): unknown
}

/** What to forward, and in which form. */
export interface BridgeOptions {
  /** Forward only events for which this is true. */
  readonly filter?: (event: BucketEvent) => boolean
  /** The topic under which the receiver gets the event. */
  readonly mapTopic?: (topic: string, event: BucketEvent) => string
  /** The data that the receiver gets. */
  readonly mapData?: (event: BucketEvent) => Record<string, unknown>
  /** Takes errors of the receiver and of the functions above. Without it they are passed over. */
  readonly onError?: (error: Error) => void
}

/** The part of a store that the bridge needs. */
export interface EventSource {
  on(pattern: 'bucket.*.*', handler: (event: BucketEvent, topic: string) => void): Promise<() => Promise<void>>
}

/**
 * Forwards all bucket events of `store` to `receiver`, in order, without waiting for it: what the receiver does, and
 * whether it fails, has no effect on the store.
 *
 * @returns stops forwarding.
 * @throws {InvalidArgumentError} nothing was done.
 */
export async function bridgeStoreToRules(
  store: EventSource,
  receiver: EventReceiver,
  options: BridgeOptions = {},
): Promise<() => Promise<void>> {
  if (typeof receiver !== 'object' || receiver === null || typeof receiver.emit !== 'function') {
    throw new InvalidArgumentError('bridgeStoreToRules(store, receiver)', 'an object with emit(topic, data)', receiver)
  }
  if (typeof store?.on !== 'function') {
    throw new InvalidArgumentError('bridgeStoreToRules(store)', 'a store', store)
  }
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('bridgeStoreToRules(store, receiver, options)', 'an object', options)
  }
  const { filter, mapTopic, mapData, onError } = options
  for (const [name, fn] of Object.entries({ filter, mapTopic, mapData, onError })) {
    if (fn === undefined || typeof fn === 'function') continue
    throw new InvalidArgumentError(`bridgeStoreToRules(store, receiver, { ${name} })`, 'a function', fn)
  }
  const report = (thrown: unknown): void => onError?.(asError(thrown))
  return store.on('bucket.*.*', (event, topic) => {
    try {
      if (filter !== undefined && !filter(event)) return
      const outcome = receiver.emit(mapTopic?.(topic, event) ?? topic, mapData?.(event) ?? { ...event })
      if (outcome instanceof Promise) outcome.catch(report)
    } catch (error) {
      report(error)
    }
  })
}
