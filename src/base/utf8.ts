/** Bytes of `text` in UTF-8; a lone surrogate counts as the three bytes of its replacement. */
export function utf8Length(text: string): number {
  return native === undefined ? counted(text) : native.byteLength(text)
}

// Node counts some ten times faster than a loop does; browsers and workers have no such function.
const native = (globalThis as { Buffer?: { byteLength(text: string): number } }).Buffer

function counted(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit < 0xdc00 && isLow(text.charCodeAt(i + 1))) {
      // A pair: four bytes of two units.
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
