// The types a definition's callers see, drawn from the definition.

import type { Rejection } from '../model/behavior.js'
import type { RecordedEvent } from '../model/event.js'
import type { AskOutcome } from '../model/command-sender.js'
import type { AnyActorDefinition, CommandShape } from './definition.js'
import type { EmittedEvent } from './event.js'

type TypesOf<Definition extends AnyActorDefinition> = NonNullable<Definition['$types']>

/** The state of a definition's actors. */
export type StateOf<Definition extends AnyActorDefinition> = TypesOf<Definition>['state']

/** The commands of a definition, by name. */
export type CommandsOf<Definition extends AnyActorDefinition> =
  TypesOf<Definition>['commands']

export type CommandNameOf<Definition extends AnyActorDefinition> =
  keyof CommandsOf<Definition> & string

type ShapeOf<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> =
  CommandsOf<Definition>[Name] extends CommandShape<
    infer Data,
    infer Reply,
    infer Refusal
  >
    ? { data: Data; reply: Reply; rejection: Refusal }
    : { data: unknown; reply: unknown; rejection: Rejection }

/** What a command comes to; its refusal is absent when it is never refused. */
export type OutcomeOf<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> = AskOutcome<ShapeOf<Definition, Name>['reply'], ShapeOf<Definition, Name>['rejection']>

/** Arguments behind a command's name: its data, which may be left out when it has none. */
export type CommandArguments<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
  Options,
> = undefined extends ShapeOf<Definition, Name>['data']
  ? [data?: ShapeOf<Definition, Name>['data'], options?: Options]
  : [data: ShapeOf<Definition, Name>['data'], options?: Options]

type Recorded<Event> =
  Event extends EmittedEvent<infer Type, infer Data> ? RecordedEvent<Type, Data> : never

/** A definition's events as they stand in the log: branch on `type`. */
export type RecordedEventOf<Definition extends AnyActorDefinition> = Recorded<
  TypesOf<Definition>['event']
>
