import { InvalidArgumentError } from '../base/errors.js'

/** Splits text or UTF-8 bytes, in chunks of any size, into lines without their ends. */
export async function* lines(
  source: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): AsyncGenerator<string> {
  if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source || Symbol.iterator in source)) {
    throw new InvalidArgumentError('import(lines)', 'an iterable of text or bytes', source)
  }
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  for await (const chunk of source) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    let from = 0
    for (let at = rest.indexOf('\n'); at !== -1; at = rest.indexOf('\n', from)) {
      yield rest.slice(from, at).replace(/\r$/, '')
      from = at + 1
    }
    rest = rest.slice(from)
  }
  if (rest !== '') yield rest
}
