// What deciders say beside their events: messages on topics, commands to other actors, and
// timers.

import { type ActorAddress, checkAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { OutboxEntry, OutboxTimer } from '../model/outbox.js'
import { show } from '../model/show.js'
import { checkTimer, checkTimerName } from '../model/timer.js'
import type { AnyTopic, Topic } from '../model/topic.js'
import type { AnyActorDefinition } from './definition.js'
import type { CommandArguments, CommandNameOf } from './definition-types.js'

const effect = Symbol.for('cairn.effect')

/**
 * What a decider says beside its events; made by {@link publish}, {@link send}, {@link schedule}
 * and {@link cancel}.
 */
export interface Effect {
  readonly [effect]: (now: number) => OutboxEntry
}

/** When a timer is due: `at` a moment, or `after` some time; without either, one `every` from now. */
export interface TimerOptions {
  /** A moment: a date, or ms since 1970. One that has passed is due at once. */
  readonly at?: Date | number
  /** Milliseconds after the moment of the decision. */
  readonly after?: number
  /**
   * Milliseconds from one firing to the next, in step with the first one. What was missed
   * meanwhile is made up for by one. Default: it fires once.
   */
  readonly every?: number
  /** What a late one does, where no node was there when it was due. Default `fire`. */
  readonly late?: 'fire' | 'skip'
  /** With `late: 'skip'`: milliseconds from which on it counts as late. Default 10,000. */
  readonly lateAfter?: number
}

/**
 * A message, stored with the events that the decider returns beside it, and delivered to every
 * group that reads the topic: `return [event('ended', …), publish(tripEnded, { … })]`. The
 * actor's definition lists the topic in `publishes`. Throws `invalid-message`.
 */
export function publish<Input>(topic: Topic<Input>, data: Input): Effect {
  const { name, version } = topic
  const said: OutboxEntry = {
    kind: 'message',
    topic: name,
    version,
    data: topic.check(data),
  }
  return { [effect]: () => said }
}

/**
 * A command to another actor, stored with the events that the decider returns beside it, and
 * carried out once, however often it is tried. Where two definitions send to each other, name
 * one of them by its address: `send({ type, id }, 'deposit', { amount })`.
 */
export function send<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
>(
  definition: Definition,
  id: string,
  command: Name,
  ...data: CommandArguments<Definition, Name, never>
): Effect
export function send(actor: ActorAddress, command: string, data?: unknown): Effect
export function send(
  to: AnyActorDefinition | ActorAddress,
  ...rest: readonly unknown[]
): Effect {
  const isDefinition = 'behavior' in to
  const [id, type, data] = isDefinition ? rest : [to.id, ...rest]
  const actor = checkAddress({ type: to.type, id: id as string })
  if (isDefinition) checkKnownCommand(to, type as string)
  const said: OutboxEntry = { kind: 'command', actor, type: type as string, data }
  return { [effect]: () => said }
}

/**
 * Sets this actor's timer of a name, stored with the events that the decider returns beside it.
 * When it is due the actor gets the command, once; a later setting of the same name replaces it.
 * It keeps its moment through restarts and moves: `schedule('unpaid', { after: 900_000 }, 'expire')`.
 * Throws `invalid-timer`.
 */
export function schedule(
  name: string,
  when: TimerOptions,
  command: string,
  data?: unknown,
): Effect {
  const { at, after, every, late = 'fire', lateAfter = lateAfterDefault } = when
  if (at !== undefined && after !== undefined)
    throw invalidTimer(
      name,
      'is due both at a moment and after a time: say one of the two',
    )
  if (at === undefined && after === undefined && every === undefined)
    throw invalidTimer(name, 'is never due: say at, after or every')
  if (late !== 'fire' && late !== 'skip')
    throw invalidTimer(name, `has late: ${show(late)}, which is 'fire' or 'skip'`)
  const timer = (due: number): OutboxTimer => ({
    kind: 'timer',
    name,
    at: due,
    ...(every !== undefined && { every }),
    ...(late === 'skip' && { skipAfter: lateAfter }),
    type: command,
    data,
  })
  const moment = at instanceof Date ? at.getTime() : at
  const dueAt = (now: number) => moment ?? now + (after ?? every ?? 0)
  checkTimer(timer(dueAt(0)))
  return { [effect]: now => timer(dueAt(now)) }
}

/** Cancels this actor's timer of a name; nothing happens where there is none, or it has fired. Throws `invalid-timer`. */
export function cancel(name: string): Effect {
  const said: OutboxEntry = { kind: 'cancel', name: checkTimerName(name) }
  return { [effect]: () => said }
}

const lateAfterDefault = 10_000

function invalidTimer(name: string, why: string): CairnError {
  return new CairnError('invalid-timer', `Timer ${show(name)} ${why}.`)
}

/** Throws `unknown-command` for a name that the definition has no command for. */
export function checkKnownCommand(
  { type, behavior }: AnyActorDefinition,
  command: string,
): void {
  const isKnown = behavior.knows?.(command) ?? behavior.commandTypes.includes(command)
  if (!isKnown) throw unknownCommand(type, command, behavior.commandTypes)
}

export function isEffect(item: unknown): item is Effect {
  return typeof item === 'object' && item !== null && effect in item
}

/** What it says, decided on at the moment `now`. */
export function toOutboxEntry(item: Effect, now: number): OutboxEntry {
  return item[effect](now)
}

/**
 * Only topics that are declared: who reads them finds their messages by the declaration. And only
 * timers of commands that the actor knows.
 */
export function checkOutbox(
  type: string,
  says: readonly OutboxEntry[] | undefined,
  publishes: readonly AnyTopic[],
  commandTypes: readonly string[],
): void {
  for (const one of says ?? []) {
    if (one.kind === 'timer' && !commandTypes.includes(one.type))
      throw unknownCommand(type, one.type, commandTypes)
    if (one.kind !== 'message') continue
    const isDeclared = publishes.some(
      ({ name, version }) => name === one.topic && version === one.version,
    )
    if (!isDeclared)
      throw new CairnError(
        'invalid-definition',
        `Actor type ${type} published on ${one.topic} (version ${one.version}), which its definition ` +
          'does not declare: add the topic to publishes.',
        { details: { type, topic: one.topic } },
      )
  }
}

/** Throws `invalid-definition` for what is no topic, and for two that differ under one name and version. */
export function checkTopics(what: string, topics: readonly AnyTopic[]): void {
  const known = new Map<string, AnyTopic>()
  for (const topic of topics) {
    if (typeof topic?.name !== 'string' || typeof topic.check !== 'function')
      throw new CairnError(
        'invalid-definition',
        `${what} holds ${show(topic)}: pass topics made by defineTopic.`,
      )
    const name = `${topic.name}@${topic.version}`
    const other = known.get(name)
    if (other !== undefined && other !== topic)
      throw new CairnError(
        'invalid-definition',
        `${what}: topic ${topic.name} (version ${topic.version}) is defined twice. Define it once, and ` +
          'import it where it is used; give another schema another version.',
        { details: { topic: topic.name, version: topic.version } },
      )
    known.set(name, topic)
  }
}

export function unknownCommand(
  type: string,
  command: string,
  known: readonly string[],
): CairnError {
  return new CairnError(
    'unknown-command',
    `Actor type ${type} knows no command ${show(command)}; it knows ${known.join(', ')}.`,
    { details: { type, command, known } },
  )
}
