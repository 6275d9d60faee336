/** Found by attacking events: what becomes of their data. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, test } from 'vitest'
import { event } from '../../src/index.js'
import { ReplayStore } from '../../src/sourcing/replay-store.js'
import { open } from './opened.js'

type Data = { readonly [field: string]: unknown }

/** A validator that makes something of what it is given, so that it shows how often it was asked. */
function validator(validate: (value: never) => unknown): StandardSchemaV1<Data, Data> {
  const check = (value: unknown): StandardSchemaV1.Result<Data> => {
    const made = validate(value as never)
    return made === undefined ? { issues: [{ message: 'wrong form' }] } : { value: made as Data }
  }
  return { '~standard': { version: 1, vendor: 'tests', validate: check } }
}

const toNumber = validator(({ n }: { n: unknown }) => (typeof n === 'string' ? { n: Number(n) } : undefined))
const doubled = validator(({ n }: { n: number }) => ({ n: n * 2 }))

describe('data passes its schema once', () => {
  const seen: unknown[] = []
  const reduce = ({ data }: { data: unknown }): void => void seen.push(data)
  const events = {
    number: event({ schema: toNumber, reduce }),
    field: event({
      schema: { n: validator((n) => (typeof n === 'string' ? (Number(n) as never) : undefined)) },
      reduce,
    }),
    doubled: event({ schema: doubled, reduce }),
    preprocessed: event({ schema: doubled, preprocess: ({ data }) => ({ ...data }), reduce }),
    counted: event({ preprocess: ({ data }) => ({ n: Number(data.n) + 1 }), reduce }),
  }
  const inputs = { number: { n: '5' }, field: { n: '5' }, doubled: { n: 5 }, preprocessed: { n: 5 }, counted: { n: 5 } }
  const outputs = [{ n: 5 }, { n: 5 }, { n: 10 }, { n: 10 }, { n: 6 }]

  test('when it is dispatched, when it is queued, and when it is handled again', async () => {
    const store = await open({ events, history: 'forever' })
    seen.length = 0
    for (const [type, data] of Object.entries(inputs)) await store.dispatch(type, data)
    expect(seen.splice(0)).toEqual(outputs)
    for (const [type, data] of Object.entries(inputs)) await store.enqueue(type, data, { lane: 'one' })
    await store.queue.idle()
    expect(store.parked.list()).toEqual([])
    expect(seen.splice(0)).toEqual(outputs)
    const entries = await store.log.read()
    const replay = await ReplayStore.open()
    await replay.define({ events })
    const { events: handled, failures } = await replay.replay(
      (async function* each() {
        yield* entries
      })(),
    )
    await replay.stop()
    expect({ handled, failures }).toEqual({ handled: 10, failures: [] })
    expect(seen.splice(0)).toEqual([...outputs, ...outputs])
  })

  test('when it was parked, edited and replayed: what edit is given is as what dispatch is given', async () => {
    let isBroken = true
    const store = await open({ onError: () => undefined })
    store.defineEvent('doubled', {
      schema: doubled,
      policy: { retries: 0 },
      reduce: () => {
        if (isBroken) throw new Error('not yet')
      },
    })
    const id = await store.enqueue('doubled', { n: 1 })
    await store.queue.idle()
    expect((await store.parked.edit(id, { n: 3 })).data).toEqual({ n: 6 })
    isBroken = false
    expect((await store.parked.replay(id)).data).toEqual({ n: 6 })
  })
})
