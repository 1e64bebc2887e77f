// Effects: the messages on topics, commands to other actors, and timers that `decide` returns beside
// its events.

import { type ActorAddress, checkAddress } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { OutboxEntry, OutboxTimer } from '../model/outbox.js'
import { didYouMean } from '../model/nearest.js'
import { show } from '../model/show.js'
import { checkTimer, checkTimerName } from '../model/timer.js'
import { type AnyTopic, checkTopic, type Topic } from '../model/topic.js'
import type { AnyActorDefinition } from './definition.js'
import type { CommandArguments, CommandNameOf } from './definition-types.js'

const effect = Symbol.for('cairn.effect')

/**
 * What `decide` returns beside its events; made by {@link publish}, {@link send}, {@link schedule}
 * and {@link cancel}.
 */
export interface Effect {
  readonly [effect]: (now: number) => OutboxEntry
}

/** When a timer is due: `at` a time or `after` a delay; without either, one `every` from now. */
export interface TimerOptions {
  /** A date, or ms since 1970. A time that has passed is due at once. */
  readonly at?: Date | number
  /** Milliseconds after the decision. */
  readonly after?: number
  /**
   * Milliseconds from one firing to the next, counted from the first. One firing stands for all that
   * were missed. Default: the timer fires once.
   */
  readonly every?: number
  /** What a late firing does, if no node was running when it was due. Default `fire`. */
  readonly late?: 'fire' | 'skip'
  /** With `late: 'skip'`: milliseconds after which a firing is late. Default 10,000. */
  readonly lateAfter?: number
}

const timerOptionNames: OptionNames<TimerOptions> = {
  at: true,
  after: true,
  every: true,
  late: true,
  lateAfter: true,
}

/**
 * Publishes a message. It is stored with the events that `decide` returns with it, and delivered to
 * every group that reads the topic: `return [event('ended', …), publish(tripEnded, { … })]`. The
 * actor's definition must list the topic in `publishes`. Throws `invalid-message` or `invalid-definition`.
 */
export function publish<Input>(topic: Topic<Input>, data: Input): Effect {
  checkTopic('A message of an actor', topic)
  const { name, version } = topic
  const entry: OutboxEntry = {
    kind: 'message',
    topic: name,
    version,
    data: topic.check(data),
  }
  return { [effect]: () => entry }
}

/**
 * Sends a command to another actor. It is stored with the events that `decide` returns with it, and
 * takes effect once, however often it is tried. If two definitions send to each other, name one of
 * them by its address: `send({ type, id }, 'deposit', { amount })`.
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
  const entry: OutboxEntry = { kind: 'command', actor, type: type as string, data }
  return { [effect]: () => entry }
}

/**
 * Sets a timer of this actor: `schedule('unpaid', { after: 900_000 }, 'expire')`. It is stored with the
 * events that `decide` returns with it. When it is due, the actor gets the command, once; setting the
 * same name again replaces it. The due time does not change when nodes restart or the actor moves to
 * another node. Throws `invalid-timer`.
 */
export function schedule(
  name: string,
  when: TimerOptions,
  command: string,
  data?: unknown,
): Effect {
  checkOptions(`Timer ${show(name)}`, when, timerOptionNames)
  const { at, after, every, late = 'fire', lateAfter = lateAfterDefault } = when
  if (at !== undefined && after !== undefined)
    throw invalidTimer(name, 'has both at and after: use one of the two')
  if (at === undefined && after === undefined && every === undefined)
    throw invalidTimer(name, 'is never due: set at, after or every')
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
  const time = at instanceof Date ? at.getTime() : at
  const dueAt = (now: number) => time ?? now + (after ?? every ?? 0)
  checkTimer(timer(dueAt(0)))
  return { [effect]: now => timer(dueAt(now)) }
}

/** Cancels a timer of this actor; a no-op if there is none of that name, or it has fired. Throws `invalid-timer`. */
export function cancel(name: string): Effect {
  const entry: OutboxEntry = { kind: 'cancel', name: checkTimerName(name) }
  return { [effect]: () => entry }
}

const lateAfterDefault = 10_000

function invalidTimer(name: string, why: string): CairnError {
  return new CairnError('invalid-timer', `Timer ${show(name)} ${why}.`)
}

/** Throws `unknown-command` if the definition has no such command. */
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

/** Returns the outbox entry of an effect that was decided at `now`. */
export function toOutboxEntry(item: Effect, now: number): OutboxEntry {
  return item[effect](now)
}

/**
 * Throws `invalid-definition` for a message on a topic that is not in `publishes`: readers of a topic
 * find its messages by that declaration. Throws `unknown-command` for a timer whose command the actor
 * does not know.
 */
export function checkOutbox(
  type: string,
  outbox: readonly OutboxEntry[] | undefined,
  publishes: readonly AnyTopic[],
  commandTypes: readonly string[],
): void {
  for (const entry of outbox ?? []) {
    if (entry.kind === 'timer' && !commandTypes.includes(entry.type))
      throw unknownCommand(type, entry.type, commandTypes)
    if (entry.kind !== 'message') continue
    const isDeclared = publishes.some(
      ({ name, version }) => name === entry.topic && version === entry.version,
    )
    if (!isDeclared)
      throw new CairnError(
        'invalid-definition',
        `Actor type ${type} published on ${entry.topic} (version ${entry.version}), which its definition ` +
          'does not declare: add the topic to publishes.',
        { details: { type, topic: entry.topic } },
      )
  }
}

/** Throws `invalid-definition` for a value that is not a topic, and for two different topics of one name and version. */
export function checkTopics(what: string, topics: readonly AnyTopic[]): void {
  const known = new Map<string, AnyTopic>()
  for (const topic of topics) {
    checkTopic(what, topic)
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
    `Actor type ${type} knows no command ${show(command)}.${didYouMean(command, known)} It knows ${known.join(', ')}.`,
    { details: { type, command, known } },
  )
}
