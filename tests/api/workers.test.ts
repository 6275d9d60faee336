import { describe, expect, test } from 'vitest'
import type { Store, TreeNode, WorkerSpec } from '../../src/index.js'
import { open, openVirtual, rejection } from './opened.js'

/** Workers that note when they start and end. */
function worker(name: string, log: string[]): WorkerSpec {
  return { name, start: () => void log.push(`+${name}`), stop: () => void log.push(`-${name}`) }
}

function workers(store: Store): readonly TreeNode[] {
  return store.supervision().children?.find(({ name }) => name === 'workers')?.children ?? []
}

describe('store.supervise', () => {
  test('starts a worker, starts it again when it crashes, and ends it with the store', async () => {
    const log: string[] = []
    const { store, runtime } = await openVirtual({ onError: () => undefined })
    await store.supervise(worker('mailer', log))
    expect(store.kill('mailer')).toBe(true)
    await runtime.runDeferred()
    expect(log).toEqual(['+mailer', '-mailer', '+mailer'])
    await store.stop()
    expect(log).toEqual(['+mailer', '-mailer', '+mailer', '-mailer'])
  })

  test('starts a group and the groups in it, in order, and ends them in reverse', async () => {
    const log: string[] = []
    const store = await open()
    await store.supervise({
      name: 'outer',
      children: [worker('a', log), { name: 'inner', children: [worker('b', log)] }, worker('c', log)],
    })
    expect(log).toEqual(['+a', '+b', '+c'])
    expect(workers(store)[0]?.children?.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'running'],
      ['inner', 'running'],
      ['c', 'running'],
    ])
    await store.stop()
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a'])
  })

  test('a group whose name is taken is refused, and none of its members runs', async () => {
    const log: string[] = []
    const store = await open()
    await store.supervise(worker('a', log))
    const error = await rejection(store.supervise({ name: 'a', children: [worker('b', log)] }))
    expect(error.name).toBe('ProcessExistsError')
    expect(log).toEqual(['+a'])
  })

  test.each<[string, (good: WorkerSpec) => unknown, string]>([
    ['nothing', () => undefined, 'supervise(spec)'],
    ['no name', () => ({ start: () => undefined }), 'supervise(spec)'],
    ['no start', () => ({ name: 'w' }), 'supervise({ start })'],
    ['an unknown restart', (good) => ({ ...good, restart: 'always' }), 'supervise({ restart })'],
    ['no list of children', () => ({ name: 'g', children: null }), 'supervise({ children })'],
    ['an unknown strategy', (good) => ({ name: 'g', strategy: 'x', children: [good] }), 'supervise({ strategy })'],
    [
      'half an intensity',
      (good) => ({ name: 'g', intensity: { max: 1 }, children: [good] }),
      'supervise({ intensity })',
    ],
    ['null for an intensity', (good) => ({ name: 'g', intensity: null, children: [good] }), 'supervise({ intensity })'],
    ['a member that is none', (good) => ({ name: 'g', children: [good, null] }), 'supervise(spec)'],
    ['one deep inside', (good) => ({ name: 'g', children: [good, { name: 'h', children: [5] }] }), 'supervise(spec)'],
    ['two of one name', (good) => ({ name: 'g', children: [good, good] }), 'supervise({ children })'],
  ])('refuses %s, and nothing runs', async (_, spec, argument) => {
    const log: string[] = []
    const store = await open()
    const error = await rejection(store.supervise(spec(worker('good', log)) as WorkerSpec))
    expect(error).toMatchObject({ name: 'InvalidArgumentError', argument })
    expect([log, workers(store)]).toEqual([[], []])
  })
})
