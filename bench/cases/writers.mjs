import { makeRecords } from '../data.mjs'

/** Records to write before the clock starts, and as many to be timed. */
export function timed(count) {
  const all = makeRecords(2 * count)
  return { first: all.slice(0, count), records: all.slice(count) }
}

/** Writes `records` from `writers` callers, each of which waits for its own write before it goes on. */
export async function concurrently(writers, records, write) {
  const writer = async (first) => {
    for (let i = first; i < records.length; i += writers) await write(records[i])
  }
  await Promise.all(Array.from({ length: writers }, (_, i) => writer(i)))
}
