import { describe, expect, it } from 'vitest'
import { createMemoryStreamStore, MemoryStreams, type StreamStore } from '../../src/streams/index.js'
import { entries, entry, metaRecord, pause, until } from '../../src/testing/stream-fixture.js'

type Backend = ReturnType<MemoryStreams['backend']>

/** The same streams, by a storage that does not keep up to where they were cleared. */
class Forgetful extends MemoryStreams {
  readonly #streams: MemoryStreams

  constructor(streams: MemoryStreams) {
    super()
    this.#streams = streams
  }

  override backend(): Backend {
    const backend = this.#streams.backend()
    const page: Backend['page'] = (...args) => {
      const found = backend.page(...args) as Awaited<ReturnType<Backend['page']>>
      return found === undefined ? undefined : { ...found, clearedTo: undefined }
    }
    return { ...backend, page }
  }
}

/** A tail of one store, and another store that writes; what is told, without what was told before. */
async function begin(keeps: boolean, count: number, after = -1) {
  const streams = new MemoryStreams()
  const own = createMemoryStreamStore({ streams: keeps ? streams : new Forgetful(streams) })
  const other = createMemoryStreamStore({ streams })
  await other.appendMany('doc', [metaRecord(), ...entries(count - 1, 'e')])
  const told: string[] = []
  let gate: { readonly at: number; readonly until: Promise<void> } | undefined
  const listen = (): void => {
    own.tail('doc', { pollMs: 25, after }, ({ seq, ...record }) => {
      told.push(`${record.kind === 'meta' ? 'meta' : String(record.payload.data)}@${seq}`)
      return gate?.at === seq ? gate.until : undefined
    })
  }
  const news = async (): Promise<string[]> => {
    await pause(120)
    return told.splice(0)
  }
  const holdAt = (at: number): (() => void) => {
    let go = (): void => undefined
    gate = { at, until: new Promise((resolve) => (go = resolve)) }
    return go
  }
  return { own, other, listen, news, holdAt, told: () => told }
}

const close = (...stores: StreamStore[]): Promise<unknown> => Promise.all(stores.map((store) => store.close()))

describe.each([true, false])(
  'a tail, when another store clears the stream (the storage keeps how far: %s)',
  (keeps) => {
    it('that has seen all that was folded is not told again', async () => {
      const { own, other, listen, news } = await begin(keeps, 4)
      listen()
      expect(await news()).toHaveLength(4)
      await other.compact('doc', () => [metaRecord(), entry('sum')])
      expect(await news()).toEqual([])
      await other.append('doc', entry('next'))
      expect(await news()).toEqual(['next@4'])
      await close(own, other)
    })

    it('that finds a fold and an append at one look is told the append, and where nothing is kept, all of it', async () => {
      const { own, other, listen, news, holdAt, told } = await begin(keeps, 4)
      const go = holdAt(3)
      listen()
      await until(() => told().length === 4, 'it waits')
      await other.compact('doc', () => [metaRecord(), entry('sum')])
      await other.append('doc', entry('next'))
      told().length = 0
      go()
      expect(await news()).toEqual(keeps ? ['next@4'] : ['meta@2', 'sum@3', 'next@4'])
      await close(own, other)
    })

    it('that finds as many records as before is told nothing, and where nothing is kept, all of them', async () => {
      const { own, other, listen, news } = await begin(keeps, 2)
      listen()
      expect(await news()).toHaveLength(2)
      await other.compact('doc', () => [metaRecord(), entry('same')])
      expect(await news()).toEqual(keeps ? [] : ['meta@0', 'same@1'])
      await close(own, other)
    })

    it('that has not read all that was folded is told all that the fold made', async () => {
      const { own, other, listen, news, holdAt, told } = await begin(keeps, 300)
      const go = holdAt(100)
      listen()
      await until(() => told().length === 101, 'it waits')
      await other.compact('doc', () => [metaRecord(), entry('sum')])
      go()
      expect((await news()).slice(-2)).toEqual(['meta@298', 'sum@299'])
      await close(own, other)
    })

    it('after a fold, tells a document that is deleted and made anew', async () => {
      const { own, other, listen, news } = await begin(keeps, 4)
      listen()
      await news()
      await own.compact('doc', () => [metaRecord(), entry('sum')])
      expect(await news()).toEqual([])
      await other.delete('doc')
      await pause(60)
      await other.appendMany('doc', [metaRecord(), entry('new')])
      expect((await news()).map((one) => one.split('@')[0])).toEqual(['meta', 'new'])
      await close(own, other)
    })
  },
)

it('a cursor from before a clear begins anew, one from after it goes on', async () => {
  for (const [after, wanted] of [
    [1, ['meta@1', 'a@2', 'b@3']],
    [3, []],
  ] as const) {
    const { own, other, listen, news } = await begin(true, 4, after)
    await other.compact('doc', () => [metaRecord(), entry('a'), entry('b')])
    listen()
    expect(await news()).toEqual(wanted)
    await close(own, other)
  }
})
