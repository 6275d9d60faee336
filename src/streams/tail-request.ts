import { InvalidArgumentError } from '../base/errors.js'
import type { OnRecord, TailOptions, TailPrefix } from './stream-store.js'

/** What a tail was asked for, checked. */
export interface TailRequest {
  readonly target: { readonly id: string } | TailPrefix
  /** Where each document begins. */
  readonly after: (id: string) => number
  readonly pollMs: number
  readonly onError: ((error: Error) => void) | undefined
  readonly onRecord: OnRecord
}

const POLL_MS_DEFAULT = 100
const POLL_MS_MAX = 2 ** 31 - 1

/** @throws {InvalidArgumentError} what was asked for cannot be. Nothing was done. */
export function checkTail(target: unknown, given: TailOptions | undefined, onRecord: unknown): TailRequest {
  const options = given === undefined ? {} : given
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('StreamStore.tail(options)', 'an object with after, pollMs and onError', options)
  }
  const { after, pollMs = POLL_MS_DEFAULT, onError } = options
  const checked = checkTarget(target)
  if (typeof onRecord !== 'function') {
    throw new InvalidArgumentError('StreamStore.tail(onRecord)', 'a function', onRecord)
  }
  if (onError !== undefined && typeof onError !== 'function') {
    throw new InvalidArgumentError('StreamStore.tail(options.onError)', 'a function', onError)
  }
  if (typeof pollMs !== 'number' || !(pollMs >= 1 && pollMs <= POLL_MS_MAX)) {
    throw new InvalidArgumentError('StreamStore.tail(options.pollMs)', `milliseconds from 1 to ${POLL_MS_MAX}`, pollMs)
  }
  return { target: checked, after: placesOf(checked, after), pollMs, onError, onRecord: onRecord as OnRecord }
}

function checkTarget(target: unknown): TailRequest['target'] {
  if (typeof target === 'string') return { id: target }
  const prefix = typeof target === 'object' && target !== null ? (target as Partial<TailPrefix>).prefix : undefined
  if (typeof prefix === 'string') return { prefix }
  throw new InvalidArgumentError('StreamStore.tail(target)', 'an id, or an object with a prefix', target)
}

function placesOf(target: TailRequest['target'], after: unknown): TailRequest['after'] {
  if ('id' in target) {
    const seq = checkSeq(after ?? -1)
    return () => seq
  }
  const places = checkPlaces(after ?? {})
  return (id) => places.get(id) ?? -1
}

function checkPlaces(after: unknown): Map<string, number> {
  if (typeof after !== 'object' || after === null || Array.isArray(after)) {
    throw new InvalidArgumentError('StreamStore.tail(options.after)', 'an object of seqs by id, for a prefix', after)
  }
  return new Map(Object.entries(after).map(([id, seq]) => [id, checkSeq(seq)]))
}

function checkSeq(seq: unknown): number {
  if (Number.isSafeInteger(seq) && (seq as number) >= -1) return seq as number
  throw new InvalidArgumentError('StreamStore.tail(options.after)', 'a seq, or -1', seq)
}
