// What an actor type says of itself to tools: its commands, events and topics, and which of them have a schema.

import type { AnyActorDefinition } from './definition.js'
import type { SchemaMap } from './schemas.js'

/** Whether each has a schema, by name. */
export type SchemaPresence = Readonly<Record<string, boolean>>

export interface TypeDescription {
  readonly type: string
  /** The version of the behavior. */
  readonly version: number
  readonly commands: SchemaPresence
  /** Empty where the behavior does not say which events it folds. */
  readonly events: SchemaPresence
  readonly replies: SchemaPresence
  readonly topics: SchemaPresence
  readonly state: boolean
}

export function describeType(definition: AnyActorDefinition): TypeDescription {
  const { type, behavior, schemas = {}, publishes = [] } = definition
  const { version, commandTypes, eventTypes = [] } = behavior
  return {
    type,
    version,
    commands: presence(commandTypes, schemas.commands),
    // A machine's events are its commands: what was checked as one is stored as the other.
    events: presence(eventTypes, schemas.events ?? schemas.commands),
    replies: presence(commandTypes, schemas.replies),
    topics: Object.fromEntries(
      publishes.map(({ name, schema }) => [name, schema !== undefined]),
    ),
    state: schemas.state !== undefined,
  }
}

/** What has no schema, for people: `command balance`. Replies are what this code makes, and are left out. */
export function withoutSchema(described: TypeDescription): string[] {
  const { commands, events, topics, state } = described
  const missing = (what: string, all: SchemaPresence) =>
    Object.keys(all)
      .filter(name => !all[name])
      .map(name => `${what} ${name}`)
  return [
    ...missing('command', commands),
    ...missing('event', events),
    ...missing('topic', topics),
    ...(state ? [] : ['state']),
  ]
}

function presence(
  names: readonly string[],
  schemas: SchemaMap | undefined,
): SchemaPresence {
  const has = (name: string) => schemas !== undefined && Object.hasOwn(schemas, name)
  return Object.fromEntries(names.map(name => [name, has(name)]))
}
