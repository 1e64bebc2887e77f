// only(): a middleware for the commands of one definition.

import type { CommandNameOf, CommandTypesOf } from './definition-types.js'
import type { AnyActorDefinition } from './definition.js'
import type { CommandMiddleware, GuardedCommand } from './guarded-command.js'

/** The commands of a definition, as middleware and guards see them: branch on `type`. */
export type GuardedCommandOf<Definition extends AnyActorDefinition> = {
  readonly [Name in CommandNameOf<Definition>]: GuardedCommand<
    Name,
    CommandTypesOf<Definition, Name>['data']
  >
}[CommandNameOf<Definition>]

/** A middleware for the commands of one definition, with their types; other commands pass. */
export function only<Definition extends AnyActorDefinition>(
  definition: Definition,
  middleware: CommandMiddleware<GuardedCommandOf<Definition>>,
): CommandMiddleware {
  const { type } = definition
  return (command, next) =>
    command.actor.type === type
      ? (middleware as CommandMiddleware)(command, next)
      : next()
}
