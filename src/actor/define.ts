// defineActor(): what users write. Names the actor's type and gives its decider, from which
// every type at the call site is inferred: state, commands with data, replies, rejections.

import type { StateReading } from './actor.js'
import type { StateOptions } from './host.js'
import { checkActorType, isReservedType } from '../model/address.js'
import type { Behavior, DecideContext, Decision, Rejection } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import type { Metadata, RecordedEvent } from '../model/event.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { commandWindow } from './command-window.js'
import { commandBatchMax } from './command-batch.js'
import {
  checkOutbox,
  checkTopics,
  type Effect,
  isEffect,
  toOutbox,
  unknownCommand,
} from './effects.js'
import { policyOf, type SupervisionOptions } from './supervision-policy.js'

/** An event as a decider returns it; made by {@link event}. */
export interface EmittedEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
  readonly metadata?: Metadata
}

/** An event that a decider returns: `event('deposited', { amount: 10 })`. */
export function event<const Type extends string>(
  type: Type,
): EmittedEvent<Type, undefined>
export function event<const Type extends string, Data>(
  type: Type,
  data: Data,
  metadata?: Metadata,
): EmittedEvent<Type, Data>
export function event(type: string, data?: unknown, metadata?: Metadata): EmittedEvent {
  return metadata === undefined ? { type, data } : { type, data, metadata }
}

const rejected = Symbol.for('cairn.rejected')
/** A refusal as a decider returns it; made by {@link reject}. */
export interface RejectResult<Code extends string = string, Details = unknown> {
  readonly [rejected]: Rejection<Code, Details>
}

/**
 * Refuses a command: `return reject('overdraft', 'The balance is 5.', { balance: 5 })`.
 * The caller gets it as a result, typed by its code; nothing is stored.
 */
export function reject<const Code extends string>(
  code: Code,
  message?: string,
): RejectResult<Code, undefined>
export function reject<const Code extends string, Details>(
  code: Code,
  message: string,
  details: Details,
): RejectResult<Code, Details>
export function reject(code: string, message?: string, details?: unknown): RejectResult {
  return { [rejected]: { code, message: message ?? code, details } }
}

/** What a command's `decide` may return. */
export type DecideResult<State> =
  | EmittedEvent
  | readonly (EmittedEvent | Effect)[]
  | DecideEffects<State>
  | RejectResult
  | void

/** Anything but a function; spelled out so that a function's parameter is inferred. */
type PlainReply = object | string | number | bigint | boolean | null | undefined

export interface DecideEffects<State = never> {
  readonly events?: EmittedEvent | readonly (EmittedEvent | Effect)[]
  /** The answer, or a function of the state after the events. */
  readonly reply?: PlainReply | ((state: State) => unknown)
}

// Data is `never` here so that each handler says for itself what it takes: data that is used
// without a type does not compile, and data that is passed over needs none.
type AnyDecide<State> = (
  state: State,
  data: never,
  context: DecideContext,
) => DecideResult<State>
type AnyEvolve<State> = (state: State, data: never, event: RecordedEvent) => State
// oxlint-disable-next-line typescript/no-explicit-any -- only used to match any handler
type AnyFunction = (...args: any[]) => unknown

/** The type of a handler's second parameter; `Absent` when it has none, or one without a type. */
type DataOf<Handler, Absent> = Handler extends (...args: infer Args) => unknown
  ? Args extends readonly [unknown, infer Data, ...unknown[]]
    ? [Data] extends [never]
      ? Absent
      : Data
    : Args extends readonly [unknown?]
      ? Absent
      : Args extends readonly [unknown, (infer Data)?, ...unknown[]]
        ? Data | undefined
        : Absent
  : never

type ReplyIn<Result> = Result extends RejectResult
  ? never
  : Result extends { readonly reply: infer Reply }
    ? Reply extends (state: never) => infer Computed
      ? Computed
      : Reply
    : undefined

type RejectionIn<Result> =
  Result extends RejectResult<infer Code, infer Details>
    ? Rejection<Code, Details>
    : never

type EventsIn<Result> = Result extends RejectResult | Effect
  ? never
  : Result extends { readonly events: infer Events }
    ? EventsIn<Events>
    : Result extends readonly (infer Item)[]
      ? Exclude<Item, Effect>
      : Result extends { readonly type: string }
        ? Result
        : never

