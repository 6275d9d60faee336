import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'
const r = await build({ entryPoints: ['src/core.ts'], bundle: true, minify: true, write: false, platform: 'browser', format: 'esm', target: 'es2022', logLevel: 'silent'})
console.log(gzipSync(r.outputFiles[0].contents, { level: 9 }).length)
