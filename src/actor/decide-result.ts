// The conversion of what a handler of `decide` returns into a decision.

import type { Decision } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'
import { type Effect, isEffect, toOutboxEntry } from './effects.js'
import type { EmittedEvent } from './event.js'
import type { DecideResult } from './handler-types.js'
import { rejected } from './reject.js'

/** Throws `invalid-definition` for a result that is not a {@link DecideResult}. */
export function toDecision<State>(
  result: DecideResult<State>,
  now: number,
): Decision<State> {
  if (result === undefined || result === null)
    return { ok: true, events: [], reply: noReply }
  if (typeof result !== 'object')
    throw new CairnError(
      'invalid-definition',
      `decide returned ${show(result)}: return event(…), a list of them, { events, reply }, reject(…) or nothing.`,
    )
  if (rejected in result) return { ok: false, rejection: result[rejected] }
  if (isList(result)) return toAccepted(result, noReply, now)
  const single: unknown = result
  if (isEffect(single)) return toAccepted([single], noReply, now)
  if ('type' in result) return { ok: true, events: [result], reply: noReply }
  if (isIgnoredPromise(result))
    throw new CairnError(
      'invalid-definition',
      'decide returned a promise: it must be synchronous and pure. Do asynchronous work before sending ' +
        'the command, and pass its result as data.',
    )
  const unknown = Object.keys(result).find(key => key !== 'events' && key !== 'reply')
  if (unknown !== undefined)
    throw new CairnError(
      'invalid-definition',
      `decide returned an object with ${show(unknown)}: only events and reply are allowed there.`,
    )
  const { events = [], reply } = result
  return toAccepted(
    isList(events) ? events : [events],
    typeof reply === 'function' ? (reply as (state: State) => unknown) : () => reply,
    now,
  )
}

/** Separates events from effects. */
function toAccepted<State>(
  list: readonly (EmittedEvent | Effect)[],
  reply: (state: State) => unknown,
  now: number,
): Decision<State> {
  for (const item of list as readonly unknown[])
    if (typeof item === 'object' && item !== null && rejected in item)
      throw new CairnError(
        'invalid-definition',
        'decide returned a rejection among its events: return reject(…) alone, and no event with it.',
      )
  if (!list.some(item => isEffect(item)))
    return { ok: true, events: list as readonly EmittedEvent[], reply }
  const events = list.filter((item): item is EmittedEvent => !isEffect(item))
  const outbox = list.filter(item => isEffect(item)).map(item => toOutboxEntry(item, now))
  if (events.length > 0) return { ok: true, events, outbox, reply }
  throw new CairnError(
    'invalid-definition',
    'decide returned messages, commands, timers or work without an event: they are stored with an event. ' +
      'Return the event that they belong to, too.',
  )
}

const noReply = () => undefined

function isList(value: unknown): value is readonly (EmittedEvent | Effect)[] {
  return Array.isArray(value)
}
