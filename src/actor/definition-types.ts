// The types that a definition's callers see, derived from the definition.

import type { AnsweredCommand } from '../model/answers.js'
import type { Rejection } from '../model/behavior.js'
import type { RecordedEvent } from '../model/event.js'
import type { AskOutcome } from '../model/command-sender.js'
import type { AnyActorType } from './contract.js'
import type { AnyActorDefinition, CommandShape } from './definition.js'
import type { EmittedEvent } from './event.js'

/** The state of a definition's actors. */
export type StateOf<Definition extends AnyActorDefinition> = NonNullable<
  Definition['$types']
>['state']

/** The commands of a definition or a contract, by name. */
export type CommandsOf<Definition extends AnyActorType> = NonNullable<
  Definition['$types']
>['commands']

/** The name of a command of a definition or a contract. */
export type CommandNameOf<Definition extends AnyActorType> =
  keyof CommandsOf<Definition> & string

/** The same, inferred once more: in an error the compiler lists the names instead of this type. */
export type ListedCommandName<Definition extends AnyActorType> =
  CommandsOf<Definition> extends infer Commands ? keyof Commands & string : never

/**
 * A command's name where the definition is a parameter of the same call: the name is inferred from the argument, and in
 * an error the compiler lists the names.
 */
export type KnownName<Definition extends AnyActorType, Name extends string> =
  Name extends ListedCommandName<Definition> ? Name : ListedCommandName<Definition>

export type CommandTypesOf<Definition extends AnyActorType, Name extends string> =
  CommandsOf<Definition>[Name & keyof CommandsOf<Definition>] extends CommandShape<
    infer Data,
    infer Reply,
    infer Rejected
  >
    ? { data: Data; reply: Reply; rejection: Rejected }
    : { data: unknown; reply: unknown; rejection: Rejection }

/**
 * The type of a command's outcome; without a name, of any of the definition's commands. It has no rejected case if the command's
 * rejection type is `never`.
 */
export type OutcomeOf<
  Definition extends AnyActorType,
  Name extends string = CommandNameOf<Definition>,
> = AskOutcome<
  CommandTypesOf<Definition, Name>['reply'],
  CommandTypesOf<Definition, Name>['rejection']
>

/** The arguments after a command's name: its data, which is optional if the command has none. */
export type CommandArguments<
  Definition extends AnyActorType,
  Name extends string,
  Options,
> = undefined extends CommandTypesOf<Definition, Name>['data']
  ? [data?: CommandTypesOf<Definition, Name>['data'], options?: Options]
  : [data: CommandTypesOf<Definition, Name>['data'], options?: Options]

/** What a command was about that was rejected, and why. */
export interface RefusedWith<Name, Data, Reason> extends AnsweredCommand<Name, Data> {
  readonly rejection: Reason
}

/** What a command was about that was accepted, and its reply. */
export interface RepliedWith<Name, Data, Reply> extends AnsweredCommand<Name, Data> {
  readonly reply: Reply
}

/** The data of the command that is named as `refused` where a command is sent. */
export type RefusedCommand<
  Definition extends AnyActorType,
  Name extends CommandNameOf<Definition>,
> = RefusedWith<
  Name,
  CommandTypesOf<Definition, Name>['data'],
  WithOptionalDetails<CommandTypesOf<Definition, Name>['rejection']>
>

/** Rejections, of which those without details need not say that they have none. */
type WithOptionalDetails<Reason> =
  Reason extends Rejection<infer Code, infer Details>
    ? [Details] extends [undefined]
      ? Pick<Rejection<Code>, 'code' | 'message'> & { readonly details?: undefined }
      : Reason
    : Reason

/** The data of the command that is named as `replied` where a command is sent. */
export type RepliedCommand<
  Definition extends AnyActorType,
  Name extends CommandNameOf<Definition>,
> = RepliedWith<
  Name,
  CommandTypesOf<Definition, Name>['data'],
  CommandTypesOf<Definition, Name>['reply']
>

type Recorded<Event> =
  Event extends EmittedEvent<infer Type, infer Data> ? RecordedEvent<Type, Data> : never

/** The events of a definition as stored in the log: branch on `type`. */
export type RecordedEventOf<Definition extends AnyActorDefinition> = Recorded<
  NonNullable<Definition['$types']>['event']
>
