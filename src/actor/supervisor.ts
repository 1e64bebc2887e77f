// Supervisors: actors that hold the operators' directives (pause, resume, retry, skip) for other actors. This is not
// Akka's supervision: no parent handles the failures of its children here.
//
// Each supervised actor has one supervisor, of a reserved type. Its events are the audit trail, and its
// state is what every node applies. It is an actor like any other, so directives are stored, published
// and checked by the same means as everything else, on every backend. No node owns it: the node that
// gives a directive runs the supervisor itself.
//
// SUPERVISOR-1. A supervisor's history can always be folded, whatever events it has: unknown events and
//               invalid data are ignored.

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

/** The most ranges of versions that one actor may skip. */
const rangesMax = 1000
const textBytesMax = 1024

/** Who gave a directive, and why. */
export interface DirectiveData {
  /** The actor it is about, as text (`account/alice`): the supervisor's own id may be a hash of it. */
  readonly actor: string
  readonly by: string
  readonly reason?: string
}

export interface SkipData extends DirectiveData {
  readonly version: Version
  /** The last version of a range; absent for one version. */
  readonly through?: Version
}

/** A pause of an actor. */
export interface ActorPause {
  readonly by: string
  readonly reason?: string
  /** When it began, in milliseconds since 1970. */
  readonly at: number
}

/** The directives in force for one actor. */
export interface SupervisionState {
  /** `account/alice`. */
  readonly actor: string
  /** Null while it takes commands. */
  readonly paused: ActorPause | null
  /** Versions that folding skips, ascending: first and last of each range. */
  readonly skipped: readonly VersionRange[]
  /** The number of `retry` directives so far. */
  readonly retries: number
}

/**
 * Returns the supervisor of an actor. Its id is the actor's `type/id`. If that is longer than the limit
 * for ids, the id is `sha256-` and its hash, which cannot equal another `type/id` because it has no
 * slash. Throws `invalid-actor-type` for an actor of a reserved type.
 */
export function supervisorOf(actor: ActorAddress): ActorAddress {
  if (isReservedType(checkAddress(actor).type))
    throw new CairnError(
      'invalid-actor-type',
      `${formatAddress(actor)} has a reserved type: such actors cannot be supervised.`,
    )
  return { type: supervisorType, id: supervisorId(formatAddress(actor)) }
}

/** The id of an actor's supervisor, from the actor's name. */
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
        return reject(
          'bad-order',
          'Pass version, and through if it is a range: whole numbers from 1, through not below version.',
        )
      if (Skips.of(skipped)?.covers(first, last) === true)
        return reject(
          'already-skipped',
          `${actor} skips version ${formatRange(range)} already.`,
        )
      if (skipped.length >= rangesMax)
        return reject(
          'too-many-skips',
          `${actor} skips ${rangesMax} ranges of versions already, the limit.`,
        )
      return rejectInvalid(data) ?? { events: event('skipped', data), reply: wholeState }
    },
  },
  evolve: {
    paused: (state, data: DirectiveData, stored): SupervisionState => ({
      ...withActorName(state, data),
      paused: pauseOf(data, stored),
    }),
    resumed: (state, data: DirectiveData) => ({
      ...withActorName(state, data),
      paused: null,
    }),
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

/** The definition of supervisors (SUPERVISOR-1). */
export const supervisor: typeof definition = {
  ...definition,
  behavior: {
    ...definition.behavior,
    evolve: (state, stored) =>
      eventTypes.includes(stored.type)
        ? definition.behavior.evolve(state, stored)
        : state,
  },
}

const wholeState = (state: SupervisionState) => state

/** A rejection if the data, which may come from a command line, is invalid. */
function rejectInvalid(data: DirectiveData | undefined) {
  const { actor, by, reason } = data ?? {}
  for (const [name, text] of Object.entries({ actor, by, reason: reason ?? 'none' }))
    if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > textBytesMax)
      return reject('bad-order', `Pass ${name}: 1 to ${textBytesMax} bytes of text.`)
  return undefined
}

/** The state with the actor's name, which the supervisor's id may not contain. */
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
