/** What `varve/core` costs a browser: bundled, minified, compressed. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { DIST } from '../contestants/varve.mjs'

export function sizeCases() {
  const bundle = async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [`${DIST}/core.js`],
      bundle: true,
      minify: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      metafile: true,
      logLevel: 'silent',
    })
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path))
    if (imports.length > 0) throw new Error(`varve/core needs ${imports.join(', ')} from outside`)
    const [{ contents, text }] = outputFiles
    if (/["']node:/.test(text)) throw new Error('varve/core names a module of Node')
    return { minified: contents.length, gzip: gzipSync(contents, { level: 9 }).length }
  }
  const row = (contestant, pick, more) => ({
    contestant,
    durability: '',
    unit: 'bytes',
    ops: 1,
    ...more,
    run: async () => pick(await bundle()),
    check: () => undefined,
  })
  const rows = [
    row('varve/core, gzip -9', ({ gzip }) => gzip, { target: { atMost: 20_000 } }),
    row('varve/core, minified', ({ minified }) => minified),
  ]
  const title = 'varve/core bundled with esbuild for a browser'
  return { cases: [{ name: 'size', title, rows, rounds: 1, warmups: 0, isValue: true }] }
}
