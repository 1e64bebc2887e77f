// The log of the namespace: events of all actors, as they are or as they come.

import { checkActorType } from '../../model/address.js'
import type { LogRecord } from '../../model/commit.js'
import { isCount, type Position, type Version } from '../../model/version.js'
import { causesOf, commitAt, effectsOf, type LinkSources } from '../../runtime/links.js'
import { linkViews } from '../../runtime/views/link.js'
import { itemsOf, itemView } from '../../runtime/views/event.js'
import type { BeforeJson, TailEvent } from '../answers.js'
import { repeated, text, withDefault, count } from '../fields.js'
import { Problem } from '../problem.js'
import { EventStream, type Route, route } from '../route.js'
import { countSchema, flagSchema, listOf, objectOf, textSchema } from '../schema.js'
import type { SseEvent } from '../sse.js'
import { schemaOf } from './schemas.js'
import { afterPosition, limitField, positionParams, until } from './shared.js'

const typeField = {
  type: repeated(text('Only actors of this type; may be given several times.')),
}

const list = route({
  method: 'get',
  path: '/v1/events',
  id: 'listEvents',
  tag: 'events',
  summary: 'Reads events of all actors, in the order of the log.',
  role: 'reader',
  query: {
    after: withDefault(count('Only what comes after this position.'), 0),
    ...typeField,
    ...limitField,
  },
  answer: {
    description: 'Events of whole commits, so there may be more than `limit`.',
    schema: objectOf({
      events: listOf(schemaOf('Event')),
      after: {
        ...countSchema,
        description: 'Where the next answer continues, as `after`.',
      },
      end: { ...countSchema, description: 'The last position of the log.' },
    }),
  },
  async handle({ query }, { node, signal }) {
    const { after, limit } = query
    const types = query.type.map(checkActorType)
    const end = await node.store.lastPosition({ signal })
    const events: object[] = []
    let at: Position = after
    const range = { after, limit, signal, ...(types.length > 0 && { types }) }
    for await (const record of node.store.readAll(range)) {
      at = record.position
      events.push(...itemsOf(record).map(itemView))
      if (events.length >= limit) return { events, after: at, end: Math.max(end, at) }
    }
    return { events, after: Math.max(at, end), end: Math.max(at, end) }
  },
})

const tail = route({
  method: 'get',
  path: '/v1/events/stream',
  id: 'tailEvents',
  tag: 'events',
  summary: 'Streams events of all actors as they are stored.',
  role: 'reader',
  query: { ...afterPosition, ...typeField },
  answer: {
    description:
      'Events `event`, one for each event of the log. Without `after` and Last-Event-ID it begins now. An event ' +
      '`error` ends the stream.',
    schema: schemaOf('Event'),
    types: ['text/event-stream'],
  },
  async handle({ query }, { node, signal, lastEventId }) {
    const types = query.type.map(checkActorType)
    const place = placeOf(lastEventId)
    const after =
      place?.after ?? query.after ?? (await node.store.lastPosition({ signal }))
    async function* all(): AsyncGenerator<SseEvent> {
      const range = { after, signal, ...(types.length > 0 && { types }) }
      for await (const record of node.store.follow(range)) yield* eventsOf(record, place)
    }
    return new EventStream(until(signal, all()))
  },
})

/** Where a client continues: within the commit after `after`, if that is at `position`. */
interface Place {
  readonly after: Position
  readonly position: Position
  readonly version: Version
}

/** An id is `POSITION-VERSION`: events of one commit share its position. */
function placeOf(lastEventId: string | undefined): Place | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined
  const [, position, version] = /^(\d{1,16})-(\d{1,16})$/.exec(lastEventId) ?? []
  const place = { position: Number(position), version: Number(version) }
  if (isCount(place.position) && place.position > 0 && isCount(place.version))
    return { after: place.position - 1, ...place }
  throw new Problem(
    'invalid-request',
    'Last-Event-ID is not one of this stream: it has the form POSITION-VERSION.',
  )
}

function* eventsOf(record: LogRecord, place: Place | undefined): Generator<SseEvent> {
  for (const item of itemsOf(record)) {
    const version = item.kind === 'malformed' ? 0 : item.version
    const { position } = item
    const data: BeforeJson<TailEvent> = itemView(item)
    if (place !== undefined && position === place.position && version <= place.version)
      continue
    yield { id: `${position}-${version}`, event: 'event', data }
  }
}

const why = route({
  method: 'get',
  path: '/v1/events/{position}/why',
  id: 'readWhy',
  tag: 'events',
  summary:
    'Reads what led to a commit, and what it led to, over actors, messages and timers.',
  role: 'reader',
  params: positionParams,
  query: {
    limit: withDefault(
      count('Look at so many commits that follow it, at most.', {
        minimum: 1,
        maximum: 100_000,
      }),
      10_000,
    ),
  },
  answer: {
    description:
      'A tree, in order: the causes, the commit itself, and its effects, each below what it has at a smaller `depth`.',
    schema: objectOf({
      links: listOf(
        objectOf({
          relation: { type: 'string', enum: ['cause', 'this', 'effect'] },
          depth: countSchema,
          kind: { type: 'string', enum: ['commit', 'entry', 'outside'] },
          what: textSchema,
          'actor?': textSchema,
          'version?': countSchema,
          by: textSchema,
          position: { type: ['integer', 'null'] },
          principal: { type: ['string', 'null'] },
          at: { type: ['string', 'null'] },
        }),
      ),
      complete: {
        ...flagSchema,
        description: 'False if there are commits that were not looked at.',
      },
    }),
  },
  problems: { 400: 'There is no commit at the position.' },
  async handle({ params, query }, { node, signal }) {
    const commit = await commitAt(node.store, params.position, signal)
    const causes = await causesOf(node.store, commit, signal)
    const timers: LinkSources['timers'] = {
      async get(actor, name) {
        for await (const timer of node.timers({ actor, signal }))
          if (timer.name === name) return timer
        return undefined
      },
    }
    const sources = { store: node.store, timers }
    const { limit } = query
    const { effects, isComplete } = await effectsOf(sources, commit, { limit, signal })
    return { links: linkViews(causes, commit, effects), complete: isComplete }
  },
})

export const logRoutes: readonly Route[] = [list, tail, why]
