// Effects: the messages on topics, commands to other actors, timers and work that `decide` returns beside
// its events.

import { type ActorAddress, checkAddress } from '../model/address.js'
import {
  type AnsweredCommand,
  type Answers,
  answersOf,
  checkAnswers,
  hearersOf,
} from '../model/answers.js'
import type { Rejection } from '../model/behavior.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { defined } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import { checkMessageHeaders } from '../model/message-headers.js'
import type { OutboxEntry, OutboxTimer } from '../model/outbox.js'
import { didYouMean } from '../model/nearest.js'
import { show } from '../model/show.js'
import { checkTimer, checkTimerName } from '../model/timer.js'
import { type AnyTopic, checkTopic, type Topic } from '../model/topic.js'
import type { AnyActorType } from './contract.js'
import type { AnyActorDefinition } from './definition.js'
import type {
  CommandArguments,
  CommandTypesOf,
  KnownName,
  RefusedWith,
  RepliedWith,
} from './definition-types.js'
import { checkCommandData } from './schemas.js'
import { type AnyWork, checkWork } from './work.js'

const effect = Symbol.for('cairn.effect')

/**
 * What `decide` returns beside its events; made by {@link publish}, {@link send}, {@link schedule},
 * `perform` and {@link cancel}.
 */
export interface Effect<
  // oxlint-disable-next-line typescript/no-explicit-any -- any commands of its own
  Own = any,
  // oxlint-disable-next-line typescript/no-explicit-any -- any work
  Work = any,
> {
  readonly [effect]: (now: number) => OutboxEntry
  // Both are invariant: in a list of several, the compiler keeps the type of each.
  /** Exists only as a type: the data of the commands that the actor itself gets by it, by name. */
  readonly $own?: (own: Own) => Own
  /** Exists only as a type: the name of the work that it asks for. */
  readonly $work?: (work: Work) => Work
}

/** When a timer is due: `at` a time or `after` a delay; without either, one `every` from now. */
export interface TimerOptions {
  /** A date, or ms since 1970. A time that has passed is due at once. */
  readonly at?: Date | number | undefined
  /** Milliseconds after the decision. */
  readonly after?: number | undefined
  /**
   * Milliseconds from one firing to the next, counted from the first. One firing stands for all that
   * were missed. Default: the timer fires once.
   */
  readonly every?: number | undefined
  /** What a late firing does, if no node was running when it was due. Default `fire`. */
  readonly late?: 'fire' | 'skip' | undefined
  /** With `late: 'skip'`: milliseconds after which a firing is late. Default 10,000. */
  readonly lateAfter?: number | undefined
}

const timerOptionNames: OptionNames<TimerOptions> = {
  at: true,
  after: true,
  every: true,
  late: true,
  lateAfter: true,
}

const publishOptionNames = { headers: true } as const

/**
 * Publishes a message. It is stored with the events that `decide` returns with it, and delivered to
 * every group that reads the topic: `return [event('ended', …), publish(tripEnded, { … })]`. The
 * actor's definition must list the topic in `publishes`. With `headers`, its readers get these texts by name beside the data.
 * Throws `invalid-message`, `invalid-option` or `invalid-definition`.
 */
export function publish<Input>(
  topic: Topic<Input>,
  data: Input,
  options: { readonly headers?: Readonly<Record<string, string>> | undefined } = {},
): Effect<object, undefined> {
  checkTopic('A message of an actor', topic)
  checkOptions('publish', options, publishOptionNames)
  const { name, version } = topic
  const entry: OutboxEntry = {
    kind: 'message',
    topic: name,
    version,
    data: topic.check(data),
    ...defined({ headers: checkMessageHeaders(name, options.headers) }),
  }
  return { [effect]: () => entry }
}

