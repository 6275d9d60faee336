import { readFileSync } from 'node:fs'

/**
 * Runs the contestants of a case side by side: each round runs every one of them once, and each round begins with
 * another one, so that whatever else the machine does hits all alike.
 */

function wall() {
  return Number(process.hrtime.bigint())
}

/** Nanoseconds that this thread was running, on Linux: what the wall clock would say if nobody else used the machine. */
export function threadTime() {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0])
}

/**
 * @param rows `{ contestant, durability, ops, setup?, run, check, teardown?, isFresh? }`. `setup` and `teardown` are not
 *   timed; where `isFresh` they come before and after each round, otherwise once.
 * @param isValue what `run` returns is the sample, not the time it took.
 * @returns for each row its samples, in nanoseconds per operation.
 */
export async function measure(rows, { rounds, warmups, isValue = false, clock = wall }) {
  const states = new Map()
  const samples = new Map(rows.map((row) => [row, []]))
  for (const row of rows) if (row.isFresh !== true) states.set(row, await row.setup?.())
  for (let round = -warmups; round < rounds; round++) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[(i + round + warmups) % rows.length]
      const state = row.isFresh === true ? await row.setup?.() : states.get(row)
      if (row.isFresh === true) globalThis.gc?.()
      const began = clock()
      let result = row.run(state, round + warmups)
      if (result instanceof Promise) result = await result
      const nanoseconds = clock() - began
      await row.check(result, state, round + warmups)
      if (row.isFresh === true) await row.teardown?.(state)
      if (round >= 0) samples.get(row).push(isValue ? result : nanoseconds / row.ops)
    }
  }
  for (const row of rows) if (row.isFresh !== true) await row.teardown?.(states.get(row))
  return samples
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * What a case came to. The ratio to the limit is the median of the ratios of each round, because two contestants of the
 * same round have met the same weather.
 *
 * @param target `{ max }`: this much of the limit's time at most; `{ minRate }`: this much of the limit's rate at least;
 *   `{ atMost }`: so many nanoseconds, or bytes, at most. All that are given have to hold.
 */
export function summarize(rows, samples) {
  return rows.map((row) => {
    const own = samples.get(row)
    const limitRow = rows.find((other) => other.contestant === row.limit)
    const limit = limitRow === undefined ? undefined : samples.get(limitRow)
    const ratios = limit?.map((value, round) => own[round] / value)
    const ratio = ratios === undefined ? undefined : median(ratios)
    return {
      contestant: row.contestant,
      durability: row.durability,
      unit: row.unit ?? 'ns/op',
      ops: row.ops,
      median: median(own),
      min: Math.min(...own),
      max: Math.max(...own),
      ...(ratio === undefined
        ? {}
        : { limit: row.limit, ratio, ratioMin: Math.min(...ratios), ratioMax: Math.max(...ratios) }),
      ...(row.target === undefined ? {} : { target: row.target, isMet: isMet(row.target, ratio, median(own)) }),
      ...(row.note === undefined ? {} : { note: row.note }),
      samples: own,
    }
  })
}

function isMet(target, ratio, value) {
  const { max = Number.POSITIVE_INFINITY, minRate = 0, atMost = Number.POSITIVE_INFINITY } = target
  return (ratio === undefined || (ratio <= max && 1 / ratio >= minRate)) && value <= atMost
}
