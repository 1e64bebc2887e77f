// The types of `decide` and `evolve` handlers, and what is inferred from them.

import type { DecideContext, Rejection } from '../model/behavior.js'
import type { RecordedEvent } from '../model/event.js'
import type { DeepReadonly } from '../model/read-only.js'
import type { CommandShape } from './definition.js'
import type { Effect } from './effects.js'
import type { EmittedEvent } from './event.js'
import type { RejectResult } from './reject.js'

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
// oxlint-disable-next-line typescript/no-explicit-any -- only used to match any handler
type AnyFunction = (...args: any[]) => unknown

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

/** The events that `evolve` folds. A handler that ignores its data folds any data. */
export type EventIn<Evolve> = {
  [Type in keyof Evolve & string]: EmittedEvent<Type, DataOf<Evolve[Type], unknown>>
}[keyof Evolve & string]

/**
 * Rejects, at compile time, a `decide` with data of type `any`, which would leave its callers unchecked, and one that
 * emits an event that `evolve` does not fold.
 */
export type OnlyKnownEvents<Decide, Event> = {
  [Name in keyof Decide]: Decide[Name] extends AnyFunction
    ? IsAny<DataOf<Decide[Name], undefined>> extends true
      ? 'the data of this command is any: declare its type'
      : [EventsIn<ReturnType<Decide[Name]>>] extends [Event]
        ? unknown
        : Unfolded<EventsIn<ReturnType<Decide[Name]>>, Event>
    : never
}

type IsAny<Type> = 0 extends 1 & Type ? true : false

/** What the compiler shows for events that `evolve` does not fold: their names, or that their data differ. */
type Unfolded<Emitted, Event> =
  Exclude<Emitted, Event> extends infer Wrong extends { readonly type: string }
    ? Wrong['type'] extends (Event & { readonly type: string })['type']
      ? `evolve folds other data for the event: ${Wrong['type']}`
      : `evolve does not fold the event: ${Wrong['type']}`
    : 'this command emits something that is not an event of evolve'

/** The commands of a `decide`, by name. */
export type CommandsIn<Decide> = {
  [Name in keyof Decide & string]: Decide[Name] extends AnyFunction
    ? CommandShape<
        DataOf<Decide[Name], undefined>,
        ReplyIn<ReturnType<Decide[Name]>>,
        RejectionIn<ReturnType<Decide[Name]>>
      >
    : never
}
