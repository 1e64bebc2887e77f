// What a command is doing, on stderr, while it takes longer than a second. Only a terminal gets it; a pipe gets a line every ten
// seconds from the commands that read a whole namespace.
//
// Owns the line that it has drawn. Whatever is printed on a terminal clears that line first (`print`, `complain`).

import { clearLine, styled, type Terminal, terminalOf } from './terminal.js'

/** Milliseconds until it is shown, and between two drawings. */
const quiet = 1_000
const between = 200
/** Milliseconds between two lines in a pipe. */
const betweenLines = 10_000
const frames = ['|', '/', '-', '\\']

export class Progress implements Disposable {
  readonly #what: string
  readonly #terminal: Terminal
  readonly #write: (text: string) => void
  /** Milliseconds between two lines where there is no terminal; absent for none. */
  readonly #lines: number | undefined
  readonly #since = performance.now()
  #detail = ''
  #timer: ReturnType<typeof setInterval> | undefined
  #drawn = 0

  constructor(
    what: string,
    {
      terminal = terminalOf(process.stderr),
      write = (text: string): void => void process.stderr.write(text),
      isLong = false,
      lines = isLong ? betweenLines : undefined,
    }: {
      readonly terminal?: Terminal
      readonly write?: (text: string) => void
      /** Whether it may take minutes, so that a pipe is told, too. */
      readonly isLong?: boolean
      readonly lines?: number | undefined
    } = {},
  ) {
    this.#what = what
    this.#terminal = terminal
    this.#write = write
    this.#lines = lines
    this.resume()
  }

  /** How far it is, such as `1,200 histories replayed`. */
  say(detail: string): void {
    this.#detail = detail
  }

  /** Draws nothing until it is resumed: a question is asked meanwhile. */
  pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    if (this.#drawn > 0) this.#write(clearLine)
  }

  resume(): void {
    if (this.#timer !== undefined) return
    if (this.#terminal.isTerminal) this.#timer = setInterval(() => this.#draw(), between)
    else if (this.#lines !== undefined)
      this.#timer = setInterval(() => this.#write(`${this.#text()}\n`), this.#lines)
    else return
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    this.pause()
  }

  #draw(): void {
    const elapsed = performance.now() - this.#since
    if (elapsed < quiet) return
    const frame = frames[this.#drawn++ % frames.length]!
    const text = `${frame} ${this.#text()}`
    const cut = text.slice(0, this.#terminal.columns - 1)
    this.#write(clearLine + styled(this.#terminal, 'dim', cut))
  }

  #text(): string {
    const seconds = Math.floor((performance.now() - this.#since) / 1000)
    return `${this.#what}: ${seconds} s${this.#detail === '' ? '' : `, ${this.#detail}`}`
  }
}
