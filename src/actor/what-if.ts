// What a command would do to an actor at some state: the very steps that a node takes (decide, fold, reply, the check of
// what may be stored), without storing anything.

import type { ActorAddress } from '../model/address.js'
import type { Command, Rejection } from '../model/behavior.js'
import type { NewEvent } from '../model/event.js'
import type { OutboxEntry } from '../model/outbox.js'
import type { TimerFiring } from '../model/timer.js'
import type { Version } from '../model/version.js'
import type { GivenDraws } from './decision-context.js'
import { acceptedOutcome, decide, rejectedOutcome } from './decide.js'
import type { AnyActorDefinition } from './definition.js'
import type { FoldContext, FoldedState } from './fold.js'
import { foldTentatively } from './tentative.js'

export type WhatIfOutcome =
  | {
      readonly ok: true
      readonly version: Version
      readonly events: readonly NewEvent[]
      /** Messages, commands and timers that would be stored with the events. */
      readonly outbox: readonly OutboxEntry[]
      readonly reply: unknown
      readonly state: unknown
    }
  | {
      readonly ok: false
      readonly version: Version
      readonly state: unknown
      readonly rejection: Rejection
    }

export interface WhatIfContext {
  readonly now: number
  readonly nodeId: string
  /** The timer that sends the command. Default: none. */
  readonly firing?: TimerFiring
  /** What the decision draws. Default: values of the command's id. */
  readonly draws?: GivenDraws
}

/** Throws the errors of deciding and folding: `unknown-command`, `decide-failed`, `actor-parked`. */
export function whatIf(
  definition: AnyActorDefinition,
  actor: ActorAddress,
  at: FoldedState,
  command: Command,
  { now, nodeId, firing, draws }: WhatIfContext,
): WhatIfOutcome {
  const folding: FoldContext = { actor, behavior: definition.behavior }
  const decision = decide(definition, actor, at, command, now, firing, draws)
  if (!decision.ok) {
    const { version, rejection } = rejectedOutcome(actor, command, decision, at)
    return { ok: false, version, state: at.state, rejection }
  }
  const { events, outbox = [] } = decision
  const tentative = { list: events, at: now, nodeId }
  const state = foldTentatively(folding, at, command, tentative)
  const version = at.version + events.length
  const { reply } = acceptedOutcome(actor, command, decision, { ...at, state, version })
  return { ok: true, version, events, outbox, reply, state }
}
