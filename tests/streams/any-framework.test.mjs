/**
 * The contract of record streams under whichever runner takes this file: `node --test tests/streams/any-framework.test.mjs` or
 * `bun test tests/streams/any-framework.test.mjs`. The library is taken from `dist`, or from the folder in VARVE_DIST.
 */
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bindings, memoryPlaces, sqlitePlaces } from './stream-places.mjs'

const { describe, it, after, afterAll } = await import(process.versions.bun === undefined ? 'node:test' : 'bun:test')

const dist = process.env['VARVE_DIST'] ?? fileURLToPath(new URL('../../dist', import.meta.url))
const library = (path) => import(pathToFileURL(join(dist, path)).href)
const sqlite = await library('sqlite.js')
const streams = await library('streams/index.js')
const { describeStreamStore, faultySqliteAdapter } = await library('testing/index.js')
const varve = { ...sqlite, ...streams, faultySqliteAdapter }

/** Which kinds to run, as a part of their names. Default: all that are here. */
const only = process.env['VARVE_STREAMS'] ?? ''

const kinds = [['memory', memoryPlaces(varve)]]
for (const one of await bindings(varve)) kinds.push([one.name, sqlitePlaces(varve, one)])
for (const [name, places] of kinds) {
  if (name.includes(only)) describeStreamStore(name, places.open, places.options, { describe, it })
}
;(after ?? afterAll)(() => kinds.forEach(([, places]) => places.end()))