/**
 * Sends a command to another actor. It is stored with the events that `decide` returns with it, and
 * takes effect once, however often it is tried. If two definitions send to each other, give one of
 * them a {@link contract}; `send(contract('driver'), …)` checks no names and no data.
 *
 * ```ts
 * send(driver, id, 'assign', job, { refused: 'assignRefused', replied: 'assigned' })
 * ```
 *
 * `refused` and `replied` name commands of the actor that sends it: one of them is sent back, once, with the
 * rejection or the reply. A rejection that none of them hears is counted and logged; with `deadLetter: true` it
 * becomes a dead letter. Throws `unknown-command`, `invalid-actor-id`, `invalid-option`, or `invalid-definition` for what is no definition.
 */
export function send<
  To extends AnyActorType,
  Name extends string,
  Refused extends string = never,
  Replied extends string = never,
>(
  to: To,
  id: string,
  command: KnownName<To, Name>,
  ...args: CommandArguments<To, Name, Answers<Refused, Replied>>
): Effect<
  {
    [Command in Refused]: RefusedWith<
      Name,
      CommandTypesOf<To, Name>['data'],
      CommandTypesOf<To, Name>['rejection']
    >
  } & {
    [Command in Replied]: RepliedWith<
      Name,
      CommandTypesOf<To, Name>['data'],
      CommandTypesOf<To, Name>['reply']
    >
  },
  undefined
> {
  if (typeof to !== 'object' || to === null)
    throw new CairnError(
      'invalid-definition',
      `send got ${show(to)}: pass a definition and the id, send(cart, id, 'add', …). For code that knows only the name of ` +
        `the type: send(contract('cart'), id, 'add', …).`,
    )
  // JavaScript may pass an address in place of the first two: send({ type, id }, command, data, answers).
  if ('id' in to) {
    const [answers] = args as readonly unknown[] as readonly [Answers?]
    return effectOf(commandEntry(to as unknown as ActorAddress, id, command, answers))
  }
  const type: string = command
  const [data, answers] = args as readonly [unknown?, Answers?]
  const actor = { type: to.type, id }
  const entry = commandEntry(actor, type, data, answers)
  if ('behavior' in to) {
    checkKnownCommand(to, type)
    checkCommandData(to.schemas, actor, type, data)
  }
  return effectOf(entry)
}

/** The outbox entry of a command, by names. Throws `invalid-actor-type`, `invalid-actor-id` or `invalid-option`. */
export function commandEntry(
  to: ActorAddress,
  type: string,
  data: unknown,
  answers: Answers | undefined,
): OutboxEntry {
  const actor = checkAddress({ type: to.type, id: to.id })
  const entry = { kind: 'command', actor, type, data } as const
  if (answers === undefined) return entry
  return { ...entry, ...checkedAnswers(`send of ${show(type)}`, answers) }
}

function checkedAnswers(what: string, answers: Answers): Answers {
  checkAnswers(what, answers)
  return answersOf(answers)
}

/**
 * Sets a timer of this actor: `schedule('unpaid', { after: 900_000 }, 'expire')`. It is stored with the
 * events that `decide` returns with it. When it is due, the actor gets the command, once; setting the
 * same name again replaces it. The due time does not change when nodes restart or the actor moves to
 * another node. The command must be one of the definition's own. Throws `invalid-timer` or `invalid-option`.
 */
export function schedule<
  Name extends string,
  Data = undefined,
  Refused extends string = never,
  Replied extends string = never,
>(
  name: string,
  when: TimerOptions,
  command: Name,
  data?: Data,
  answers?: Answers<Refused, Replied>,
): Effect<
  { [Command in Name]: Data } & {
    [Command in Refused]: AnsweredCommand & { rejection: Rejection }
  } & { [Command in Replied]: AnsweredCommand & { reply: unknown } },
  undefined
