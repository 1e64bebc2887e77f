// The types that a definition's callers see, derived from the definition.

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

/** The name of a command of a definition. */
export type CommandNameOf<Definition extends AnyActorDefinition> =
  keyof CommandsOf<Definition> & string

/** The same, inferred once more: in an error the compiler lists the names instead of this type. */
export type ListedCommandName<Definition extends AnyActorDefinition> =
  CommandsOf<Definition> extends infer Commands ? keyof Commands & string : never

type CommandTypesOf<Definition extends AnyActorDefinition, Name extends string> =
  CommandsOf<Definition>[Name & keyof CommandsOf<Definition>] extends CommandShape<
    infer Data,
    infer Reply,
    infer Rejected
  >
    ? { data: Data; reply: Reply; rejection: Rejected }
    : { data: unknown; reply: unknown; rejection: Rejection }

/** The type of a command's outcome. It has no rejected case if the command's rejection type is `never`. */
export type OutcomeOf<
  Definition extends AnyActorDefinition,
  Name extends string,
> = AskOutcome<
  CommandTypesOf<Definition, Name>['reply'],
  CommandTypesOf<Definition, Name>['rejection']
>

/** The arguments after a command's name: its data, which is optional if the command has none. */
export type CommandArguments<
  Definition extends AnyActorDefinition,
  Name extends string,
  Options,
> = undefined extends CommandTypesOf<Definition, Name>['data']
  ? [data?: CommandTypesOf<Definition, Name>['data'], options?: Options]
  : [data: CommandTypesOf<Definition, Name>['data'], options?: Options]

type Recorded<Event> =
  Event extends EmittedEvent<infer Type, infer Data> ? RecordedEvent<Type, Data> : never

/** The events of a definition as stored in the log: branch on `type`. */
export type RecordedEventOf<Definition extends AnyActorDefinition> = Recorded<
  TypesOf<Definition>['event']
>
