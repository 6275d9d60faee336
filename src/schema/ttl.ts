import { VarveError } from '../base/errors.js'

const UNIT_MS: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const TTL = /^(\d+(?:\.\d+)?)\s*([smhd])$/

/** A length of time that is not one. */
export class TtlError extends VarveError {
  declare readonly name: 'TtlError'
}

/**
 * Reads a length of time.
 *
 * @param ttl a positive number of milliseconds, or a positive number with a unit: `'30s'`, `'5m'`, `'1.5h'`, `'7d'`.
 * @returns milliseconds.
 * @throws {TtlError} it is neither.
 */
export function parseTtl(ttl: number | string): number {
  if (typeof ttl === 'number') {
    if (Number.isFinite(ttl) && ttl > 0) return ttl
    throw new TtlError('TTL', `TTL must be a positive finite number, got ${ttl}`)
  }
  const match = typeof ttl === 'string' && ttl.length < 100 ? TTL.exec(ttl) : null
  if (match === null) {
    const expected = 'Expected a number (ms) or string like "30s", "5m", "1h", "7d".'
    throw new TtlError('TTL', `Invalid TTL format "${String(ttl)}". ${expected}`)
  }
  const ms = Number(match[1]) * (UNIT_MS[match[2] as string] as number)
  if (!(ms > 0)) throw new TtlError('TTL', `TTL value must be positive, got "${ttl}"`)
  return ms
}
