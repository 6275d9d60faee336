/**
 * A sum of numbers that does not depend on their order, and from which numbers can be taken away again: the exact sum,
 * rounded once. Whole numbers are added as they are; for others the rounding errors are kept beside the sum. A sum that
 * gets beyond the largest double on its way is infinite, and stays so (`hasOverflowed`).
 *
 * Source: Jonathan Shewchuk, Adaptive Precision Floating-Point Arithmetic (1997), as in Python's `math.fsum`.
 */
export class ExactSum {
  /** Numbers that do not overlap, the smallest first, whose exact sum is the sum of all finite numbers. */
  #partials: number[] = []
  #whole = 0
  #positiveInfinities = 0
  #negativeInfinities = 0
  #overflow = 0

  /** Adds `number`, or with a `sign` of -1 takes away one that was added. */
  add(number: number, sign: 1 | -1 = 1): void {
    if (number === Number.POSITIVE_INFINITY) this.#positiveInfinities += sign
    else if (number === Number.NEGATIVE_INFINITY) this.#negativeInfinities += sign
    else {
      const whole = this.#whole + sign * number
      if (Number.isSafeInteger(number) && Number.isSafeInteger(whole)) this.#whole = whole
      else this.#addPartial(sign * number)
    }
  }

  /** Whether numbers were too large to be added exactly: the sum is not to be relied on after something is taken away. */
  get hasOverflowed(): boolean {
    return this.#overflow !== 0
  }

  #addPartial(number: number): void {
    let rest = number
    let kept = 0
    for (const partial of this.#partials) {
      const high = rest + partial
      if (!Number.isFinite(high)) {
        this.#overflow = high
        return
      }
      const [larger, smaller] = Math.abs(rest) < Math.abs(partial) ? [partial, rest] : [rest, partial]
      const low = smaller - (high - larger)
      if (low !== 0) this.#partials[kept++] = low
      rest = high
    }
    this.#partials.length = kept
    if (rest !== 0) this.#partials.push(rest)
  }

  /** The sum; 0 for nothing, NaN where infinities cancel each other out. */
  get value(): number {
    if (this.#overflow !== 0) return this.#overflow
    if (this.#positiveInfinities > 0 || this.#negativeInfinities > 0) {
      if (this.#positiveInfinities > 0 && this.#negativeInfinities > 0) return Number.NaN
      return this.#positiveInfinities > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    }
    if (this.#partials.length === 0) return this.#whole
    const all = new ExactSum()
    all.#partials = this.#partials.slice()
    if (this.#whole !== 0) all.#addPartial(this.#whole)
    return rounded(all.#partials)
  }
}

/** The sum of numbers that do not overlap, rounded half to even. */
function rounded(partials: readonly number[]): number {
  let at = partials.length - 1
  let high = partials[at] ?? 0
  let low = 0
  while (at > 0 && low === 0) {
    const before = high
    const next = partials[--at] as number
    high = before + next
    low = next - (high - before)
  }
  // Exactly half way so far: what follows says to which side.
  const next = partials[at - 1] ?? 0
  if (at > 0 && ((low < 0 && next < 0) || (low > 0 && next > 0))) {
    const twice = low * 2
    const up = high + twice
    if (twice === up - high) return up
  }
  return high
}
