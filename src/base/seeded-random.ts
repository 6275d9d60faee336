/** Gives the next 32 random bits, as a whole number from 0. */
export type RandomBits = () => number

/**
 * The generator xoshiro128**, 32 bits at a time; `words` fills its state of 128 bits, which must not be all zeros.
 * Source: Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c (public domain).
 */
export function xoshiro128starstar(words: RandomBits): RandomBits {
  let a = words()
  let b = words()
  let c = words()
  let d = words()
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result
  }
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

/** Spreads 32 bits over as many words as are asked for. Source: Steele, Lea, Flood, "Fast splittable PRNGs", with MurmurHash3's mixer. */
export function splitmix32(seed: number): RandomBits {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) >>> 0
  }
}

/** A UUID, version 4, variant 1, of four words. Source: RFC 9562, section 5.4. */
export function uuidOf(words: readonly number[]): string {
  const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('')
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3] as string
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}
