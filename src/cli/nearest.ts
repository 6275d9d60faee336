/** So many edits apart a name may be that was mistyped. */
const EDITS_MAX = 2

/** Which of `names` somebody meant who wrote `name`; undefined where it is like none of them. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const lower = name.toLowerCase()
  let found: string | undefined
  let least = EDITS_MAX + 1
  for (const other of names) {
    const edits = distance(lower, other.toLowerCase())
    if (edits < least && edits < other.length / 2) [found, least] = [other, edits]
  }
  return found
}

/** Letters to be put in, left out or exchanged. Source: https://en.wikipedia.org/wiki/Levenshtein_distance */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchanged = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(exchanged, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
