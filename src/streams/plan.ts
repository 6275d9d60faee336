import { assert } from '../base/assert.js'
import { asError, VarveError } from '../base/errors.js'
import type { StreamDamagedError } from './errors.js'
import type { StreamMeta, StreamRecord } from './record.js'
import { metaAfterAppend, metaAfterReplace } from './rules.js'
import type { PlacedRecord, ReadState, StreamHead, StreamWrite } from './stream-backend.js'

/** What a call wants done to one document. */
export interface StreamChange {
  readonly kind: 'append' | 'replace' | 'delete' | 'compact'
  readonly id: string
  /** Checked, and nobody else's. */
  readonly records: readonly StreamRecord[]
  /** Of a `compact`: what `records` is made of. */
  readonly folded?: Folded | undefined
}

/** A whole stream, as it was read to be folded. */
export interface Folded extends ReadState {
  /** How many records it had. */
  readonly count: number
}

/** A stream is not what was folded any more. Never leaves this folder. */
export class StreamMovedError extends VarveError {
  declare readonly name: 'StreamMovedError'

  constructor() {
    super('STREAM_MOVED', 'the stream has moved on')
  }
}

/**
 * Decides about a group of changes at once: each is judged by what those before it leave. One that is refused leaves no
 * trace and harms none of the others.
 *
 * @param unmoved what was folded and is still so.
 * @returns what to write, and for each change why it was refused; `undefined`: it was not.
 */
export function planGroup(
  changes: readonly StreamChange[],
  heads: ReadonlyMap<string, StreamHead>,
  unmoved: ReadonlySet<ReadState>,
): { readonly writes: readonly StreamWrite[]; readonly refusals: readonly (Error | undefined)[] } {
  const drafts = new Map<string, StreamDraft>()
  const refusals = changes.map((change) => {
    let draft = drafts.get(change.id)
    if (draft === undefined) {
      draft = new StreamDraft(change.id, heads.get(change.id) as StreamHead)
      drafts.set(change.id, draft)
    }
    return refusal(draft, change, unmoved)
  })
  return { writes: [...drafts.values()].flatMap((draft) => draft.writes()), refusals }
}

function refusal(draft: StreamDraft, change: StreamChange, unmoved: ReadonlySet<ReadState>): Error | undefined {
  try {
    const { folded } = change
    if (folded !== undefined && (draft.isTouched || !unmoved.has(folded))) throw new StreamMovedError()
    draft.apply(change)
    return undefined
  } catch (error) {
    // Only what a rule says is an answer; anything else is a bug, and nothing should be written.
    if (error instanceof VarveError) return error
    throw asError(error)
  }
}

/** What becomes of one document. */
class StreamDraft {
  readonly #id: string
  readonly #before: StreamHead
  #meta: StreamMeta | null
  #seqNext: number
  /** Until it is cleared. */
  #damage: StreamDamagedError | undefined
  #clear = false
  #records: PlacedRecord[] = []
  #clearedTo = -1
  /** True: something will be written. */
  isTouched = false

  constructor(id: string, head: StreamHead) {
    this.#id = id
    this.#before = head
    this.#meta = head.meta
    this.#seqNext = head.seqNext
    this.#damage = head.damage
  }

  /** @throws what the rules say; then nothing has changed. */
  apply(change: StreamChange): void {
    if (this.#damage !== undefined && (change.kind === 'append' || change.kind === 'compact')) throw this.#damage
    if (change.kind === 'delete') this.#delete()
    else if (change.kind === 'append') {
      this.#meta = metaAfterAppend(this.#id, this.#meta, change.records)
      this.#place(change.records, this.#seqNext)
    } else {
      const seqFirst = change.folded === undefined ? this.#seqNext : this.#seqAfterFold(change.folded, change.records)
      this.#meta = metaAfterReplace(this.#id, this.#meta, change.records)
      this.#empty()
      this.#place(change.records, seqFirst)
    }
  }

  /** What to write: one write, or none where nothing changes. */
  writes(): StreamWrite[] {
    if (!this.isTouched) return []
    const isKnown = this.#meta === this.#before.meta && this.#before.damage === undefined
    const meta = isKnown ? undefined : this.#meta
    const write = { id: this.#id, clear: this.#clear, meta, records: this.#records, seqNext: this.#seqNext }
    return [this.#clear ? { ...write, clearedTo: this.#clearedTo } : write]
  }

  #delete(): void {
    const isThere = this.#meta !== null || this.#records.length > 0 || this.#before.meta !== null
    if (!isThere && this.#damage === undefined) return
    this.#meta = null
    this.#empty()
  }

  #empty(): void {
    this.#clear = true
    this.#damage = undefined
    this.#clearedTo = this.#seqNext - 1
    this.#records = []
    this.isTouched = true
  }

  #place(records: readonly StreamRecord[], seqFirst: number): void {
    let seq = seqFirst
    const last = this.#records.at(-1)?.seq ?? -1
    assert(
      seq > last && (this.#clear || seq >= this.#before.seqNext),
      'RS1',
      () => `seq ${seq} is taken, after ${last}`,
    )
    for (const record of records) this.#records.push({ seq: seq++, record })
    this.#seqNext = Math.max(this.#seqNext, seq)
    this.isTouched = true
  }

  /**
   * Where the results of a fold go: up to the place of the last record that they are made of, so that who has seen that one
   * has seen all; beyond it when they are more than there were.
   */
  #seqAfterFold({ seqLast, count }: Folded, { length }: readonly StreamRecord[]): number {
    if (this.#meta === null) throw new StreamMovedError()
    return length <= count ? seqLast + 1 - length : this.#seqNext
  }
}
