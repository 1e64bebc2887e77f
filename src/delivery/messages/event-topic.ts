// Events of actors as messages. Each actor type has a topic of its own that accepts no publishing.

import { checkDefinition } from '../../actor/check-definition.js'
import type { AnyActorDefinition } from '../../actor/definition.js'
import type { RecordedEventOf } from '../../actor/definition-types.js'
import { upcastEvent } from '../../actor/fold.js'
import type { RecordedEvent } from '../../model/event.js'
import { CairnError } from '../../model/errors.js'
import { reservedTopicPrefix, type Topic } from '../../model/topic.js'

const prefix = `${reservedTopicPrefix}events.`

/**
 * All events of an actor type as a topic, which reactors and consumers read like any other:
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
 * A message's id is the id of its event (`account/alice/5`); its data is the event as the log has it. The
 * events of one actor arrive in order, from the first one on. Publishing on the topic throws
 * `invalid-message`.
 */
export function eventsOf<Definition extends AnyActorDefinition>(
  definition: Definition,
): Topic<never, RecordedEventOf<Definition>> {
  checkDefinition('eventsOf', definition)
  const { type, behavior } = definition
  return {
    name: eventTopicName(type),
    version: 1,
    // Without steps, too: it refuses what a later definition has stored.
    upcast: stored => upcastEvent(behavior, stored as RecordedEvent),
    check() {
      throw new CairnError(
        'invalid-message',
        `The topic of the events of ${type} holds what its actors have stored, and accepts no publishing. ` +
          'Publish on a topic of your own (defineTopic), or send the actor a command.',
      )
    },
  }
}

/** Name of the topic of an actor type's events. */
export function eventTopicName(type: string): string {
  return `${prefix}${type}`
}

/** The actor type whose events the topic holds; `undefined` for every other topic. */
export function actorTypeOfTopic(topic: string): string | undefined {
  return topic.startsWith(prefix) ? topic.slice(prefix.length) : undefined
}
