import { canonicalJson } from '../base/canonical-json.js'
import type { Runtime } from '../base/runtime.js'
import { hex, sha256 } from '../base/sha256.js'
import type { StoredRecord } from '../base/value.js'
import type { Captured } from '../lifecycle/capture.js'
import { capture } from '../lifecycle/capture.js'

/** First line of what is hashed. Raised when the same state would get another hash. */
const FORMAT = 'varve state 1'

/** Where a block of records ends: whichever comes first. Part of the format. */
const BLOCK_RECORDS = 1_000
const BLOCK_LENGTH = 1_000_000

const encoder = new TextEncoder()

/**
 * A hash of the records of all buckets that are stored: 64 hexadecimal digits. Two stores have the same one when they have the
 * same records with the same metadata in the same insertion order, on whatever storage, machine, and version of Node.js.
 *
 * Not in it: names of buckets without records, definitions and indexes, autoincrement counters, ordinals, seqs and the log, the
 * order in which buckets were defined and fields written, and buckets with `persistent: false`.
 *
 * SHA-256 of the first line, and then one line per bucket in the order of their names, `<name as JSON> <records> <hash>`; the hash of a
 * bucket is that of the hashes of its blocks, one after the other; a block is a line of canonical JSON for each record, and
 * ends after 1,000 records or a million characters. So it takes memory for one block, and a pointer for each record.
 *
 * @throws {BucketCrashedError} a bucket has failed for good.
 */
export async function stateHash(now: () => Captured, runtime: Runtime): Promise<string> {
  const buckets = await capture(now, (found) =>
    found
      .filter(({ persistent, table }) => persistent && table.size > 0)
      .map(({ name, reads }) => ({ name, records: reads.all() as readonly StoredRecord[] })),
  )
  const byName = buckets.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  let text = `${FORMAT}\n`
  for (const { name, records } of byName) {
    text += `${JSON.stringify(name)} ${records.length} ${await hashRecords(records, runtime)}\n`
  }
  return hex(await sha256(encoder.encode(text)))
}

async function hashRecords(records: readonly StoredRecord[], runtime: Runtime): Promise<string> {
  const hashes: Uint8Array[] = []
  let block = ''
  let count = 0
  const endBlock = async (): Promise<void> => {
    hashes.push(await sha256(encoder.encode(block)))
    block = ''
    count = 0
    // Others get their turn between two blocks.
    await new Promise<void>((resolve) => runtime.defer(resolve))
  }
  for (const record of records) {
    block += `${canonicalJson(record)}\n`
    if (++count === BLOCK_RECORDS || block.length >= BLOCK_LENGTH) await endBlock()
  }
  if (count > 0) await endBlock()
  const all = new Uint8Array(hashes.length * 32)
  hashes.forEach((hash, at) => all.set(hash, at * 32))
  return hex(await sha256(all))
}
