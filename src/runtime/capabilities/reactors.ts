// Reactors: each is a consumer group that handles messages.

import { actorRef } from '../../actor/ref.js'
import { storeDeadLetter } from '../../delivery/dead-letters/dead-letters.js'
import type { DeliveryAttempt } from '../../delivery/group/handling.js'
import type { Message } from '../../delivery/messages/message.js'
import { publishMessage } from '../../delivery/messages/publish-message.js'
import type { BaseContext } from '../../delivery/reactor/attempt.js'
import type { AttemptLog } from '../../delivery/reactor/attempt-log.js'
import { type Causation, causationOf } from '../../delivery/reactor/causation.js'
import type { Reactor } from '../../delivery/reactor/define-reactor.js'
import { reactorGroup, startReactor } from '../../delivery/reactor/reactor.js'
import { firstMessage, readStart } from '../../delivery/source/start-place.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { defined } from '../../model/defined.js'
import type { NodeLog } from '../../model/log.js'
import { groupBasics, type GroupParts } from './group.js'

export function reactorsCapability(context: NodeContext, parts: GroupParts): Capability {
  const { settings, open, notices, log, isMember, deadLetters } = context
  const { reactors, clock } = settings
  let running: ReturnType<typeof startReactor>[] = []
  const start = async (reactor: Reactor) => {
    const { name, startAt } = reactor
    const group = reactorGroup(name)
    const begins =
      startAt === 'new' ? await readStart(open.documents, 'reactor', name) : firstMessage
    return startReactor(reactor, {
      ...groupBasics(group, context, parts),
      clock,
      store: open.store,
      bus: notices,
      queue: open.queues.topic,
      start: begins,
      contextOf: contextFactory(context, parts),
      async storeDeadLetter(
        _,
        { source, redrives },
        message,
        { error, reason, attempt },
      ) {
        const { attempt: attempts, firstAt, signal } = attempt
        const letter = { message, source, redrives, error, reason, attempts, firstAt }
        await storeDeadLetter(deadLetters, reactor.name, letter, clock, signal)
      },
      attemptLog: attemptLogOf(log.child({ part: group })),
    })
  }
  return {
    groups: reactors.map(({ name }) => reactorGroup(name)),
    async start() {
      if (isMember) running = await Promise.all(reactors.map(start))
    },
    async stop({ timeout }) {
      await Promise.all(running.map(reactor => reactor.stop(timeout / 2)))
    },
    unsettled: signal => Promise.all(running.map(reactor => reactor.unsettled(signal))),
    stats: () => ({
      deadLetters: context.deadLetterCounts(),
      reactors: Object.fromEntries(running.map(({ name, stats }) => [name, stats()])),
    }),
  }
}

/** Makes the context of one attempt to handle a message. */
function contextFactory({ settings, open }: NodeContext, parts: GroupParts) {
  const { id, clock } = settings
  const sender = parts.sender()
  return (
    message: Message,
    reactor: Reactor,
    { attempt, epoch, position, mayBeRepeat: mayBeRedelivered }: DeliveryAttempt,
    redrives: number,
  ): BaseContext => {
    const mayBeRepeat = mayBeRedelivered || redrives > 0
    // Made when used: most handlers cause nothing.
    let made: Causation | undefined
    const caused = () =>
      (made ??= causationOf(message, reactor.name, sender, mayBeRepeat))
    return {
      attempt,
      mayBeRepeat,
      fencingToken: { epoch, position },
      redrives,
      isLastAttempt: attempt >= reactor.retry.attempts,
      spawn: (definition, actorId) =>
        actorRef(definition, actorId, {
          sender: caused().sender,
          durableSender: caused().sender,
          ...parts.refPorts,
        }),
      publish(topic, data, options = {}) {
        const from = { nodeId: id, clock, store: open.store }
        const causes = { ...caused().next(topic?.name), ...defined(options) }
        return publishMessage(open.queues.topic, from, topic, data, causes, true)
      },
    }
  }
}

function attemptLogOf(log: NodeLog): AttemptLog {
  return Object.assign(
    (...[level, message, details]: Parameters<AttemptLog>) =>
      log[level](details, message),
    { isLevelEnabled: (level: Parameters<AttemptLog>[0]) => log.isLevelEnabled(level) },
  )
}
