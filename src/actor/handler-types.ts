// The types of `decide` and `evolve` handlers, and what is inferred from them.

import type { DecideContext, Rejection } from '../model/behavior.js'
import type { RecordedEvent } from '../model/event.js'
import type { DeepReadonly } from '../model/read-only.js'
import type { AnyContract } from './contract.js'
import type { CommandShape } from './definition.js'
import type { CommandsOf } from './definition-types.js'
import type { Effect } from './effects.js'
import type { EmittedEvent } from './event.js'
import type { RejectResult } from './reject.js'
import type { InputOf, OutputOf, SchemasIn } from './schemas.js'
import type { AnyWork } from './work.js'

/** What a handler of `decide` may return. */
export type DecideResult<State> =
  | EmittedEvent
  | readonly (EmittedEvent | Effect)[]
  | EventsAndReply<State>
  | RejectResult
  | void

/** Anything but a function; spelled out so that a function's parameter is inferred. */
type PlainReply = object | string | number | bigint | boolean | null | undefined

/** Events and a reply, as a handler of `decide` returns them. */
export interface EventsAndReply<State = never> {
  readonly events?: EmittedEvent | readonly (EmittedEvent | Effect)[]
  /** The reply, or a function that computes it from the state after the events. */
  readonly reply?: PlainReply | ((state: DeepReadonly<State>) => unknown)
}

// `data` is `never` here, so each handler declares the type of its own data: a handler that uses
// its data without declaring a type does not compile, and one that ignores its data needs no type.
export type AnyDecide<State> = (
  state: DeepReadonly<State>,
  data: never,
  context: DecideContext,
) => DecideResult<State>
export type AnyEvolve<State> = (
  state: DeepReadonly<State>,
  data: never,
  event: RecordedEvent,
) => DeepReadonly<State>

/**
 * The handlers of commands with schemas: one gets what the schema of its data makes, or else what the contract says, and
 * replies what the schema of its reply takes.
 */
export type DecideWith<State, Schemas, Contract extends AnyContract = AnyContract> = {
  readonly [
    Name in keyof SchemasIn<Schemas, 'commands'> | keyof SchemasIn<Schemas, 'replies'>
  ]: (
    state: DeepReadonly<State>,
    data: Name extends keyof SchemasIn<Schemas, 'commands'>
      ? OutputOf<SchemasIn<Schemas, 'commands'>[Name]>
      : ShapeIn<Contract, Name> extends CommandShape<infer Data>
        ? Data
        : never,
    context: DecideContext,
  ) => Name extends keyof SchemasIn<Schemas, 'replies'>
    ? ResultWithReply<State, InputOf<SchemasIn<Schemas, 'replies'>[Name]>>
    : DecideResult<State>
}

/** What a handler returns whose reply has a schema. */
type ResultWithReply<State, Reply> =
  | RejectResult
  | (Pick<EventsAndReply, 'events'> & {
      readonly reply: Reply | ((state: DeepReadonly<State>) => Reply)
    })

/** The handlers of events with a schema: each gets what the schema makes. */
export type EvolveWith<State, Schemas> = {
  readonly [Type in keyof SchemasIn<Schemas, 'events'>]: (
    state: DeepReadonly<State>,
    data: OutputOf<SchemasIn<Schemas, 'events'>[Type]>,
    event: RecordedEvent,
  ) => DeepReadonly<State>
}

// Parameters of type `never` match any handler, also one whose data has no type.
type AnyFunction = (...args: never[]) => unknown

/** What a handler returns. The checks of `decide` use ReturnType, which says nothing of a handler that is not inferred yet. */
type ResultOf<Handler> = Handler extends (...args: never[]) => infer Result
  ? Result
  : never

/** The type of a handler's second parameter; `Absent` if it has none, or one without a type. */
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

/** The events that `evolve` folds. The data of one is what its schema makes, or else what `evolve` takes, or else what `decide` emits. */
export type EventIn<Evolve, Schemas, Decide> = {
  [Type in keyof Evolve & string]: EmittedEvent<
    Type,
    Type extends keyof SchemasIn<Schemas, 'events'>
      ? OutputOf<SchemasIn<Schemas, 'events'>[Type]>
      : DataOf<Evolve[Type], DataEmitted<Decide, Type>>
  >
}[keyof Evolve & string]

/** The data that the handlers of `decide` emit with an event; `unknown` for one that none emits. */
type DataEmitted<Decide, Type> =
  EventsIn<ResultOf<Decide[keyof Decide]>> extends infer Emitted
    ? DataIn<Extract<Emitted, { readonly type: Type }>>
    : never

