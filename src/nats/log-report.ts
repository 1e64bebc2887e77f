// What the server says of a namespace's log when it is asked: how full it is, and what time it is there.

/** Milliseconds that the clocks of this machine and of the server may differ: the server fires timers by its own. */
export const clockOffsetMax = 2_000

export interface LogReport {
  /** When it was asked, ms since 1970 by the clock of this machine. */
  readonly at: number
  /** The clock of the server minus that of this machine, in ms; absent if the answer took more than a second. */
  readonly clockOffset?: number
  /** Size of the log on the server, in bytes. */
  readonly bytes: number
  /** The limit of that size; absent if there is none. */
  readonly bytesMax?: number
}
