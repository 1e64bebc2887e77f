// A batch: commands that wait for one actor, decided one after another on the tentative state and
// stored as one commit.
//
// Owns the decision and outcome of each command, and the tentative state after the last one.
// COMMAND-BATCH-1. Each command has its own id, causes, events, version and reply, as if it were stored alone.
// COMMAND-BATCH-2. A command that stores nothing is answered when the others are stored, so that its answer
//     rests on the newest state, too.
// COMMAND-BATCH-3. A batch takes only commands that are already waiting. The numbers of commands and events,
//     the estimated bytes of the events and the size of the headers are limited.
// COMMAND-BATCH-4. No command id is in a batch twice.

import { remainingBytes } from '../codec/size.js'
import type { Command, Decision } from '../model/behavior.js'
import { type BatchedCommand, commitEventsMax } from '../model/commit.js'
import type { NewEvent } from '../model/event.js'
import type { AskOutcome } from '../model/command-sender.js'
import type { Position, Version } from '../model/version.js'
import type { CommandEntry } from './command-entry.js'
import { withCauses } from './causes.js'

/** Most commands in one commit. */
export const commandBatchMax = 256
/** Most estimated bytes of the events in one batch. */
const eventBytesMax = 256 * 1024
/** Most UTF-16 units of the ids and event types in the headers. */
const headerUnitsMax = 16 * 1024

/** One command of a batch, with its decision and outcome. */
export interface BatchMember {
  readonly command: Command
  readonly digest: string | undefined
  readonly decision: Decision
  /** The version after the command. */
  readonly version: Version
  readonly outcome: AskOutcome
}

export class CommandBatch {
  readonly members: BatchMember[] = []
  /** The tentative state after the last command. */
  state: unknown
  readonly #commandsMax: number
  readonly #commandIds = new Set<string>()
  #eventCount = 0
  #bytesLeft = eventBytesMax
  #headerUnitsLeft = headerUnitsMax
  #storedCount = 0

  constructor(first: BatchMember, state: unknown, commandsMax = commandBatchMax) {
    this.#commandsMax = commandsMax
    this.add(first, state)
  }

  /** The version after the last command. */
  get version(): Version {
    return this.members.at(-1)!.version
  }

  get isFull(): boolean {
    return this.members.length >= this.#commandsMax
  }

  /** COMMAND-BATCH-4. */
  has(commandId: string): boolean {
    return this.#commandIds.has(commandId)
  }

  /** Whether a decision fits into the batch (COMMAND-BATCH-3). */
  hasRoomFor(command: Command, decision: Decision): boolean {
    if (!decision.ok) return true
    const { events, outbox } = decision
    // Outbox entries are numbered by commit, and have the causes of their commit.
    if (outbox !== undefined) return false
    if (this.#eventCount + events.length > commitEventsMax) return false
    return (
      this.#bytesLeftAfter(events) >= 0 &&
      this.#headerUnitsLeft >= headerUnits(command, events)
    )
  }

  add(member: BatchMember, state: unknown): void {
    this.state = state
    const { command, decision } = member
    this.members.push(member)
    this.#commandIds.add(command.id)
    if (!decision.ok || decision.events.length === 0) return
    this.#storedCount++
    this.#eventCount += decision.events.length
    this.#bytesLeft = this.#bytesLeftAfter(decision.events)
    this.#headerUnitsLeft -= headerUnits(command, decision.events)
  }

  /** How many of the commands store events. */
  get storedCommands(): number {
    return this.#storedCount
  }

  /** All events, in order. */
  get events(): NewEvent[] {
    return this.members.flatMap(({ decision }) => (decision.ok ? decision.events : []))
  }

  /** The commands that store events, as the commit records them (COMMAND-BATCH-1). */
  get commands(): BatchedCommand[] {
    const commands: BatchedCommand[] = []
    for (const { command, digest, decision, outcome } of this.members) {
      if (!decision.ok || decision.events.length === 0) continue
      const { length: events } = decision.events
      const reply = outcome.ok ? outcome.reply : undefined
      const common = { id: command.id, reply, events }
      const stored = digest === undefined ? common : { ...common, digest }
      commands.push(withCauses(stored, command))
    }
    return commands
  }

  /** The stored commands, for the command window. */
  entries(position: Position): CommandEntry[] {
    const entries: CommandEntry[] = []
    for (const { command, decision, version } of this.members)
      if (decision.ok && decision.events.length > 0)
        entries.push({
          first: version - decision.events.length + 1,
          last: version,
          position,
          commandId: command.id,
        })
    return entries
  }

  #bytesLeftAfter(events: readonly NewEvent[]): number {
    let bytesLeft = this.#bytesLeft
    for (const { type, data, metadata } of events) {
      bytesLeft = remainingBytes(data, bytesLeft - type.length - eventOverheadBytes)
      if (metadata !== undefined) bytesLeft = remainingBytes(metadata, bytesLeft)
    }
    return bytesLeft
  }
}

/** Estimated bytes of an event without its type and data. */
const eventOverheadBytes = 24

function headerUnits(
  { id, correlationId = '' }: Command,
  events: readonly NewEvent[],
): number {
  let units = id.length + correlationId.length + 8
  for (const { type } of events) units += type.length + 1
  return units
}
