// Specifications of behaviors: given what has happened, when a command comes, then what?
//
// Pure: no store, node or runner. The command goes through the very steps that a node takes
// (decide, fold, reply, the check of what may be stored), so what holds here holds there.

import { acceptedOutcome, decide, rejectedOutcome } from '../actor/decide.js'
import type { AnyActorDefinition } from '../actor/definition.js'
import { detach } from '../actor/detach.js'
import {
  initialFoldedState,
  foldEvent,
  type FoldContext,
  type FoldedState,
} from '../actor/fold.js'
import { foldTentatively } from '../actor/tentative.js'
import type { CommandNameOf, CommandsOf, StateOf } from '../actor/definition-types.js'
import { checkAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { checkNewEvent, eventId, type NewEvent } from '../model/event.js'
import type { EmittedEventOf, RejectionOf, ReplyOf } from './given-types.js'
import { type CommandOutcome, Then } from './then.js'

export interface GivenOptions {
  /** The actor's id. Default `example`. */
  readonly id?: string
  /** The moment of the command, and of what was given: ms since 1970. Default 0. */
  readonly now?: number
  /** The command's id. Default `command-1`. */
  readonly commandId?: string
}

/** An actor with a history, ready for one command. */
export interface Given<Definition extends AnyActorDefinition> {
  /** Carries out a command; what comes of it is looked at with `then…`. Never throws. */
  when<Name extends CommandNameOf<Definition>>(
    command: Name,
    ...data: undefined extends CommandsOf<Definition>[Name]['data']
      ? [data?: CommandsOf<Definition>[Name]['data']]
      : [data: CommandsOf<Definition>[Name]['data']]
  ): Then<
    EmittedEventOf<Definition>,
    StateOf<Definition>,
    ReplyOf<Definition, Name>,
    RejectionOf<Definition, Name>
  >
}

/**
 * Specifies a behavior, in any test runner:
 *
 * ```ts
 * given(account, [event('deposited', { amount: 5 })])
 *   .when('withdraw', { amount: 9 })
 *   .thenRejected('overdraft')
 * ```
 *
 * A `then…` that does not hold throws an `AssertionError` that shows both sides.
 */
export function given<Definition extends AnyActorDefinition>(
  definition: Definition,
  events: readonly EmittedEventOf<Definition>[] = [],
  options: GivenOptions = {},
): Given<Definition> {
  return {
    when(type: string, data?: unknown) {
      const { id = 'example' } = options
      const name = `${definition.type}/${id} at version ${events.length}`
      return new Then(name, { type, data }, () =>
        carryOut(definition, events, { type, data }, options),
      )
    },
  }
}

function carryOut(
  definition: AnyActorDefinition,
  given: readonly NewEvent[],
  { type, data }: Pick<Command, 'type' | 'data'>,
  { id = 'example', now = 0, commandId = 'command-1' }: GivenOptions,
): CommandOutcome {
  const actor = checkAddress({ type: definition.type, id })
  const folding: FoldContext = { actor, behavior: definition.behavior }
  const command = {
    id: commandId,
    type,
    data: detach(data, `data of command "${type}"`),
  }
  const at = stateAfter(folding, given, now)
  const decision = decide(definition, actor, at, command, now)
  if (!decision.ok) {
    const { version, rejection } = rejectedOutcome(actor, command, decision, at)
    return { ok: false, version, state: at.state, rejection }
  }
  const state = foldTentatively(folding, at, command, {
    list: decision.events,
    at: now,
    nodeId: 'given',
  })
  const version = at.version + decision.events.length
  const { reply } = acceptedOutcome(actor, command, decision, { ...at, state, version })
  return { ok: true, version, events: decision.events, reply, state }
}

/** Each event given is a commit of its own. */
function stateAfter(
  folding: FoldContext,
  given: readonly NewEvent[],
  now: number,
): FoldedState {
  const start = initialFoldedState(folding)
  let state = start.state
  for (const [i, event] of given.entries()) {
    checkNewEvent(event)
    const version = i + 1
    state = foldEvent(folding, state, {
      kind: 'event',
      id: eventId(folding.actor, version),
      actor: folding.actor,
      type: event.type,
      data: detach(event.data, `data of event "${event.type}"`),
      metadata: event.metadata ?? {},
      version,
      position: version,
      commitId: `commit-${version}`,
      at: now,
      nodeId: 'given',
    })
  }
  const { length } = given
  return { ...start, state, version: length, position: length }
}
