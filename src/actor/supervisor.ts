// Supervisors: what operators have said about actors, as actors.
//
// One for each supervised actor, of a type that is Cairn's own. Its events are the audit
// trail, its state is what every node obeys. It is an actor like any other, so that an order
// is kept, told and judged by the same means as everything else, on every backend; but it
// belongs to no node: whoever has an order to give runs it on the spot.

import { createHash } from 'node:crypto'

import {
  type ActorAddress,
  actorIdBytesMax,
  checkAddress,
  formatAddress,
  isReservedType,
} from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { isCount, type Version } from '../model/version.js'
import { defineAnyActor } from './define-actor.js'
import { event } from './event.js'
import { reject } from './reject.js'
import { formatRange, mergeRanges, Skips, type VersionRange } from './skips.js'

export const supervisorType = 'cairn-supervision'

/** Ranges of versions that one actor may pass over. */
const rangesMax = 1000
const textBytesMax = 1024

/** Who gave an order, and why. */
export interface DirectiveData {
  /** The actor it is about: `account/alice`. */
  readonly actor: string
  readonly by: string
  readonly reason?: string
}

export interface SkipData extends DirectiveData {
  readonly version: Version
  /** The last version, where it is about several. */
  readonly through?: Version
}

/** A pause: who, why, and since when. */
export interface ActorPause {
  readonly by: string
  readonly reason?: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What operators have said about one actor. */
export interface SupervisionState {
  /** `account/alice`. */
  readonly actor: string
  /** Null while it takes commands. */
  readonly paused: ActorPause | null
  /** Versions that folding passes over, ascending: first and last of each range. */
  readonly skipped: readonly VersionRange[]
  /** How often it was told to be read anew. */
  readonly retries: number
}

/**
 * The supervisor of an actor. Its id is the actor's `type/id`; where that is longer than an id
 * may be, `sha256-` and the hash of it, which no other actor's can be: it has no slash.
 * Throws `invalid-actor-type` for an actor of Cairn's own.
 */
export function supervisorOf(actor: ActorAddress): ActorAddress {
  if (isReservedType(checkAddress(actor).type))
    throw new CairnError(
      'invalid-actor-type',
      `${formatAddress(actor)} is one of Cairn's own actors, which cannot be supervised.`,
    )
  return { type: supervisorType, id: supervisorId(formatAddress(actor)) }
}

/** The id of the supervisor of an actor, by the actor's name. */
export function supervisorId(name: string): string {
  if (Buffer.byteLength(name) <= actorIdBytesMax) return name
  return `sha256-${createHash('sha256').update(name).digest('hex')}`
}

const definition = defineAnyActor({
  type: supervisorType,
  initialState: (id): SupervisionState => ({
    actor: id,
    paused: null,
    skipped: [],
    retries: 0,
  }),
  decide: {
    pause: (_state, data: DirectiveData) =>
      rejectInvalid(data) ?? { events: event('paused', data), reply: wholeState },
    resume: ({ actor, paused }, data: DirectiveData) => {
      if (paused === null)
        return rejectInvalid(data) ?? reject('not-paused', `${actor} is not paused.`)
      return rejectInvalid(data) ?? { events: event('resumed', data), reply: wholeState }
    },
    retry: (_state, data: DirectiveData) =>
      rejectInvalid(data) ?? { events: event('retried', data), reply: wholeState },
    skip: ({ actor, skipped }, data: SkipData) => {
      const { version: first, through: last = first } = data ?? {}
      const range: VersionRange = [first, last]
      if (!isCount(first) || !isCount(last) || first < 1 || last < first)
        return reject('bad-order', 'Pass version: a whole number from 1.')
      if (Skips.of(skipped)?.covers(first, last) === true)
        return reject(
          'already-skipped',
          `${actor} passes over version ${formatRange(range)} already.`,
        )
      if (skipped.length >= rangesMax)
        return reject(
          'too-many-skips',
          `${actor} passes over ${rangesMax} ranges of versions already, the most there may be.`,
        )
      return rejectInvalid(data) ?? { events: event('skipped', data), reply: wholeState }
    },
  },
  evolve: {
    paused: (state, data: DirectiveData, stored): SupervisionState => ({
      ...withActorName(state, data),
      paused: pauseOf(data, stored),
    }),
    resumed: (state, data: DirectiveData) => ({ ...withActorName(state, data), paused: null }),
    retried: (state, data: DirectiveData) => ({
      ...withActorName(state, data),
      retries: state.retries + 1,
    }),
    skipped: (state, data: SkipData) => {
      const { version: first, through: last = first } = data ?? {}
      const isRange = isCount(first) && isCount(last) && first >= 1 && last >= first
      const skipped = isRange
        ? mergeRanges([...state.skipped, [first, last]])
        : state.skipped
      return { ...withActorName(state, data), skipped }
    },
  },
})

const eventTypes = ['paused', 'resumed', 'retried', 'skipped']

/** The definition of supervisors; total: whatever stands in its history, it can be folded. */
export const supervisor: typeof definition = {
  ...definition,
  behavior: {
    ...definition.behavior,
    evolve: (state, stored) =>
      eventTypes.includes(stored.type) ? definition.behavior.evolve(state, stored) : state,
  },
}

const wholeState = (state: SupervisionState) => state

/** An order may come from a command line: what is wrong with it. */
function rejectInvalid(data: DirectiveData | undefined) {
  const { actor, by, reason } = data ?? {}
  for (const [name, text] of Object.entries({ actor, by, reason: reason ?? 'none' }))
    if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > textBytesMax)
      return reject('bad-order', `Pass ${name}: 1 to ${textBytesMax} bytes of text.`)
  return undefined
}

/** The state under the actor's name, which its own id may not hold. */
function withActorName(
  state: SupervisionState,
  data: DirectiveData | undefined,
): SupervisionState {
  return typeof data?.actor === 'string' ? { ...state, actor: data.actor } : state
}

function pauseOf(data: DirectiveData | undefined, { at }: RecordedEvent): ActorPause {
  const { by, reason } = data ?? {}
  return { by: String(by), ...(typeof reason === 'string' && { reason }), at }
}
