/**
 * Runs the contract of record streams without a test framework, one line per case: `node tests/streams/runner.mjs [words]`.
 * It takes the library from `dist`.
 */
import * as sqlite from '../../dist/sqlite.js'
import * as streams from '../../dist/streams/index.js'
import { faultySqliteAdapter, runStreamCase, streamStoreCases } from '../../dist/testing/index.js'
import { bindings, memoryPlaces, sqlitePlaces } from './stream-places.mjs'

const varve = { ...sqlite, ...streams, faultySqliteAdapter }
const [kind = '', words = ''] = process.argv.slice(2)
/** @type {[string, import('./stream-places.mjs').Places][]} */
const places = [['memory', memoryPlaces(varve)], ...bindings(varve).map((one) => [one.name, sqlitePlaces(varve, one)])]
let failed = 0
for (const [name, place] of places) {
  if (!name.includes(kind)) continue
  for (const one of streamStoreCases) {
    if (!one.name.includes(words)) continue
    const started = performance.now()
    let timer
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('it takes too long')), 20_000)
    })
    const outcome = await Promise.race([runStreamCase(one, place.open, place.options), late]).then(
      () => 'ok  ',
      (error) => {
        failed++
        return `FAIL ${error.name}: ${error.message} ${error.cause ?? ''}\n  `
      },
    )
    clearTimeout(timer)
    console.log(`${outcome} ${name}: ${one.name} (${Math.round(performance.now() - started)} ms)`)
  }
  place.end()
}
console.log(failed === 0 ? 'all is well' : `${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