> {
  checkOptions(`Timer ${show(name)}`, when, timerOptionNames)
  const { at, after, every, late = 'fire', lateAfter = lateAfterDefault } = when
  if (at !== undefined && after !== undefined)
    throw invalidTimer(name, 'has both at and after: use one of the two')
  if (at === undefined && after === undefined && every === undefined)
    throw invalidTimer(name, 'is never due: set at, after or every')
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0))
    throw invalidTimer(
      name,
      `has after: ${show(after)}, which is whole milliseconds from 0`,
    )
  if (late !== 'fire' && late !== 'skip')
    throw invalidTimer(name, `has late: ${show(late)}, which is 'fire' or 'skip'`)
  const back = answers === undefined ? {} : checkedAnswers(`Timer ${show(name)}`, answers)
  const timer = (due: number): OutboxTimer => ({
    kind: 'timer',
    name,
    at: due,
    ...(every !== undefined && { every }),
    ...(late === 'skip' && { skipAfter: lateAfter }),
    type: command,
    data,
    ...back,
  })
  const time = at instanceof Date ? at.getTime() : at
  const dueAt = (now: number) => time ?? now + (after ?? every ?? 0)
  checkTimer(timer(dueAt(0)))
  return { [effect]: now => timer(dueAt(now)) }
}

/** Cancels a timer of this actor; a no-op if there is none of that name, or it has fired. Throws `invalid-timer`. */
export function cancel(timer: string): Effect<object, undefined>
/**
 * Cancels work of this actor that has not ended: all of it, or what was performed with that `name`. None of its commands
 * comes any more, and its signal fires; what it has done outside is not undone. A no-op if there is none. Throws
 * `invalid-definition` or `invalid-option`.
 */
export function cancel(
  work: AnyWork,
  options?: { readonly name?: string },
): Effect<object, undefined>
export function cancel(
  what: string | AnyWork,
  options: { readonly name?: string } = {},
): Effect<object, undefined> {
  if (typeof what !== 'object' || what === null)
    return effectOf({ kind: 'cancel', name: checkTimerName(what) })
  checkWork('cancel', what)
  checkOptions(`cancel of work ${what.name}`, options, { name: true })
  const { name } = options
  return effectOf({
    kind: 'stop',
    work: what.name,
    ...(name !== undefined && { name }),
  })
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

/** An effect that does not depend on the moment of the decision. */
export function effectOf<Own, Work>(entry: OutboxEntry): Effect<Own, Work> {
  return { [effect]: () => entry }
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
 * find its messages by that declaration. The same for work that is not in `performs`. Throws `unknown-command` for a command
 * that a timer, an answer or the end of work would send to the actor, and that it does not know.
 */
export function checkOutbox(
  type: string,
  outbox: readonly OutboxEntry[] | undefined,
  publishes: readonly AnyTopic[],
  commandTypes: readonly string[],
  performs: readonly AnyWork[],
): void {
  for (const entry of outbox ?? []) {
    for (const own of ownCommandsOf(entry))
      if (!commandTypes.includes(own)) throw unknownCommand(type, own, commandTypes)
    if (entry.kind === 'perform' || entry.kind === 'stop')
      checkPerformed(type, entry.work, performs)
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

function checkPerformed(type: string, work: string, performs: readonly AnyWork[]): void {
  if (performs.some(({ name }) => name === work)) return
  throw new CairnError(
    'invalid-definition',
    `Actor type ${type} performs work ${show(work)}, which its definition does not declare: add it to performs.`,
    { details: { type, work } },
  )
}

/** The commands that the actor itself gets by an entry. */
function ownCommandsOf(entry: OutboxEntry): readonly string[] {
  if (entry.kind === 'perform') return [entry.done, entry.failed]
  return entry.kind === 'timer' ? [entry.type, ...hearersIn(entry)] : hearersIn(entry)
}

/** The commands of the actor that hear the answer to an entry. */
export function hearersIn(entry: OutboxEntry): readonly string[] {
  return entry.kind === 'command' || entry.kind === 'timer' ? hearersOf(entry) : []
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
