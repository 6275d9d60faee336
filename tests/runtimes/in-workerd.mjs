/**
 * Runs durable-object.mjs in workerd, by miniflare: one line of JSON for each case. Needs Node.js 22.
 * Usage: `in-workerd.mjs <folder of node_modules with miniflare> <bundle> <folder for the objects>`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [modules, bundle, folder] = process.argv.slice(2)
const require = createRequire(join(modules, 'x.js'))
const { Miniflare } = await import(pathToFileURL(require.resolve('miniflare')).href)
const version = (name) => JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8')).version

const options = {
  modules: true,
  script: readFileSync(bundle, 'utf8'),
  compatibilityDate: '2026-07-01',
  durableObjects: { PLACE: { className: 'Place', useSQLite: true } },
  durableObjectsPersist: folder,
}
const tell = (line) => console.log(JSON.stringify(line))
let worker = new Miniflare(options)

async function ask(path) {
  const response = await worker.dispatchFetch(`http://place${path}`)
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${text}`)
  return JSON.parse(text)
}

try {
  tell({ runtime: `workerd ${version('workerd')}, miniflare ${version('miniflare')}` })
  const counts = await ask('/suites')
  for (const [suite, count] of counts.entries()) {
    for (let one = 0; one < count; one++) {
      tell(await ask(`/run?suite=${suite}&case=${one}&object=${suite}-${one}`))
    }
  }
  tell({ limits: await ask('/limits?object=limits') })
  const written = await ask('/write?object=kept')
  await worker.dispose()
  worker = new Miniflare(options)
  tell({ written, found: await ask('/read?object=kept') })
} finally {
  await worker.dispose()
}
