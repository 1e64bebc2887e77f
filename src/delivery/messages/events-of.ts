// Events of actors as messages: each actor type has a topic of its own, which nobody publishes on.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { RecordedEventOf } from '../../actor/definition-types.js'
import { CairnError } from '../../model/errors.js'
import { reservedTopicPrefix, type Topic } from '../../model/topic.js'

const prefix = `${reservedTopicPrefix}events.`

/**
 * All events of an actor type, as a topic that reactors and consumers read beside others:
 *
 * ```ts
 * const statements = defineReactor({
 *   name: 'statements',
 *   on: eventsOf(account),
 *   handle: async ({ data: event }) => {
 *     if (event.type === 'deposited') await mail(event.actor.id, event.data.amount)
 *   },
 * })
 * ```
 *
 * A message's id is the event's (`account/alice/5`), its data the event as it stands in the log. One
 * actor's events come in order, from its first one on. Publishing on it is refused with
 * `invalid-message`.
 */
export function eventsOf<Definition extends AnyActorDefinition>({
  type,
}: Definition): Topic<never, RecordedEventOf<Definition>> {
  return {
    name: eventsTopic(type),
    version: 1,
    check() {
      throw new CairnError(
        'invalid-message',
        `The events of ${type} are what its actors have stored: nobody publishes on their topic. ` +
          'Publish on one of your own (defineTopic), or send the actor a command.',
      )
    },
  }
}

/** Name of the topic of an actor type's events. */
export function eventsTopic(type: string): string {
  return `${prefix}${type}`
}

/** The actor type whose events the topic has, if any. */
export function typeOfEvents(topic: string): string | undefined {
  return topic.startsWith(prefix) ? topic.slice(prefix.length) : undefined
}
