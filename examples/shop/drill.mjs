/**
 * Kills the shop at random moments, `kill -9`, and then looks whether anything that it has said is not so.
 *
 *   node examples/shop/drill.mjs [lives]
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Store } from 'varve'
import { buckets, events, projections } from './model.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const CLI = here('../../dist/cli/main.js')

/** Runs the shop. @param ms when it is killed, after it is open; undefined: never. @returns what it has said. */
function live(file, orders, ms) {
  const args = ['--disable-warning=ExperimentalWarning', here('main.mjs'), file, '--quiet', '--orders', String(orders)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    if (out === '' && ms !== undefined) setTimeout(() => child.kill('SIGKILL'), ms)
    out += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () =>
      resolve(
        out
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      ),
    )
  })
}

/** What is wrong with the file, given what was said about it. */
async function wrongs(file, said) {
  const found = []
  const store = await Store.start({ file, buckets, events, projections, history: 'forever' })
  await store.queue.idle()
  await store.projected()
  const orders = new Map((await store.bucket('orders').all()).map((order) => [order.id, order]))
  const payments = await store.bucket('payments').all()
  for (const { placed, cancelled, paid } of said) {
    if (placed !== undefined && !orders.has(placed)) found.push(`order ${placed} is lost`)
    if (cancelled !== undefined && orders.get(cancelled)?.state !== 'cancelled')
      found.push(`${cancelled} is not cancelled`)
    if (paid !== undefined && orders.get(paid)?.state !== 'paid') found.push(`the payment of ${paid} is lost`)
  }
  const all = [...orders.values()]
  const paid = all.filter(({ state }) => state === 'paid')
  if (payments.length !== paid.length) found.push(`${paid.length} orders are paid, by ${payments.length} payments`)
  for (const product of await store.bucket('products').all()) {
    const [item, left] = [String(product.item), Number(product.left)]
    const sold = all.filter((order) => order.item === item && order.state !== 'cancelled')
    const count = sold.reduce((sum, order) => sum + order.count, 0)
    if (left !== 1_000_000 - count) found.push(`${count} ${item} are sold, ${left} are left`)
    const amount = paid.filter((order) => order.item === item).reduce((sum, { total }) => sum + total, 0)
    const revenue = Number((await store.bucket('revenue').get(item))?.amount ?? 0)
    if (revenue !== amount) found.push(`the revenue of ${item} is ${amount}, the projection has ${revenue}`)
  }
  const daily = await store.bucket('daily').all()
  const placed = daily.reduce((sum, day) => sum + day.placed, 0)
  if (placed !== orders.size) found.push(`${orders.size} orders are placed, the async projection has ${placed}`)
  if (store.parked.list().length > 0) found.push('events are parked')
  const hash = await store.stateHash()
  await store.stop()
  const check = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', CLI, 'check', file, '--module', here('model.mjs'), '--json'],
    { encoding: 'utf8' },
  )
  const result = JSON.parse(check.stdout)
  if (check.status !== 0) found.push(`the log under the same code makes another state: ${check.stdout}${check.stderr}`)
  if (result.hash !== hash) found.push(`the state has hash ${hash}, made again from the log ${result.hash}`)
  return { found, orders: orders.size, hash }
}

const lives = Number(process.argv[2] ?? 10)
const folder = mkdtempSync(join(tmpdir(), 'varve-shop-'))
const file = join(folder, 'shop.db')
const said = []
try {
  for (let life = 1; life <= lives; life++) {
    const told = await live(file, 1_000_000, 20 + Math.random() * 400)
    said.push(...told)
    console.log(`life ${life}: killed after ${told.length} lines`)
  }
  const last = await live(file, 20)
  said.push(...last)
  if (last.at(-1)?.isSame !== true) throw new Error('the last life did not come to its end, or rebuilt another state')
  const { found, orders, hash } = await wrongs(file, said)
  for (const wrong of found) console.log(`WRONG: ${wrong}`)
  console.log(`${orders} orders, ${lives} kills, ${found.length} things wrong\nstate, and the log made again: ${hash}`)
  if (found.length > 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
