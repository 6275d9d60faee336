import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launch } from '../browser/chromium.js'
import { ALL, type Expected, testSuites } from './expected.js'
import { type Told, told } from './run-child.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SQLITE = join(ROOT, 'node_modules/@sqlite.org/sqlite-wasm/dist')
const LIMIT_MS = 300_000

const executable = findChromium()
const isSkipped = executable === undefined && process.env['CI'] !== 'true'
if (isSkipped) console.warn('tests/runtimes: no chromium on the PATH, so its tests are skipped')

const SLOW: readonly string[] = ['crash', 'faults', 'openForeign']
const WITHOUT = Object.fromEntries(SLOW.map((claim) => [claim, false]))
const ON_FILES: readonly Expected[] = [['binding'], ['streams', [...SLOW, 'keepsClears']], ['store']]
const ON_POOL: readonly Expected[] = [...ON_FILES, ["streams, Varve's format", SLOW]]

/** The page: `call(inWorker, name, …)` runs a function of in-page.mjs there; lines are told by the function `tell`. */
const PAGE = `<!doctype html><title>varve</title><script type="module">
  import * as here from '/suites.js'
  window.call = (inWorker, name, ...args) => {
    const report = (line) => window.tell(JSON.stringify(line))
    if (!inWorker) return name === 'run' ? here.run(...args, report) : here.visit(...args)
    const worker = new Worker('/suites.js', { type: 'module' })
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message))
      worker.onmessage = ({ data: { line, result, error } }) => {
        if (line !== undefined) report(line)
        else if (error !== undefined) reject(new Error(error))
        else resolve(result)
        if (line === undefined) worker.terminate()
      }
      worker.postMessage([name, ...args])
    })
  }
  window.isReady = true
</script>`

const TYPES: { readonly [ending: string]: string } = {
  mjs: 'text/javascript',
  js: 'text/javascript',
  wasm: 'application/wasm',
}

/** Serves the page isolated, which OPFS of SQLite needs. */
async function serve(script: string): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    const send = (type: string, body: string | Uint8Array): void =>
      void response.setHeader('Content-Type', type).end(body)
    const name = /^\/sqlite\/([\w-]+\.(?:mjs|js|wasm))(?:\?|$)/.exec(path)?.[1]
    if (path === '/') send('text/html', PAGE)
    else if (path === '/suites.js') send('text/javascript', script)
    else if (name !== undefined) send(TYPES[name.split('.').at(-1) ?? ''] ?? '', readFileSync(join(SQLITE, name)))
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }
}

async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [join(ROOT, 'tests/runtimes/in-page.mjs')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    external: ['/sqlite/*'],
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

describe.skipIf(isSkipped)('chromium', () => {
  let server: Server
  let browser: Browser
  let context: BrowserContext
  let url: string

  beforeAll(async () => {
    if (executable === undefined) throw new Error('no chromium on the PATH; in CI .ci/run installs it')
    ;({ server, url } = await serve(await bundle()))
    browser = await launch(executable)
    context = await browser.newContext()
  }, LIMIT_MS)

  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  async function open(tell: (line: string) => void): Promise<Page> {
    const page = await context.newPage()
    await page.exposeFunction('tell', tell)
    await page.goto(url)
    await page.waitForFunction('window.isReady')
    return page
  }

  async function runIn(where: string, suites: readonly Expected[], limits: object): Promise<Told> {
    const lines: object[] = []
    const page = await open((line) => void lines.push(JSON.parse(line) as object))
    const args = [where !== 'memory', 'run', where, suites.map(([suite]) => suite), limits]
    await page.evaluate(`call(...${JSON.stringify(args)})`)
    await page.close()
    return told(lines)
  }

  const limits = { payloadBytesMax: 1_000_000, steps: 60 }
  const onFiles = { ...limits, ...WITHOUT }
  const places: readonly (readonly [name: string, where: string, suites: readonly Expected[], limits: object])[] = [
    ['sqlite-wasm in memory, in the page', 'memory', ALL, limits],
    // On files each case takes ten times as long: what tries every place for a fault is left to the others.
    ['sqlite-wasm in OPFS, a pool of access handles, in a worker', 'sah', ON_POOL, onFiles],
    ['sqlite-wasm in OPFS by itself, in a worker', 'opfs', ON_FILES, onFiles],
    ['IndexedDB, in a worker', 'idb', [['streams', SLOW]], limits],
  ]
  describe.each(places)('%s', (_name, where, suites, limits) => {
    let run: Told
    beforeAll(async () => {
      run = await runIn(where, suites, limits)
    }, LIMIT_MS)

    test('it is a browser', () => {
      expect(run.facts['runtime']).toMatch(/Chrome\/.*, (?:SQLite 3\.|IndexedDB)/)
    })

    const only: readonly Expected[] = suites.map((one) => (one[0] === 'binding' ? ['binding', ['another']] : one))
    testSuites(() => run, only)
  })

  test.each(['sah', 'opfs', 'idb'])(
    'a page that is loaded again finds everything (%s)',
    async (where) => {
      const page = await open(() => undefined)
      const bytes = Array.from({ length: 256 }, (_, byte) => byte)
      for (const visits of [[1], [1, 2]]) {
        const found = await page.evaluate(`call(true, 'visit', '${where}')`)
        const expected = { bytes: visits.map(() => bytes) }
        expect(found).toEqual(where === 'idb' ? expected : { durability: 'disk', visits, ...expected })
        await page.reload()
        await page.waitForFunction('window.isReady')
      }
      await page.close()
    },
    LIMIT_MS,
  )
})
