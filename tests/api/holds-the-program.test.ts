import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Store } from '../../src/index.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'varve-holds-'))

beforeAll(async () => {
  await run(process.execPath, [join(ROOT, 'scripts/ensure.mjs'), 'build'], { cwd: ROOT })
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// In a program of its own: a test runner keeps itself alive, and with it whatever forgets to.
const programs = {
  'a transaction that waits to be retried': `
    const bucket = await store.defineBucket('n', { key: 'id', schema: { id: { type: 'number' }, n: { type: 'number' } } })
    await bucket.insert({ id: 1, n: 0 })
    const add = () => store.transaction(async (tx) => {
      const { n } = await tx.bucket('n').get(1)
      await new Promise((resolve) => setTimeout(resolve, 1))
      await tx.bucket('n').update(1, { n: n + 1 })
    }, { retries: 50 })
    await Promise.all([add(), add(), add(), add()])
    console.log((await bucket.get(1)).n)`,
  'a call that waits for a bucket to restart': `
    const bucket = await store.defineBucket('n', { key: 'id', schema: { id: { type: 'number' } } })
    await bucket.insert({ id: 1 })
    store.kill('bucket:n'); await bucket.count()
    store.kill('bucket:n'); console.log(4 * await bucket.count())`,
  'a worker that comes up at its third start': `
    let starts = 0
    await store.supervise({ name: 'worker', start() { if (++starts < 3) throw new Error('not yet') } })
    console.log(starts + 1)`,
}

test.each(Object.entries(programs))('the program does not end under %s', async (_name, code) => {
  const file = join(folder, 'program.mjs')
  const from = JSON.stringify(join(ROOT, 'dist/index.js'))
  writeFileSync(
    file,
    `import { Store } from ${from}\nconst store = await Store.start({ onError() {} })\n${code}\nawait store.stop()`,
  )
  const { stdout } = await run(process.execPath, [file])
  expect(stdout.trim()).toBe('4')
})

test('a worker that keeps crashing is reported, and does not stop the writes of the store', async () => {
  const errors: Error[] = []
  const store = await Store.start({ onError: (error) => errors.push(error) })
  const bucket = await store.defineBucket('n', { key: 'id', schema: { id: { type: 'number', required: true } } })
  let starts = 0
  const crashing = store.supervise({
    name: 'mailer',
    start() {
      if (++starts <= 5) throw new Error('smtp down')
    },
  })
  await crashing
  expect(errors.filter((error) => error.message === 'smtp down').length).toBe(5)
  await bucket.insert({ id: 1 })
  expect(await bucket.count()).toBe(1)
  await store.stop()
})
