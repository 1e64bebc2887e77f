// What the doctor finds: a fault, what it means, and what to do about it.

export interface Finding {
  /** `critical`: inspect it now. `watch`: inspect it today. */
  readonly severity: 'watch' | 'critical'
  /** The name of the check, the same in every version. */
  readonly check: string
  /** Where it is: a stream, a document, an actor, a position. */
  readonly place: string
  readonly problem: string
  readonly means: string
  readonly remedy: string
}
