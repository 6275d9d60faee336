/** A check of a conformance suite did not hold. */
export class CheckError extends Error {
  override readonly name = 'CheckError'
}

/** Throws `CheckError` unless `condition` holds. @param claim what should have been, as a sentence. */
export function check(condition: boolean, claim: string, cause?: Error): asserts condition {
  if (!condition) throw new CheckError(claim, cause === undefined ? undefined : { cause })
}

/** Throws unless both are the same JSON value, infinities included; `undefined` fields count as absent. */
export function checkSame(actual: unknown, expected: unknown, claim: string): void {
  if (!isSame(actual, expected)) throw new CheckError(`${claim}: expected ${show(expected)}, got ${show(actual)}`)
}

/**
 * Throws unless `promise` rejects with an error of that name. @returns the error.
 */
export async function checkRejects(promise: Promise<unknown>, name: string, claim: string): Promise<Error> {
  let error: unknown
  try {
    await promise
  } catch (thrown) {
    error = thrown
  }
  check(error instanceof Error, `${claim}: expected a rejection`)
  check(error.name === name, `${claim}: expected ${name}, got ${error.name}: ${error.message}`)
  return error
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const left = a as { [key: string]: unknown }
  const right = b as { [key: string]: unknown }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)])
  return [...keys].every((key) => isSame(left[key], right[key]))
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? `${item}n` : typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
  return text === undefined
    ? String(value)
    : text.length > 300
      ? `${text.slice(0, 300)}… (${text.length} characters)`
      : text
}
