// The types of stored events, as TypeScript and as JSON Schema.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { CatalogueEntry, EventVersion } from './catalogue.js'
import { type JsonSchema, schemaOfShape, schemaOfStandard } from './json-schema.js'
import { typeOf } from './typescript.js'

export interface EventSchema {
  readonly actorType: string
  readonly event: string
  readonly schemaVersion: number
  /** The definition's schema, or inferred from stored events. */
  readonly source: 'schema' | 'inferred'
  /** Events that it was inferred from; absent for a schema. */
  readonly samples?: number
  readonly schema: JsonSchema
}

/** A schema for each schema version of an event. */
export function schemasOf(
  entry: CatalogueEntry,
  definition: AnyActorDefinition | undefined,
): EventSchema[] {
  const { actorType, event, versions } = entry
  const own = definition?.behavior.schemaVersionOf?.(event) ?? 1
  return Object.entries(versions).map(([version, seen]) => {
    const schemaVersion = Number(version)
    const at = { actorType, event, schemaVersion }
    const told = schemaVersion === own ? toldBy(definition, event) : undefined
    return told === undefined
      ? { ...at, source: 'inferred', samples: seen.samples, schema: inferred(seen) }
      : { ...at, source: 'schema', schema: told }
  })
}

function inferred({ shape }: EventVersion): JsonSchema {
  return schemaOfShape(shape.shape)
}

/** What the definition's own schema says. A machine's events are its commands. */
function toldBy(
  definition: AnyActorDefinition | undefined,
  event: string,
): JsonSchema | undefined {
  const { events, commands } = definition?.schemas ?? {}
  const isMachine = definition?.behavior.knows !== undefined
  const map = events ?? (isMachine ? commands : undefined)
  if (map === undefined || !Object.hasOwn(map, event)) return undefined
  return schemaOfStandard(map[event]!)
}

/** A union of the stored events of an actor type. */
export function typesOf(actorType: string, schemas: readonly EventSchema[]): string {
  const members = schemas.map(({ event, schemaVersion, source, samples, schema }) => {
    const from =
      source === 'schema' ? 'of its schema' : `inferred from ${samples} of those stored`
    return [
      `  /** ${from} */`,
      '  | {',
      `      type: ${JSON.stringify(event)}`,
      `      schemaVersion: ${schemaVersion}`,
      `      data: ${typeOf(schema, '      ')}`,
      '    }',
    ].join('\n')
  })
  return `export type ${nameOf(actorType)}Event =\n${members.join('\n')}\n`
}

/** `bank-account` → `BankAccount`. Actor types begin with a letter. */
function nameOf(actorType: string): string {
  const words = actorType.split(/[-_]+/).filter(word => word !== '')
  return words.map(word => word[0]!.toUpperCase() + word.slice(1)).join('')
}
