import type { Value } from './value.js'

/**
 * The one JSON text of a value: fields in the order of their UTF-16 code units, no white space, infinities as `1e999`. The same on
 * every machine and engine, whatever order the fields were written in.
 *
 * Strings and numbers are written as `JSON.stringify` writes them. Source: RFC 8785 (which has no infinities).
 */
export function canonicalJson(value: Value): string {
  if (value === Number.POSITIVE_INFINITY) return '1e999'
  if (value === Number.NEGATIVE_INFINITY) return '-1e999'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = value as { readonly [field: string]: Value | undefined }
  const parts: string[] = []
  for (const field of Object.keys(fields).sort()) {
    const item = fields[field]
    if (item !== undefined) parts.push(`${JSON.stringify(field)}:${canonicalJson(item)}`)
  }
  return `{${parts.join(',')}}`
}
