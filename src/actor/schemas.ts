// The schemas of an actor type: what they say of the types of its handlers, and where they are applied.
//
// A schema checks what enters: the data of a command before it is decided, and the data of an event, the reply and the
// state before anything is stored. What was stored is not checked again.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { AcceptedDecision, Command } from '../model/behavior.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import { didYouMean } from '../model/nearest.js'
import { conform, isSchema, type StandardSchema } from '../model/schema.js'
import { show } from '../model/show.js'
import { detach } from './detach.js'

/** Schemas by name. */
export type SchemaMap = Readonly<Record<string, StandardSchema>>

/** Schemas of an actor type: each is optional, and of any library that implements Standard Schema. */
export interface ActorSchemas {
  /** The data of commands, by the command's name: checked before a command is decided. */
  readonly commands?: SchemaMap
  /** The data of events, by the event's type: checked before an event is stored, and not when it is read. */
  readonly events?: SchemaMap
  /** Replies, by the command's name: checked before anything is stored. */
  readonly replies?: SchemaMap
  /** The state: checked after the events of a command, before they are stored. It changes nothing. */
  readonly state?: StandardSchema
}

/** The schemas of one kind; none for a definition without them. */
export type SchemasIn<Schemas, Kind extends keyof ActorSchemas> = Schemas extends {
  readonly [Key in Kind]: infer Map
}
  ? Map
  : object

/** What a schema takes. */
export type InputOf<Schema> =
  Schema extends StandardSchema<infer Input, unknown> ? Input : never
/** What a schema makes. */
export type OutputOf<Schema> =
  Schema extends StandardSchema<infer _Input, infer Output> ? Output : never

const kinds: OptionNames<ActorSchemas> = {
  commands: true,
  events: true,
  replies: true,
  state: true,
}

/**
 * Throws `invalid-definition` for what is not a schema, and for a schema of a command or an event that does not exist.
 */
export function checkSchemas(
  what: string,
  schemas: ActorSchemas,
  commands: readonly string[],
  events: readonly string[],
): void {
  if (typeof schemas !== 'object' || schemas === null)
    throw new CairnError(
      'invalid-definition',
      `schemas of ${what} is ${show(schemas)}: pass { commands, events, replies, state }.`,
    )
  checkOptions(`schemas of ${what}`, schemas, kinds, 'invalid-definition')
  const known = { commands, events, replies: commands }
  for (const kind of ['commands', 'events', 'replies'] as const)
    for (const [name, schema] of Object.entries(schemas[kind] ?? {})) {
      checkSchema(`schemas.${kind}.${name} of ${what}`, schema)
      if (known[kind].includes(name)) continue
      throw new CairnError(
        'invalid-definition',
        `schemas.${kind} of ${what} has ${show(name)}, which does not exist.` +
          `${didYouMean(name, known[kind])} There are ${known[kind].join(', ')}.`,
      )
    }
  if (schemas.state !== undefined) checkSchema(`schemas.state of ${what}`, schemas.state)
}

function checkSchema(where: string, schema: unknown): void {
  if (isSchema(schema)) return
  throw new CairnError(
    'invalid-definition',
    `${where} is ${show(schema)}: pass a schema of a library that implements Standard Schema, such as zod, valibot or arktype.`,
  )
}

/**
 * Returns the command with what its schema makes of its data. Throws `invalid-command` with the paths that are wrong,
 * or `invalid-definition` for a schema that throws, is asynchronous or makes what cannot be stored.
 */
export function conformCommand(
  schemas: ActorSchemas | undefined,
  actor: ActorAddress,
  command: Command,
): Command {
  const schema = own(schemas?.commands, command.type)
  if (schema === undefined || command.isChecked === true) return command
  const what = () => commandText(actor, command.type)
  const data = made(schema, command.data, 'invalid-command', what)
  return { ...command, data, isChecked: true }
}

/** Throws as {@link conformCommand} does; the data stays as it is. */
export function checkCommandData(
  schemas: ActorSchemas | undefined,
  actor: ActorAddress,
  type: string,
  data: unknown,
): void {
  const schema = own(schemas?.commands, type)
  if (schema === undefined) return
  conform(schema, data, () => commandText(actor, type), 'invalid-command')
}

function commandText(actor: ActorAddress, type: string): string {
  return `data of command ${show(type)} to ${formatAddress(actor)}`
}

/** Returns the event with what its schema makes of its data. Throws `invalid-event`. */
export function conformEvent(
  schemas: ActorSchemas | undefined,
  actor: ActorAddress,
  event: NewEvent,
): NewEvent {
  const schema = own(schemas?.events, event.type)
  if (schema === undefined) return event
  const what = () => `data of event ${show(event.type)} of ${formatAddress(actor)}`
  return { ...event, data: made(schema, event.data, 'invalid-event', what) }
}

/** Returns the decision, whose reply also checks itself and the state, as far as there are schemas. */
export function conformReply(
  schemas: ActorSchemas | undefined,
  actor: ActorAddress,
  command: Command,
  decision: AcceptedDecision,
): AcceptedDecision {
  const schema = own(schemas?.replies, command.type)
  const stateSchema = decision.events.length > 0 ? schemas?.state : undefined
  if (schema === undefined && stateSchema === undefined) return decision
  const where = () => `${show(command.type)} to ${formatAddress(actor)}`
  return {
    ...decision,
    reply(state) {
      if (stateSchema !== undefined)
        conform(
          stateSchema,
          state,
          () => `state after command ${where()}`,
          'decide-failed',
        )
      const reply = decision.reply(state)
      if (schema === undefined) return reply
      return made(schema, reply, 'decide-failed', () => `reply to command ${where()}`)
    },
  }
}

/** Not a property of the prototype: names of commands come from outside. */
function own(map: SchemaMap | undefined, name: string): StandardSchema | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined
}

/** The output of a schema: a copy, since a schema may hand out a value of its own, such as a default. */
function made(
  schema: StandardSchema,
  value: unknown,
  code: 'invalid-command' | 'invalid-event' | 'decide-failed',
  what: () => string,
): unknown {
  const output = conform(schema, value, what, code)
  if (output === value) return output
  return detach(output, () => `${what()} that its schema made`)
}
