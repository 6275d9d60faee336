import type { Parameters } from 'fast-check'

/**
 * How often a property is tried, and from which seed: VARVE_RUNS multiplies the runs, VARVE_SEED replays a seed that a
 * failure has printed.
 */
export function runs(count: number): Parameters<unknown> {
  const { VARVE_RUNS, VARVE_SEED } = process.env
  const factor = VARVE_RUNS === undefined ? 1 : Number(VARVE_RUNS)
  return {
    numRuns: Math.max(1, Math.round(count * factor)),
    ...(VARVE_SEED === undefined ? {} : { seed: Number(VARVE_SEED) }),
  }
}

/** `value`, which is there. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('something is missing that has to be there')
  return value
}
