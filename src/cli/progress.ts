// What a command is doing, on stderr, while it takes longer than a second. Only a terminal gets it.
//
// Owns the line that it has drawn. Whatever is printed on a terminal clears that line first (`print`, `complain`).

import { clearLine, styled, type Terminal, terminalOf } from './terminal.js'

/** Milliseconds until it is shown, and between two drawings. */
const quiet = 1_000
const between = 200
const frames = ['|', '/', '-', '\\']

export class Progress implements Disposable {
  readonly #what: string
  readonly #terminal: Terminal
  readonly #write: (text: string) => void
  readonly #since = performance.now()
  #detail = ''
  #timer: ReturnType<typeof setInterval> | undefined
  #drawn = 0

  constructor(
    what: string,
    {
      terminal = terminalOf(process.stderr),
      write = (text: string): void => void process.stderr.write(text),
    } = {},
  ) {
    this.#what = what
    this.#terminal = terminal
    this.#write = write
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
    if (!this.#terminal.isTerminal || this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#draw(), between)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    this.pause()
  }

  #draw(): void {
    const elapsed = performance.now() - this.#since
    if (elapsed < quiet) return
    const frame = frames[this.#drawn++ % frames.length]!
    const detail = this.#detail === '' ? '' : `, ${this.#detail}`
    const text = `${frame} ${this.#what}: ${Math.floor(elapsed / 1000)} s${detail}`
    const cut = text.slice(0, this.#terminal.columns - 1)
    this.#write(clearLine + styled(this.#terminal, 'dim', cut))
  }
}
