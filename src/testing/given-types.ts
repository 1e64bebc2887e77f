// The types of a specification, drawn from the definition.

import type { AnyActorDefinition } from '../actor/definition.js'
import type { NewEvent } from '../model/event.js'
import type { CommandNameOf, CommandsOf } from '../actor/definition-types.js'

/** A definition's events as `event(…)` makes them. */
export type EmittedEventOf<Definition extends AnyActorDefinition> = NonNullable<
  Definition['$types']
>['event']

/** An event that is given: as the definition makes it, or as an earlier version has stored it. */
export type GivenEvent<Definition extends AnyActorDefinition> =
  EmittedEventOf<Definition> | (NewEvent & { readonly schemaVersion: number })

/** What a command answers. */
export type ReplyOf<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> = CommandsOf<Definition>[Name]['reply']

/** What a command is refused with; `never` when it is not. */
export type RejectionOf<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> = CommandsOf<Definition>[Name]['rejection']

/** The input that a machine starts with; nothing for other definitions. */
export type InputOf<Definition extends AnyActorDefinition> =
  CommandsOf<Definition> extends {
    readonly 'xstate.init': { readonly data: infer Input }
  }
    ? Input
    : never
