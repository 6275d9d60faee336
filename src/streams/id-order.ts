/**
 * Ids are in the order of their UTF-8 bytes, which is that of their code points; that of JavaScript's `<` is another one
 * beyond U+FFFF. A surrogate that has no partner counts as the code point that it is, so that any two ids differ.
 * Source: https://simonsapin.github.io/wtf-8/#encoding-wtf-8
 */
export function compareIds(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue
    // The first half of a pair may be the same in both: then the code points that differ begin before.
    const from = i > 0 && isHigh(a.charCodeAt(i - 1)) ? i - 1 : i
    const difference = (a.codePointAt(from) as number) - (b.codePointAt(from) as number)
    return difference === 0 ? (a.codePointAt(i) as number) - (b.codePointAt(i) as number) : difference
  }
  // Where one ends within a pair of the other, its half stands for itself, and halves come before pairs.
  return a.length - b.length
}

/** Whether the bytes of `id` begin with those of `prefix`: half a surrogate pair is no prefix of the pair. */
export function hasIdPrefix(id: string, prefix: string): boolean {
  if (!id.startsWith(prefix)) return false
  const end = prefix.length
  return !(end > 0 && end < id.length && isHigh(prefix.charCodeAt(end - 1)) && isLow(id.charCodeAt(end)))
}

/** Where `id` first has something that not every storage can keep in a text: NUL, or half a surrogate pair; -1: nowhere. */
export function unfitAt(id: string): number {
  return id.search(/[\0\p{Surrogate}]/u)
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
