// The nodes of the namespace, and what this one hosts and counts.

import { chartOf } from '../../machine/chart.js'
import { checkActorType } from '../../model/address.js'
import { toldSchema } from '../../model/schema.js'
import { isoTime } from '../../runtime/views/iso-time.js'
import { text } from '../fields.js'
import { type Route, route } from '../route.js'
import { anyValue, listOf, objectOf, textSchema } from '../schema.js'
import { schemaOf } from './schemas.js'
import { definitionOf } from './shared.js'

const list = route({
  method: 'get',
  path: '/v1/nodes',
  id: 'listNodes',
  tag: 'nodes',
  summary: "Lists the nodes that are members of the namespace's cluster.",
  role: 'reader',
  answer: {
    description: 'The nodes, as this one sees them now.',
    schema: objectOf({ nodes: listOf(schemaOf('Node')), self: textSchema }),
  },
  handle: (_, { node }) => ({
    self: node.id,
    nodes: node
      .members()
      .map(({ id, types, behaviors = {}, weight, version, incarnation, ...more }) => ({
        id,
        types,
        behaviors: Object.fromEntries(types.map(type => [type, behaviors[type] ?? 1])),
        weight,
        version,
        since: isoTime(incarnation),
        groups: more.groups ?? [],
        metadata: more.metadata,
      })),
  }),
})

const self = route({
  method: 'get',
  path: '/v1/node',
  id: 'readNode',
  tag: 'nodes',
  summary: 'Describes this node: what it hosts, and its statistics.',
  role: 'reader',
  answer: {
    description: 'Its definitions and its statistics since it started.',
    schema: objectOf({
      id: textSchema,
      namespace: textSchema,
      actors: listOf(objectOf({ type: textSchema, commands: listOf(textSchema) })),
      reactors: listOf(textSchema),
      projections: listOf(textSchema),
      stats: anyValue,
    }),
  },
  handle: (_, { node }) => {
    const { actors, reactors, projections } = node.definitions
    return {
      id: node.id,
      namespace: node.namespace,
      actors: actors.map(({ type, behavior, publishes = [] }) => ({
        type,
        version: behavior.version,
        commands: behavior.commandTypes,
        publishes: publishes.map(({ name }) => name),
      })),
      reactors: reactors.map(({ name }) => name),
      projections: projections.map(({ name }) => name),
      stats: node.stats(),
    }
  },
})

const me = route({
  method: 'get',
  path: '/v1/me',
  id: 'readPrincipal',
  tag: 'nodes',
  summary: 'Tells who asks, and what they may do.',
  role: 'reader',
  answer: {
    description: 'The principal of the request.',
    schema: objectOf({ id: textSchema, roles: listOf(textSchema) }),
  },
  handle: (_, { principal: { id, roles } }) => ({ id, roles }),
})

const chart = route({
  method: 'get',
  path: '/v1/types/{type}/chart',
  id: 'readChart',
  tag: 'nodes',
  summary: 'Describes the statechart of a type that is a machine.',
  role: 'reader',
  params: { type: text('The type of the actor.') },
  answer: {
    description: 'Its states and transitions; null for a type that is no machine.',
    schema: objectOf({ chart: { type: ['object', 'null'] } }),
  },
  problems: { 404: 'This node does not host the type.' },
  handle: ({ params }, { node }) => {
    const definition = definitionOf(node, checkActorType(params.type))
    return { chart: chartOf(definition) ?? null }
  },
})

const commands = route({
  method: 'get',
  path: '/v1/types/{type}/commands',
  id: 'listCommands',
  tag: 'nodes',
  summary: 'Lists the commands of a type, with the schemas of their data.',
  role: 'reader',
  params: { type: text('The type of the actor.') },
  answer: {
    description:
      'JSON Schemas (2020-12) of what the commands take; null for a command without a schema, and for one whose schema ' +
      'cannot be told in JSON Schema.',
    schema: objectOf({
      commands: listOf(
        objectOf({ name: textSchema, schema: { type: ['object', 'null'] } }),
      ),
    }),
  },
  problems: { 404: 'This node does not host the type.' },
  handle: ({ params }, { node }) => {
    const { behavior, schemas } = definitionOf(node, checkActorType(params.type))
    const told = (name: string) => {
      const all = schemas?.commands
      if (all === undefined || !Object.hasOwn(all, name)) return null
      const schema = all[name]
      return schema === undefined ? null : (toldSchema(schema, 'input') ?? null)
    }
    return {
      commands: behavior.commandTypes.map(name => ({ name, schema: told(name) })),
    }
  },
})

export const nodeRoutes: readonly Route[] = [list, self, me, chart, commands]
