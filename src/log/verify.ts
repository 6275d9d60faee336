import { canonicalJson } from '../base/canonical-json.js'
import { checksum } from '../base/checksum.js'
import { isKey } from '../base/value.js'
import type { Key, StoredRecord } from '../base/value.js'
import type { Entry } from './entry.js'

/** What can be wrong with a stored store. */
export type FindingKind =
  | 'file'
  | 'tail'
  | 'entry'
  | 'missing entry'
  | 'chain'
  | 'row'
  | 'row differs'
  | 'missing row'
  | 'unknown row'
  | 'uncertain'
  | 'bucket'
  | 'quarantine'

/** Something that is wrong. */
export interface Finding {
  readonly kind: FindingKind
  /** Such as `entry 42`, or `bucket "users", key "a"`. */
  readonly where: string
  readonly what: string
}

/** What to do about each kind, in a sentence. */
export const REMEDIES: { readonly [K in FindingKind]: string } = {
  file: 'Restore a backup. What is left can be saved with `sqlite3 FILE .recover`, or from a running store with store.export().',
  tail: 'Nothing: the next store that opens it cuts the unfinished write off. Nobody was told that it was done.',
  entry:
    'The records are not concerned, the history is: the next store that reads it puts the entry aside. A backup, or an archive of the log, may have it whole.',
  'missing entry':
    'Somebody has taken entries out of the log. The records are not concerned, the history is. A backup, or an archive of the log, may have them.',
  chain:
    'The log was changed by something other than varve from there on. Compare it with a backup, or with an archive of the log.',
  row: 'The next store that opens it puts the row aside, and the record is gone. The log may have it: see store.history(), or restore a backup.',
  'row differs':
    'Something other than varve has written to the rows, or to the log. Decide which one is right; write the record again with a store, or restore a backup.',
  'missing row':
    'Something other than varve has deleted the row. The log has the record: read it from the entry that is named and insert it again, or restore a backup.',
  'unknown row':
    'Something other than varve has written the row. Delete the record with a store if it should not be there.',
  uncertain:
    'The entries that are damaged or missing may have made these records what they are, or somebody else has. Compare them with a backup.',
  bucket: 'The list of buckets was changed by something other than varve. Restore a backup.',
  quarantine:
    'It was put aside earlier, and is not part of the store. Look at what is kept of it, and delete it there when it is not needed.',
}

/** What a check has found. */
export interface VerifyReport {
  readonly adapter: 'sqlite' | 'file'
  readonly path: string
  readonly logId: string
  /** Seq of the first entry that is kept, and of the last one. */
  readonly first: number
  readonly head: number
  /** Entries and rows that were checked. */
  readonly entries: number
  readonly buckets: readonly { readonly name: string; readonly records: number }[]
  /** Who has it open, where somebody has. */
  readonly openBy: string | undefined
  /** The first thousand; `more` says how many were left out. */
  readonly findings: readonly Finding[]
  readonly more: number
}

/** How a check stays in touch with whoever waits for it. */
export interface VerifyHooks {
  readonly progress: (done: number, total: number) => void
  /** Waited for between two pages; what it throws ends the check. */
  readonly pause: () => Promise<void>
}

const FINDINGS_MAX = 1_000

/** Collects findings, of which there may be one for each row. */
export class Findings {
  readonly list: Finding[] = []
  more = 0

  add(kind: FindingKind, where: string, what: string): void {
    if (this.list.length < FINDINGS_MAX) this.list.push({ kind, where, what })
    else this.more++
  }
}

/** What the log says last about a record: the entry, and a checksum of the record; undefined where it was deleted. */
interface LastWord {
  readonly seq: number
  readonly sum: number | undefined
}

/**
 * Compares rows with the log: the row of each record that the log knows has to be what its last entry made of it. It remembers a
 * number for each record that the log knows, about 100 bytes.
 */
export class Agreement {
  readonly #findings: Findings
  readonly #isWhole: boolean
  readonly #buckets = new Map<string, Map<Key, LastWord>>()
  /** Buckets that were emptied within history: all of their rows are in it. */
  readonly #emptied = new Set<string>()
  /** The last entry that is damaged or missing: what the log says about older records may have been changed by it. */
  #damagedAt = 0
  /** How many records of a bucket are not what is left of the log says, which damage may explain. */
  readonly #uncertain = new Map<string, number>()

  /** @param isWhole history has let nothing go: every row has to come from an entry. */
  constructor(findings: Findings, isWhole: boolean) {
    this.#findings = findings
    this.#isWhole = isWhole
  }

  /** An entry is not as it was written, or not there. */
  damaged(seq: number): void {
    this.#damagedAt = Math.max(this.#damagedAt, seq)
  }

  /** The next entry of the log. */
  entry({ seq, type, data, cleared, changes }: Entry): void {
    const dropped = type === 'store/drop' ? [String(data?.bucket)] : []
    for (const bucket of [...(cleared ?? []), ...dropped]) {
      this.#buckets.delete(bucket)
      this.#emptied.add(bucket)
    }
    for (const { bucket, key, after } of changes) {
      let words = this.#buckets.get(bucket)
      if (words === undefined) this.#buckets.set(bucket, (words = new Map()))
      words.set(key, { seq, sum: after === undefined ? undefined : sumOf(after) })
    }
  }

  /** A row of a bucket. @param key name of the key field. */
  row(bucket: string, ordinal: number, record: StoredRecord, key: string): void {
    const at = record[key]
    if (!isKey(at)) {
      this.#findings.add('row', `bucket ${JSON.stringify(bucket)}, row ${ordinal}`, `it has no key in field "${key}"`)
      return
    }
    const words = this.#buckets.get(bucket)
    const last = words?.get(at)
    words?.delete(at)
    const where = `bucket ${JSON.stringify(bucket)}, key ${JSON.stringify(at)}`
    if (last === undefined) {
      if (!this.#isWhole && !this.#emptied.has(bucket)) return
      if (this.#damagedAt > 0) this.#doubt(bucket)
      else this.#findings.add('unknown row', where, `row ${ordinal} is in no entry of the log`)
    } else if (last.sum !== sumOf(record)) {
      const said = last.sum === undefined ? 'has deleted it' : 'has another value for it'
      if (last.seq <= this.#damagedAt) this.#doubt(bucket)
      else this.#findings.add('row differs', where, `entry ${last.seq}, the last one about it, ${said}`)
    }
  }

  #doubt(bucket: string): void {
    this.#uncertain.set(bucket, (this.#uncertain.get(bucket) ?? 0) + 1)
  }

  /** The rows of a bucket cannot be shown: nothing is said about them. */
  forget(bucket: string): void {
    this.#buckets.delete(bucket)
  }

  /** All rows were shown: what the log still has, has no row. */
  end(): void {
    for (const [bucket, words] of this.#buckets) {
      for (const [key, { seq, sum }] of words) {
        if (sum === undefined) continue
        const where = `bucket ${JSON.stringify(bucket)}, key ${JSON.stringify(key)}`
        if (seq <= this.#damagedAt) this.#doubt(bucket)
        else this.#findings.add('missing row', where, `entry ${seq}, the last one about it, has written it`)
      }
    }
    for (const [bucket, count] of this.#uncertain) {
      const what = `${count} records are not what the log says without the entries that are damaged or missing`
      this.#findings.add('uncertain', `bucket ${JSON.stringify(bucket)}`, what)
    }
  }
}

function sumOf(record: StoredRecord): number {
  return checksum(canonicalJson(record))
}
