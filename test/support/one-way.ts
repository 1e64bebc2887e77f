// One direction of a proxied connection: what arrives on one socket goes to the other one, when the rules allow it.
//
// Bytes go on whole and in order, and the end of the one socket follows the bytes before it. Beyond a limit of waiting
// bytes nothing is read, so a sender notices that nothing passes.
import type { Socket } from 'node:net'

/** What applies to one direction of all connections through a proxy. */
export interface Rules {
  /** Bytes wait. An end passes at once, and what waits before it is lost. */
  isPaused: boolean
  /** Bytes and ends wait. */
  isHeld: boolean
  /** Bytes are swallowed. */
  isDropping: boolean
  /** Milliseconds between the arrival of bytes and their departure. */
  delay: number
  /** How many bytes were swallowed. */
  swallowed: number
}

export const noRules = (): Rules => ({
  isPaused: false,
  isHeld: false,
  isDropping: false,
  delay: 0,
  swallowed: 0,
})

interface Waiting {
  readonly bytes: Buffer
  readonly arrivedAt: number
}

const LIMIT = 64 * 1024
/** With the small limit, a delay would be a limit of the rate. */
const LIMIT_DELAYED = 4 * 1024 * 1024

export class OneWay {
  readonly #from: Socket
  readonly #to: Socket
  readonly #rules: Rules
  readonly #waiting: Waiting[] = []
  #size = 0
  #isFull = false
  #hasEnded = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, rules: Rules) {
    this.#from = from
    this.#to = to
    this.#rules = rules
    from.on('data', (bytes: Buffer) => this.#take(bytes))
    const end = () => {
      this.#hasEnded = true
      this.go()
    }
    from.once('end', end)
    from.once('close', end)
    to.on('drain', () => {
      this.#isFull = false
      this.go()
    })
    to.once('close', () => clearTimeout(this.#timer))
  }

  /** Passes on what may go. To be called when the rules have changed. */
  go(): void {
    clearTimeout(this.#timer)
    if (this.#rules.isHeld) return
    if (this.#rules.isPaused) {
      if (this.#hasEnded) this.#to.destroy()
      return
    }
    while (!this.#isFull && this.#waiting.length > 0) {
      const [{ bytes, arrivedAt }] = this.#waiting as [Waiting]
      const early = arrivedAt + this.#rules.delay - performance.now()
      if (early > 0) {
        this.#timer = setTimeout(() => this.go(), early)
        break
      }
      this.#waiting.shift()
      this.#size -= bytes.length
      if (this.#rules.isDropping) this.#rules.swallowed += bytes.length
      else this.#isFull = !this.#to.write(bytes)
    }
    if (this.#waiting.length > 0 && !this.#to.destroyed) return this.#readOn()
    if (this.#hasEnded) this.#to.destroySoon()
    else this.#readOn()
  }

  #take(bytes: Buffer): void {
    this.#waiting.push({ bytes, arrivedAt: performance.now() })
    this.#size += bytes.length
    this.go()
    if (this.#size > this.#limit) this.#from.pause()
  }

  #readOn(): void {
    if (this.#from.isPaused() && this.#size <= this.#limit) this.#from.resume()
  }

  get #limit(): number {
    return this.#rules.delay > 0 ? LIMIT_DELAYED : LIMIT
  }
}
