import type { Folded, StreamChange } from './plan.js'
import type { StreamRecord } from './record.js'
import type { MaybePromise } from './stream-backend.js'

/** Reads, and makes the call ready. @returns false when the call is not to be written. */
export type ReadToWrite = () => MaybePromise<boolean>

/** A call that writes. */
export interface WriteCall extends StreamChange {
  records: readonly StreamRecord[]
  folded: Folded | undefined
  /** True: it appends, and no record is a meta, so that a backend need not look at the head first. */
  readonly isPlain: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** False: what to write is not known yet. Calls on its id that came later wait for it. */
  isReady: boolean
  /** Finds out once more what to write, when somebody else has written meanwhile; see `readAndWrite`. */
  again: ReadToWrite | undefined
  /** Its place in the order, which the queue gives it. */
  ticket: number
  /** Who waits for it. */
  waiting: (() => void)[] | undefined
  /** True: nobody need wait for it, though the group that it is in may not be done. */
  isSettled: boolean
}

/** A call that may be written as it is. */
export function writeCall(
  { kind, id, records, folded }: StreamChange,
  resolve: () => void,
  reject: (error: Error) => void,
): WriteCall {
  // Mostly it is one, and most of those are entries.
  const isPlain = kind === 'append' && (records.length === 1 ? records[0]?.kind === 'entry' : records.every(isEntry))
  const [isReady, again, ticket, waiting, isSettled] = [true, undefined, 0, undefined, false]
  // Field by field: a spread would be half of what an append costs here.
  return { kind, id, records, folded, isPlain, resolve, reject, isReady, again, ticket, waiting, isSettled }
}

/** Calls `turn` when the call is settled. It must not throw. */
export function whenSettled(call: WriteCall, turn: () => void): void {
  call.waiting ??= []
  call.waiting.push(turn)
}

function isEntry({ kind }: StreamRecord): boolean {
  return kind === 'entry'
}
