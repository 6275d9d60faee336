import { InvalidArgumentError } from '../base/errors.js'

/**
 * Splits text or UTF-8 bytes, in chunks of any size, into lines without their ends.
 *
 * @param unreadable makes the error for a chunk that is neither.
 * @throws {InvalidArgumentError} `source` is no iterable. @throws whatever `source` throws.
 */
export async function* lines(
  source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
  unreadable: (reason: string, cause: unknown) => Error,
): AsyncGenerator<string> {
  if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source || Symbol.iterator in source)) {
    throw new InvalidArgumentError('import(lines)', 'an iterable of text or bytes', source)
  }
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch (error) {
      throw unreadable('expected text or UTF-8 bytes', error)
    }
  }
  // Chunks of a line whose end has not come yet: joined once, however many they are.
  let parts: string[] = []
  for await (const chunk of source) {
    const text = typeof chunk === 'string' ? chunk : decode(chunk)
    let from = 0
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', from)) {
      parts.push(text.slice(from, at))
      yield parts.join('').replace(/\r$/, '')
      parts = []
      from = at + 1
    }
    if (from < text.length) parts.push(text.slice(from))
  }
  // A character may have been cut off.
  parts.push(decode())
  const last = parts.join('')
  if (last !== '') yield last
}
