// A pack: commands that wait for one actor, carried out one after another on the tentative state
// and stored as one commit.
//
// Owns what each of them came to, and the tentative state after the last.
// P1. Each has what it would have had alone: its own id, causes, events, version and reply.
// P2. One that stores nothing is answered when the others are stored: then its answer, too, rests
//     on the newest state.
// P3. Only what was waiting is taken in; nothing is waited for. Commands, events, their
//     estimated bytes and those of the ids in the headers are limited.
// P4. No id is in it twice.

import { commitEventsMax } from '../codec/envelope.js'
import { remainingBytes } from '../codec/size.js'
import type { Command, Decision } from '../model/behavior.js'
import type { BatchedCommand } from '../model/commit.js'
import type { NewEvent } from '../model/event.js'
import type { AskOutcome } from '../model/command-sender.js'
import type { Position, Version } from '../model/version.js'
import type { PastCommit } from './command-window.js'
import { withCauses } from './causes.js'

/** Commands in one commit, at most. */
export const commandBatchMax = 256
/** Bytes of their events, at most, as they are estimated. */
const bytesMax = 256 * 1024
/** Units of the ids and event types in the headers, at most. */
const headerMax = 16 * 1024

/** What one command came to. */
export interface BatchMember {
  readonly command: Command
  readonly decision: Decision
  /** The version after it. */
  readonly version: Version
  readonly outcome: AskOutcome
}

export class CommandBatch {
  readonly members: BatchMember[] = []
  /** The state after the last of them, which is not stored yet. */
  state: unknown
  readonly #max: number
  readonly #ids = new Set<string>()
  #events = 0
  #room = bytesMax
  #headerRoom = headerMax
  #stored = 0

  /** @param max commands at most */
  constructor(first: BatchMember, state: unknown, max = commandBatchMax) {
    this.#max = max
    this.add(first, state)
  }

  /** The version after the last of them. */
  get version(): Version {
    return this.members.at(-1)!.version
  }

  get isFull(): boolean {
    return this.members.length >= this.#max
  }

  /** P4. */
  has(commandId: string): boolean {
    return this.#ids.has(commandId)
  }

  /** Whether what a command has decided can be stored beside what is there (P3). */
  hasRoomFor(command: Command, decision: Decision): boolean {
    if (!decision.ok) return true
    const { events, outbox } = decision
    // What is said is numbered by commits, and has the causes of its commit.
    if (outbox !== undefined) return false
    if (this.#events + events.length > commitEventsMax) return false
    return (
      this.#roomAfter(events) >= 0 && this.#headerRoom >= headerUnits(command, events)
    )
  }

  add(member: BatchMember, state: unknown): void {
    this.state = state
    const { command, decision } = member
    this.members.push(member)
    this.#ids.add(command.id)
    if (!decision.ok || decision.events.length === 0) return
    this.#stored++
    this.#events += decision.events.length
    this.#room = this.#roomAfter(decision.events)
    this.#headerRoom -= headerUnits(command, decision.events)
  }

  /** How many of its commands store something. */
  get stored(): number {
    return this.#stored
  }

  /** All events, in order. */
  get events(): NewEvent[] {
    return this.members.flatMap(({ decision }) => (decision.ok ? decision.events : []))
  }

  /** The commands that store something, as they go into the commit (P1). */
  get commands(): BatchedCommand[] {
    const commands: BatchedCommand[] = []
    for (const { command, decision, outcome } of this.members) {
      if (!decision.ok || decision.events.length === 0) continue
      const { length: events } = decision.events
      const reply = outcome.ok ? outcome.reply : undefined
      commands.push(withCauses({ id: command.id, reply, events }, command))
    }
    return commands
  }

  /** What the window of commands is to know of them, once they are stored. */
  pastCommits(position: Position): PastCommit[] {
    const passed: PastCommit[] = []
    for (const { command, decision, version } of this.members)
      if (decision.ok && decision.events.length > 0)
        passed.push({
          first: version - decision.events.length + 1,
          last: version,
          position,
          commandId: command.id,
        })
    return passed
  }

  #roomAfter(events: readonly NewEvent[]): number {
    let room = this.#room
    for (const { type, data, metadata } of events) {
      room = remainingBytes(data, room - type.length - eventBytes)
      if (metadata !== undefined) room = remainingBytes(metadata, room)
    }
    return room
  }
}

/** What an event takes beside its type and data, about. */
const eventBytes = 24

function headerUnits(
  { id, correlationId = '' }: Command,
  events: readonly NewEvent[],
): number {
  let units = id.length + correlationId.length + 8
  for (const { type } of events) units += type.length + 1
  return units
}
