// Projections: their builds, and the rows of those that this node knows.

import { show } from '../../model/show.js'
import type { Node } from '../../runtime/node.js'
import type { RowAnswer, RowsAnswer } from '../answers.js'
import { count, optional, text } from '../fields.js'
import { Problem } from '../problem.js'
import { type Route, route } from '../route.js'
import { anyValue, flagSchema, listOf, objectOf, shapeOf, textSchema } from '../schema.js'
import { schemaOf } from './schemas.js'
import { firstOf, limitField, timeoutField } from './shared.js'

const list = route({
  method: 'get',
  path: '/v1/projections',
  id: 'listProjections',
  tag: 'projections',
  summary: 'Lists the projections of the namespace, and how far their builds are.',
  role: 'reader',
  answer: {
    description: 'The projections that have builds.',
    schema: objectOf({ projections: listOf(schemaOf('Projection')) }),
  },
  async handle(_, { node, signal }) {
    const { entries } = await firstOf(node.projectionStatuses({ signal }), Infinity)
    return { projections: entries }
  },
})

const rowSchema = shapeOf<RowAnswer>({ key: textSchema, row: anyValue })

const nameParams = { name: text('The name of the projection.') }

const rows = route({
  method: 'get',
  path: '/v1/projections/{name}/rows',
  id: 'listRows',
  tag: 'projections',
  summary: 'Lists rows of a projection, in no particular order.',
  role: 'reader',
  params: nameParams,
  query: { ...limitField, ...timeoutField },
  answer: {
    description: 'Rows; there may be more than these.',
    schema: shapeOf<RowsAnswer>({ rows: listOf(rowSchema), hasMore: flagSchema }),
  },
  problems: { 404: 'This node does not know the projection.' },
  async handle({ params, query }, { node, signal }) {
    const reader = node.projection(projectionOf(node, params.name))
    const { timeout, limit } = query
    const { entries, hasMore } = await firstOf(reader.entries({ signal, timeout }), limit)
    const answer: RowsAnswer = {
      rows: entries.map(([key, row]) => ({ key, row })),
      hasMore,
    }
    return answer
  },
})

const row = route({
  method: 'get',
  path: '/v1/projections/{name}/rows/{key}',
  id: 'readRow',
  tag: 'projections',
  summary: 'Reads a row of a projection.',
  role: 'reader',
  params: { ...nameParams, key: text('The key of the row, percent-encoded.') },
  query: {
    position: optional(count('Waits until the rows include the log up to here.')),
    ...timeoutField,
  },
  answer: {
    description: 'The row.',
    schema: rowSchema,
  },
  problems: { 404: 'This node does not know the projection, or it has no such row.' },
  async handle({ params, query }, { node, signal }) {
    const { name, key } = params
    const { position, timeout } = query
    const reader = node.projection(projectionOf(node, name))
    if (position !== undefined) await reader.waitFor(position, { signal, timeout })
    const found = await reader.get(key, { signal, timeout })
    const answer: RowAnswer = { key, row: found }
    if (found !== undefined) return answer
    throw new Problem('not-found', `Projection ${name} has no row ${show(key)}.`)
  },
})

const rebuild = route({
  method: 'post',
  path: '/v1/projections/{name}/rebuild',
  id: 'rebuildProjection',
  tag: 'projections',
  summary: 'Builds a projection again from the first event; its rows are read meanwhile.',
  role: 'operator',
  params: nameParams,
  body: {},
  answer: {
    description: 'The request is stored; the builds as they are now.',
    schema: schemaOf('Projection'),
  },
  problems: { 404: 'This node does not know the projection.' },
  async handle({ params }, { node }) {
    const reader = node.projection(projectionOf(node, params.name))
    await reader.rebuild()
    return reader.status()
  },
})

function projectionOf({ definitions, id }: Node, name: string) {
  const found = definitions.projections.find(one => one.name === name)
  if (found !== undefined) return found
  throw new Problem(
    'not-found',
    `Node ${id} was not started with a projection ${show(name)}: ask one that was.`,
  )
}

export const projectionRoutes: readonly Route[] = [list, rows, row, rebuild]
