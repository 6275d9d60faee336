import { expect, it } from 'vitest'
import { chainAfter, checksum } from './checksum.js'

it('the checksum is part of the file formats: these values never change', () => {
  expect(
    ['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'ž🐎', 'x'.repeat(200_000), 'ž'.repeat(70_001)].map(checksum),
  ).toMatchInlineSnapshot(`
    [
      4059294970067901,
      7909373948927735,
      8490531620911543,
      6988157406025873,
      8999317628162685,
      4578423824356767,
      2629869316660055,
      2609274134372836,
      484994816087228,
    ]
  `)
  expect([
    chainAfter(0, 0),
    chainAfter(0, 1),
    chainAfter(1, 0),
    chainAfter(2 ** 53 - 1, 2 ** 52),
  ]).toMatchInlineSnapshot(`
    [
      8937974702737385,
      1535878917267507,
      6950603712266465,
      4698872105402677,
    ]
  `)
})

it('any change of one character, any swap and any cut changes it', () => {
  const text = `{"v":1,"seq":12,"text":"${'abc ž '.repeat(12)}"}`
  const sums = new Set([checksum(text)])
  let variants = 1
  for (let i = 0; i < text.length; i++) {
    for (const other of [
      `${text.slice(0, i)}${String.fromCharCode(text.charCodeAt(i) ^ 1)}${text.slice(i + 1)}`,
      `${text.slice(0, i)}${String.fromCharCode(text.charCodeAt(i) ^ 0x40)}${text.slice(i + 1)}`,
      `${text.slice(0, i)}\u0000${text.slice(i)}`,
      text.slice(0, i),
    ]) {
      sums.add(checksum(other))
      variants++
    }
  }
  expect(sums.size).toBe(variants)
})

it('it spreads over 53 bits', () => {
  const sums = Array.from({ length: 20_000 }, (_, i) => checksum(`row ${i}`))
  expect(new Set(sums).size).toBe(sums.length)
  for (const sum of sums) expect(Number.isSafeInteger(sum) && sum >= 0).toBe(true)
  for (let bit = 0; bit < 53; bit++) {
    const ones = sums.filter((sum) => Math.floor(sum / 2 ** bit) % 2 === 1).length
    expect(Math.abs(ones / sums.length - 0.5), `bit ${bit}`).toBeLessThan(0.03)
  }
})

it('a chain depends on every link and its place', () => {
  const chain = (sums: readonly number[]): number => sums.reduce(chainAfter, 0)
  const all = [chain([1, 2, 3]), chain([2, 1, 3]), chain([1, 2]), chain([1, 2, 3, 0]), chain([0, 1, 2, 3])]
  expect(new Set(all).size).toBe(all.length)
})
