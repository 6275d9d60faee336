import { styleText } from 'node:util'
import Table from 'cli-table3'

/** Where text goes: a terminal, a pipe or a file. */
export interface TextStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** What a column of a table holds: text to the left, figures to the right. */
export type Align = 'left' | 'right'

type Style = Parameters<typeof styleText>[0]

/** Text for people: headings, lines and tables. In colour only where a terminal shows it and nobody has declined. */
export class Page {
  readonly #stream: TextStream | undefined
  readonly #isColoured: boolean

  /** @param stream where it goes; without one nothing is written. */
  constructor(stream: TextStream | undefined) {
    this.#stream = stream
    this.#isColoured = stream !== undefined && wantsColour(stream)
  }

  /** One line, or an empty one. */
  line(text: string = ''): void {
    this.#stream?.write(text === '' ? '\n' : `  ${text}\n`)
  }

  /** The title of a numbered step, with what it took at the end. */
  heading(step: number, title: string, note: string = ''): void {
    const mark = this.style(['bold', 'cyan'], String(step))
    this.#stream?.write(`\n${mark} ${this.style('bold', title)}${note === '' ? '' : `  ${this.dim(note)}`}\n\n`)
  }

  /** A table without a frame. Cells may be styled; columns are as wide as they have to be. */
  table(head: readonly string[], rows: readonly (readonly string[])[], aligns: readonly Align[] = []): void {
    if (this.#stream === undefined) return
    const table = new Table({
      head: head.map((title) => this.dim(title)),
      colAligns: head.map((_title, column) => aligns[column] ?? 'left'),
      style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
      chars: this.#rules(),
    })
    for (const row of rows) table.push([...row])
    const lines = table.toString().split('\n')
    this.#stream.write(`${lines.map((line) => line.trimEnd()).join('\n')}\n`)
  }

  /** Names and values, one pair per line. */
  list(rows: readonly (readonly [name: string, value: string])[]): void {
    const width = rows.reduce((longest, [name]) => Math.max(longest, name.length), 0)
    for (const [name, value] of rows) this.line(`${this.dim(name.padEnd(width))}  ${value}`)
  }

  style(style: Style, text: string): string {
    return this.#isColoured ? styleText(style, text) : text
  }

  dim(text: string): string {
    return this.style('dim', text)
  }

  good(text: string): string {
    return this.style('green', text)
  }

  bad(text: string): string {
    return this.style('red', text)
  }

  #rules(): Record<string, string> {
    const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', right: '', 'right-mid': '' }
    const ends = { bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' }
    const rule = { mid: this.dim('─'), 'mid-mid': '  ', 'left-mid': '  ' }
    return { ...none, ...ends, ...rule, left: '  ', middle: '  ' }
  }
}

/** Whether text on `stream` may be in colour. Source: https://no-color.org, https://force-color.org */
export function wantsColour(stream: TextStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0'
  return stream.isTTY === true && TERM !== 'dumb'
}
