// The registry of topics: which actor types publish on which topics, and what reactors read. Written
// before the node serves.

import {
  areRegistered,
  beginPublishers,
  isKnownReader,
  registerPublisher,
  registerReader,
} from '../../delivery/messages/topic-registry.js'
import type { Reactor } from '../../delivery/reactor/define-reactor.js'
import { fixStart } from '../../delivery/source/start-place.js'
import type { OpenNamespace } from '../../backend/backend.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import type { NodeLog } from '../../model/log.js'

export interface TopicsCapability extends Capability {
  /** Registers the actor types of this node again where their registration is lost (TOPIC-REGISTRY-1). */
  registerAgain(): Promise<void>
}

export function topicsCapability({ settings, open, log }: NodeContext): TopicsCapability {
  const published: Record<string, readonly string[]> = {}
  for (const { type, publishes = [] } of settings.actors)
    for (const { name } of publishes)
      published[name] = [...new Set([...(published[name] ?? []), type])]
  const isNew = async () => (await open.store.lastPosition()) === 0
  const register = async () => {
    for (const [topic, types] of Object.entries(published))
      for (const type of types)
        await registerPublisher(open.documents, topic, type, isNew)
  }
  return {
    async start() {
      for (const reactor of settings.reactors) await registerReactor(open, reactor, log)
      await register()
      if (settings.actors.length > 0) await beginPublishers(open.documents, isNew)
    },
    async registerAgain() {
      if (Object.keys(published).length === 0) return
      if (!(await areRegistered(open.documents, published))) await register()
    },
  }
}

/** A reactor continues at its checkpoint whatever it reads now: what that leaves out is logged. */
async function registerReactor(
  open: OpenNamespace,
  { name, topics, patterns, startAt }: Reactor,
  log: NodeLog,
): Promise<void> {
  const { documents } = open
  if (startAt === 'new') {
    // Before it is known: a reactor that was known without a place has begun with the first message.
    const isNew = async () => !(await isKnownReader(documents, name))
    await fixStart(open, 'reactor', name, isNew, new AbortController().signal)
  }
  const names = [...topics.map(topic => topic.name), ...patterns]
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
