// Durable commands, as the inbox keeps them.

import type { ActorAddress } from './address.js'
import type { Answers } from './answers.js'
import type { Causes } from './commit.js'
import type { KeptHeaders } from './kept-headers.js'
import type { Position } from './version.js'

/** The part of a durable command that its headers hold. */
export interface StoredCommandHeader extends Causes, KeptHeaders, Answers {
  readonly id: string
  readonly type: string
  readonly nodeId: string
  /** The sender's clock, ms since 1970. */
  readonly at: number
  /** The actor that sent it, which hears its answer; absent for a caller. */
  readonly from?: ActorAddress
  /** How often it was redriven after it was given up; absent for never. */
  readonly redrives?: number
  /** A position that the log had reached when it was sent for the first time; 0 if that is not known. */
  readonly sentAfter: Position
  /**
   * Why it may have been handled before: a caller chose its id (`callers-id`), or Cairn itself may have sent it before
   * (`resent`). Absent: it was not.
   */
  readonly repeat?: CommandRepeat
}

export type CommandRepeat = 'callers-id' | 'resent'

export interface StoredCommand extends StoredCommandHeader {
  readonly data: unknown
}
