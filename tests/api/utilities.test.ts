import { describe, expect, test } from 'vitest'
import {
  generateCuid,
  generateTimestamp,
  generateUuid,
  isValidEmail,
  isValidIsoDate,
  isValidUrl,
  parseTtl,
  systemRuntime,
} from '../../src/index.js'

describe('parseTtl', () => {
  test.each<[number | string, number]>([
    [1, 1],
    [0.5, 0.5],
    [60_000, 60_000],
    ['1s', 1_000],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['5  m', 300_000],
    ['90d', 7_776_000_000],
  ])('%j is %d ms', (ttl, ms) => {
    expect(parseTtl(ttl)).toBe(ms)
  })

  test.each<[unknown, string]>([
    [0, 'TTL must be a positive finite number, got 0'],
    [-5, 'TTL must be a positive finite number, got -5'],
    [Number.NaN, 'TTL must be a positive finite number, got NaN'],
    [Number.POSITIVE_INFINITY, 'TTL must be a positive finite number, got Infinity'],
    ['0s', 'TTL value must be positive, got "0s"'],
    ['', 'Invalid TTL format "". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['10ms', 'Invalid TTL format "10ms". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['2w', 'Invalid TTL format "2w". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['-5m', 'Invalid TTL format "-5m". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['5M', 'Invalid TTL format "5M". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['5', 'Invalid TTL format "5". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
    ['m', 'Invalid TTL format "m". Expected a number (ms) or string like "30s", "5m", "1h", "7d".'],
  ])('%j is refused: %s', (ttl, message) => {
    expect(() => parseTtl(ttl as string)).toThrow(message)
  })

  test.each([[null], [undefined], [{}], [[]], [true], [5n], [Symbol('x')]])('%s is refused', (ttl) => {
    expect(() => parseTtl(ttl as never)).toThrow('Invalid TTL format')
  })
})

describe('formats', () => {
  test.each([
    ['a@b.cz', true],
    ['first.last+tag@sub.example.co.uk', true],
    ['ěšč@příklad.cz', true],
    ['a@b', false],
    ['a@.c', false],
    ['a@b.', false],
    ['@b.cz', false],
    ['a@@b.cz', false],
    ['a@b@c.cz', false],
    ['a b@c.cz', false],
    ['a@b.c z', false],
    ['', false],
    ['a', false],
  ])('isValidEmail(%j) is %s', (value, expected) => {
    expect(isValidEmail(value)).toBe(expected)
  })

  test('isValidEmail agrees with the expression of noex-store on many short texts', () => {
    const NOEX = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
    const alphabet = ['a', '@', '.', ' ']
    for (let n = 0; n < alphabet.length ** 7; n++) {
      let text = ''
      for (let rest = n; rest > 0; rest = Math.floor(rest / alphabet.length)) text += alphabet[rest % alphabet.length]
      if (isValidEmail(text) !== NOEX.test(text)) expect.fail(`they differ on ${JSON.stringify(text)}`)
    }
  })

  test.each([
    ['https://example.com', true],
    ['http://localhost:3000/a?b#c', true],
    ['mailto:a@b.cz', true],
    ['ftp://x', true],
    ['example.com', false],
    ['//example.com', false],
    ['http://', false],
    ['', false],
  ])('isValidUrl(%j) is %s', (value, expected) => {
    expect(isValidUrl(value)).toBe(expected)
  })

  test.each([
    ['2024-01-31', true],
    ['2024-02-29', true],
    ['2023-02-29', false],
    ['2024-02-30', false],
    ['2024-13-01', false],
    ['2024-00-10', false],
    ['2024-01-00', false],
    ['2024-1-1', false],
    ['2024-01-01T10:20:30', true],
    ['2024-01-01T10:20:30Z', true],
    ['2024-01-01T10:20:30.123Z', true],
    ['2024-01-01T10:20:30+02:00', true],
    ['2024-01-01T00:30:00+02:00', true],
    ['2024-12-31T23:30:00-05:00', true],
    ['2024-01-01T10:20', false],
    ['2024-01-01T25:00:00Z', false],
    ['2024-01-01T10:60:00Z', false],
    ['2024-01-01 10:20:30', false],
    ['2024-01-01T10:20:30z', false],
    ['2024-01-01\n', false],
    ['today', false],
    ['', false],
  ])('isValidIsoDate(%j) is %s', (value, expected) => {
    expect(isValidIsoDate(value)).toBe(expected)
  })
})

describe('generators', () => {
  test('uuid, cuid and timestamp', () => {
    expect(generateUuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(generateCuid()).toMatch(/^c[0-9a-f]{32}$/)
    expect(generateUuid()).not.toBe(generateUuid())
    expect(generateCuid()).not.toBe(generateCuid())
    expect(Number.isSafeInteger(generateTimestamp())).toBe(true)
    expect(generateTimestamp()).toBeLessThanOrEqual(systemRuntime.now())
  })
})
