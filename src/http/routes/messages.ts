// Messages: published on topics, consumed and settled by integration code.

import { defined } from '../../model/defined.js'
import { show } from '../../model/show.js'
import { defineTopic, type Topic } from '../../model/topic.js'
import type { Node } from '../../runtime/node.js'
import {
  count,
  type Field,
  oneOf,
  optional,
  repeated,
  text,
  withDefault,
} from '../fields.js'
import { Problem } from '../problem.js'
import { type Route, route } from '../route.js'
import {
  anyValue,
  countSchema,
  flagSchema,
  listOf,
  objectOf,
  textSchema,
} from '../schema.js'
import { schemaOf } from './schemas.js'
import { timeoutField } from './shared.js'

/** `name:value` */
const headerField: Field<readonly [name: string, value: string]> = {
  ...text('A header of the message, as name:value.', 8_192),
  read(given, name) {
    const at = typeof given === 'string' ? given.indexOf(':') : -1
    if (typeof given === 'string' && at > 0)
      return [given.slice(0, at), given.slice(at + 1)]
    throw new Problem(
      'invalid-request',
      `${name} is ${show(given)}: use name:value, such as tenant:acme.`,
    )
  },
}

const publish = route({
  method: 'post',
  path: '/v1/topics/{topic}/publish',
  id: 'publish',
  tag: 'messages',
  summary: 'Publishes a message on a topic: it is stored, and each reactor handles it.',
  role: 'writer',
  params: { topic: text('The name of the topic.', 128) },
  query: {
    key: optional(text('Messages of one key are handled in order.')),
    header: repeated(headerField, 32),
    ...timeoutField,
  },
  value: 'The data of the message.',
  isIdempotent: true,
  answer: {
    description: 'It is stored.',
    schema: objectOf({
      id: textSchema,
      position: countSchema,
      at: countSchema,
      duplicate: flagSchema,
    }),
  },
  problems: {
    429: 'It was refused by load.',
    504: 'Whether it is stored is not known: publish it again with the same Idempotency-Key.',
  },
  handle: ({ params, query, value }, { node, id, signal, causes }) =>
    node.publish(topicOf(node, params.topic), value, {
      id,
      timeout: query.timeout,
      signal,
      ...defined({ key: query.key, headers: headersOf(query.header) }),
      ...causes,
    }),
})

/** Throws a problem for a name that is given twice. */
function headersOf(
  given: readonly (readonly [name: string, value: string])[],
): Readonly<Record<string, string>> | undefined {
  if (given.length === 0) return undefined
  const headers = new Map(given)
  if (headers.size === given.length) return Object.fromEntries(headers)
  throw new Problem('invalid-request', 'header has a name twice: give each name once.')
}

/** The topic as a definition of this node has it, with its schema; otherwise one without a schema. */
function topicOf({ definitions }: Node, name: string): Topic<unknown> {
  const known = [
    ...definitions.actors.flatMap(({ publishes = [] }) => publishes),
    ...definitions.reactors.flatMap(({ topics }) => topics),
  ].find(topic => topic.name === name)
  // Its schema checks the data, whatever it is.
  return known ?? defineTopic(name)
}

const consumerParams = { name: text('The name of the consumer.') }

const consume = route({
  method: 'post',
  path: '/v1/consumers/{name}/consume',
  id: 'consume',
  tag: 'messages',
  summary: 'Gives out messages of a consumer that some process has declared.',
  role: 'writer',
  params: consumerParams,
  body: {
    batch: withDefault(count('The most messages.', { minimum: 1, maximum: 1_000 }), 1),
    maxWait: withDefault(
      count('Milliseconds to wait for the first one.', { maximum: 20_000 }),
      5_000,
    ),
  },
  answer: {
    description: 'Messages; none came in time if the list is empty.',
    schema: objectOf({ messages: listOf(schemaOf('Message')) }),
  },
  problems: { 404: 'No process has declared the consumer.' },
  handle: async ({ params, body }, { node, signal }) => ({
    messages: await node.consumer(params.name).consume({ ...body, signal }),
  }),
})

const settlements = ['ack', 'nak', 'term', 'release', 'extend'] as const

const settle = route({
  method: 'post',
  path: '/v1/consumers/{name}/settle',
  id: 'settle',
  tag: 'messages',
  summary: 'Settles a message that was given out.',
  role: 'writer',
  params: consumerParams,
  body: {
    action: oneOf(
      'ack: it is handled; nak: give it out again; term: give it up; release: give it out again at once, uncounted; ' +
        'extend: it takes longer.',
      settlements,
    ),
    ackToken: text('The ackToken of the message.', 4_096),
    delay: optional(count('nak: milliseconds until then; extend: for how long.')),
    reason: optional(text('nak, term: why.')),
  },
  answer: { description: 'It is stored.', schema: objectOf({ ok: flagSchema }) },
  problems: {
    404: 'No process has declared the consumer.',
    409: 'The token is not, or no longer, that of a message that is given out.',
  },
  async handle({ params, body }, { node }) {
    const consumer = node.consumer(params.name)
    const { action, ackToken, delay, reason } = body
    if (action === 'nak') await consumer.nak(ackToken, delay, reason)
    else if (action === 'term') await consumer.term(ackToken, reason)
    else if (action === 'extend') await consumer.extend(ackToken, delay)
    else await consumer[action](ackToken)
    return { ok: true }
  },
})

const status = route({
  method: 'get',
  path: '/v1/consumers/{name}',
  id: 'readConsumer',
  tag: 'messages',
  summary: 'Reads the definition and the progress of a consumer.',
  role: 'reader',
  params: consumerParams,
  answer: {
    description: 'Its topics, and how many messages are given out.',
    schema: objectOf({
      name: textSchema,
      topics: listOf(textSchema),
      pending: countSchema,
      waiting: countSchema,
      positions: anyValue,
    }),
  },
  problems: { 404: 'No process has declared the consumer.' },
  handle: ({ params }, { node }) => node.consumer(params.name).status(),
})

export const messageRoutes: readonly Route[] = [publish, consume, settle, status]