type DataIn<Emitted> = [Emitted] extends [never]
  ? unknown
  : Emitted extends { readonly data: infer Data }
    ? Data
    : unknown

/** The events that `decide` may emit: what the schema of an event takes, or else what `evolve` folds. */
export type EmittedIn<Evolve, Schemas> = {
  [Type in keyof Evolve & string]: EmittedEvent<
    Type,
    Type extends keyof SchemasIn<Schemas, 'events'>
      ? InputOf<SchemasIn<Schemas, 'events'>[Type]>
      : DataOf<Evolve[Type], unknown>
  >
}[keyof Evolve & string]

/**
 * Rejects, at compile time, a `decide` with data of type `any`, which would leave its callers unchecked, one that
 * emits an event that `evolve` does not fold, one with a timer or an answer for a command that `decide` does not have, and
 * one that performs work that is not in `performs`.
 */
export type OnlyKnownEvents<
  Decide,
  Event,
  Contract extends AnyContract = AnyContract,
  Schemas = object,
  Performs = readonly AnyWork[],
> = {
  [Name in keyof Decide]: Decide[Name] extends AnyFunction
    ? IsAny<DataOf<Decide[Name], undefined>> extends true
      ? 'the data of this command is any: declare its type'
      : [EventsIn<ReturnType<Decide[Name]>>] extends [Event]
        ? WrongEffect<EffectsIn<ReturnType<Decide[Name]>>, Decide, Schemas, Performs> &
            WrongAnswer<Decide[Name], ShapeIn<Contract, Name>, Schemas, Name>
        : Unfolded<EventsIn<ReturnType<Decide[Name]>>, Event>
    : never
}

/** The effects in a result. */
type EffectsIn<Result> = Result extends RejectResult
  ? never
  : Result extends Effect
    ? Result
    : Result extends { readonly events: infer Events }
      ? EffectsIn<Events>
      : Result extends readonly (infer Item)[]
        ? Extract<Item, Effect>
        : never

/**
 * What the compiler shows for a command that the actor would get by an effect and cannot take, or else for work that the
 * definition does not list; `unknown` if there is none.
 */
type WrongEffect<Effects, Decide, Schemas, Performs> = [
  ProblemOf<Effects, Decide, Schemas>,
] extends [never]
  ? [Exclude<WorkIn<Effects>, ListedWork<Performs>>] extends [never]
    ? unknown
    : `performs does not list the work: ${Exclude<WorkIn<Effects>, ListedWork<Performs>>}`
  : ProblemOf<Effects, Decide, Schemas>

type ProblemOf<Effects, Decide, Schemas> =
  Effects extends Effect<infer Own>
    ? unknown extends Own
      ? never
      : {
          [Name in keyof Own & string]: Name extends keyof Decide
            ? Own[Name] extends TakenBy<Decide, Schemas, Name, unknown>
              ? never
              : `decide takes other data for the command: ${Name}`
            : `decide has no command: ${Name}`
        }[keyof Own & string]
    : never

/** The names of the work that effects ask for. */
type WorkIn<Effects> =
  // oxlint-disable-next-line typescript/no-explicit-any -- any commands of its own
  Effects extends Effect<any, infer Work>
    ? unknown extends Work
      ? never
      : Work & string
    : never

/** The names of the work in `performs`. A definition without it is inferred to have a list or none. */
type ListedWork<Performs> = undefined extends Performs
  ? never
  : Performs extends readonly { readonly name: infer Name }[]
    ? Name
    : string

/** The data that a command is sent with: what its schema takes, or else what its handler gets. */
type TakenBy<
  Decide,
  Schemas,
  Name extends keyof Decide,
  Absent,
> = Name extends keyof SchemasIn<Schemas, 'commands'>
  ? InputOf<SchemasIn<Schemas, 'commands'>[Name]>
  : DataOf<Decide[Name], Absent>

/** Without a contract, a definition is inferred to have the one of any commands: it demands nothing. */
export type HasNoContract<Contract extends AnyContract> = IsAny<CommandsOf<Contract>>

/**
 * What a contract demands of `decide`: a handler for each command, which takes its data. Those with schemas are demanded
 * by {@link DecideWith}.
 */
export type DecidedAs<Contract extends AnyContract, State, Schemas = object> =
  HasNoContract<Contract> extends true
    ? unknown
    : {
        [
          Name in Exclude<
            keyof CommandsOf<Contract>,
            keyof SchemasIn<Schemas, 'commands'> | keyof SchemasIn<Schemas, 'replies'>
          >
        ]: (
          state: DeepReadonly<State>,
          data: CommandsOf<Contract>[Name]['data'],
          context: DecideContext,
        ) => DecideResult<State>
      }

