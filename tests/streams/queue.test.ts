import { describe, expect, test } from 'vitest'
import {
  createStreamStore,
  MemoryStreams,
  type StreamBackend,
  type StreamRecord,
  type StreamStore,
} from '../../src/streams/index.js'
import { entries, entry, loadAll, metaRecord } from '../../src/testing/stream-fixture.js'

/** A backend in memory whose calls are counted, and which answers by promises where `isAsync`. */
function counted(isAsync: boolean): { backend: StreamBackend; writes: string[] } {
  const inner = new MemoryStreams().backend()
  const writes: string[] = []
  const answer = <T>(work: () => T | Promise<T>): T | Promise<T> => (isAsync ? Promise.resolve().then(work) : work())
  const backend: StreamBackend = {
    ...inner,
    appendsAtOnce: true,
    commit: (ids, plan, read) => {
      writes.push(`commit ${ids.join()}`)
      return answer(() => inner.commit(ids, plan, read))
    },
    append: (batch) => {
      writes.push(`append ${batch.map(({ id }) => id).join()}`)
      return answer(() => inner.append?.(batch) ?? [])
    },
    page: (id, after, limit, mark) => answer(() => inner.page(id, after, limit, mark)),
    head: (id) => answer(() => inner.head(id)),
  }
  return { backend, writes }
}

async function texts(store: StreamStore, id: string): Promise<unknown[]> {
  return (await loadAll(store, id)).map((record) => (record.kind === 'meta' ? 'meta' : record.payload.data))
}