/** An evolve that does not look at its data folds whatever data there is. */
type EventOf<Evolve> = {
  [Type in keyof Evolve & string]: EmittedEvent<Type, DataOf<Evolve[Type], unknown>>
}[keyof Evolve & string]

/** Refuses, at compile time, a `decide` that emits an event `evolve` does not fold. */
type OnlyKnownEvents<Decide, Event> = {
  [Name in keyof Decide]: Decide[Name] extends AnyFunction
    ? [EventsIn<ReturnType<Decide[Name]>>] extends [Event]
      ? unknown
      : readonly [
          'this command emits an event that evolve does not fold:',
          Exclude<EventsIn<ReturnType<Decide[Name]>>, Event>,
        ]
    : never
}

/** A command as its callers see it. */
export interface CommandShape<Data = unknown, Reply = unknown, Refusal = Rejection> {
  readonly data: Data
  readonly reply: Reply
  readonly rejection: Refusal
}

type CommandsOf<Decide> = {
  [Name in keyof Decide & string]: Decide[Name] extends AnyFunction
    ? CommandShape<
        DataOf<Decide[Name], undefined>,
        ReplyIn<ReturnType<Decide[Name]>>,
        RejectionIn<ReturnType<Decide[Name]>>
      >
    : never
}

/** How the host keeps actors of one type. */
export interface ActorOptions {
  /** Commands that may wait for one actor; more are refused with `mailbox-full`. Default 1,000. */
  readonly mailboxLimit?: number
  /** A folded state of up to this many bytes rides in every commit. Default 1,024. */
  readonly stateBytesMax?: number
  /** A larger state rides in a commit after this many events. Default 100. */
  readonly stateEvery?: number
  /**
   * Commands that wait for one actor are carried out one after another and stored as one commit,
   * so many at most. Each keeps its own id, events, version and answer. Default 256; with 1, each
   * command has a commit of its own.
   */
  readonly commitCommandsMax?: number
  /** An actor that was idle for so many milliseconds leaves memory. Default 600,000: ten minutes. */
  readonly idleAfter?: number
  /**
   * How long a command that is sent again under its id is recognised: while fewer than
   * `commands` later commits of that actor exist, and its own commit is younger than `ms` by the
   * clock of the node that is asked. Both must hold; later it is carried out like a new one.
   */
  readonly commandWindow?: {
    /** Commits of one actor, 1 to 10,000. Default 1,024. Each takes 4 bytes in an awake actor. */
    readonly commands?: number
    /** Milliseconds, at least 1. Default 600,000. The clocks of nodes may differ by less than it. */
    readonly ms?: number
  }
  /** What becomes of an actor that has failed. Default: it is parked. */
  readonly supervision?: SupervisionOptions
}

/** Reads the state of one actor. */
export type StateReader<State = unknown> = (
  options?: StateOptions,
) => Promise<StateReading<State>>

/** An actor type: its behavior, and the types its callers see. */
export interface ActorDefinition<
  State = unknown,
  Commands extends Record<string, CommandShape> = Record<string, CommandShape>,
  Event extends EmittedEvent = EmittedEvent,
> {
  readonly type: string
  readonly behavior: Behavior<State>
  readonly options: ActorOptions
  /** Topics that its actors publish on. */
  readonly publishes?: readonly AnyTopic[]
  /** More methods for the references of its actors, made of how such a one reads its state. */
  readonly refMethods?: (read: StateReader<State>) => object
  /** Carries the types only; there is no value. */
  readonly $types?: { state: State; commands: Commands; event: Event }
}

export type AnyActorDefinition = ActorDefinition<
  // oxlint-disable-next-line typescript/no-explicit-any -- state is both read and written by the behavior
  any,
  // oxlint-disable-next-line typescript/no-explicit-any -- any set of commands
  any,
  // oxlint-disable-next-line typescript/no-explicit-any -- any set of events
  any
>

