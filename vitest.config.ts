import { defineConfig } from 'vitest/config'

export default defineConfig({
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
