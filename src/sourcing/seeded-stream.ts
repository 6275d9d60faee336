import type { Runtime, Timer } from '../base/runtime.js'
import { splitmix32, uuidOf, xoshiro128starstar } from '../base/seeded-random.js'
import type { RandomBits } from '../base/seeded-random.js'

/** Where the random numbers of one event come from. It is drawn when it is first needed, and then kept with the event. */
export class EventSeed {
  readonly #draw: () => string
  #text: string | undefined
  #isUsed: boolean

  /** @param text the seed of an event that is handled again. */
  constructor(draw: () => string, text?: string) {
    this.#draw = draw
    this.#text = text
    this.#isUsed = text !== undefined
  }

  /** The seed, where it was needed. */
  get text(): string | undefined {
    return this.#isUsed ? this.#text : undefined
  }

  /** Draws it now, for somebody who may need it where the host must not be asked. */
  draw(): void {
    this.#text ??= this.#draw()
  }

  /** Random bits for one use of them: the same for the same label, independent for different ones. */
  stream(label: string): RandomBits {
    this.draw()
    this.#isUsed = true
    // All 122 bits of the seed count, so that ids are as unique as any. The label only tells streams apart.
    const words = (this.#text as string).replaceAll('-', '').match(/.{8}/g) ?? []
    const own = splitmix32(hash(label))
    let at = 0
    const bits = xoshiro128starstar(() => (Number.parseInt(words[at++] ?? '1', 16) ^ own()) >>> 0)
    // The first outputs of similar states are similar.
    for (let i = 0; i < 8; i++) bits()
    return bits
  }
}

/** A seed of 128 bits for the entry at a place of a log: no two places of all logs have the same one. */
export function placeSeed(id: string, seq: number): string {
  const log = id.slice(0, id.lastIndexOf('-')).replaceAll('-', '')
  const words = [0, 8, 16, 24].map((at) => Number.parseInt(log.slice(at, at + 8), 16))
  const [a, b, c, d] = words.map((word, at) => (Number.isNaN(word) ? hash(`${log}/${at}`) : word)) as [
    number,
    number,
    number,
    number,
  ]
  const mixed = [a, b, c ^ Math.floor(seq / 2 ** 32), d ^ (seq | 0)]
  return mixed.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/** FNV-1a, 32 bits. Source: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state >>> 0
}

/** Time that is given, and randomness that can be repeated, for whatever belongs to one event. */
export class SeededRuntime implements Runtime {
  readonly #host: Runtime
  readonly #now: () => number
  readonly #seed: EventSeed
  readonly #label: () => string
  #bits: RandomBits | undefined

  /** @param now of an event: a time that stands still. @param label asked when random numbers are drawn, which most handlers never do. */
  constructor(host: Runtime, now: () => number, seed: EventSeed, label: () => string) {
    this.#host = host
    this.#now = now
    this.#seed = seed
    this.#label = label
  }

  get #next(): RandomBits {
    return (this.#bits ??= this.#seed.stream(this.#label()))
  }

  now(): number {
    return this.#now()
  }

  elapsed(): number {
    return this.#host.elapsed()
  }

  random(): number {
    return this.#next() / 2 ** 32
  }

  uuid(): string {
    const next = this.#next
    return uuidOf([next(), next(), next(), next()])
  }

  setTimer(ms: number, fn: () => void, holds?: boolean): Timer {
    return this.#host.setTimer(ms, fn, holds)
  }

  defer(fn: () => void): void {
    this.#host.defer(fn)
  }
}
