import { afterEach, expect, it, vi } from 'vitest'
import { systemRuntime } from './runtime.js'

afterEach(() => void vi.unstubAllGlobals())

it('in workerd, where a port belongs to the object that made it, work is deferred without one', async () => {
  vi.stubGlobal('setImmediate', undefined)
  vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  vi.stubGlobal('MessageChannel', function refused() {
    throw new Error('a port')
  })
  await new Promise<void>((resolve) => systemRuntime.defer(resolve))
  vi.stubGlobal('navigator', { userAgent: 'a browser' })
  expect(() => systemRuntime.defer(() => undefined)).toThrow('a port')
})