/** A command of a contract; `unknown` if it has none of that name. */
type ShapeIn<Contract extends AnyContract, Name> =
  HasNoContract<Contract> extends true
    ? unknown
    : Name extends keyof CommandsOf<Contract>
      ? CommandsOf<Contract>[Name]
      : unknown

/** What the compiler shows for a handler that answers otherwise than its contract says; `unknown` if there is none. */
type WrongAnswer<Handler extends AnyFunction, Shape, Schemas, Name> = [Shape] extends [
  CommandShape<infer Data, infer Reply, infer Rejected>,
]
  ? [Data] extends [SchemaInput<Schemas, Name>]
    ? [
        Name extends keyof SchemasIn<Schemas, 'replies'>
          ? OutputOf<SchemasIn<Schemas, 'replies'>[Name]>
          : ReplyIn<ReturnType<Handler>>,
      ] extends [Reply]
      ? [RejectionIn<ReturnType<Handler>>] extends [Rejected]
        ? unknown
        : 'this command has a rejection that its contract does not name'
      : 'this command has another reply than its contract'
    : 'the schema of this command takes other data than its contract'
  : unknown

/** What the schema of a command takes; `unknown` if there is none. */
type SchemaInput<Schemas, Name> = Name extends keyof SchemasIn<Schemas, 'commands'>
  ? InputOf<SchemasIn<Schemas, 'commands'>[Name]>
  : unknown

type IsAny<Type> = 0 extends 1 & Type ? true : false

/** What the compiler shows for events that `evolve` does not fold: their names, or that their data differ. */
type Unfolded<Emitted, Event> =
  Exclude<Emitted, Event> extends infer Wrong extends { readonly type: string }
    ? UnfoldedOne<Wrong, Event>
    : 'this command emits something that is not an event of evolve'

type UnfoldedOne<Wrong extends { readonly type: string }, Event> = Wrong extends unknown
  ? Wrong['type'] extends (Event & { readonly type: string })['type']
    ? `evolve folds other data for the event: ${Wrong['type']}${OtherData<
        DataIn<Wrong>,
        DataIn<Extract<Event, { readonly type: Wrong['type'] }>>
      >}`
    : `evolve does not fold the event: ${Wrong['type']}`
  : never

/** What follows in an error about other data: the fields that differ, where there are fields, and a hint. */
type OtherData<Emitted, Folded> = [OtherKeys<Emitted, Folded>] extends [never]
  ? Widened<Emitted, Folded> extends true
    ? ` (${AsConst})`
    : ''
  : OtherField<Emitted, Folded, OtherKeys<Emitted, Folded>>

type OtherField<Emitted, Folded, Key extends string> = Key extends keyof Emitted &
  keyof Folded
  ? Widened<Emitted[Key], Folded[Key]> extends true
    ? ` (its field ${Key}: ${AsConst})`
    : ` (its field ${Key})`
  : ` (its field ${Key} is missing)`

/** The fields in which two objects differ. Lists, and what is no object, have none. */
type OtherKeys<Emitted, Folded> = [Emitted, Folded] extends [object, object]
  ? Folded extends readonly unknown[]
    ? never
    : {
        [Key in keyof Folded & string]-?: Key extends keyof Emitted
          ? [Emitted[Key]] extends [Folded[Key]]
            ? never
            : Key
          : undefined extends Folded[Key]
            ? never
            : Key
      }[keyof Folded & string]
  : never

/** Whether the compiler has widened one of a few texts or numbers. */
type Widened<Emitted, Folded> = [string, Folded] extends [Emitted, string]
  ? true
  : [number, Folded] extends [Emitted, number]
    ? true
    : false

type AsConst = 'one of a few texts or numbers is written with as const'

/** The commands of a `decide`, by name: a caller passes what the schema of a command takes. */
export type CommandsIn<Decide, Schemas = object> = {
  [Name in keyof Decide & string]: Decide[Name] extends AnyFunction
    ? CommandShape<
        TakenBy<Decide, Schemas, Name, undefined>,
        Name extends keyof SchemasIn<Schemas, 'replies'>
          ? OutputOf<SchemasIn<Schemas, 'replies'>[Name]>
          : ReplyIn<ResultOf<Decide[Name]>>,
        RejectionIn<ResultOf<Decide[Name]>>
      >
    : never
}
