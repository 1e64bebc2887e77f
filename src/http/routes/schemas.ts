// The schemas of what the API answers. They say what a client may rely on; answers may hold more.

import type { AskAnswer, EventAnswer, MalformedAnswer, StateAnswer } from '../answers.js'
import {
  anyValue,
  countSchema,
  flagSchema,
  listOf,
  objectOf,
  refTo,
  type Schema,
  shapeOf,
  textSchema,
} from '../schema.js'

const timeSchema: Schema = { type: 'string', format: 'date-time' }
const addressSchema: Schema = {
  type: 'string',
  description: 'An actor, as TYPE/ID.',
}

/** An event, or a record that is none; both have a position. */
type EventOrMalformed = Pick<EventAnswer, 'position'> &
  Partial<Omit<EventAnswer, 'position'>> &
  Partial<Omit<MalformedAnswer, 'position'>>

export const schemas = {
  Problem: objectOf({
    type: textSchema,
    title: textSchema,
    status: countSchema,
    detail: textSchema,
    code: { type: 'string', description: 'Stable: branch on this.' },
    retryable: flagSchema,
    'details?': { type: 'object' },
  }),
  Event: shapeOf<EventOrMalformed>({
    'id?': textSchema,
    'actor?': addressSchema,
    'type?': textSchema,
    'version?': countSchema,
    position: countSchema,
    'data?': anyValue,
    'metadata?': { type: 'object', additionalProperties: textSchema },
    'schemaVersion?': countSchema,
    'piece?': textSchema,
    'at?': timeSchema,
    'commitId?': textSchema,
    'nodeId?': textSchema,
    'commandId?': textSchema,
    'correlationId?': textSchema,
    'causationId?': textSchema,
    'principal?': { type: 'string', description: 'Who asked for it.' },
    'malformed?': {
      type: 'boolean',
      description: 'True for a record that is no readable commit.',
    },
    'reason?': textSchema,
    'source?': textSchema,
    'versions?': objectOf({ first: countSchema, last: countSchema }),
    'raw?': { type: 'string', description: 'The bytes of its body, as base64.' },
    'headers?': { type: 'object', additionalProperties: textSchema },
  }),
  Accepted: shapeOf<AskAnswer>({
    ok: flagSchema,
    version: countSchema,
    position: countSchema,
    reply: anyValue,
    duplicate: flagSchema,
    commandId: textSchema,
    correlationId: textSchema,
    'outboxIds?': listOf(textSchema),
  }),
  State: shapeOf<StateAnswer>({
    version: countSchema,
    position: countSchema,
    state: anyValue,
  }),
  Timer: objectOf({
    actor: addressSchema,
    name: textSchema,
    due: timeSchema,
    'every?': countSchema,
    'occurrence?': countSchema,
    'skipAfter?': countSchema,
    command: textSchema,
    data: anyValue,
  }),
  Node: objectOf({
    id: textSchema,
    types: listOf(textSchema),
    behaviors: { type: 'object', additionalProperties: countSchema },
    weight: { type: 'number' },
    version: textSchema,
    since: timeSchema,
    groups: listOf(textSchema),
    metadata: { type: 'object', additionalProperties: textSchema },
  }),
  Backlog: objectOf({
    group: textSchema,
    topics: listOf(textSchema),
    source: { type: 'string', enum: ['log', 'topics', 'inbox'] },
    floor: countSchema,
    end: countSchema,
    waiting: countSchema,
    counted: flagSchema,
    oldestAt: { ...timeSchema, type: ['string', 'null'] },
    lagSeconds: { type: 'number' },
    health: { type: 'string', enum: ['good', 'watch', 'critical'] },
    due: countSchema,
    dead: countSchema,
    failing: listOf(
      objectOf({
        key: textSchema,
        position: countSchema,
        attempts: countSchema,
        firstAt: timeSchema,
        nextAt: timeSchema,
        error: textSchema,
      }),
    ),
  }),
  DeadLetter: objectOf({
    position: countSchema,
    reactor: textSchema,
    reason: textSchema,
    attempts: countSchema,
    markedAt: timeSchema,
    error: objectOf({ name: textSchema, 'message?': textSchema, 'stack?': textSchema }),
    message: objectOf({ id: textSchema, topic: textSchema, 'data?': anyValue }),
  }),
  Projection: objectOf({
    name: textSchema,
    end: countSchema,
    builds: listOf(
      objectOf({
        number: countSchema,
        version: countSchema,
        state: { type: 'string', enum: ['building', 'live', 'retired'] },
        position: countSchema,
        lag: countSchema,
        lagSeconds: { type: 'number' },
      }),
    ),
  }),
  Directives: objectOf({ ok: flagSchema, version: countSchema, reply: anyValue }),
  Message: objectOf({
    subject: textSchema,
    payload: anyValue,
    headers: { type: 'object', additionalProperties: textSchema },
    sequence: countSchema,
    publishedAt: timeSchema,
    ackToken: textSchema,
  }),
} as const satisfies Record<string, Schema>

export function schemaOf(name: keyof typeof schemas): Schema {
  return refTo(name)
}