export interface ActorSpec<State, Evolve, Decide> extends ActorOptions {
  /** `[A-Za-z][A-Za-z0-9_-]{0,62}`, not beginning with `cairn-`. */
  readonly type: string
  /** Raise it when `evolve` or the shape of the state changes. Default 1. */
  readonly version?: number
  /** Topics that its actors publish on; others are refused. Default: none. */
  readonly publishes?: readonly AnyTopic[]
  /** The state before any event; a function gets the actor's id. */
  readonly initialState: State | ((id: string) => State)
  /** By command: `(state, data, context) => events, a reply, or a rejection`. Pure. */
  readonly decide: Decide & OnlyKnownEvents<Decide, EventOf<Evolve>>
  /** By event: `(state, data, event) => the next state`. Pure, and never throws. */
  readonly evolve: Evolve
}

/**
 * Defines an actor type by its decider.
 *
 * ```ts
 * const account = defineActor({
 *   type: 'account',
 *   initialState: { balance: 0 },
 *   decide: {
 *     deposit: (state, { amount }: { amount: number }) => event('deposited', { amount }),
 *     withdraw: (state, { amount }: { amount: number }) =>
 *       state.balance < amount ? reject('overdraft') : event('withdrawn', { amount }),
 *   },
 *   evolve: {
 *     deposited: (state, { amount }: { amount: number }) => ({ balance: state.balance + amount }),
 *     withdrawn: (state, { amount }: { amount: number }) => ({ balance: state.balance - amount }),
 *   },
 * })
 * ```
 *
 * Throws `invalid-actor-type` or `invalid-definition`.
 */
export function defineActor<
  State,
  Evolve extends Record<string, AnyEvolve<State>>,
  Decide extends Record<string, AnyDecide<State>>,
>(
  spec: ActorSpec<State, Evolve, Decide>,
): ActorDefinition<State, CommandsOf<Decide>, EventOf<Evolve>> {
  checkActorType(spec.type)
  checkNotReserved(spec.type)
  return defineAnyActor(spec)
}

/** Throws `invalid-definition` for a type that is Cairn's own. */
export function checkNotReserved(type: string): void {
  if (!isReservedType(type)) return
  throw new CairnError(
    'invalid-definition',
    `Actor type ${show(type)} is reserved: types that begin with "cairn-" are Cairn's own. Use another name.`,
    { details: { type } },
  )
}

/** Throws `invalid-definition`. */
export function checkBehaviorVersion(type: string, version: number): void {
  if (Number.isSafeInteger(version) && version >= 1) return
  throw new CairnError(
    'invalid-definition',
    `version of actor type ${type} is ${version}: use a whole number from 1.`,
  )
}

/** {@link defineActor}, also for the types that are Cairn's own. */
export function defineAnyActor<
  State,
  Evolve extends Record<string, AnyEvolve<State>>,
  Decide extends Record<string, AnyDecide<State>>,
>(
  spec: ActorSpec<State, Evolve, Decide>,
): ActorDefinition<State, CommandsOf<Decide>, EventOf<Evolve>> {
  const { type, version = 1, initialState, decide, evolve, publishes = [] } = spec
  checkBehaviorVersion(type, version)
  checkHandlers(type, 'decide', decide)
  checkHandlers(type, 'evolve', evolve)
  checkTopics(`publishes of actor type ${type}`, publishes)
  const deciders = new Map<string, AnyDecide<State>>(Object.entries(decide))
  const folders = new Map<string, AnyEvolve<State>>(Object.entries(evolve))
  const commandTypes = [...deciders.keys()]
  const behavior: Behavior<State> = {
    version,
    commandTypes,
    initialState: id =>
      typeof initialState === 'function'
        ? (initialState as (id: string) => State)(id)
        : structuredClone(initialState),
    decide(state, command, context) {
      const handler = deciders.get(command.type)
      if (handler === undefined) throw unknownCommand(type, command.type, commandTypes)
      const decision = toDecision(
        handler(state, command.data as never, context),
        context.now,
      )
      if (decision.ok) checkOutbox(type, decision.outbox, publishes, commandTypes)
      return decision
    },
    evolve(state, stored) {
      const fold = folders.get(stored.type)
      if (fold === undefined)
        throw new CairnError(
          'invalid-definition',
          `Actor type ${type} has no evolve for event ${show(stored.type)}; ` +
            `it folds ${[...folders.keys()].join(', ')}.`,
        )
      return fold(state, stored.data as never, stored)
    },
  }
  return { type, behavior, options: actorOptions(spec), publishes }
}

