// What a check reports: the name of the check, what is wrong, and the lines of the history that show it.

import type { DeadLine, Entry, LogLine, StateLine, WaitingLine } from '../history.js'

export type Evidence = Entry | LogLine | StateLine | DeadLine | WaitingLine

export interface Violation {
  readonly check: string
  readonly text: string
  readonly evidence: readonly Evidence[]
}
