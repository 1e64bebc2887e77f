// Directives of operators for an actor: pause, resume, retry, skip.

import { formatAddress } from '../../model/address.js'
import { defined } from '../../model/defined.js'
import { count, optional, text } from '../fields.js'
import { type Call, type Route, route } from '../route.js'
import {
  anyValue,
  countSchema,
  flagSchema,
  listOf,
  objectOf,
  textSchema,
} from '../schema.js'
import { acceptedOf } from './commands.js'
import { schemaOf } from './schemas.js'
import { actorParams, addressOf, limitField } from './shared.js'

const read = route({
  method: 'get',
  path: '/v1/actors/{type}/{id}/supervision',
  id: 'readDirectives',
  tag: 'supervision',
  summary: "Reads the operators' directives that are in force for an actor.",
  role: 'reader',
  params: actorParams,
  answer: {
    description: 'Its pause and its skips.',
    schema: objectOf({ directives: anyValue }),
  },
  handle: async ({ params }, { node, signal }) => ({
    directives: await node.supervise(addressOf(params)).state({ signal }),
  }),
})

const parked = route({
  method: 'get',
  path: '/v1/parked',
  id: 'listParked',
  tag: 'supervision',
  summary: "Lists the actors in this node's memory that are parked, and why.",
  role: 'reader',
  query: limitField,
  answer: {
    description: 'Actors that fail every command.',
    schema: objectOf({
      parked: listOf(
        objectOf({ actor: textSchema, reason: textSchema, 'version?': countSchema }),
      ),
      hasMore: flagSchema,
    }),
  },
  handle({ query }, { node }) {
    const all = node.parked()
    const shown = all.slice(0, query.limit).map(({ actor, error: { details } }) => ({
      actor: formatAddress(actor),
      reason: details['reason'],
      ...defined({ version: details['version'], eventType: details['eventType'] }),
    }))
    return { parked: shown, hasMore: all.length > shown.length }
  },
})

const reason = {
  reason: optional(text('Why; stored with the directive.')),
}

function directive(verb: 'pause' | 'resume' | 'retry', summary: string): Route {
  return route({
    method: 'post',
    path: `/v1/actors/{type}/{id}/supervision/${verb}`,
    id: `${verb}Actor`,
    tag: 'supervision',
    summary,
    role: 'operator',
    params: actorParams,
    body: reason,
    isIdempotent: true,
    answer: {
      description: 'The directives now in force, as `reply`.',
      schema: schemaOf('Directives'),
    },
    problems: { 409: 'The actor is in no state for it.' },
    handle: async ({ params, body }, call) => {
      const supervision = call.node.supervise(addressOf(params))
      return acceptedOf(await supervision[verb](optionsOf(body, call)))
    },
  })
}

const skip = route({
  method: 'post',
  path: '/v1/actors/{type}/{id}/supervision/skip',
  id: 'skipVersion',
  tag: 'supervision',
  summary: 'Makes folding skip the event of a version, on every node.',
  role: 'operator',
  params: actorParams,
  body: {
    ...reason,
    version: optional(
      count('Default: the version on which the actor is parked.', { minimum: 1 }),
    ),
  },
  isIdempotent: true,
  answer: {
    description: 'The directives now in force, as `reply`.',
    schema: schemaOf('Directives'),
  },
  problems: {
    404: 'There is no such version.',
    409: 'The actor is not parked, or the version is skipped already.',
  },
  handle: async ({ params, body }, call) => {
    const { version } = body
    const options = { ...optionsOf(body, call), ...defined({ version }) }
    return acceptedOf(await call.node.supervise(addressOf(params)).skip(options))
  },
})

function optionsOf(
  { reason: why }: { readonly reason: string | undefined },
  { id, signal, principal }: Call,
) {
  return { commandId: id, signal, by: principal.id, ...defined({ reason: why }) }
}

export const supervisionRoutes: readonly Route[] = [
  parked,
  read,
  directive('pause', 'Pauses an actor: it accepts no command, on any node.'),
  directive('resume', 'Ends the pause of an actor.'),
  directive('retry', 'Reads an actor again that is parked or waits for a restart.'),
  skip,
]