/** With the defaults. Throws `invalid-definition`. */
export function actorOptions(spec: ActorOptions): ActorOptions {
  const { mailboxLimit = 1000, stateBytesMax = 1024, stateEvery = 100 } = spec
  const { idleAfter = 600_000, commitCommandsMax = commandBatchMax } = spec
  for (const [name, value] of Object.entries({
    mailboxLimit,
    stateBytesMax,
    stateEvery,
    idleAfter,
    commitCommandsMax,
  }))
    if (!Number.isSafeInteger(value) || value < (name === 'stateBytesMax' ? 0 : 1))
      throw new CairnError(
        'invalid-definition',
        `${name} is ${value}: use a positive whole number.`,
      )
  return {
    mailboxLimit,
    stateBytesMax,
    stateEvery,
    idleAfter,
    commitCommandsMax,
    commandWindow: commandWindow(spec.commandWindow),
    supervision: supervisionOf(spec),
  }
}

function supervisionOf({ supervision }: ActorOptions): SupervisionOptions {
  const { onFailure, ...backoff } = policyOf(supervision)
  return onFailure === 'restart' ? { onFailure, backoff } : { onFailure }
}

function checkHandlers(type: string, name: string, handlers: unknown): void {
  if (typeof handlers !== 'object' || handlers === null)
    throw new CairnError(
      'invalid-definition',
      `Actor type ${type} needs ${name}: { name: function, … }; it has ${show(handlers)}.`,
    )
  for (const [key, handler] of Object.entries(handlers))
    if (typeof handler !== 'function')
      throw new CairnError(
        'invalid-definition',
        `${name}.${key} of actor type ${type} is ${show(handler)}: it must be a function.`,
      )
}

function toDecision<State>(result: DecideResult<State>, now: number): Decision<State> {
  if (result === undefined || result === null)
    return { ok: true, events: [], reply: noReply }
  if (typeof result !== 'object')
    throw new CairnError(
      'invalid-definition',
      `decide returned ${show(result)}: return event(…), a list of them, { events, reply }, reject(…) or nothing.`,
    )
  if (rejected in result) return { ok: false, rejection: result[rejected] }
  if (isList(result)) return accepted(result, noReply, now)
  const alone: unknown = result
  if (isEffect(alone)) return accepted([alone], noReply, now)
  if ('type' in result) return { ok: true, events: [result], reply: noReply }
  if (isPromise(result))
    throw new CairnError(
      'invalid-definition',
      'decide returned a promise: it must be synchronous and pure. Do the waiting before the ' +
        'command is sent, and hand its result in as data.',
    )
  const unknown = Object.keys(result).find(key => key !== 'events' && key !== 'reply')
  if (unknown !== undefined)
    throw new CairnError(
      'invalid-definition',
      `decide returned an object with ${show(unknown)}: only events and reply are known there.`,
    )
  const { events = [], reply } = result
  return accepted(
    isList(events) ? events : [events],
    typeof reply === 'function' ? (reply as (state: State) => unknown) : () => reply,
    now,
  )
}

/** Takes events and what is said beside them apart. */
function accepted<State>(
  list: readonly (EmittedEvent | Effect)[],
  reply: (state: State) => unknown,
  now: number,
): Decision<State> {
  if (!list.some(item => isEffect(item)))
    return { ok: true, events: list as readonly EmittedEvent[], reply }
  const events = list.filter((item): item is EmittedEvent => !isEffect(item))
  const says = list.filter(item => isEffect(item)).map(item => toOutbox(item, now))
  if (events.length > 0) return { ok: true, events, outbox: says, reply }
  throw new CairnError(
    'invalid-definition',
    'decide returned messages, commands or timers without an event: what an actor says is stored with the ' +
      'event that it is about. Return that event, too.',
  )
}

const noReply = () => undefined

function isList(value: unknown): value is readonly (EmittedEvent | Effect)[] {
  return Array.isArray(value)
}

function isPromise(value: object): boolean {
  if (!('then' in value) || typeof value.then !== 'function') return false
  // Its outcome no longer matters, and must not surface as an unhandled rejection.
  void Promise.resolve(value).catch(() => {})
  return true
}
