import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/base/runtime.js'
import { createMemoryStreamStore, MemoryStreams, type StreamStore } from '../../src/streams/index.js'
import { VersionWatch } from '../../src/streams/version-watch.js'
import { entries, entry, failureOf, metaRecord, pause, until } from '../../src/testing/stream-fixture.js'
import { type Ended, runNode } from '../support/run-programs.js'

/** A store, and how often its storage was asked for the version and for pages since. */
function counted(streams = new MemoryStreams()): { store: StreamStore; asked: { versions: number; pages: number } } {
  const asked = { versions: 0, pages: 0 }
  class Counted extends MemoryStreams {
    override backend(): ReturnType<MemoryStreams['backend']> {
      const backend = streams.backend()
      return {
        ...backend,
        version: () => (asked.versions++, backend.version()),
        page: (...args) => (asked.pages++, backend.page(...args)),
      }
    }
  }
  return { store: createMemoryStreamStore({ streams: new Counted() }), asked }
}

describe('the tails of a store', () => {
  it('look together: one question at a time, as often as the most impatient wants; a write concerns those of its document', async () => {
    const { store, asked } = counted()
    for (let i = 0; i < 300; i++) await store.append(`d${i}`, metaRecord())
    let told = 0
    for (let i = 0; i < 300; i++) store.tail(`d${i}`, { pollMs: i === 0 ? 20 : 60_000 }, () => void told++)
    await until(() => told === 300, 'all are told')
    expect(asked).toEqual({ versions: 1, pages: 300 })
    await store.append('d7', entry('x'))
    await until(() => told === 301, 'one is told')
    expect(asked.pages).toBe(301)
    const before = asked.versions
    await pause(200)
    expect(asked.versions - before).toBeGreaterThan(2)
    expect(asked.versions - before).toBeLessThan(12)
    await store.close()
  })

  it('hear of other handles while their own store writes all the time', async () => {
    const streams = new MemoryStreams()
    const [own, other] = [createMemoryStreamStore({ streams }), createMemoryStreamStore({ streams })]
    await own.append('own', metaRecord())
    const told: string[] = []
    own.tail({ prefix: '' }, { pollMs: 20 }, (_record, id) => void told.push(id))
    let isOver = false
    const writing = (async () => {
      while (!isOver) {
        await own.append('own', entry('x'))
        await pause(2)
      }
    })()
    await other.append('other', metaRecord())
    await until(() => told.includes('other'), 'the other handle is heard of')
    isOver = true
    await writing
    await own.close()
    await other.close()
  })

  it('let timers have their turn, however much there is to tell', async () => {
    const store = createMemoryStreamStore()
    for (let i = 0; i < 2_000; i++) await store.appendMany(`d${i}`, [metaRecord(), ...entries(20, 'e')])
    let [told, turns] = [0, 0]
    const timer = setInterval(() => void turns++, 1)
    for (let i = 0; i < 2_000; i++) store.tail(`d${i}`, {}, () => void told++)
    await until(() => told === 42_000, 'all of them')
    clearInterval(timer)
    expect(turns).toBeGreaterThan(2)
    await store.close()
  })

  it('one that ends by an error keeps it, and what onError threw, to itself', async () => {
    const store = createMemoryStreamStore()
    await store.append('doc', metaRecord())
    const told: string[] = []
    store.tail('doc', undefined, ({ kind }) => void told.push(kind))
    const boom = new Error('from onRecord')
    const onError = (): void => {
      throw new Error('from onError')
    }
    const tail = store.tail('doc', { onError }, () => {
      throw boom
    })
    expect(await failureOf(tail.ended)).toBe(boom)
    expect(tail.callbackError?.message).toBe('from onError')
    await store.append('doc', entry('x'))
    await until(() => told.length === 2, 'the other one goes on')
    expect(await failureOf(tail.ended)).toBe(boom)
    await store.close()
  })

  it('names the bound of pollMs', () => {
    const store = createMemoryStreamStore()
    expect(() => store.tail('doc', { pollMs: 2 ** 31 }, () => undefined)).toThrow('from 1 to 2147483647')
  })

  it('hold the program until they are stopped', async () => {
    const script = (end: string): string =>
      `import { createMemoryStreamStore } from ${JSON.stringify(resolve('dist/streams/index.js'))}\n` +
      `const tail = createMemoryStreamStore().tail('a', {}, () => undefined)\n` +
      `setTimeout(() => console.log('held'), 500).unref()\n${end}`
    const run = (end: string): Promise<Ended> =>
      runNode(['--input-type=module', '-e', script(end)], process.cwd(), 10_000)
    expect(await run('setTimeout(() => tail.stop(), 1_000).unref()')).toEqual({ code: 0, output: 'held\n' })
    expect(await run('tail.stop()')).toEqual({ code: 0, output: '' })
  })
})

describe('a watch of versions that come later', () => {
  function watchOn(versions: (() => Promise<unknown>)[]) {
    const heard: string[] = []
    const watch = new VersionWatch({
      runtime: systemRuntime,
      version: () => versions.shift()?.() ?? Promise.resolve('last'),
      onMoved: () => void heard.push('moved'),
      onError: (error) => void heard.push(error.message),
    })
    return { watch, heard }
  }

  it('who begins waits for the first answer, and nobody is told before there was a change', async () => {
    const { watch, heard } = watchOn([async () => 1, async () => 1, async () => 2])
    const first = watch.add(5)
    expect(watch.add(50)).toBe(first)
    await first
    expect(watch.add(5)).toBeUndefined()
    await until(() => heard.length === 2, 'both changes: from 1 to 2, and to the last')
    expect(heard).toEqual(['moved', 'moved'])
    for (const ms of [5, 50, 5]) watch.remove(ms)
    await pause(20)
    expect(heard).toHaveLength(2)
  })

  it('a question that fails is told, and asked anew for whoever comes then', async () => {
    const { watch, heard } = watchOn([() => Promise.reject(new Error('gone')), async () => 1])
    await watch.add(5)
    expect(heard).toEqual(['gone'])
    watch.remove(5)
    await watch.add(5)
    await until(() => heard.length === 2, 'it goes on')
    watch.remove(5)
  })
})
