import type { StreamMeta, StreamRecord } from '../../src/streams/index.js'

export const META: StreamMeta = {
  replicaType: ['yjs', 1, 0],
  syncMode: { writerModel: 'concurrent', delivery: 'delta-capable', durability: 'persistent' },
  schemaHash: 'h1',
}
export const meta = (schemaHash = 'h1'): StreamRecord => ({ kind: 'meta', meta: { ...META, schemaHash } })
export const entry = (data: string | Uint8Array, version = 'v'): StreamRecord => ({
  kind: 'entry',
  payload: { kind: 'since', encoding: typeof data === 'string' ? 'json' : 'binary', data },
  version,
})
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
