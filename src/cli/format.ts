const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** A whole number with thousands separated: `135,233`. */
export function formatCount(count: number): string {
  return COUNT.format(count)
}

/** A number of things, in the right grammatical number: `1 record`, `250 countries`. */
export function formatThings(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** A duration in the unit that needs three digits: `41 µs`, `2.35 ms`, `1.24 s`, `2 min 05 s`. */
export function formatDuration(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1_000)} µs`
  if (ms < 999.5) return `${threeDigits(ms)} ms`
  return ms < 59_950 ? `${threeDigits(ms / 1_000)} s` : formatSeconds(ms)
}

/** A duration in whole seconds, rounded up: `7 s`, `2 min 05 s`. */
export function formatSeconds(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** A size in decimal units: `31.4 MB`. */
export function formatBytes(bytes: number): string {
  let size = bytes
  let unit = 0
  while (size >= 999.5 && unit < BYTE_UNITS.length - 1) {
    size /= 1_000
    unit++
  }
  return `${unit === 0 ? String(size) : threeDigits(size)} ${String(BYTE_UNITS[unit])}`
}

function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0)
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2)
}

/** `text`, cut to `length` characters with an ellipsis where it is longer. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text)
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`
}

/** Characters that are shown before the first one that differs. */
const SHARED_LENGTH = 20

/** Two texts, each cut to `length` characters around the place where they begin to differ. */
export function shortenBoth(one: string, other: string, length: number): [string, string] {
  const [a, b] = [Array.from(one), Array.from(other)]
  if (a.length <= length && b.length <= length) return [one, other]
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  const from = Math.max(0, at - SHARED_LENGTH)
  const cut = (text: readonly string[]): string =>
    from === 0 ? shorten(text.join(''), length) : `…${shorten(text.slice(from).join(''), length - 1)}`
  return [cut(a), cut(b)]
}
