// only(): a middleware for the commands of one definition.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkDefinition } from './check-definition.js'
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

/** A middleware for the commands of one definition, with their types; other commands pass. Throws `invalid-definition` or `invalid-option`. */
export function only<Definition extends AnyActorDefinition>(
  definition: Definition,
  middleware: CommandMiddleware<GuardedCommandOf<Definition>>,
): CommandMiddleware {
  checkDefinition('only', definition)
  if (typeof middleware !== 'function')
    throw new CairnError(
      'invalid-option',
      `only(${definition.type}) got ${show(middleware)} as its middleware: pass a function (command, next) => ….`,
    )
  const { type } = definition
  return (command, next) =>
    command.actor.type === type
      ? (middleware as CommandMiddleware)(command, next)
      : next()
}
