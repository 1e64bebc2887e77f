// Timers whose command the definition of their actor does not know: when they are due, their command fails.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { OpenNamespace } from '../../backend/backend.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { Timer } from '../../model/timer.js'
import { isoTime } from '../../runtime/views/iso-time.js'
import { readTimer } from '../../store/timers/timers.js'
import type { Problem } from './problem.js'

/**
 * The waiting timers, and those that are due, of types that do not derive their timers from states. Of one actor, if it is given.
 * Throws the errors of reading.
 */
export async function* unknownCommands(
  { timers, partitions }: Pick<OpenNamespace, 'timers' | 'partitions'>,
  definitions: readonly AnyActorDefinition[],
  only: ActorAddress | undefined,
  signal: AbortSignal,
): AsyncGenerator<Problem> {
  const byType = new Map(
    definitions
      .filter(({ behavior }) => behavior.timers === undefined)
      .map(definition => [definition.type, definition]),
  )
  if (byType.size === 0) return
  const name = only && formatAddress(only)
  const isUnknown = ({ actor, type }: Timer) => {
    const behavior = byType.get(actor.type)?.behavior
    if (behavior === undefined) return false
    if (name !== undefined && formatAddress(actor) !== name) return false
    return !(behavior.knows?.(type) ?? behavior.commandTypes.includes(type))
  }
  const actor = only === undefined ? {} : { actor: only }
  for await (const timer of timers.list({ ...actor, signal }))
    if (isUnknown(timer)) yield problemOf(timer, `is due ${isoTime(timer.at)}`)
  for await (const { key, headers, body } of timers.due.read({ signal })) {
    const timer = readTimer(key, headers, body, partitions)
    if (typeof timer !== 'string' && isUnknown(timer)) yield problemOf(timer, 'is due')
  }
}

function problemOf({ actor, name, type }: Timer, when: string): Problem {
  const message =
    `timer ${JSON.stringify(name)} ${when} and sends command ${JSON.stringify(type)}, which the definition does not ` +
    'know: keep the command, or cancel the timer before the deployment.'
  return { actor: formatAddress(actor), problem: 'timers', message }
}
