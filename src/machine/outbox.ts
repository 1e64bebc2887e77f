// The outbox of a machine's step: emitted events become messages, and sent events become commands, both stored in the
// commit of the step. Delayed events are in timers.ts.

import type { EventObject } from 'xstate'

import { commandEntry, publish, toOutboxEntry } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import { answersOf } from '../model/answers.js'
import { CairnError } from '../model/errors.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { AnyTopic, Topic } from '../model/topic.js'
import { addressOf } from './actor-at.js'
import type { PendingAction } from './step-types.js'
import { payloadOf } from './payload.js'
import { isDelayed, noSuchTarget } from './timers.js'

interface SendParams {
  readonly to: unknown
  readonly event: EventObject
}

/**
 * @param emits the topic for each type of emitted event
 * @param now the folded of the decision
 */
export function outboxOf(
  actor: ActorAddress,
  actions: readonly PendingAction[],
  emits: ReadonlyMap<string, AnyTopic>,
  now: number,
): OutboxEntry[] {
  return actions.flatMap(({ action }) => {
    const { type, params } = action
    if (type === 'xstate.emit')
      return [
        message(actor, (params as { readonly event: EventObject }).event, emits, now),
      ]
    if (type === 'xstate.sendTo' && !isDelayed(action))
      return [command(actor, params as SendParams)]
    return []
  })
}

function message(
  { type }: ActorAddress,
  event: EventObject,
  emits: ReadonlyMap<string, AnyTopic>,
  now: number,
): OutboxEntry {
  const topic = emits.get(event.type)
  if (topic === undefined)
    throw new CairnError(
      'invalid-definition',
      `Machine ${type} emitted ${show(event.type)}, which has no topic: add ` +
        `emits: { ${show(event.type)}: topic } to its options.`,
      { details: { type, emitted: event.type } },
    )
  return toOutboxEntry(publish(topic as Topic<unknown>, payloadOf(event)), now)
}

function command(actor: ActorAddress, { to, event }: SendParams): OutboxEntry {
  const target = addressOf(to)
  if (target === undefined) throw noSuchTarget(actor, event)
  const answers = answersOf(target)
  return commandEntry(target, event.type, payloadOf(event), answers)
}
