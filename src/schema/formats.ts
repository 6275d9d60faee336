const WHITE_SPACE = /\s/
const DATE = /^(\d{4})-(\d{2})-(\d{2})(.*)$/s
const TIME = /^T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:Z|[+-](\d{2}):(\d{2}))?$/

/** A string with one `@`, something before it, and a dot with something on both sides after it; no white space. Linear. */
export function isValidEmail(value: string): boolean {
  if (typeof value !== 'string') return false
  const at = value.indexOf('@')
  if (at < 1 || value.indexOf('@', at + 1) !== -1 || WHITE_SPACE.test(value)) return false
  return value.slice(at + 2, -1).includes('.')
}

/** An absolute URL of any scheme, as the WHATWG URL parser sees it. */
export function isValidUrl(value: string): boolean {
  return URL.canParse(value)
}

/**
 * A date `YYYY-MM-DD` that exists, or one followed by `THH:MM:SS`, an optional fraction, and an optional `Z` or offset.
 * Independent of the machine's time zone.
 */
export function isValidIsoDate(value: string): boolean {
  const date = typeof value === 'string' ? DATE.exec(value) : null
  if (date === null) return false
  const [, year, month, day, rest] = date
  const days = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate()
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > days) return false
  if (rest === '') return true
  const time = TIME.exec(rest as string)
  if (time === null) return false
  const [hours, minutes, seconds, offsetHours = '0', offsetMinutes = '0'] = time.slice(1)
  const offsetFits = Number(offsetHours) < 24 && Number(offsetMinutes) < 60
  return Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60 && offsetFits
}
