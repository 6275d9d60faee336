import type { Bucket } from '../commit/bucket.js'
import { emptiedBy } from '../history/log-access.js'
import { isSourcedType, sourcedType } from '../log/entry.js'
import type { Entry } from '../log/entry.js'

const NONE: ReadonlySet<string> = new Set()

/**
 * Buckets whose state a replay does not know, at each entry: those that were cleared or dropped later, because the log has let go of
 * what was in them, and those that let go of what was read longest ago, because reads are not in the log. Events that have to do with one
 * of them cannot be handled again. Which those are is found out by handling them, and kept by type.
 */
export class UnknownBuckets {
  readonly #bucketOf: (name: string) => Bucket | undefined
  /** Buckets that lack what the log has let go of, before each entry of the batch. */
  #before = new Map<Entry, ReadonlySet<string>>()
  /** The same, after the last entry. */
  #lacking = NONE
  /** The buckets that events of a type have had to do with. */
  readonly #touchedBy = new Map<string, Set<string>>()
  readonly #names = new Set<string>()
  #current: Entry | undefined
  #met: string | undefined

  /** @param bucketOf the bucket, where what the log says about it is to be done. */
  constructor(bucketOf: (name: string) => Bucket | undefined) {
    this.#bucketOf = bucketOf
  }

  /** Those that were met so far. */
  get names(): readonly string[] {
    return [...this.#names].sort()
  }

  /** Goes on with the next entries of the log. */
  begin(entries: readonly Entry[]): void {
    this.#before = new Map()
    for (const entry of entries) {
      this.#before.set(entry, this.#lacking)
      const [emptied, redacted] = [emptiedBy(entry), this.#redactedOf(entry)]
      if (emptied.length === 0 && redacted.every((name) => this.#lacking.has(name))) continue
      const next = new Set(this.#lacking)
      for (const name of emptied) next.delete(name)
      for (const name of redacted) next.add(name)
      this.#lacking = next
    }
  }

  /** The bucket that keeps an event from being handled again, as far as that is known; undefined where none does. */
  reasonOf(entry: Entry): string | undefined {
    const [redacted] = this.#redactedOf(entry)
    if (redacted !== undefined) return this.#note(redacted)
    this.#current = entry
    for (const name of this.#touchedBy.get(entry.type) ?? NONE) if (this.#isUnknown(name)) return this.#note(name)
    if (!isSourcedType(entry.type)) return undefined
    const name = entry.type.slice(sourcedType('').length)
    return this.#isUnknown(name) ? this.#note(name) : undefined
  }

  /** The event that is being handled has to do with bucket `name`. Throws where it must not be handled; see `takeMet`. */
  touch(name: string): void {
    if (this.#current === undefined || !this.#isUnknown(name)) return
    this.#met = name
    throw new Error(`what was in bucket "${name}" then is not in the log`)
  }

  /** Whether the last event has met a bucket that keeps it from being handled: it is to be tried again, and `reasonOf` knows then. */
  takeMet(): boolean {
    const [name, entry] = [this.#met, this.#current]
    this.#met = undefined
    this.#current = undefined
    if (name === undefined || entry === undefined) return false
    const touched = this.#touchedBy.get(entry.type) ?? new Set()
    this.#touchedBy.set(entry.type, touched.add(name))
    return true
  }

  #isUnknown(name: string): boolean {
    const lacking = this.#current === undefined ? undefined : this.#before.get(this.#current)
    const isLacking = lacking !== undefined && lacking !== NONE && lacking.has(name)
    return isLacking || this.#bucketOf(name)?.definition.eviction === 'lru'
  }

  #redactedOf({ redacted = [] }: Entry): readonly string[] {
    return redacted.filter((name) => this.#bucketOf(name) !== undefined)
  }

  #note(name: string): string {
    this.#names.add(name)
    return name
  }
}
