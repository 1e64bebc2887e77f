// The actor types that a node knows.

import { isReservedType } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkDefinition } from './check-definition.js'
import type { AnyActorDefinition } from './definition.js'
import { checkNotReserved } from './define-actor.js'

export class DefinitionRegistry {
  readonly #byType = new Map<string, AnyActorDefinition>()

  /** Throws `invalid-definition` if two definitions have the same type, or a type is reserved. */
  constructor(definitions: Iterable<AnyActorDefinition> = []) {
    for (const definition of definitions) this.add(definition)
  }

  /** The known types in the order they were added, without reserved types. */
  get types(): readonly string[] {
    return [...this.#byType.keys()].filter(type => !isReservedType(type))
  }

  /** Adds a definition of a reserved type. */
  addBuiltIn(definition: AnyActorDefinition): void {
    this.#byType.set(definition.type, definition)
  }

  /** Throws `invalid-definition` for a type that is reserved or known already. */
  add(definition: AnyActorDefinition): void {
    checkDefinition('actors', definition)
    const { type } = definition
    checkNotReserved(type)
    if (this.#byType.has(type))
      throw new CairnError(
        'invalid-definition',
        `Actor type ${show(type)} is defined twice: give one of the two another type.`,
        { details: { type } },
      )
    this.#byType.set(type, definition)
  }

  /** The definition of a type, if this node hosts it. */
  find(type: string): AnyActorDefinition | undefined {
    return this.#byType.get(type)
  }

  /** Throws `unknown-actor-type` with the known types. */
  get(type: string): AnyActorDefinition {
    const definition = this.#byType.get(type)
    if (definition !== undefined) return definition
    const known = this.types
    throw new CairnError(
      'unknown-actor-type',
      `This node knows no actor type ${show(type)}; it knows ` +
        `${known.length === 0 ? 'none' : known.join(', ')}. Add its definition when starting the node.`,
      { details: { type, known } },
    )
  }
}
