// Rows of data on stdout: one JSON object a line with --json, plain lines in a pipe, a table with headers on a terminal.
//
// Owns the rows of a table that are not printed yet.
// TABLE-ROWS-1. In a pipe and with --json a row is printed at once.
// TABLE-ROWS-2. On a terminal the widths of columns follow from the first rows, at most `measured` of them; a column
//     that later needs more room is wider from there on. So memory is bounded, and any number of rows is fine.

import type { ParsedFlags } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { wantsJson } from './command.js'
import { complain, print } from './output.js'
import { toJson } from '../codec/json.js'
import { type Style, styled, type Terminal, terminalOf } from './terminal.js'

export interface Column<Row> {
  readonly title: string
  readonly text: (row: Row) => string | number
  /** Numbers stand at the right of their column. */
  readonly isNumber?: boolean
  readonly style?: (row: Row) => Style | undefined
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[]
  /** A row in a pipe. */
  readonly line: (row: Row) => string
  /** Lines below a row, for people. */
  readonly below?: (row: Row) => readonly string[]
  /** What is said on stderr where there is no row; not with --json. */
  readonly empty?: string
  /** Rows come as they happen: each is shown at once. */
  readonly isLive?: boolean
}

/** TABLE-ROWS-2. */
const measured = 200

export class Table<Row extends object> {
  readonly #json: boolean
  readonly #options: TableOptions<Row>
  readonly #terminal: Terminal
  readonly #print: (line: string) => Promise<void>
  readonly #widths: number[]
  #waiting: Row[] = []
  #rows = 0
  #hasHeader = false

  constructor(
    flags: ParsedFlags,
    options: TableOptions<Row>,
    { terminal = terminalOf(process.stdout), write = print } = {},
  ) {
    this.#json = wantsJson(flags)
    this.#options = options
    this.#terminal = terminal
    this.#print = write
    this.#widths = options.columns.map(({ title }) => title.length)
  }

  async row(row: Row): Promise<void> {
    this.#rows++
    if (this.#json) return this.#print(toJson(row))
    if (!this.#terminal.isTerminal) {
      await this.#print(plain(this.#options.line(row)))
      return this.#below(row)
    }
    this.#waiting.push(row)
    if (this.#hasHeader || this.#options.isLive === true || this.#rows === measured)
      await this.#flush()
  }

  /** Prints the rest; says so where there is nothing, but not with --json. Resolves with the number of rows. */
  async end(): Promise<number> {
    await this.#flush()
    const { empty } = this.#options
    if (this.#rows === 0 && empty !== undefined && !this.#json) complain(empty)
    return this.#rows
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return
    const rows = this.#waiting.map(row => ({
      row,
      cells: this.#options.columns.map(({ text }) => plain(String(text(row)))),
    }))
    this.#waiting = []
    for (const { cells } of rows)
      for (const [i, cell] of cells.entries())
        this.#widths[i] = Math.max(this.#widths[i]!, cell.length)
    if (!this.#hasHeader) {
      this.#hasHeader = true
      const titles = this.#options.columns.map(({ title }) => title.toUpperCase())
      await this.#print(this.#lineOf(titles, () => 'bold'))
    }
    for (const { row, cells } of rows) {
      const { columns } = this.#options
      await this.#print(this.#lineOf(cells, i => columns[i]!.style?.(row)))
      await this.#below(row)
    }
  }

  async #below(row: Row): Promise<void> {
    for (const line of this.#options.below?.(row) ?? []) await this.#print(plain(line))
  }

  #lineOf(cells: readonly string[], styleOf: (i: number) => Style | undefined): string {
    const { columns } = this.#options
    return cells
      .map((cell, i) => {
        const gap = ' '.repeat(this.#widths[i]! - cell.length)
        const text = styled(this.#terminal, styleOf(i), cell)
        if (columns[i]!.isNumber === true) return gap + text
        return i === cells.length - 1 ? text : text + gap
      })
      .join('  ')
      .trimEnd()
  }
}
