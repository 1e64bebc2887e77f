// Deciding: calls a behavior's `decide` and turns the decision into an outcome.
//
// An error here fails one command. The actor is not affected.

import { checkData } from '../codec/data.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import type {
  AcceptedDecision,
  Behavior,
  Command,
  DecideContext,
  Decision,
  RejectedDecision,
  RemoteBehavior,
} from '../model/behavior.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import { checkNewEvent, type Metadata, type NewEvent } from '../model/event.js'
import type { AcceptedOutcome, RejectedOutcome } from '../model/command-sender.js'
import { outboxEntryIds } from '../model/outbox.js'
import { show } from '../model/show.js'
import { freeze, handOut } from '../model/read-only.js'
import {
  describeChange,
  findRefusedChange,
  type RefusedChange,
  type Watch,
} from '../model/refused-change.js'
import { isIgnoredPromise } from '../model/thenable.js'
import type { TimerFiring } from '../model/timer.js'
import type { Version } from '../model/version.js'
import type { Writable } from '../model/writable.js'
import { commandIdsOf, withCauses } from './causes.js'
import { DecisionContext, type GivenDraws, withDraws } from './decision-context.js'
import type { AnyActorDefinition } from './definition.js'
import { detach } from './detach.js'
import { unknownCommand } from './effects.js'
import type { FoldedState } from './fold.js'
import {
  type ActorSchemas,
  checkCommandData,
  conformCommand,
  conformEvent,
  conformReply,
} from './schemas.js'

/**
 * The behavior's decision. Throws `invalid-command` for data that the command's schema refuses, and `decide-failed` for
 * an error of `decide`; errors of this package (`unknown-command`, `invalid-definition`) pass unchanged.
 */
export function decide(
  { behavior, schemas }: AnyActorDefinition,
  actor: ActorAddress,
  { state, version }: FoldedState,
  sent: Command,
  now: number,
  firing?: TimerFiring,
  draws?: GivenDraws,
): Decision {
  const command = conformCommand(schemas, actor, sent)
  const context = contextOf(actor, version, command, now, firing)
  if (draws !== undefined) withDraws(context, draws)
  const given = givenCommand(command)
  const checked = (decision: AcceptedDecision) => {
    for (const entry of decision.outbox ?? [])
      if (entry.kind === 'timer') checkCommandData(schemas, actor, entry.type, entry.data)
    const own = ownEvents(behavior, schemas, actor, decision, command)
    return conformReply(schemas, actor, command, own)
  }
  return wrapErrors(
    actor,
    command,
    'decide',
    () => {
      const decision = behavior.decide(handOut(state), given, context)
      if (isIgnoredPromise(decision))
        throw new CairnError(
          'invalid-definition',
          `decide of ${nameOf(actor, command)} returned a promise: it must be synchronous and pure. ` +
            'Wait before you send the command, and pass the result as data.',
        )
      return decision.ok ? checked(decision) : decision
    },
    watch => {
      const watchedData = watch('data', command.data)
      behavior.decide(watch('state', state), { ...command, data: watchedData }, context)
    },
  )
}

/** The decision of a behavior that another process runs. Throws as {@link decide} does. */
export async function decideRemotely(
  behavior: Behavior,
  remote: RemoteBehavior,
  actor: ActorAddress,
  { state, version }: FoldedState,
  command: Command,
  now: number,
  signal: AbortSignal,
  firing?: TimerFiring,
): Promise<Decision> {
  if (!knows(behavior, command.type))
    throw unknownCommand(actor.type, command.type, behavior.commandTypes)
  const context = contextOf(actor, version, command, now, firing)
  try {
    const decision = await remote.decide(
      handOut(state),
      givenCommand(command),
      context,
      signal,
    )
    if (!decision.ok) return decision
    if (decision.after !== undefined) freeze(decision.after.state)
    return ownEvents(behavior, undefined, actor, decision, command)
  } catch (cause) {
    if (isCairnError(cause)) throw cause
    throw decideFailed(actor, command, 'decide', cause)
  }
}

function knows(behavior: Behavior, type: string): boolean {
  return behavior.knows?.(type) ?? behavior.commandTypes.includes(type)
}

function contextOf(
  actor: ActorAddress,
  version: Version,
  command: Command,
  now: number,
  firing: TimerFiring | undefined,
): DecideContext {
  const context: Writable<DecideContext> = withCauses(
    new DecisionContext(actor, version, command.id, now),
    command,
  )
  if (firing !== undefined) context.firing = firing
  return context
}

/** The command with data that the behavior cannot change. */
function givenCommand(command: Command): Command {
  freeze(command.data)
  const data = handOut(command.data)
  return data === command.data ? command : { ...command, data }
}

