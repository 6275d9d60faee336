/** The results as an aligned table. */

const COLUMNS = ['', 'contestant', 'durability', 'median', 'min', 'max', 'to limit', 'target', '']
const LEFT = [true, true, true, false, false, false, false, false, true]

export function table(cases) {
  const lines = [COLUMNS]
  for (const { title, results } of cases) {
    lines.push(undefined, [title])
    for (const result of results) lines.push(lineOf(result))
  }
  const widths = COLUMNS.map((_, at) =>
    Math.max(...lines.map((line) => (line !== undefined && line.length > 1 ? (line[at] ?? '').length : 0))),
  )
  return lines
    .map((line) => {
      if (line === undefined) return ''
      if (line.length === 1) return line[0]
      return line
        .map((cell, at) => (LEFT[at] ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
        .join('  ')
        .trimEnd()
    })
    .join('\n')
}

function lineOf(result) {
  const { contestant, durability, unit, ratio, target, isMet, note } = result
  const figures = [result.median, result.min, result.max].map((value) => figure(value, unit))
  const mark = isMet === undefined ? '' : isMet ? '✓' : '✗'
  const tail = note === undefined ? mark : `${mark === '' ? ' ' : mark} ${note}`
  return [' ', contestant, durability, ...figures, ratioText(ratio, target), targetText(target, unit), tail]
}

function figure(value, unit) {
  if (unit === 'bytes') return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e3).toFixed(2)} kB`
  if (value >= 1e6) return `${digits(value / 1e6)} ms`
  return value >= 1e3 ? `${digits(value / 1e3)} µs` : `${value.toFixed(0)} ns`
}

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function ratioText(ratio, target) {
  if (ratio === undefined) return ''
  return target?.minRate === undefined ? `${digits(ratio)}x` : `${(1 / ratio).toFixed(2)} rate`
}

function targetText(target, unit) {
  if (target === undefined) return ''
  const { max, minRate, atMost } = target
  const bounds = []
  if (atMost !== undefined) bounds.push(`≤ ${figure(atMost, unit)}`)
  if (max !== undefined) bounds.push(`≤ ${max}x`)
  if (minRate !== undefined) bounds.push(`≥ ${minRate}`)
  return bounds.join(', ')
}
