import { defineConfig } from 'vitest/config'

/** Another React than ours to test the hooks with: a folder of packages that holds react and react-dom. */
const react = process.env['VARVE_REACT']

export default defineConfig({
  resolve: {
    alias: react === undefined ? [] : [{ find: /^(react|react-dom)(?=$|\/)/, replacement: `${react}/$1` }],
  },
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    // Processes, not threads: suites change the working directory, kill children and load native addons.
    pool: 'forks',
    maxWorkers: 2,
    // node:sqlite says that it is experimental on Node 22 and 24; nobody who runs the tests can act on it.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // The machines that run this are small and shared; a test that hangs should still end.
    testTimeout: 20_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], exclude: ['src/**/*.test.ts'] },
  },
})