/**
 * Checks and freezes the data of decided events: `evolve` must get what a later fold gets, and what is stored must not
 * change any more. What the schema of an event makes of its data is stored. Throws `invalid-event` or `invalid-data`.
 */
function ownEvents(
  behavior: Behavior,
  schemas: ActorSchemas | undefined,
  actor: ActorAddress,
  decision: AcceptedDecision,
  { metadata }: Command,
): AcceptedDecision {
  let isOwn = true
  const events = decision.events.map(decided => {
    const event = withSchemaVersion(
      behavior,
      conformEvent(schemas, actor, checkNewEvent(withMetadata(decided, metadata))),
    )
    const { type, data } = event
    checkData(data, () => `data of event ${show(type)}`)
    const given = handOut(freeze(data))
    if (event === decided && given === data) return event
    isOwn = false
    return { ...event, data: given }
  })
  return isOwn ? decision : { ...decision, events }
}

/** What `decide` says has precedence. */
function withMetadata(event: NewEvent, metadata: Metadata | undefined): NewEvent {
  if (metadata === undefined) return event
  return { ...event, metadata: { ...metadata, ...event.metadata } }
}

function withSchemaVersion(behavior: Behavior, event: NewEvent): NewEvent {
  const version = behavior.schemaVersionOf?.(event.type) ?? 1
  return version === 1 ? event : { ...event, schemaVersion: version }
}

/**
 * The outcome of a rejected command. It is a copy that shares nothing with the actor.
 * Throws `invalid-data` when the details cannot be encoded.
 */
export function rejectedOutcome(
  actor: ActorAddress,
  command: Command,
  { rejection: { code, message, details } }: RejectedDecision,
  { version }: Pick<FoldedState, 'version'>,
): RejectedOutcome {
  const description = () =>
    `details of rejection ${show(code)} of ${nameOf(actor, command)}`
  const rejection = { code, message, details: detach(details, description) }
  return { ok: false, version, rejection, ...commandIdsOf(command.id, command) }
}

/**
 * The outcome of an accepted command. Throws `decide-failed` when computing the reply throws, and
 * `invalid-data` when the reply cannot be encoded.
 */
export function acceptedOutcome(
  actor: ActorAddress,
  command: Command,
  decision: AcceptedDecision,
  { state, version, position }: Pick<FoldedState, 'state' | 'version' | 'position'>,
): AcceptedOutcome {
  const reply = wrapErrors(
    actor,
    command,
    'the reply',
    () => decision.reply(handOut(state)),
    watch => decision.reply(watch('state', state)),
  )
  const copy = detach(reply, () => `reply of ${nameOf(actor, command)}`)
  const { events, outbox } = decision
  const outcome: AcceptedOutcome = {
    ok: true,
    version,
    position,
    reply: copy,
    duplicate: false,
    ...commandIdsOf(command.id, command),
  }
  if (outbox === undefined) return outcome
  return {
    ...outcome,
    outboxIds: outboxEntryIds(actor, version - events.length + 1, outbox),
  }
}

function wrapErrors<T>(
  actor: ActorAddress,
  command: Command,
  what: string,
  work: () => T,
  again: (watch: Watch) => unknown,
): T {
  try {
    return work()
  } catch (cause) {
    if (isCairnError(cause)) throw cause
    const change = findRefusedChange(cause, again)
    if (change !== undefined) throw changedBy(actor, command, what, change, cause)
    throw decideFailed(actor, command, what, cause)
  }
}

function decideFailed(
  actor: ActorAddress,
  command: Command,
  what: string,
  cause: unknown,
): CairnError {
  return new CairnError(
    'decide-failed',
    `${what} of ${nameOf(actor, command)} threw: ${messageOf(cause)}. Nothing was stored, and the ` +
      'actor continues. Correct its behavior, or refuse such commands with reject(…).',
    {
      cause,
      details: {
        actor: formatAddress(actor),
        command: command.type,
        commandId: command.id,
      },
    },
  )
}

/** The error of a behavior that tries to change what it was given. */
function changedBy(
  actor: ActorAddress,
  command: Command,
  what: string,
  change: RefusedChange,
  cause: unknown,
): CairnError {
  const to = formatAddress(actor)
  const { name, path } = change
  const changed =
    name === 'state' ? `the state of ${to}` : `the data of command ${show(command.type)}`
  const remedy =
    name === 'state'
      ? 'Return an event instead, and let evolve return a new state: { ...state, … }.'
      : 'Copy it first.'
  return new CairnError(
    'invalid-definition',
    `${what} of ${nameOf(actor, command)} changed ${describeChange(change, changed)}, which it must only read. Nothing was stored. ${remedy}`,
    {
      cause,
      details: { actor: to, command: command.type, commandId: command.id, path },
    },
  )
}

function nameOf(actor: ActorAddress, command: Command): string {
  return `command ${show(command.type)} to ${formatAddress(actor)}`
}
