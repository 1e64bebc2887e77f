// Errors of actors that are parked, paused or restarting. A parked actor's history cannot be folded: it
// fails every command with the reason, and stores nothing, until the cause is corrected.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { MalformedRecord } from '../model/commit.js'
import { CairnError, messageOf } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { programs } from '../model/programs.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { ActorPause } from './supervisor.js'

/** The versions of a record. */
export interface VersionRange {
  readonly first: Version
  readonly last: Version
}

/** The error of a command to a parked actor. */
export function actorParked(
  actor: ActorAddress,
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
  cause?: unknown,
): CairnError {
  return new CairnError(
    'actor-parked',
    `Actor ${formatAddress(actor)} is parked and stores nothing: ${reason}`,
    { cause, details: { actor: formatAddress(actor), reason, ...details } },
  )
}

/** The same error for another caller, with that caller's stack. */
export function actorStillParked(actor: ActorAddress, first: CairnError): CairnError {
  const { reason, ...details } = first.details
  return actorParked(actor, String(reason), details, first.cause ?? first)
}

/** The error of a command to an actor that an operator has paused. */
export function actorPaused(
  actor: ActorAddress,
  { by, reason, at }: ActorPause,
): CairnError {
  const name = formatAddress(actor)
  const since = Number.isFinite(at) ? new Date(at).toISOString() : 'an unknown time'
  const why = reason === undefined ? 'no reason given' : show(reason)
  return new CairnError(
    'actor-paused',
    `Actor ${name} is paused by ${show(by)} since ${since} (${why}) and accepts no commands; nothing was ` +
      `stored. Send the command again after the actor is resumed: ${programs.cairn} actor resume ${name}`,
    {
      details: {
        actor: name,
        by,
        at,
        ...(reason !== undefined && { reason }),
      },
    },
  )
}

/** The error of a call that cannot wait until a failed actor is read again. */
export function actorRestarting(
  actor: ActorAddress,
  delay: number,
  failure: CairnError,
): CairnError {
  const { reason, ...details } = failure.details
  const name = formatAddress(actor)
  return new CairnError(
    'actor-restarting',
    `Actor ${name} has failed and is read again after ${delay} ms; nothing was stored: ${String(reason)}`,
    {
      cause: failure.cause ?? failure,
      details: { actor: name, reason, delay, ...details },
    },
  )
}

export function evolveFailed(event: RecordedEvent, cause: unknown): CairnError {
  return actorParked(
    event.actor,
    `evolve failed on event ${event.id} of type ${show(event.type)}${placeOf(event)}: ${sentenceOf(cause)} ` +
      'Correct evolve, raise the behavior version and restart the node; or skip the event: ' +
      `${programs.cairn} actor skip ${formatAddress(event.actor)}`,
    {
      event: event.id,
      eventType: event.type,
      version: event.version,
      ...(positionOf(event) !== undefined && { position: positionOf(event) }),
    },
    cause,
  )
}

/** What was thrown, with one full stop at its end. */
function sentenceOf(cause: unknown): string {
  return `${messageOf(cause).replace(/\.$/, '')}.`
}

/** Unknown for an event that is not stored yet. */
function positionOf(event: RecordedEvent): Position | undefined {
  return Object.getOwnPropertyDescriptor(event, 'position')?.value as Position | undefined
}

function placeOf(event: RecordedEvent): string {
  const position = positionOf(event)
  return position === undefined ? '' : ` at position ${position}`
}

export function migrateFailed(
  actor: ActorAddress,
  from: number,
  version: Version,
  position: Position,
  cause: unknown,
): CairnError {
  return actorParked(
    actor,
    `migrateState failed on the state of behavior version ${from} at version ${version}, position ${position}: ` +
      `${sentenceOf(cause)} Correct it and restart the node; if it returns undefined, the state is folded again.`,
    { version, position, from },
    cause,
  )
}

export function initialStateFailed(actor: ActorAddress, cause: unknown): CairnError {
  return actorParked(
    actor,
    `initialState failed: ${sentenceOf(cause)} Correct it and restart the node.`,
    {},
    cause,
  )
}

export function recordUnreadable(
  actor: ActorAddress,
  record: MalformedRecord,
): CairnError {
  const { versions, position, reason } = record
  const { first, last } = versions ?? { first: 0, last: 0 }
  return actorParked(
    actor,
    `its ${first === last ? `version ${first}` : `versions ${first} to ${last}`} at position ` +
      `${position} cannot be read: ${reason}. Restore the record from a backup, or skip it: ` +
      `${programs.cairn} actor skip ${formatAddress(actor)}`,
    { version: first, through: last, position },
  )
}

/** A record whose versions do not continue those before it. No store stores one: another program has written it. */
export function versionsBroken(
  actor: ActorAddress,
  expected: Version,
  { first, last }: VersionRange,
  position: Position,
): CairnError {
  const name = formatAddress(actor)
  const found = first === last ? `version ${first}` : `versions ${first} to ${last}`
  return actorParked(
    actor,
    `the record at position ${position} has ${found}, and version ${expected} was expected there: another program has ` +
      'written to the log without an expected version. Remove that record, and every later one of this actor that was ' +
      `written after it; then: ${programs.cairn} actor retry ${name}`,
    // Not under the names of versions that can be skipped: these are also those of other events.
    { problem: discontinuity, first, last, expected, position },
  )
}

const discontinuity = 'discontinuity'

/** Whether an actor is parked for {@link versionsBroken}. */
export function isVersionsBroken({ details }: CairnError): boolean {
  return details['problem'] === discontinuity
}

/**
 * The error of a reader that has found a gap. Whether records are missing is for the actor's owner to find: a reader says
 * where to look, and nothing of skipping.
 */
export function versionsUnread(
  actor: ActorAddress,
  expected: Version,
  found: Version,
  position: Position,
): CairnError {
  const name = formatAddress(actor)
  return new CairnError(
    'actor-parked',
    `Reading the events of ${name} stopped: version ${expected} was expected and ${found} was found, at position ` +
      `${position}. Look whether the history has it: ${programs.cairn} read ${name} --from ${expected} --limit 1. If it has, read again.`,
    {
      details: {
        actor: name,
        version: expected,
        through: found - 1,
        found,
        position,
      },
    },
  )
}

export function versionsMissing(
  actor: ActorAddress,
  expected: Version,
  found: Version,
  position: Position,
): CairnError {
  return actorParked(
    actor,
    `version ${expected} was expected and ${found} was found, at position ${position}. ` +
      'Restore the missing records from a backup, or skip them: ' +
      `${programs.cairn} actor skip ${formatAddress(actor)}`,
    { version: expected, through: found - 1, found, position },
  )
}
