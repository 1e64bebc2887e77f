// Specifications of behaviors: given what has happened, when a command comes, then what?
//
// Pure: no store, node or runner. The command goes through the very steps that a node takes
// (decide, fold, reply, the check of what may be stored), so what holds here holds there.

import { checkDefinition } from '../actor/check-definition.js'
import type { AnyActorDefinition } from '../actor/definition.js'
import { detach } from '../actor/detach.js'
import {
  initialFoldedState,
  foldEvent,
  type FoldContext,
  type FoldedState,
} from '../actor/fold.js'
import { whatIf } from '../actor/what-if.js'
import type { CommandNameOf, CommandsOf, StateOf } from '../actor/definition-types.js'
import { checkAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { checkCauses, definedCauses } from '../model/causes.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { defined } from '../model/defined.js'
import type { NewEvent } from '../model/event.js'
import type { TimerFiring } from '../model/timer.js'
import type {
  EmittedEventOf,
  GivenEvent,
  InputOf,
  RejectionOf,
  ReplyOf,
} from './given-types.js'
import { historyOf, isMachineDefinition, withoutMarks } from './given-machine.js'
import { recorded } from './recorded.js'
import { show } from './show.js'
import { type CommandOutcome, type Specified, Then } from './then.js'

export interface GivenOptions<Input = unknown> {
  /** The actor's id. Default `example`. */
  readonly id?: string | undefined
  /** The moment of the command, and of what was given: ms since 1970. Default 0. */
  readonly now?: number | undefined
  /** The command's id. Default `command-1`. */
  readonly commandId?: string | undefined
  /** Who asks, as `context.principal`. Default: nobody known. */
  readonly principal?: string | undefined
  /** As `context.correlationId`. Default: none. */
  readonly correlationId?: string | undefined
  /** What `context.uuid()` of `decide` returns, in this order. Default, and after the last: as on a node. */
  readonly uuids?: readonly string[] | undefined
  /** What `context.random()` of `decide` returns: from 0 up to 1, in this order. Default, and after the last: as on a node. */
  readonly randoms?: readonly number[] | undefined
  /** For a machine: the input that it was started with, by an `xstate.init` before all that is given. */
  readonly input?: Input | undefined
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

  /**
   * Lets a timer of a machine fall due, by its name in the state's `timers`: `xstate.after.900000.order.unpaid`, or the id of a
   * delayed event. The decision is made at its due time, or at `now` if that is later. Throws `invalid-option` for a timer that it does not wait for.
   */
  whenDue(timer: string): Then<EmittedEventOf<Definition>, StateOf<Definition>>
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
 * An event with a `schemaVersion` is one as it was stored in that version: it goes through `upcast`.
 *
 * A `then…` that does not hold throws an `AssertionError` that shows both sides.
 */
export function given<Definition extends AnyActorDefinition>(
  definition: Definition,
  events: readonly GivenEvent<Definition>[] = [],
  options: GivenOptions<InputOf<Definition>> = {},
): Given<Definition> {
  checkDefinition('given', definition)
  if (!Array.isArray(events))
    throw new CairnError(
      'invalid-option',
      `given(${definition.type}) got ${show(events)} as its events: pass a list, [event('…', …)].`,
    )
  checkOptions('given', options, givenOptionNames)
  checkDraws(options)
  const { principal, correlationId } = options
  checkCauses(definedCauses({ principal, correlationId }))
  const { id = 'example' } = options
  const history = historyOf(definition, events, options.input)
  const name = `${definition.type}/${id} at version ${history.length}`
  const specified = (when: string, now: number): Specified => ({
    when: `${name}, when ${when}`,
    now,
    hasOwnTimers: definition.behavior.timers !== undefined,
    plain: isMachineDefinition(definition) ? withoutMarks : event => event,
    isInState: isMachineDefinition(definition) ? definition.matches : undefined,
  })
  return {
    when(type: string, data?: unknown) {
      const { now = 0 } = options
      const text = data === undefined ? type : `${type} ${show(data)}`
      return new Then(specified(text, now), () =>
        carryOut(definition, history, { type, data }, { ...options, now }),
      )
    },
    whenDue(timer: string) {
      const now = Math.max(options.now ?? 0, dueAt(definition, history, timer, options))
      return new Then(specified(`${timer} is due`, now), () => {
        const firing = { name: timer, generation: 0 }
        return carryOut(
          definition,
          history,
          { type: timer, data: undefined },
          { ...options, now },
          firing,
        )
      })
    },
  }
}

const givenOptionNames: OptionNames<GivenOptions> = {
  id: true,
  now: true,
  commandId: true,
  principal: true,
  correlationId: true,
  uuids: true,
  randoms: true,
  input: true,
}

/** Throws `invalid-option`. */
function checkDraws({ uuids, randoms }: GivenOptions): void {
  const areTexts = (list: readonly unknown[]) =>
    list.every(one => typeof one === 'string')
  const areShares = (list: readonly unknown[]) =>
    list.every(one => typeof one === 'number' && one >= 0 && one < 1)
  if (uuids !== undefined && !(Array.isArray(uuids) && areTexts(uuids)))
    throw new CairnError(
      'invalid-option',
      `uuids of given is ${show(uuids)}: pass a list of texts, for each call of context.uuid() one.`,
    )
  if (randoms !== undefined && !(Array.isArray(randoms) && areShares(randoms)))
    throw new CairnError(
      'invalid-option',
      `randoms of given is ${show(randoms)}: pass a list of numbers from 0 up to 1, for each call of context.random() one.`,
    )
}

function carryOut(
  definition: AnyActorDefinition,
  given: readonly NewEvent[],
  { type, data }: Pick<Command, 'type' | 'data'>,
  options: GivenOptions,
  firing?: TimerFiring,
): CommandOutcome {
  const { id = 'example', now = 0, commandId = 'command-1', uuids, randoms } = options
  const { principal, correlationId } = options
  const folding = foldingOf(definition, id)
  const { actor } = folding
  const command = {
    id: commandId,
    type,
    data: detach(data, `data of command "${type}"`),
    ...definedCauses({ principal, correlationId }),
  }
  const at = stateAfter(folding, given, now)
  const draws = { uuids, randoms }
  const context = { now, nodeId: 'given', draws, ...defined({ firing }) }
  return whatIf(definition, actor, at, command, context)
}

function foldingOf(definition: AnyActorDefinition, id: string): FoldContext {
  const actor = checkAddress({ type: definition.type, id })
  return { actor, behavior: definition.behavior }
}

/** When a timer of the state is due; 0 where that cannot be told, which the decision then says. */
function dueAt(
  definition: AnyActorDefinition,
  history: readonly NewEvent[],
  timer: string,
  { id = 'example', now = 0 }: GivenOptions,
): number {
  const { behavior, type } = definition
  if (behavior.timers === undefined)
    throw new CairnError(
      'invalid-option',
      `whenDue is for machines, and ${type} is none: its timers send commands. Use when(…) with the timer's command.`,
    )
  const { state } = stateAfter(foldingOf(definition, id), history, now)
  const timers = behavior.timers(state, [])
  const due = timers.get(timer)
  if (due !== undefined) return due
  const known = [...timers.keys()].join(', ') || 'nothing'
  throw new CairnError(
    'invalid-option',
    `${type}/${id} does not wait for ${show(timer)}; it waits for ${known}.`,
    { details: { timer, known: [...timers.keys()] } },
  )
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
    const place = { version: i + 1, position: i + 1, at: now }
    state = foldEvent(
      folding,
      state,
      recorded(folding.actor, folding.behavior, event, place),
    )
  }
  const { length } = given
  return { ...start, state, version: length, position: length }
}
