// Topics: names of streams of messages, with the schema of their data.

import { checkOptions } from './check-options.js'
import { CairnError } from './errors.js'
import { conform, isSchema, type StandardSchema } from './schema.js'
import { show } from './show.js'

/** A topic: its name and the schema of its messages. Made by {@link defineTopic}. */
export interface Topic<Input = never, Output = unknown> {
  /** `trips.completed`: names of `[A-Za-z0-9_-]+`, joined by dots. */
  readonly name: string
  /** The version of the schema, stored in each message. Default 1. */
  readonly version: number
  /** The schema of its messages; absent where any plain data is accepted. */
  readonly schema?: StandardSchema
  /** Returns the schema's output for data to publish. Throws `invalid-message`. */
  check(data: Input): Output
  /** What readers get of stored data: one value, several or none. Default: the data as it is stored. */
  readonly upcast?: (data: unknown) => readonly unknown[]
  /** Exists only as a type; there is no value. */
  readonly $data?: Output
}

export type AnyTopic = Topic

/** The data that is published on a topic. */
export type MessageInput<Of> = Of extends Topic<infer Input, unknown> ? Input : never
/** The data that a topic's readers get. */
export type MessageData<Of> = Of extends Topic<never, infer Output> ? Output : never

const namePattern = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,6}$/
/** The longest name of a topic. */
export const topicCharactersMax = 128
const topicOptionNames = { schema: true, version: true } as const
/** Topics with this prefix are reserved for Cairn. */
export const reservedTopicPrefix = 'cairn-'

/** Throws `invalid-definition` for a value that {@link defineTopic} did not make, such as a topic's name. */
export function checkTopic(where: string, topic: AnyTopic): void {
  if (typeof topic?.name === 'string' && typeof topic.check === 'function') return
  throw new CairnError(
    'invalid-definition',
    `${where} has ${show(topic)} as a topic: pass topics made by defineTopic.`,
  )
}

/**
 * Defines a topic. Define it once and import it where it is published or read.
 *
 * ```ts
 * const tripCompleted = defineTopic('trips.completed', {
 *   schema: z.object({ tripId: z.string(), price: z.number() }),
 * })
 * ```
 *
 * `defineTopic<{ tripId: string }>('trips.started')` has a type and no schema: the compiler checks what is published,
 * and at run time any plain data is accepted. The schema checks data when it is published, not when
 * it is read. A message keeps the version that it was published with, so versions of a schema exist
 * side by side. Throws `invalid-definition`.
 */
export function defineTopic<Data = unknown>(
  name: string,
  options?: { readonly schema?: undefined; readonly version?: number },
): Topic<Data, Data>
export function defineTopic<Input, Output>(
  name: string,
  options: {
    readonly schema: StandardSchema<Input, Output>
    readonly version?: number
  },
): Topic<Input, Output>
export function defineTopic(
  name: string,
  options: {
    readonly schema?: StandardSchema | undefined
    readonly version?: number
  } = {},
): Topic {
  checkOptions(`Topic ${show(name)}`, options, topicOptionNames, 'invalid-definition')
  const { schema, version = 1 } = options
  const isName =
    typeof name === 'string' &&
    namePattern.test(name) &&
    name.length <= topicCharactersMax
  if (!isName)
    throw new CairnError(
      'invalid-definition',
      `${show(name)} is not a topic: use up to 7 names of A-Z, a-z, 0-9, "_" and "-", joined by dots, ` +
        `${topicCharactersMax} characters in all.`,
      { details: { topic: name } },
    )
  if (name.startsWith(reservedTopicPrefix))
    throw new CairnError(
      'invalid-definition',
      `${show(name)} is not a topic: names that begin with "${reservedTopicPrefix}" are reserved for Cairn.`,
      { details: { topic: name } },
    )
  if (!Number.isSafeInteger(version) || version < 1)
    throw new CairnError(
      'invalid-definition',
      `version of topic ${name} is ${version}: use a whole number from 1.`,
    )
  if (schema !== undefined && !isSchema(schema))
    throw new CairnError(
      'invalid-definition',
      `schema of topic ${name} is ${show(schema)}: pass a schema of a library that implements Standard Schema.`,
    )
  const check = (data: unknown) =>
    schema === undefined
      ? data
      : conform(schema, data, `message on ${name}`, 'invalid-message')
  return { name, version, check, ...(schema !== undefined && { schema }) }
}
