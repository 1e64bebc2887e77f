// What deciders say beside their events: messages on topics, and commands to other actors.

import { type ActorAddress, checkAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { Said } from '../model/said.js'
import { show } from '../model/show.js'
import type { AnyTopic, Topic } from '../model/topic.js'
import type { AnyActorDefinition } from './define.js'
import type { CommandArguments, CommandNameOf } from './types.js'

const effect = Symbol.for('cairn.effect')

/** What a decider says beside its events; made by {@link publish} and {@link send}. */
export interface Effect {
  readonly [effect]: Said
}

/**
 * A message, stored with the events that the decider returns beside it, and delivered to every
 * group that reads the topic: `return [event('ended', …), publish(tripEnded, { … })]`. The
 * actor's definition lists the topic in `publishes`. Throws `invalid-message`.
 */
export function publish<Input>(topic: Topic<Input>, data: Input): Effect {
  const { name, version } = topic
  return { [effect]: { kind: 'message', topic: name, version, data: topic.check(data) } }
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
  return { [effect]: { kind: 'command', actor, type: type as string, data } }
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

export function said(item: Effect): Said {
  return item[effect]
}

/** Only topics that are declared: who reads them finds their messages by the declaration. */
export function checkSaid(
  type: string,
  says: readonly Said[] | undefined,
  publishes: readonly AnyTopic[],
): void {
  for (const one of says ?? []) {
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
