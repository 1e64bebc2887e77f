// Deciding: runs a behavior's `decide`, and turns its outcome into an answer.
//
// Whatever goes wrong here is the fault of one command: the actor is untouched.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type {
  AcceptedDecision,
  Command,
  DecideContext,
  Decision,
  RejectedDecision,
} from '../model/behavior.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import { checkNewEvent } from '../model/event.js'
import type { AcceptedOutcome, RejectedOutcome } from '../model/command-sender.js'
import { outboxEntryIds } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { TimerFiring } from '../model/timer.js'
import { withCauses } from './causes.js'
import type { AnyActorDefinition } from './definition.js'
import { detach } from './detach.js'
import { isThenable, type FoldedState } from './fold.js'

/**
 * What the behavior decides. Throws `decide-failed` for whatever it throws, except for the
 * errors of this package (`unknown-command`, `invalid-definition`), which pass.
 */
export function decide(
  { behavior }: AnyActorDefinition,
  actor: ActorAddress,
  { state, version }: FoldedState,
  command: Command,
  now: number,
  firing?: TimerFiring,
): Decision {
  const known = { actor, version, commandId: command.id, now }
  const context: DecideContext = withCauses(
    firing === undefined ? known : { ...known, firing },
    command,
  )
  const decision = guard(actor, command, 'decide', () =>
    behavior.decide(state, command, context),
  )
  if (isThenable(decision)) {
    // Its outcome no longer matters, and must not surface as an unhandled rejection.
    decision.then(undefined, () => {})
    throw new CairnError(
      'invalid-definition',
      `decide of ${nameOf(actor, command)} returned a promise: it must be synchronous and pure. ` +
        'Do the waiting before the command is sent, and hand its result in as data.',
    )
  }
  if (decision.ok) for (const event of decision.events) checkNewEvent(event)
  return decision
}

/**
 * The answer to a refused command; like every answer a copy, sharing nothing with the actor.
 * Throws `invalid-data` when its details cannot travel.
 */
export function rejectedOutcome(
  actor: ActorAddress,
  command: Command,
  { rejection: { code, message, details } }: RejectedDecision,
  { version }: Pick<FoldedState, 'version'>,
): RejectedOutcome {
  const what = () => `details of rejection ${show(code)} of ${nameOf(actor, command)}`
  const rejection = { code, message, details: detach(details, what) }
  return { ok: false, version, rejection }
}

/**
 * The answer to an accepted command. Throws `decide-failed` when computing its reply does,
 * `invalid-data` when the reply cannot travel.
 */
export function acceptedOutcome(
  actor: ActorAddress,
  command: Command,
  decision: AcceptedDecision,
  { state, version, position }: Pick<FoldedState, 'state' | 'version' | 'position'>,
): AcceptedOutcome {
  const reply = guard(actor, command, 'the reply', () => decision.reply(state))
  const copy = detach(reply, () => `reply of ${nameOf(actor, command)}`)
  const { events, outbox } = decision
  const answer: AcceptedOutcome = {
    ok: true,
    version,
    position,
    reply: copy,
    duplicate: false,
  }
  if (outbox === undefined) return answer
  return {
    ...answer,
    outboxIds: outboxEntryIds(actor, version - events.length + 1, outbox),
  }
}

function guard<T>(actor: ActorAddress, command: Command, what: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (isCairnError(cause)) throw cause
    throw new CairnError(
      'decide-failed',
      `${what} of ${nameOf(actor, command)} threw: ${messageOf(cause)}. Nothing was stored, and the ` +
        'actor goes on; correct its behavior, or refuse such commands with reject(…).',
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
}

function nameOf(actor: ActorAddress, command: Command): string {
  return `command ${show(command.type)} to ${formatAddress(actor)}`
}
