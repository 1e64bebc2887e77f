// Reactors, commands under way and timers: what waits.

import { backlogView } from '../../runtime/views/backlog.js'
import { timerView } from '../../runtime/views/timer.js'
import { flag, withDefault, optional, text } from '../fields.js'
import { type Route, route } from '../route.js'
import { flagSchema, listOf, objectOf } from '../schema.js'
import { defined } from '../../model/defined.js'
import { schemaOf } from './schemas.js'
import { firstOf, limitField } from './shared.js'

const reactors = route({
  method: 'get',
  path: '/v1/reactors',
  id: 'listReactors',
  tag: 'reactors',
  summary:
    'Lists the backlogs of reactors: how far they are, what waits, fails and was given up.',
  role: 'reader',
  query: {
    topic: optional(text('Only reactors that read this topic, and what waits on it.')),
    all: withDefault(flag('Also the courier and the inbox of commands.'), false),
  },
  answer: {
    description: 'For each reactor one entry for the log and one for topics.',
    schema: objectOf({ backlogs: listOf(schemaOf('Backlog')) }),
  },
  async handle({ query }, { node, signal }) {
    const { topic, all } = query
    const found = node.backlogs({ signal, all, ...defined({ topic }) })
    const { entries } = await firstOf(found, Infinity)
    return { backlogs: entries.map(backlogView) }
  },
})

const timers = route({
  method: 'get',
  path: '/v1/timers',
  id: 'listTimers',
  tag: 'timers',
  summary: 'Lists pending timers of all actors, in no particular order.',
  role: 'reader',
  query: limitField,
  answer: {
    description: 'Timers; there may be more than these.',
    schema: objectOf({ timers: listOf(schemaOf('Timer')), hasMore: flagSchema }),
  },
  async handle({ query }, { node, signal }) {
    const { entries, hasMore } = await firstOf(node.timers({ signal }), query.limit)
    return { timers: entries.map(timerView), hasMore }
  },
})

export const reactorRoutes: readonly Route[] = [reactors, timers]
