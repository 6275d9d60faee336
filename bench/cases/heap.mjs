/** What the records cost on the heap, with two indexes (one of them unique). Each in a process of its own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from '../data.mjs'

const CHILD = fileURLToPath(new URL('../heap-child.mjs', import.meta.url))

export function heapCases({ records: count, peers, dir }) {
  const at = mkdtempSync(join(dir, 'varve-bench-'))
  const file = join(at, 'varve.db')
  const row = (contestant, durability, kind, more) => ({
    contestant,
    durability,
    unit: 'bytes',
    ops: 1,
    ...more,
    isFresh: true,
    run: () => {
      if (kind === 'varve-file') rmSync(file, { force: true })
      const output = execFileSync(
        process.execPath,
        ['--expose-gc', '--disable-warning=ExperimentalWarning', CHILD, kind, String(count), file],
        { encoding: 'utf8' },
      )
      const { bytes, found, expected } = JSON.parse(output.trim().split('\n').at(-1))
      expect(found, expected, contestant)
      return bytes
    },
    check: () => undefined,
  })
  const limited = { limit: 'Map', target: { max: 1.6 } }
  const rows = [
    row('Map', 'none', 'map'),
    row('Varve', 'memory', 'varve', limited),
    row('Varve on a file', 'disk', 'varve-file', limited),
    row('Varve, file opened again', 'disk', 'varve-opened', limited),
    ...peers.map((peer) => row(peer.name, 'memory', `peer:${peer.name}`, { limit: 'Map', note: peer.note })),
  ]
  const title = `heap for ${count} records with two indexes`
  return {
    cases: [{ name: 'heap', title, rows, rounds: 3, warmups: 0, isValue: true }],
    close: () => rmSync(at, { recursive: true }),
  }
}
