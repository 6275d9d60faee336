import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatSeconds,
  formatThings,
  shorten,
  shortenBoth,
} from '../../src/cli/format.js'
import { Page, wantsColour } from '../../src/cli/page.js'
import { Progress } from '../../src/cli/progress.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A stream that remembers. */
function stream(
  isTTY: boolean,
  columns?: number,
): { text: string; isTTY: boolean; columns?: number; write(text: string): void } {
  return {
    text: '',
    isTTY,
    ...(columns === undefined ? {} : { columns }),
    write(text) {
      this.text += text
    },
  }
}

test.each([
  [0.0004, '0 µs'],
  [0.041, '41 µs'],
  [0.9994, '999 µs'],
  [0.9996, '1.00 ms'],
  [2.345, '2.35 ms'],
  [12.34, '12.3 ms'],
  [999.4, '999 ms'],
  [999.6, '1.00 s'],
  [12_340, '12.3 s'],
  [59_960, '1 min 00 s'],
  [125_000, '2 min 05 s'],
])('%s ms is shown as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('counts, sizes and texts', () => {
  expect(formatCount(135_233.4)).toBe('135,233')
  expect([formatThings(1, 'city', 'cities'), formatThings(0, 'record')]).toEqual(['1 city', '0 records'])
  expect([0, 999, 1_000, 31_444_000, 999_960].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '31.4 MB',
    '1.00 MB',
  ])
  expect([formatSeconds(1), formatSeconds(60_001)]).toEqual(['1 s', '1 min 01 s'])
  expect([shorten('Ulaanbaatar', 11), shorten('Ulaanbaatar', 6), shorten('🇮🇸🇯🇵', 3)]).toEqual([
    'Ulaanbaatar',
    'Ulaan…',
    '🇮🇸…',
  ])
})

test('of two long texts the part is shown where they differ', () => {
  const long = 'x'.repeat(100)
  expect(shortenBoth('short', 'other', 20)).toEqual(['short', 'other'])
  expect(shortenBoth(`${long}a${long}`, `${long}b`, 30)).toEqual([
    `…${'x'.repeat(20)}a${'x'.repeat(7)}…`,
    `…${'x'.repeat(20)}b`,
  ])
  expect(shortenBoth(`a${long}`, `b${long}`, 10)).toEqual(['axxxxxxxx…', 'bxxxxxxxx…'])
  expect(shortenBoth(long, `${long}!`, 30)).toEqual([`…${'x'.repeat(20)}`, `…${'x'.repeat(20)}!`])
})

describe('colour', () => {
  test.each<[on: boolean, env: Record<string, string>, isTTY: boolean]>([
    [true, {}, true],
    [false, {}, false],
    [false, { NO_COLOR: '1' }, true],
    [true, { NO_COLOR: '' }, true],
    [false, { TERM: 'dumb' }, true],
    [true, { FORCE_COLOR: '1' }, false],
    [false, { FORCE_COLOR: '0' }, true],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('%s with %o on a terminal: %s', (on, env, isTTY) => {
    for (const [name, value] of Object.entries({ NO_COLOR: '', FORCE_COLOR: '', TERM: 'xterm', ...env }))
      vi.stubEnv(name, value)
    expect(wantsColour(stream(isTTY))).toBe(on)
    const out = stream(isTTY)
    new Page(out).heading(1, 'Title', 'note')
    expect(out.text.includes('\u001B')).toBe(on)
  })
})

test('tables are aligned, also with wide and styled text', () => {
  const out = stream(false)
  new Page(out).table(
    ['city', 'people'],
    [
      ['東京', '8,336,599'],
      ['Bø', '1'],
    ],
    ['left', 'right'],
  )
  expect(out.text).toBe('  city     people\n  ────  ─────────\n  東京  8,336,599\n  Bø            1\n')
})

test('a page without a stream writes nothing and does not fail', () => {
  const page = new Page(undefined)
  page.heading(1, 'a')
  page.table(['a'], [['b']])
  page.list([['a', 'b']])
  expect(page.good('a')).toBe('a')
})

describe('progress', () => {
  test('where there is no terminal it is a line for every tenth', () => {
    const out = stream(false)
    const progress = new Progress(out, 'cities', 1_000, 250)
    for (let done = 250; done <= 1_000; done += 10) progress.update(done)
    progress.end()
    expect(out.text.match(/^cities: \d+ %/gm)).toEqual(
      [30, 40, 50, 60, 70, 80, 90, 100].map((part) => `cities: ${part} %`),
    )
    expect(out.text).not.toMatch(/[\r\u001B]/)
  })

  test('a total that grows is followed, and a rate that was measured for a moment is not shown', () => {
    const out = stream(false)
    const progress = new Progress(out, 'rebuilding', 6)
    progress.update(5)
    progress.update(8, 8)
    expect(out.text).toMatch(/^rebuilding: 80 % \(5\/6\)\nrebuilding: 100 % \(8\/8 · [\d,]+\/s\)\n$/)
  })

  test('on a terminal it is one line that fits, and goes', () => {
    vi.stubEnv('NO_COLOR', '1')
    for (const columns of [80, 50]) {
      const out = stream(true, columns)
      const progress = new Progress(out, 'cities', 135_233)
      progress.update(100_000)
      progress.end()
      expect(out.text).not.toContain('\n')
      expect(out.text.endsWith('\r\u001B[2K')).toBe(true)
      for (const line of out.text.split('\r\u001B[2K')) expect(line.length).toBeLessThan(columns)
      expect(out.text).toContain('  0 %')
    }
  })
})
