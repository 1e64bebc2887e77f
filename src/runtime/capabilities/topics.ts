// The registry of topics: which actor types publish on which topics, and what reactors read. Written
// before the node serves.

import type { AnyActorDefinition } from '../../actor/definition.js'
import {
  registerPublisher,
  registerReader,
} from '../../delivery/messages/topic-registry.js'
import type { Reactor } from '../../delivery/reactor/define-reactor.js'
import type { Documents } from '../../store/documents/documents.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import type { Logger } from '../../model/log.js'

export function topicsCapability({ settings, open, log }: NodeContext): Capability {
  return {
    async start() {
      for (const reactor of settings.reactors)
        await registerReactor(open.documents, reactor, log)
      for (const actor of settings.actors) await registerActor(open.documents, actor)
    },
  }
}

/** A reactor continues at its checkpoint whatever it reads now: what that leaves out is logged. */
async function registerReactor(
  documents: Documents,
  { name, topics }: Reactor,
  log: Logger,
): Promise<void> {
  const names = topics.map(topic => topic.name)
  const { added, removed } = await registerReader(documents, name, names)
  if (removed.length > 0)
    log.warn(
      { reactor: name, topics: removed },
      `Reactor ${name} does not read ${removed.join(', ')} any more: messages that wait there are skipped. ` +
        'If that is not meant, put these topics back into its `on` before it handles further messages.',
    )
  if (added.length > 0)
    log.warn(
      { reactor: name, topics: added },
      `Reactor ${name} reads ${added.join(', ')} from its checkpoint on: earlier messages are not handled. ` +
        'A reactor of another name begins with the first message.',
    )
}

async function registerActor(
  documents: Documents,
  { type, publishes = [] }: AnyActorDefinition,
): Promise<void> {
  for (const name of new Set(publishes.map(topic => topic.name)))
    await registerPublisher(documents, name, type)
}
