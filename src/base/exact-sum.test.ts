import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExactSum } from './exact-sum.js'

function sumOf(numbers: readonly number[]): number {
  const sum = new ExactSum()
  for (const number of numbers) sum.add(number)
  return sum.value
}

/** The exact sum of doubles as a fraction over 2^1074, rounded once. */
function sumByBigInt(numbers: readonly number[]): number {
  let total = 0n
  for (const number of numbers) {
    const bits = new DataView(new ArrayBuffer(8))
    bits.setFloat64(0, number)
    const word = bits.getBigUint64(0)
    const exponent = Number((word >> 52n) & 0x7ffn)
    const mantissa = (word & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n)
    const scaled = mantissa << BigInt(Math.max(exponent, 1) - 1)
    total += word >> 63n === 1n ? -scaled : scaled
  }
  return ratio(total)
}

/** `total` over 2^1074 as the nearest double. */
function ratio(total: bigint): number {
  const negative = total < 0n
  let mantissa = negative ? -total : total
  let exponent = -1074
  let isInexact = false
  while (mantissa >= 1n << 55n) {
    isInexact ||= (mantissa & 1n) === 1n
    mantissa >>= 1n
    exponent++
  }
  // The lowest bit stands for everything that was cut off, so that the rounding of the conversion is the only one.
  const sticky = isInexact ? mantissa | 1n : mantissa
  const value = exponent > -1000 ? Number(sticky) * 2 ** exponent : Number(sticky) * 2 ** -74 * 2 ** (exponent + 74)
  return negative ? -value : value
}

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e200, max: 1e200 }),
  fc.integer({ min: -1000, max: 1000 }).map((cents) => cents / 100),
)

test('the sum is the exact one, rounded once, in any order', () => {
  fc.assert(
    fc.property(fc.array(number, { maxLength: 40 }), (numbers) => {
      const sum = sumOf(numbers)
      expect(sum + 0).toBe(sumByBigInt(numbers) + 0)
      expect(sumOf([...numbers].reverse()) + 0).toBe(sum + 0)
    }),
    { numRuns: 2_000 },
  )
})

test('what is taken away leaves no trace', () => {
  fc.assert(
    fc.property(fc.array(number, { maxLength: 20 }), fc.array(number, { maxLength: 20 }), (kept, taken) => {
      const sum = new ExactSum()
      for (const one of [...taken, ...kept]) sum.add(one)
      for (const one of taken) sum.add(one, -1)
      expect(sum.value + 0).toBe(sumOf(kept) + 0)
    }),
  )
})

test('infinities count, and cancel each other out to NaN', () => {
  expect(sumOf([])).toBe(0)
  expect(sumOf([1, Infinity])).toBe(Infinity)
  expect(sumOf([1, -Infinity])).toBe(-Infinity)
  expect(sumOf([Infinity, -Infinity])).toBeNaN()
  const sum = new ExactSum()
  sum.add(Infinity)
  sum.add(2.5)
  sum.add(Infinity, -1)
  expect(sum.value).toBe(2.5)
})

test('a sum beyond the largest number is infinite, and says so', () => {
  const sum = new ExactSum()
  for (const one of [1e308, 1e308, 0.5]) sum.add(one)
  expect([sum.value, sum.hasOverflowed]).toEqual([Infinity, true])
  expect(sumOf([-1e308, -1e308])).toBe(-Infinity)
})
