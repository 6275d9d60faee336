import type { Value } from './value.js'

/**
 * The JSON text of `value`, with `Infinity` and `-Infinity` kept: they become `1e999` and `-1e999`, which every JSON
 * parser reads back as infinities, where `JSON.stringify` would write `null`.
 *
 * Lone surrogates and control characters are escaped, so the text is always well-formed Unicode. `NaN` and `-0` never
 * occur in records and are written as `JSON.stringify` writes them.
 */
export function stringify(value: Value): string {
  const text = JSON.stringify(value)
  // Almost no record holds an infinity; a text without "null" cannot have lost one.
  return text.includes('null') && hasInfinity(value) ? write(value) : text
}

function hasInfinity(value: Value): boolean {
  if (typeof value === 'number') return value === Infinity || value === -Infinity
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(hasInfinity)
  for (const field of Object.keys(value)) {
    if (hasInfinity((value as { readonly [field: string]: Value })[field] as Value)) return true
  }
  return false
}

function write(value: Value): string {
  if (value === Infinity) return '1e999'
  if (value === -Infinity) return '-1e999'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  const parts: string[] = []
  for (const field of Object.keys(value)) {
    const item = (value as { readonly [field: string]: Value | undefined })[field]
    if (item !== undefined) parts.push(`${JSON.stringify(field)}:${write(item)}`)
  }
  return `{${parts.join(',')}}`
}
