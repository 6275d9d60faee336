import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Store } from '../../src/index.js'
import type { ProjectionOptions } from '../../src/index.js'
import { wrongAfterKills } from './support/killed-life.js'
import type { Told } from './support/killed-life.js'

const CHILD = fileURLToPath(new URL('support/projections-child.mjs', import.meta.url))
const DRILL = fileURLToPath(new URL('../../examples/shop/drill.mjs', import.meta.url))
/** How often it is killed. */
const LIVES = Number(process.env['LIVES'] ?? 8)

const counts = (into: string): ProjectionOptions => ({
  from: ['sold', 'gift'],
  into: [into],
  apply: ({ data, type }, tx) => {
    const bucket = tx.bucket(into)
    for (const id of [String(data.id), `all of ${type}`]) {
      bucket.upsert({ id, times: Number(bucket.get(id)?.times ?? 0) + 1 })
    }
  },
})

/** What is wrong with the file, given what was acknowledged. */
async function judge(file: string, told: readonly Told[]): Promise<string[]> {
  const wrong: string[] = []
  expect(told.some(({ rebuilt }) => rebuilt !== undefined)).toBe(true)
  const row = { key: 'id', schema: { id: { type: 'string' }, times: { type: 'number' } } } as const
  const store = (await Store.start({
    file,
    history: 'forever',
    buckets: { inline: row, async: row, plain: row },
    events: { sold: {}, gift: {} },
    projections: { inline: counts('inline'), async: { ...counts('async'), mode: 'async' } },
  })) as Store
  await store.projected()
  expect(store.projections).toMatchObject(
    Array.from({ length: 2 }, () => ({ state: 'running', lag: 0, rebuild: undefined })),
  )
  const inLog = (await store.log.read({ types: ['sold'] })).map(({ data }) => String(data?.id))
  for (const { sold } of told) if (sold !== undefined && !inLog.includes(sold)) wrong.push(`${sold} is lost`)
  const hashes: string[] = []
  for (const bucket of ['inline', 'async']) {
    const rows = new Map((await store.bucket(bucket).all()).map(({ id, times }) => [String(id), Number(times)]))
    for (const id of [...inLog, ...inLog.map((one) => `${one} gift`)]) {
      if (rows.get(id) !== 1) wrong.push(`${bucket}: ${id} has had its effect ${rows.get(id) ?? 0} times`)
    }
    for (const type of ['sold', 'gift']) {
      const all = rows.get(`all of ${type}`)
      if (all !== inLog.length) wrong.push(`${bucket}: ${String(all)} ${type}, the log has ${inLog.length}`)
    }
    if (rows.size !== 2 * new Set(inLog).size + 2) wrong.push(`${bucket}: ${rows.size} rows`)
    hashes.push(JSON.stringify(await store.bucket(bucket).all()))
  }
  if (hashes[0] !== hashes[1]) wrong.push('inline and async differ')
  const hash = await store.stateHash()
  for (const name of ['inline', 'async']) await store.rebuild(name)
  if ((await store.stateHash()) !== hash) wrong.push('rebuilt, the state is another one')
  await store.stop()
  return wrong
}

test('killed at any moment of projecting and rebuilding, each event has its effects once (EV4, EV6)', async () => {
  expect(await wrongAfterKills(CHILD, { lives: LIVES, msMax: 330 }, judge)).toEqual([])
}, 120_000)

test('the check finds a planted double effect', async () => {
  expect(await wrongAfterKills(CHILD, { bug: 'twice', lives: 2, msMax: 330 }, judge)).toContainEqual(
    expect.stringMatching(/has had its effect \d+ times/),
  )
}, 120_000)

test('the shop survives kill -9 at any moment, and its log makes the same state again', () => {
  const lives = process.env['LIVES'] ?? '4'
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', DRILL, lives],
    {
      encoding: 'utf8',
      timeout: 110_000,
    },
  )
  expect(stdout + stderr).toContain(' 0 things wrong')
  expect(status).toBe(0)
}, 120_000)
