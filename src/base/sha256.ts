import { VarveError } from './errors.js'

/** The part of the host's cryptography that is used: browsers, Node.js, Bun, Deno and edge runtimes have it. */
interface Digests {
  digest(algorithm: 'SHA-256', bytes: Uint8Array): Promise<ArrayBuffer>
}

/**
 * SHA-256 of `bytes`: 32 bytes.
 *
 * @throws {VarveError} the host has no cryptography: browsers have it on pages of HTTPS and localhost only.
 */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  const digests = (globalThis.crypto as { readonly subtle?: Digests } | undefined)?.subtle
  if (digests === undefined) {
    const message = 'SHA-256: this host has no crypto.subtle; nothing was done; serve the page over HTTPS'
    throw new VarveError('NO_CRYPTOGRAPHY', message)
  }
  return new Uint8Array(await digests.digest('SHA-256', bytes))
}

/** `bytes` as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
