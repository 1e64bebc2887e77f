// A commit ⇄ its body: the events, and what only the actor itself needs.
//
// MessagePack: { events: [{ type, data, meta?, v? }], reply?, digest?, state?: { behavior, skipped?, value, works? },
// says?, commands?: [{ reply?, digest?, causation?, traceparent?, principal? }] };
// `v` is the schema version of the event's data, absent for 1;
// `digest` is the command's name and a hash of its data, where a caller chose its id;
// `says` is the outbox: { topic, version, data, headers? } is a message, { to: [type, id], command, data } a command; timers and
// work: see `OutboxBody`. A reader ignores keys that it does not know.

import {
  commitEventsMax,
  type CommitHeader,
  type InlineState,
  type NewCommit,
} from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { checkNewEvent, type Metadata } from '../model/event.js'
import { show } from '../model/show.js'
import { findWorkProblem, type PendingWork } from '../model/work.js'
import {
  type BatchedBody,
  checkBatchedCommands,
  runsOf,
  toBatchedBody,
} from './batched-commands.js'
import { checkData } from './data.js'
import { encodeOutbox, findOutboxProblem, type OutboxBody } from './outbox.js'

export interface CommitBody {
  events: { type: string; data?: unknown; meta?: Metadata; v?: number }[]
  reply?: unknown
  digest?: string
  state?: InlineState
  says?: OutboxBody[]
  commands?: BatchedBody[]
}

/** The body of a commit. Throws `invalid-event`, `invalid-data`, `invalid-option` or `commit-too-large`. */
export function toBody(commit: NewCommit): CommitBody {
  const { events, state, command, commands, outbox } = commit
  checkEventCount(commit)
  if (commands !== undefined) checkBatchedCommands(commit, commands)
  const body: CommitBody = { events: [] }
  for (const event of events) {
    const { type, data, metadata } = checkNewEvent(event)
    checkData(data, () => `data of event ${show(type)}`)
    if (metadata !== undefined)
      checkData(metadata, () => `metadata of event ${show(type)}`)
    const stored: CommitBody['events'][number] = { type, data }
    if (metadata !== undefined) stored.meta = metadata
    const { schemaVersion = 1 } = event
    if (schemaVersion > 1) stored.v = schemaVersion
    body.events.push(stored)
  }
  if (command?.reply !== undefined) {
    checkData(command.reply, 'reply')
    body.reply = command.reply
  }
  if (command?.digest !== undefined) body.digest = command.digest
  if (state !== undefined) {
    checkData(state.value, 'state')
    if (state.works !== undefined) checkData(state.works, 'work that has not ended')
    body.state = state
  }
  if (outbox !== undefined) body.says = encodeOutbox(outbox)
  if (commands !== undefined) body.commands = commands.map(toBatchedBody)
  return body
}

function checkEventCount({ actor, events }: NewCommit): void {
  if (!Array.isArray(events) || events.length === 0)
    throw new CairnError(
      'invalid-event',
      `A commit of ${actor.type}/${actor.id} has no event: it needs at least one.`,
    )
  if (events.length > commitEventsMax)
    throw new CairnError(
      'commit-too-large',
      `A commit of ${actor.type}/${actor.id} has ${events.length} events, and the limit is ` +
        `${commitEventsMax}: split it into several commits.`,
      { details: { limit: commitEventsMax, actual: events.length } },
    )
}

/** Why a decoded body does not belong to the headers; `undefined` if it does. */
export function findBodyProblem(
  body: CommitBody,
  header: CommitHeader,
): string | undefined {
  if (typeof body !== 'object' || body === null || !Array.isArray(body.events))
    return 'its body has no list of events'
  if (body.events.length !== header.eventTypes.length)
    return `its body has ${body.events.length} events, and its headers list ${header.eventTypes.length}`
  for (const [i, event] of body.events.entries()) {
    if (event?.type !== header.eventTypes[i])
      return `event ${i + 1} of its body has another type than its headers list`
    if (event.meta !== undefined && !isObject(event.meta))
      return `the metadata of event ${i + 1} of its body is not an object`
    if (event.v !== undefined && !(Number.isSafeInteger(event.v) && event.v >= 1))
      return `the schema version of event ${i + 1} of its body is not a whole number from 1`
  }
  if (body.state !== undefined && !isObject(body.state))
    return 'the state in its body is not an object'
  const works: unknown = body.state?.works
  if (works !== undefined && !(Array.isArray(works) && works.every(isPendingWork)))
    return 'the work in its body is not a list of work that has not ended'
  const problem = findOutboxProblem(body.says, header.outboxTargets)
  if (problem !== undefined || header.commandIds === undefined) return problem
  const commands = runsOf(header.commandIds).length
  if (!Array.isArray(body.commands) || body.commands.length !== commands)
    return `its body does not have an entry for each of the ${commands} commands that its headers list`
  return body.commands.every(isObject)
    ? undefined
    : 'a command in its body is not an object'
}

function isPendingWork(value: unknown): boolean {
  if (!isObject(value)) return false
  const { key } = value as Partial<PendingWork>
  return typeof key === 'string' && findWorkProblem(value) === undefined
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