describe.each([
  ['at once', false],
  ['by promises', true],
])('with a storage that answers %s', (_name, isAsync) => {
  test('a lone writer has a transaction for each append, and writers that come together share theirs', async () => {
    const { backend, writes } = counted(isAsync)
    const store = createStreamStore(backend)
    for (const id of ['a', 'b', 'c']) await store.append(id, metaRecord())
    for (let i = 0; i < 3; i++) await store.append('a', entry(String(i)))
    expect(writes.splice(0)).toEqual(['commit a', 'commit b', 'commit c', 'append a', 'append a', 'append a'])
    for (let i = 0; i < 4; i++) await Promise.all(['a', 'b', 'c'].map((id) => store.append(id, entry(String(i)))))
    expect(writes.slice(-3)).toEqual(['append a,b,c', 'append a,b,c', 'append a,b,c'])
    expect(writes.length).toBeLessThan(7)
    expect(await texts(store, 'b')).toEqual(['meta', '0', '1', '2', '3'])
    await store.close()
  })

  test('an append to no document is refused in its place, and harms none before or after it', async () => {
    const store = createStreamStore(counted(isAsync).backend)
    await store.append('a', metaRecord())
    await store.append('a', entry('1'))
    const [first, none, second] = [
      store.append('a', entry('2')),
      store.append('b', entry('x')),
      store.append('a', entry('3')),
    ]
    await expect(none).rejects.toMatchObject({ name: 'StreamFirstRecordError' })
    await Promise.all([first, second])
    await expect(store.append('b', entry('x'))).rejects.toMatchObject({ name: 'StreamFirstRecordError' })
    expect(await texts(store, 'a')).toEqual(['meta', '1', '2', '3'])
    await store.close()
  })

  test('a storage that refuses rejects the call and not the next, whoever writes', async () => {
    const { backend } = counted(isAsync)
    let isFull = false
    const full = (): never => {
      throw new Error('the disk is full')
    }
    const store = createStreamStore({
      ...backend,
      append: (batch) => (isFull ? (isAsync ? Promise.resolve().then(full) : full()) : (backend.append?.(batch) ?? [])),
    })
    await store.append('a', metaRecord())
    await store.append('a', entry('1'))
    isFull = true
    await expect(store.append('a', entry('2'))).rejects.toThrow('the disk is full')
    isFull = false
    await store.append('a', entry('3'))
    expect(await texts(store, 'a')).toEqual(['meta', '1', '3'])
    await store.close()
  })

  test('what stands against all of a group is not tried call by call', async () => {
    const { backend } = counted(isAsync)
    let tries = 0
    const locked = (): never => {
      tries++
      throw new Error('locked')
    }
    const store = createStreamStore({
      ...backend,
      append: () => (isAsync ? Promise.resolve().then(locked) : locked()),
      isOfAll: (error) => error.message === 'locked',
    })
    await store.append('a', metaRecord())
    const all = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => store.append('a', entry(String(i)))))
    expect(all.every(({ status }) => status === 'rejected')).toBe(true)
    // The first one is written at once, where the storage answers so.
    expect(tries).toBeLessThanOrEqual(2)
    await store.close()
  })

  test('compact has its place in the order of calls, and so have those after it', async () => {
    const store = createStreamStore(counted(isAsync).backend)
    await store.appendMany('a', [metaRecord(), ...entries(3)])
    const calls = [
      store.append('a', entry('before')),
      store.compact('a', (records) => [metaRecord(), entry(String(records.length))]),
      store.append('a', entry('after')),
      store.compact('a', (records) => records.slice(0, 2)),
    ]
    const seen = texts(store, 'a')
    calls.push(store.replace('a', [metaRecord(), entry('new')]))
    await Promise.all(calls)
    expect([await seen, await texts(store, 'a')]).toEqual([
      ['meta', '5'],
      ['meta', 'new'],
    ])
    await store.close()
  })

  test('a fold that writes to its document does not stand still, nor does what it writes get lost', async () => {
    const store = createStreamStore(counted(isAsync).backend)
    await store.append('a', metaRecord())
    const written: Promise<void>[] = []
    await store.compact('a', (records) => {
      if (written.length === 0) written.push(store.append('a', entry('by the fold')))
      return records
    })
    await store.compact('a', async (records) => {
      if (written.length === 1) written.push(store.append('a', entry('and waited for')))
      await written[1]
      return records
    })
    await Promise.all(written)
    expect(await texts(store, 'a')).toEqual(['meta', 'by the fold', 'and waited for'])
    await store.close()
  })

  test('a fold that throws, or gives what is no stream, writes nothing and lets the next calls go on', async () => {
    const store = createStreamStore(counted(isAsync).backend)
    await store.appendMany('a', [metaRecord(), entry('1')])
    const refused = [
      store.compact('a', () => {
        throw new Error('no fold')
      }),
      store.compact('a', () => []),
      store.compact('a', () => [entry('no meta')]),
      store.compact('a', () => 7 as never),
    ]
    const outcomes = Promise.allSettled(refused)
    await store.append('a', entry('2'))
    const reasons = (await outcomes).map((outcome) =>
      outcome.status === 'rejected' ? String(outcome.reason) : 'written',
    )
    expect(reasons).toEqual([
      'Error: no fold',
      expect.stringContaining('StreamNoMetaError'),
      expect.stringContaining('StreamNoMetaError'),
      expect.stringContaining('InvalidArgumentError'),
    ])
    expect(await texts(store, 'a')).toEqual(['meta', '1', '2'])
    await store.close()
  })

  test('thousands of compacts behind one another are all settled', async () => {
    const { backend } = counted(isAsync)
    const store = createStreamStore(backend)
    await store.append('a', metaRecord())
    const first = store.append('a', entry('1'))
    const folds = Array.from({ length: 3_000 }, () =>
      store.compact('a', () => {
        throw new Error('no fold')
      }),
    )
    const outcomes = await Promise.allSettled(folds)
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3_000)
    await first
    await store.close()
  })

  test('who has waited behind a call as long as it is refused with it, where that stands against all', async () => {
    const { backend } = counted(isAsync)
    let isLocked = false
    let tries = 0
    const commit: StreamBackend['commit'] = async (ids, plan, read) => {
      if (!isLocked) return await backend.commit(ids, plan, read)
      tries++
      await new Promise((resolve) => setTimeout(resolve, 5))
      throw new Error('locked')
    }
    const store = createStreamStore({ ...backend, commit, isOfAll: ({ message }) => message === 'locked' })
    await store.appendMany('a', [metaRecord(), entry('1')])
    isLocked = true
    const calls = [store.replace('a', [metaRecord()])]
    const fold = (records: readonly StreamRecord[]): readonly StreamRecord[] => records
    calls.push(store.compact('a', fold), store.compact('a', fold), store.append('a', metaRecord()))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
    expect(tries).toBeLessThanOrEqual(2)
    isLocked = false
    await store.append('a', entry('2'))
    expect(await texts(store, 'a')).toEqual(['meta', '1', '2'])
    await store.close()
  })

  test('close waits for reads of all documents, too', async () => {
    const { backend } = counted(true)
    let isClosed = false
    const store = createStreamStore({
      ...backend,
      stats: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (isClosed) throw new Error('the storage is closed')
        return await backend.stats()
      },
      close: () => {
        isClosed = true
      },
    })
    await store.append('a', metaRecord())
    const stats = store.stats()
    await Promise.resolve()
    await store.close()
    expect(await stats).toMatchObject({ docs: 1 })
  })

  test('close waits for a compact that was called before it', async () => {
    const streams = new MemoryStreams()
    const inner = streams.backend()
    const later = <T>(work: () => T | Promise<T>): T | Promise<T> => (isAsync ? Promise.resolve().then(work) : work())
    const store = createStreamStore({
      ...inner,
      page: (id, after, limit, mark) => later(() => inner.page(id, after, limit, mark)),
    })
    await store.appendMany('a', [metaRecord(), ...entries(3)])
    const compacted = store.compact('a', (records) => records.slice(0, 1))
    await Promise.all([compacted, store.close()])
    expect(await texts(createStreamStore(streams.backend()), 'a')).toEqual(['meta'])
  })

  test('the next record may be asked for before the last one is there', async () => {
    const store = createStreamStore(counted(isAsync).backend)
    await store.appendMany('a', [metaRecord(), entry('1'), entry('2')])
    const records = store.load('a')[Symbol.asyncIterator]()
    const answers = await Promise.all([records.next(), records.next(), records.next(), records.next(), records.next()])
    expect(answers.map(({ value, done }) => (done === true ? 'done' : (value as { seq: number }).seq))).toEqual([
      0,
      1,
      2,
      'done',
      'done',
    ])
    await store.close()
  })
})

test('a meta keeps further fields of JSON, and one that JSON would change is refused', async () => {
  const store = createStreamStore(new MemoryStreams().backend())
  const { meta } = metaRecord()
  const wide = { ...meta, supportedHashes: ['h0', 'h1'], further: { deep: [1, null, { x: 'y' }] } }
  await store.append('a', { kind: 'meta', meta: wide })
  wide.supportedHashes.push('later')
  const kept = { ...wide, supportedHashes: ['h0', 'h1'] }
  expect(await store.currentMeta('a')).toEqual(kept)
  await store.replace('a', await loadAll(store, 'a'))
  await store.compact('a', (records) => records)
  expect(await store.currentMeta('a')).toEqual(kept)
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const further of [() => 1, new Date(0), Number.NaN, 1n, Symbol('s'), cycle, new Map()]) {
    await expect(store.append('a', { kind: 'meta', meta: { ...meta, further } as never })).rejects.toMatchObject({
      name: 'InvalidArgumentError',
    })
  }
  await store.close()
})
