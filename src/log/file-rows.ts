import { frame, readLines } from './file-format.js'
import { type FileSystem, writeAll } from './file-system.js'
import { isObject } from './codec.js'
import { stringify } from '../base/json.js'
import type { RowMirror } from './rows.js'
import type { BucketMeta, RowOp } from './storage.js'

const WRITE_BYTES = 1 << 20
const OPS_PER_STEP = 1_000

/**
 * Writes all buckets and rows to a new file, and makes them survive a power cut: a line per bucket and per row, and one
 * that says how many there were.
 *
 * @returns the size of the file in bytes.
 */
export function writeRows(files: FileSystem, path: string, mirror: RowMirror): number {
  const handle = files.open(path, 'w')
  try {
    let position = 0
    let waiting: Buffer[] = []
    let size = 0
    const write = (payload: string): void => {
      const line = frame(payload)
      waiting.push(line)
      size += line.length
      if (size - position < WRITE_BYTES) return
      writeAll(files, handle, Buffer.concat(waiting), position)
      position = size
      waiting = []
    }
    let count = 0
    for (const meta of mirror.metas()) {
      write(JSON.stringify({ bucket: meta }))
      for (const { ordinal, record } of mirror.rows(meta.bucket)) {
        write(`[${ordinal},${stringify(record)}]`)
        count++
      }
    }
    write(JSON.stringify({ end: count }))
    writeAll(files, handle, Buffer.concat(waiting), position)
    files.sync(handle)
    return size
  } finally {
    files.close(handle)
  }
}

/**
 * Reads what `writeRows` has written into `mirror`.
 *
 * @returns the size of the file in bytes.
 * @throws {Error} a part of it is damaged or missing; the message says where.
 */
export function readRows(files: FileSystem, path: string, mirror: RowMirror): number {
  const handle = files.open(path, 'r')
  try {
    let bucket: string | undefined
    let count = 0
    let ops: RowOp[] = []
    for (const line of readLines(files, handle)) {
      if (line.payload === undefined) throw new Error(`damaged at byte ${line.offset}`)
      const raw: unknown = JSON.parse(line.payload)
      if (Array.isArray(raw)) {
        const [ordinal, record] = raw as [number, unknown]
        if (bucket === undefined || !isObject(record)) throw new Error(`no row at byte ${line.offset}`)
        ops.push({ op: 'put', bucket, ordinal, record })
        count++
      } else if (isObject(raw) && isObject(raw.bucket)) {
        const meta = raw.bucket as unknown as BucketMeta
        bucket = meta.bucket
        ops.push({ op: 'define', meta })
      } else if (isObject(raw) && raw.end === count) {
        for (const op of ops) mirror.apply([op])
        return line.end
      } else throw new Error(`it does not fit at byte ${line.offset}`)
      if (ops.length < OPS_PER_STEP) continue
      for (const op of ops) mirror.apply([op])
      ops = []
    }
    throw new Error('its end is missing')
  } finally {
    files.close(handle)
  }
}
