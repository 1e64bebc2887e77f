// Dead letters, as their queue keeps them.

import type { ActorAddress } from './address.js'
import type { Answers } from './answers.js'
import type { Position } from './version.js'

/** The last error of a dead letter. */
export interface DeadLetterError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** The part of a dead letter that its headers repeat, so that it can be found without decoding. */
export interface DeadLetterHeader {
  /** The id of the message that was given up. */
  readonly id: string
  readonly topic: string
  readonly reason: string
  /** The name of the last error. */
  readonly errorName: string
  readonly attempts: number
  /** When the message was given up, ms since 1970. */
  readonly markedAt: number
  readonly correlationId?: string
}

/** The body of a dead letter's record. */
export interface StoredDeadLetter<Message> {
  /** The original message; without its data if that was too large to be stored again. */
  readonly message: Message
  /** Whether the message comes from a commit, from code outside an actor, or from the inbox. */
  readonly source: 'log' | 'topics' | 'inbox'
  /** The actor and the command type, if it is a command that was given up. Its data is the message's. */
  readonly command?: Answers & {
    readonly actor: ActorAddress
    readonly type: string
    /** A position that the log had reached when it was sent for the first time; absent if that is not known. */
    readonly sentAfter?: Position
  }
  readonly error: DeadLetterError
  readonly reason: string
  readonly attempts: number
  /** Time of the first attempt, ms since 1970. */
  readonly firstAt: number
  /** Time of the last attempt, ms since 1970. */
  readonly lastAt: number
  /** When the message was given up, ms since 1970. */
  readonly markedAt: number
  /** How often it had been redriven before. */
  readonly redrives: number
  /** The message's data was too large to be stored again: it is only where the message is. */
  readonly isCut?: boolean
}

/** The part of a redriven message that its headers repeat. */
export interface RedrivenHeader {
  readonly id: string
}
