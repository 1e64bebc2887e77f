// A node's part in the groups of its namespace: the inbox, the courier, and its reactors.
// The part of the composition root that is about them.

import type { AnyActorDefinition } from '../actor/definition.js'
import { actorRef, type RefPorts } from '../actor/ref.js'
import type { OpenNamespace } from '../backend/backend.js'
import type { NoticeFanout } from '../bus/notice-fanout.js'
import { partitionClaims } from '../cluster/partition-claims.js'
import type { Member, Membership } from '../cluster/membership.js'
import type { Clock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'
import type { DurableCommandSender, CommandSender } from '../model/command-sender.js'
import { type Logger, writeTo } from '../model/log.js'
import type { AnyTopic } from '../model/topic.js'
import { checkTopics } from '../actor/effects.js'
import type { ContextBase } from '../delivery/reactor/attempt.js'
import { type CausedBy, causedBy } from '../delivery/reactor/caused.js'
import { SerialExecutor } from '../delivery/group/serial-executor.js'
import {
  courierGroup,
  type CourierStats,
  noCourier,
  startCourier,
} from '../delivery/commands/courier.js'
import type { AttemptLog } from '../delivery/reactor/attempt-log.js'
import { storeDeadLetter } from '../delivery/dead-letters/dead-letters.js'
import type { Reactor } from '../delivery/reactor/define-reactor.js'
import {
  firingGroup,
  type DueTimersStats,
  noFiring,
  startDueTimers,
} from '../delivery/commands/due-timers.js'
import type { GroupStats } from '../delivery/group/group.js'
import {
  inboxGroup,
  type InboxStats,
  noInbox,
  startInbox,
} from '../delivery/commands/inbox.js'
import type { DeliveryAttempt } from '../delivery/group/partition-processor.js'
import { commandDeadLetters } from '../delivery/commands/give-up-command.js'
import type { Message } from '../delivery/messages/message.js'
import { reactorGroup, startReactor } from '../delivery/reactor/reactor.js'
import { registerPublisher, registerReader } from '../delivery/messages/topic-registry.js'
import { putMessage } from '../delivery/messages/topics.js'

export interface GroupsStats {
  /** Commands that are stored for actors, as far as this node carries them out. */
  readonly inbox: InboxStats
  /** Commands that commits say, as far as this node carries them out. */
  readonly courier: CourierStats
  /** Timers that are due, as far as this node sends their commands; none where it is passive. */
  readonly timers: DueTimersStats
  /** By the reactor's name. */
  readonly reactors: Readonly<Record<string, GroupStats>>
}

export interface RunningGroups {
  stats(): GroupsStats
  stop(timeout: number): Promise<void>
}

export const noGroups: RunningGroups = {
  stats: () => ({ inbox: noInbox, courier: noCourier, timers: noFiring, reactors: {} }),
  stop: async () => {},
}

/** Whether a node's timers fire: see `timers` in NodeOptions. */
export type TimersOption = 'active' | 'passive'

/** The groups that a node with these reactors takes part in. */
export function groupNames(
  reactors: readonly Reactor[],
  timers: TimersOption = 'active',
): string[] {
  return [
    inboxGroup,
    courierGroup,
    ...(timers === 'active' ? [firingGroup] : []),
    ...reactors.map(({ name }) => reactorGroup(name)),
  ]
}

/**
 * Throws `invalid-definition` for two reactors of one name, which would share the messages
 * instead of getting all of them, and for two topics that differ under one name.
 */
export function checkGroups(
  actors: readonly AnyActorDefinition[],
  reactors: readonly Reactor[],
): void {
  const names = new Set<string>()
  for (const { name } of reactors) {
    if (names.has(name))
      throw new CairnError(
        'invalid-definition',
        `Two reactors are named ${name}: they would be one group, and each message would reach only one of ` +
          'the two. Give one of them another name, or handle both in one.',
        { details: { name } },
      )
    names.add(name)
  }
  const topics: AnyTopic[] = [
    ...actors.flatMap(({ publishes = [] }) => publishes),
    ...reactors.flatMap(reactor => reactor.topics),
  ]
  checkTopics('What this node publishes and reads', topics)
}

/**
 * Writes down which types publish on which topics, and what reactors read; before the node serves. A
 * reactor goes on from where it stands, whatever it reads now: what that leaves out is told.
 */
export async function registerTopics(
  { documents }: OpenNamespace,
  actors: readonly AnyActorDefinition[],
  reactors: readonly Reactor[],
  log: Logger,
): Promise<void> {
  for (const { name, topics } of reactors) {
    const names = topics.map(topic => topic.name)
    const { added, gone } = await registerReader(documents, name, names)
    if (gone.length > 0)
      log.warn(
        { reactor: name, topics: gone },
        `Reactor ${name} has read ${gone.join(', ')} before, and does not any more: what waits there is passed by. ` +
          'If that is not meant, put it back into its on before it goes on.',
      )
    if (added.length > 0)
      log.warn(
        { reactor: name, topics: added },
        `Reactor ${name} reads ${added.join(', ')} from where it stands: what was published there before is not handled. ` +
          'A reactor of another name begins with the first message.',
      )
  }
  for (const { type, publishes = [] } of actors)
    for (const name of new Set(publishes.map(topic => topic.name)))
      await registerPublisher(documents, name, type)
}

function crumbsOf(log: Logger): AttemptLog {
  return Object.assign(
    (...[level, message, details]: Parameters<AttemptLog>) =>
      log[level](details, message),
    { isWritten: (level: Parameters<AttemptLog>[0]) => log.isLevelEnabled(level) },
  )
}

export function startGroups(
  open: OpenNamespace,
  parts: {
    readonly self: Member
    readonly membership: Membership
    readonly sender: CommandSender & DurableCommandSender
    /** What references need beside the ways of their commands. */
    readonly ports: Omit<RefPorts, 'sender' | 'durableSender'>
    readonly notices: NoticeFanout
    readonly reactors: readonly Reactor[]
    readonly timers: TimersOption
    readonly clock: Clock
    readonly log: Logger
  },
): RunningGroups {
  const { self, membership, sender, reactors, clock, notices: bus } = parts
  const { id, incarnation } = self
  const { store, queues, documents, timers, partitions } = open
  const caution = new SerialExecutor()
  const shared = (name: string) => {
    const log = parts.log.child({ part: name })
    return {
      partitions,
      documents,
      claims: partitionClaims(membership, id, name),
      self: { id, incarnation },
      sender,
      // What ails this machine passes in real time.
      clock: { now: () => clock.now() },
      serialExecutor: caution,
      log: writeTo(log),
    }
  }
  const contextOf = (
    message: Message,
    reactor: Reactor,
    { attempt, mayBeRepeat }: DeliveryAttempt,
    redrives: number,
  ): ContextBase => {
    const isRepeat = mayBeRepeat || redrives > 0
    // Most handlers cause nothing.
    let made: CausedBy | undefined
    const caused = () => (made ??= causedBy(message, reactor.name, sender, isRepeat))
    return {
      attempt,
      mayBeRepeat: isRepeat,
      redrives,
      isLastAttempt: attempt >= reactor.retry.attempts,
      spawn: (definition, actorId) =>
        actorRef(definition, actorId, {
          sender: caused().sender,
          durableSender: caused().sender,
          ...parts.ports,
        }),
      publish: (topic, data, options) => {
        const from = { nodeId: id, clock }
        return putMessage(queues.topic, from, topic, data, {
          ...caused().next(),
          ...options,
        })
      },
    }
  }
  const commandDeadLettersOf = (group: string) => commandDeadLetters(group, queues, clock)
  const inbox = startInbox({
    ...shared(inboxGroup),
    queue: queues.inbox,
    deadLetterCommand: commandDeadLettersOf(inboxGroup),
  })
  const courier = startCourier({
    ...shared(courierGroup),
    store,
    bus,
    timers,
    deadLetterCommand: commandDeadLettersOf(courierGroup),
  })
  const firing =
    parts.timers === 'active'
      ? startDueTimers({
          ...shared(firingGroup),
          timers,
          deadLetterCommand: commandDeadLettersOf(firingGroup),
        })
      : undefined
  const running = reactors.map(reactor =>
    startReactor(reactor, {
      ...shared(reactorGroup(reactor.name)),
      clock,
      store,
      bus,
      queue: queues.topic,
      contextOf,
      async deadLetter(_, { source, redrives }, message, { error, reason, attempt }) {
        const { attempt: attempts, firstAt, signal } = attempt
        const letter = { message, source, redrives, error, reason, attempts, firstAt }
        await storeDeadLetter(queues, reactor.name, letter, clock, signal)
      },
      attemptLog: crumbsOf(parts.log.child({ part: reactorGroup(reactor.name) })),
    }),
  )
  return {
    stats: () => ({
      inbox: inbox.stats(),
      courier: courier.stats(),
      timers: firing?.stats() ?? noFiring,
      reactors: Object.fromEntries(running.map(({ name, stats }) => [name, stats()])),
    }),
    async stop(timeout) {
      const groups = [inbox, courier, ...(firing ? [firing] : []), ...running]
      await Promise.all(groups.map(group => group.stop(timeout)))
    },
  }
}
