import { systemRuntime } from '../base/runtime.js'
import type { Runtime } from '../base/runtime.js'

/** A version 4 UUID. */
export function generateUuid(runtime: Runtime = systemRuntime): string {
  return runtime.uuid()
}

/** An id of 33 characters: `c` and 32 hexadecimal digits. Random; it does not sort by time. */
export function generateCuid(runtime: Runtime = systemRuntime): string {
  return `c${runtime.uuid().replaceAll('-', '')}`
}

/** Milliseconds since 1970. */
export function generateTimestamp(runtime: Runtime = systemRuntime): number {
  return runtime.now()
}
