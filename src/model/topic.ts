// Topics: what messages are about, and what is in them.

import { CairnError } from './errors.js'
import { conform, isSchema, type StandardSchema } from './schema.js'
import { show } from './show.js'

/** A topic: its name, and the schema of its messages. Made by {@link defineTopic}. */
export interface Topic<Input = never, Output = unknown> {
  /** `trips.completed`: names of `[A-Za-z0-9_-]+`, joined by dots. */
  readonly name: string
  /** Of the schema: a message says which one it was made by. Default 1. */
  readonly version: number
  /** What the schema makes of the data of a message; throws `invalid-message`. */
  check(data: Input): Output
  /** Carries the type only; there is no value. */
  readonly $data?: Output
}

export type AnyTopic = Topic

/** What is published on a topic, and what its readers get. */
export type MessageInput<Of> = Of extends Topic<infer Input, unknown> ? Input : never
export type MessageData<Of> = Of extends Topic<never, infer Output> ? Output : never

const namePattern = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,6}$/
const nameCharactersMax = 128
/** What the names of Cairn's own places among the topics begin with. */
export const ownTopicPrefix = 'cairn-'

/**
 * Declares a topic, once for all who publish on it or read it.
 *
 * ```ts
 * const tripCompleted = defineTopic('trips.completed', {
 *   schema: z.object({ tripId: z.string(), price: z.number() }),
 * })
 * ```
 *
 * Without a schema any plain data is taken. Versions of a schema live side by side: a message
 * keeps the version that it was published with, and is read with a topic of that version, or
 * as it is by one of another. Throws `invalid-definition`.
 */
export function defineTopic(name: string): Topic<unknown, unknown>
export function defineTopic<Input, Output>(
  name: string,
  options: {
    readonly schema: StandardSchema<Input, Output>
    readonly version?: number
  },
): Topic<Input, Output>
export function defineTopic(
  name: string,
  options: { readonly schema?: StandardSchema; readonly version?: number } = {},
): Topic<unknown, unknown> {
  const { schema, version = 1 } = options
  const isName =
    typeof name === 'string' && namePattern.test(name) && name.length <= nameCharactersMax
  if (!isName)
    throw new CairnError(
      'invalid-definition',
      `${show(name)} is not a topic: use up to 7 names of A-Z, a-z, 0-9, "_" and "-", joined by dots, ` +
        `${nameCharactersMax} characters in all.`,
      { details: { topic: name } },
    )
  if (name.startsWith(ownTopicPrefix))
    throw new CairnError(
      'invalid-definition',
      `${show(name)} is not a topic: names that begin with "${ownTopicPrefix}" are Cairn's own.`,
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
      `schema of topic ${name} is ${show(schema)}: pass one of a library that speaks Standard Schema.`,
    )
  const check = (data: unknown) =>
    schema === undefined ? data : conform(schema, data, `message on ${name}`)
  return { name, version, check }
}
