// What an acknowledgement costs the server: how much longer it takes to store a commit than to
// refuse one.
//
// The server tells ordinary clients nothing of its `sync_interval`, and what matters is not the
// setting but the disk: a refusal goes the same way, through the same queues, and ends where the
// record would be written. So pairs of a refusal and a commit are measured, one after the other.
//
// A1. The quickest of each are compared: whatever else the machine does can only slow one down,
//     so more pairs bring both closer to the truth, and none takes them away from it.
// A2. A verdict is about a server and a disk, so it ends with the connection. Until then it is
//     looked at again, sooner at first.

/** Pairs after which there is a verdict: that the server waits takes more of them. */
const pairsEnough = { quick: 6, waits: 16 }
/** Milliseconds after which as many as there are have to do: a server that is far away. */
const measuringMax = 150
/**
 * Milliseconds that storing takes longer, from which on a disk is taken to be waited for. Without
 * that it is 0.01 to 0.05 ms, also on a busy machine.
 */
const waitsFrom = 0.1
/** Of the time of a refusal: less cannot be told from the network's own variation. */
const shareFrom = 0.25
/** Milliseconds that the first verdict is good for; each further one twice as long. */
const validFirst = 1_000
const validMax = 60_000

export class AckCost {
  #refused = Infinity
  #stored = Infinity
  #pairs = 0
  #measured = 0
  #valid = validFirst
  #verdict: { readonly waits: boolean; readonly until: number } | undefined

  /** Whether the server waits for its disk; `undefined` before it has been measured. */
  get waits(): boolean | undefined {
    return this.#verdict?.waits
  }

  /** Milliseconds that storing takes longer than refusing, as far as it is known. */
  get cost(): number | undefined {
    const cost = this.#stored - this.#refused
    return Number.isFinite(cost) ? Math.max(0, cost) : undefined
  }

  /** Whether there should be pairs. */
  isDue(now: number): boolean {
    return this.#verdict === undefined || now >= this.#verdict.until
  }

  /**
   * One pair, in milliseconds, or one that came to nothing.
   *
   * @param now by the clock that {@link isDue} is asked with
   */
  add(pair: { refused: number; stored: number } | undefined, now: number): void {
    this.#pairs++
    if (pair !== undefined) {
      this.#refused = Math.min(this.#refused, pair.refused) // A1
      this.#stored = Math.min(this.#stored, pair.stored)
      this.#measured += pair.refused + pair.stored
    }
    const { cost = 0 } = this
    const waits = cost >= waitsFrom && cost >= shareFrom * this.#refused
    const enough = waits ? pairsEnough.waits : pairsEnough.quick
    if (this.#pairs < enough && this.#measured < measuringMax) return
    this.#verdict = { waits, until: now + this.#valid }
    this.#valid = Math.min(validMax, 2 * this.#valid)
    this.#pairs = this.#measured = 0
  }

  /** A2. */
  forget(): void {
    this.#refused = this.#stored = Infinity
    this.#pairs = this.#measured = 0
    this.#valid = validFirst
    this.#verdict = undefined
  }
}
