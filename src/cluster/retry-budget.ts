// The budget of resends: commands that are sent again are at most a part of those that are sent, so that a node which is
// slow or lost is not given a second load on top of the first.
//
// A token bucket, as in "The Tail at Scale" (Dean and Barroso, 2013) and gRPC's retry throttling. A command whose outcome is
// unknown has to be sent again until its deadline (ROUTER-3), so an empty bucket does not end it: it waits for longer.

/** Tokens that a command adds which is sent for the first time. */
const perCommand = 0.1
/** Tokens that are saved up at most, and at the start: as many commands are resent at once when a node dies. */
const tokensMax = 1_000
/** Milliseconds before a command is sent again, at first and at most. */
const delayMin = 25
const delayMax = 1_000

export class RetryBudget {
  #tokens = tokensMax

  /** A command is sent for the first time. */
  sent(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + perCommand)
  }

  /** Takes a token, if there is one, and returns the milliseconds to wait before the resend. @param resends of this command */
  delayBefore(resends: number): number {
    const isWithin = this.#tokens >= 1
    if (isWithin) this.#tokens--
    const delay = isWithin ? delayMin * 2 ** Math.min(resends, 10) : delayMax
    // Spread: many commands are resent for one reason.
    return Math.min(delay, delayMax) * (0.75 + Math.random() / 2)
  }
}
