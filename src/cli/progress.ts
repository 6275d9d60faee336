import { formatCount, formatSeconds } from './format.js'
import { Page } from './page.js'
import type { TextStream } from './page.js'

const BAR_COLUMNS = 22
const REDRAW_MS = 50
/** A rate that was measured for less says nothing, but for that of the whole. */
const RATE_MS = 1_000
const CLEAR_LINE = '\r\u001B[2K'

/**
 * How far a piece of work has got. On a terminal it is one line that is drawn again; elsewhere a line for every tenth.
 */
export class Progress {
  readonly #stream: TextStream
  readonly #page: Page
  readonly #label: string
  #total: number
  readonly #first: number
  readonly #began = performance.now()
  #drawn = Number.NEGATIVE_INFINITY
  #tenths: number

  /** @param first how much was done before this run began; it does not count for the rate. */
  constructor(stream: TextStream, label: string, total: number, first: number = 0) {
    this.#stream = stream
    this.#page = new Page(stream)
    this.#label = label
    this.#total = total
    this.#first = first
    this.#tenths = Math.floor((first / total) * 10)
    this.update(first)
  }

  /** `done` are done. @param total of how many, where that has changed. */
  update(done: number, total: number = this.#total): void {
    this.#total = total
    if (this.#stream.isTTY === true) return this.#redraw(done)
    const tenths = Math.floor((done / this.#total) * 10)
    if (tenths <= this.#tenths) return
    this.#tenths = tenths
    this.#stream.write(`${this.#label}: ${tenths * 10} % (${this.#figures(done)})\n`)
  }

  #redraw(done: number): void {
    const now = performance.now()
    if (now - this.#drawn < REDRAW_MS) return
    this.#drawn = now
    const part = this.#total === 0 ? 1 : done / this.#total
    const filled = Math.round(part * BAR_COLUMNS)
    const bar = this.#page.style('cyan', '━'.repeat(filled)) + this.#page.dim('━'.repeat(BAR_COLUMNS - filled))
    const percent = `${Math.floor(part * 100)} %`.padStart(5)
    const figures = this.#figures(done)
    const plain = 2 + this.#label.length + 2 + BAR_COLUMNS + percent.length + 3 + figures.length
    // A line that wraps cannot be drawn over, so a narrow terminal gets no figures.
    const rest = plain < (this.#stream.columns ?? 80) ? `  ${this.#page.dim(figures)}` : ''
    this.#stream.write(`${CLEAR_LINE}  ${this.#label}  ${bar} ${percent}${rest}`)
  }

  #figures(done: number): string {
    const ms = performance.now() - this.#began
    const perMs = (done - this.#first) / ms
    const counts = `${formatCount(done)}/${formatCount(this.#total)}`
    if (done === this.#first || (ms < RATE_MS && done < this.#total)) return counts
    const rate = `${counts} · ${formatCount(perMs * 1_000)}/s`
    const leftMs = (this.#total - done) / perMs
    return leftMs === 0 ? rate : `${rate} · ${formatSeconds(leftMs)} left`
  }

  /** Removes the line from the terminal; whatever is written next takes its place. */
  end(): void {
    if (this.#stream.isTTY === true) this.#stream.write(CLEAR_LINE)
  }
}
