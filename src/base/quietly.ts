/**
 * The result of `work`, or undefined where it throws: for errors that tell the caller no more than that. The comment above a
 * call says why nobody needs the error (`tests/tidy.test.ts`).
 */
export function quietly<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    void error
    return undefined
  }
}
