// Actors: which there are, their states, events and timers.

import type { StateReading } from '../../actor/definition.js'
import { formatAddress, isReservedType, checkActorType } from '../../model/address.js'
import type { ActorAddress } from '../../model/address.js'
import { defined } from '../../model/defined.js'
import { eventView, itemView } from '../../runtime/views/event.js'
import { timerView } from '../../runtime/views/timer.js'
import type { EventAnswer, StateAnswer, WatchEvent } from '../answers.js'
import { count, flag, oneOf, optional, text, withDefault } from '../fields.js'
import { Problem } from '../problem.js'
import { EventStream, type Route, route, Versioned } from '../route.js'
import {
  anyValue,
  countSchema,
  listOf,
  objectOf,
  shapeOf,
  textSchema,
} from '../schema.js'
import type { SseEvent } from '../sse.js'
import { schemaOf } from './schemas.js'
import {
  actorParams,
  addressOf,
  definitionOf,
  firstOf,
  limitField,
  timeoutField,
  until,
} from './shared.js'

const list = route({
  method: 'get',
  path: '/v1/actors',
  id: 'listActors',
  tag: 'actors',
  summary: 'Lists the actors that have events.',
  role: 'reader',
  query: {
    type: optional(text('Only this type. Default: all but those of Cairn itself.')),
    prefix: optional(text('Only ids that begin with this.')),
    after: optional(
      text('Continues after this actor, TYPE/ID: `next` of the last answer.'),
    ),
    ...limitField,
  },
  answer: {
    description: 'Actors, in an order that stays the same.',
    schema: objectOf({
      actors: listOf(objectOf({ actor: textSchema, type: textSchema, id: textSchema })),
      next: { type: ['string', 'null'], description: 'Null: these were the last ones.' },
    }),
  },
  async handle({ query }, { node, signal }) {
    const { type, prefix = '', after, limit } = query
    if (type !== undefined) checkActorType(type)
    const wanted = (actor: ActorAddress) =>
      (type !== undefined || !isReservedType(actor.type)) && actor.id.startsWith(prefix)
    async function* found() {
      let isPast = after === undefined
      for await (const actor of node.store.actors({ signal, ...defined({ type }) }))
        if (!isPast) isPast = formatAddress(actor) === after
        else if (wanted(actor)) yield { actor: formatAddress(actor), ...actor }
    }
    const { entries, hasMore } = await firstOf(found(), limit)
    return { actors: entries, next: hasMore ? entries.at(-1)!.actor : null }
  },
})

const state = route({
  method: 'get',
  path: '/v1/actors/{type}/{id}/state',
  id: 'readState',
  tag: 'actors',
  summary: "Reads an actor's state, now or at a version.",
  role: 'reader',
  params: actorParams,
  query: {
    version: optional(count('The version. Default: the latest.')),
    freshness: optional(oneOf('How recent the latest must be.', ['latest', 'local'])),
    after: optional(count('Waits until the actor has this version.')),
    ...timeoutField,
  },
  condition: 'if-none-match',
  answer: {
    description: 'The state, its version, and the position of its last commit.',
    schema: schemaOf('State'),
  },
  problems: {
    404: 'This node does not host the type, or there is no such version.',
    409: 'The actor is parked.',
  },
  async handle({ params, query }, { node, signal }) {
    const { version, freshness, after, timeout } = query
    if (freshness !== undefined && after !== undefined)
      throw new Problem('invalid-request', 'The query has freshness and after: give one.')
    const wanted = after === undefined ? freshness : { after }
    const reading = await node.state(addressOf(params), {
      signal,
      timeout,
      ...defined({ version, freshness: wanted }),
    })
    const { version: at, position, state: found } = reading
    const answer: StateAnswer = { version: at, position, state: found ?? null }
    return new Versioned(at, answer)
  },
})

const events = route({
  method: 'get',
  path: '/v1/actors/{type}/{id}/events',
  id: 'readActorEvents',
  tag: 'actors',
  summary: "Reads an actor's events.",
  role: 'reader',
  params: actorParams,
  query: {
    from: optional(count('The first version.', { minimum: 1 })),
    to: optional(count('The last version.', { minimum: 1 })),
    backwards: withDefault(flag('Newest first.'), false),
    ...limitField,
  },
  answer: {
    description: 'Its events; none for an actor that has none.',
    schema: objectOf({ events: listOf(schemaOf('Event')) }),
  },
  async handle({ params, query }, { node, signal }) {
    const { from, to, backwards, limit } = query
    const items = node.store.read(addressOf(params), {
      signal,
      backwards,
      limit,
      ...defined({ from, to }),
    })
    const { entries } = await firstOf(items, limit)
    return { events: entries.map(itemView) }
  },
})

const watch = route({
  method: 'get',
  path: '/v1/actors/{type}/{id}/watch',
  id: 'watchActor',
  tag: 'actors',
  summary: 'Streams the state after each new event of an actor.',
  role: 'reader',
  params: actorParams,
  query: {
    from: optional(
      count('Begins after this version. Default: with the state now, then what comes.'),
    ),
    latest: withDefault(
      flag('Leaves out versions that were stored while the client was busy.'),
      false,
    ),
  },
  answer: {
    description:
      'Events `state`, with the version as id: `{ version, position, state, event }`. The first one has no event, unless the ' +
      'client continues with Last-Event-ID or `from`. An event `error` ends the stream.',
    schema: shapeOf<WatchEvent>({
      version: countSchema,
      position: countSchema,
      state: anyValue,
      event: anyValue,
    }),
    types: ['text/event-stream'],
  },
  problems: { 404: 'This node does not host the type, or there is no such version.' },
  async handle({ params, query }, { node, signal, lastEventId }) {
    const actor = addressOf(params)
    const ref = node.spawn(definitionOf(node, actor.type), actor.id)
    const from = versionOf(lastEventId) ?? query.from
    // Reads before the answer begins, so that what is wrong has its own status.
    const at = await node.state(actor, { signal, ...defined({ version: from }) })
    const options = { from: at.version, latest: query.latest, signal }
    async function* states(): AsyncGenerator<SseEvent> {
      if (from === undefined) yield stateEvent(at, null)
      for await (const watched of ref.watch(options))
        yield stateEvent(watched, eventView(watched.event))
    }
    return new EventStream(until(signal, states()))
  },
})

function stateEvent(
  { version, position, state }: Omit<StateReading, 'exists'>,
  event: EventAnswer | null,
): SseEvent {
  const data: WatchEvent = { version, position, state: state ?? null, event }
  return { id: String(version), event: 'state', data }
}

function versionOf(lastEventId: string | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return undefined
  return count('').read(lastEventId, 'Last-Event-ID')
}

const timers = route({
  method: 'get',
  path: '/v1/actors/{type}/{id}/timers',
  id: 'listActorTimers',
  tag: 'timers',
  summary: 'Lists the pending timers of an actor.',
  role: 'reader',
  params: actorParams,
  query: limitField,
  answer: {
    description: 'Its timers.',
    schema: objectOf({ timers: listOf(schemaOf('Timer')) }),
  },
  async handle({ params, query }, { node, signal }) {
    const all = node.timers({ actor: addressOf(params), signal })
    const { entries } = await firstOf(all, query.limit)
    return { timers: entries.map(timerView) }
  },
})

export const actorRoutes: readonly Route[] = [list, state, events, watch, timers]
