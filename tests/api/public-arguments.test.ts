import { describe, expect, test } from 'vitest'
import {
  bridgeStoreToRules,
  FileAdapter,
  InvalidArgumentError,
  isValidEmail,
  isValidIsoDate,
  isValidUrl,
  SnapshotStorage,
  Store,
} from '../../src/index.js'
import { KEYED, open, openBucket, rejection } from './opened.js'

const place = {
  save: async () => undefined,
  load: async () => undefined,
  delete: async () => undefined,
  exists: async () => false,
  listKeys: async () => [],
}

/** What `make` throws; the test fails when it does not. */
function refusal(make: () => unknown): Error {
  try {
    make()
  } catch (error) {
    return error as Error
  }
  throw new Error('expected a refusal')
}

describe('constructors name the argument that they do not take', () => {
  test.each([[undefined], [null], [5]])('new FileAdapter(%j)', (options) => {
    const error = refusal(() => new FileAdapter(options as never))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument: 'new FileAdapter(options)' })
  })

  test.each<[unknown, unknown, string]>([
    [undefined, {}, 'new SnapshotStorage(adapter)'],
    [null, {}, 'new SnapshotStorage(adapter)'],
    [{ ...place, save: 1 }, {}, 'new SnapshotStorage(adapter)'],
    [place, null, 'new SnapshotStorage(adapter, options)'],
    [place, { debounceMs: -1 }, 'new SnapshotStorage(adapter, { debounceMs })'],
    [place, { debounceMs: Number.NaN }, 'new SnapshotStorage(adapter, { debounceMs })'],
    [place, { debounceMs: '5' }, 'new SnapshotStorage(adapter, { debounceMs })'],
  ])('new SnapshotStorage(%j, %j)', (adapter, options, argument) => {
    const error = refusal(() => new SnapshotStorage(adapter as never, options as never))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument })
  })

  test.each([[null], [5], [{}], [{ now: () => 0 }]])('Store.start({ runtime: %j })', async (runtime) => {
    const error = await rejection(Store.start({ runtime: runtime as never }))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument: 'Store.start({ runtime })' })
  })
})

describe('store.import', () => {
  test.each<[unknown, string]>([
    [null, 'import(lines, options)'],
    [5, 'import(lines, options)'],
    [{ batchSize: 0 }, 'import(lines, { batchSize })'],
    [{ onProgress: 'x' }, 'import(lines, { onProgress })'],
  ])('with options %j is refused before anything is read', async (options, argument) => {
    const { store } = await openBucket(KEYED)
    let read = 0
    const source = {
      *[Symbol.iterator]() {
        read++
        yield ''
      },
    }
    const error = await rejection(store.import(source, options as never))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument })
    expect(read).toBe(0)
  })

  test.each<[string, unknown]>([
    ['bytes that are not UTF-8', Uint8Array.of(0xff)],
    ['a character that is cut off', Uint8Array.of(0xc5)],
    ['a number', 5],
    ['null', null],
  ])('of %s ends with the line, and what was imported before', async (_, chunk) => {
    const { store } = await openBucket(KEYED)
    const lines: unknown[] = []
    await store.bucket('b').insert({ id: 'a' })
    for await (const line of store.export()) lines.push(line)
    await store.bucket('b').clear()
    const source = [...lines.slice(0, -1), chunk] as string[]
    const error = await rejection(store.import(source, { batchSize: 1 }))
    expect(error).toMatchObject({ name: 'ImportError', line: lines.length, records: 1 })
    expect(error.message).toContain('expected text or UTF-8 bytes')
    expect(await store.bucket('b').count()).toBe(1)
  })
})

describe('bridgeStoreToRules', () => {
  const receiver = { emit: () => undefined }

  test.each<[unknown, string]>([
    [null, 'bridgeStoreToRules(store, receiver, options)'],
    [{ filter: 1 }, 'bridgeStoreToRules(store, receiver, { filter })'],
    [{ mapTopic: 'x' }, 'bridgeStoreToRules(store, receiver, { mapTopic })'],
    [{ mapData: {} }, 'bridgeStoreToRules(store, receiver, { mapData })'],
    [{ onError: null }, 'bridgeStoreToRules(store, receiver, { onError })'],
  ])('refuses options %j', async (options, argument) => {
    const error = await rejection(bridgeStoreToRules(await open(), receiver, options as never))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument })
  })

  test.each([[null], [{}]])('refuses %j for a store', async (store) => {
    const refused = bridgeStoreToRules(store as never, receiver)
    await expect(refused).rejects.toThrow(InvalidArgumentError)
  })
})

test.each([[undefined], [null], [5], [{}]])('%j is no email, URL or date', (value) => {
  expect([isValidEmail, isValidUrl, isValidIsoDate].map((isValid) => isValid(value as never))).toEqual([
    false,
    false,
    false,
  ])
})
