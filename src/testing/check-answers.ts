// Checks what callers were told against the log: an acknowledged command is in the log (P3), exactly once (P4), with
// the events that it decides (P2).

import { decide } from '../actor/decide.js'
import { formatAddress } from '../model/address.js'
import type { Command, Decision } from '../model/behavior.js'
import type { StoredCommit } from '../model/commit.js'
import { messageOf } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { AcceptedOutcome, RejectedOutcome } from '../model/command-sender.js'
import { causesOf } from '../actor/causes.js'
import type { Version } from '../model/version.js'
import type { Histories } from './histories.js'
import type { Answered, Journal } from './journal.js'
import { isSame } from './same.js'

export function* checkAnswers(histories: Histories, journal: Journal): Generator<string> {
  // By version, so that the states are folded in one pass.
  const answered = journal.answered.toSorted(
    (a, b) => a.ended.outcome.version - b.ended.outcome.version,
  )
  for (const sent of answered) {
    const { outcome } = sent.ended
    if (outcome.ok) yield* checkAccepted(histories, sent, outcome)
    else yield* checkRejected(histories, sent, outcome)
  }
  yield* checkOrder(journal.answered)
}

function* checkAccepted(
  histories: Histories,
  sent: Answered,
  told: AcceptedOutcome,
): Generator<string> {
  const { actor, id } = sent
  const { version, position } = told
  const commit = position === 0 ? undefined : histories.at(position, version)
  const isThere =
    position === 0
      ? version === 0
      : commit?.lastVersion === version &&
        formatAddress(commit.actor) === formatAddress(actor)
  if (!isThere) {
    yield (
      `P3: ${nameOf(sent)} was told version ${version} at position ${position}, where the log has ` +
      `${commit === undefined ? 'nothing' : `version ${commit.lastVersion} of ${formatAddress(commit.actor)}`}.`
    )
    return
  }
  if (id === undefined) {
    yield* checkWithoutId(histories, sent, told, commit)
    return
  }
  if (commit?.command?.id === id) {
    if (!isSame(commit.command.reply, told.reply))
      yield `P4: ${nameOf(sent)} was told another reply than the one stored at position ${position}.`
    if (!told.duplicate && leadsTo(histories, sent, commit) === false)
      yield `P2: ${nameOf(sent)} led to other events than those stored at position ${position}.`
    return
  }
  const earlier = histories
    .ofCommand(actor, id)
    .find(({ lastVersion }) => lastVersion <= version)
  if (told.duplicate || earlier !== undefined)
    yield (
      `P4: ${nameOf(sent)} was told version ${version} at position ${position}, which is not the ` +
      'answer it got when it was carried out first.'
    )
  else if (storesNothing(histories, sent, version) === false)
    yield notInTheLog(sent, told)
}

/** The command's id is unknown: either the commit at the reported position is its own, or it stored nothing. */
function* checkWithoutId(
  histories: Histories,
  sent: Answered,
  told: AcceptedOutcome,
  commit: StoredCommit | undefined,
): Generator<string> {
  const mayBeOwn =
    commit !== undefined &&
    isSame(commit.command?.reply, told.reply) &&
    leadsTo(histories, sent, commit) !== false
  if (!mayBeOwn && storesNothing(histories, sent, told.version) === false)
    yield notInTheLog(sent, told)
}

function* checkRejected(
  histories: Histories,
  sent: Answered,
  { version, rejection }: RejectedOutcome,
): Generator<string> {
  const { actor, id } = sent
  const end = histories.versionOf(actor)
  if (version > end)
    yield (
      `P3: ${nameOf(sent)} was refused on version ${version}, but ${formatAddress(actor)} ends ` +
      `at ${end}.`
    )
  const own = id === undefined ? [] : histories.ofCommand(actor, id)
  const earlier = own.find(({ lastVersion }) => lastVersion <= version)
  if (earlier !== undefined)
    yield (
      `P4: ${nameOf(sent)} was refused on version ${version}, after it had been carried out at ` +
      `version ${earlier.lastVersion}.`
    )
  const decision = decideAgain(histories, sent, version)
  if (
    decision !== undefined &&
    (decision.ok || decision.rejection.code !== rejection.code)
  )
    yield (
      `P3: ${nameOf(sent)} was refused (${rejection.code}), which is not what version ${version} ` +
      'leads to.'
    )
}

/** No answer is based on a version older than one that was acknowledged before the command was sent. */
function* checkOrder(answered: readonly Answered[]): Generator<string> {
  const moments = answered
    .flatMap(sent => [
      { tick: sent.begun, sent, isBegin: true },
      { tick: sent.ended.tick, sent, isBegin: false },
    ])
    .toSorted((a, b) => a.tick - b.tick)
  const known = new Map<string, Version>()
  const knownAtBegin = new Map<Answered, Version>()
  for (const { sent, isBegin } of moments) {
    const key = formatAddress(sent.actor)
    const newest = known.get(key) ?? 0
    if (isBegin) knownAtBegin.set(sent, newest)
    const { outcome } = sent.ended
    if (isBegin || (outcome.ok && outcome.duplicate)) continue
    const least = knownAtBegin.get(sent) ?? 0
    if (outcome.version < least)
      yield (
        `P3: ${nameOf(sent)} was answered from version ${outcome.version}, when version ${least} ` +
        'had been acknowledged before it was sent.'
      )
    known.set(key, Math.max(newest, outcome.version))
  }
}

/** Whether the command leads to a commit's events; `undefined` if that cannot be known. */
function leadsTo(
  histories: Histories,
  sent: Answered,
  { firstVersion, command, events }: StoredCommit,
): boolean | undefined {
  const decision = decideAgain(histories, sent, firstVersion - 1, command?.id)
  if (decision === undefined) return undefined
  const plain = ({ type, data }: NewEvent) => ({ type, data })
  return decision.ok && isSame(decision.events.map(plain), events.map(plain))
}

/** Whether the command leads to no events on a version; `undefined` if that cannot be known. */
function storesNothing(
  histories: Histories,
  sent: Answered,
  version: Version,
): boolean | undefined {
  const decision = decideAgain(histories, sent, version)
  return decision && decision.ok && decision.events.length === 0
}

/** What the command leads to on a version; `undefined` if that cannot be known. */
function decideAgain(
  histories: Histories,
  { actor, command: type, data, options, at, ended, ...sent }: Answered,
  version: Version,
  id = sent.id ?? '',
): Decision | undefined {
  const definition = histories.definitionOf(actor)
  // The clock was moved meanwhile: only the node knows when it decided.
  if (definition === undefined || at !== ended.at) return undefined
  const command: Command = { id, type, data, ...causesOf(options) }
  try {
    const stateThen = histories.stateAt(actor, version)
    return stateThen && decide(definition, actor, stateThen, command, at)
  } catch (error) {
    // It decided before: a behavior that fails the second time is not pure.
    throw new Error(
      `Deciding ${type} on version ${version} of ${formatAddress(actor)} again failed: ` +
        messageOf(error),
      { cause: error },
    )
  }
}

function notInTheLog(sent: Answered, { version, position }: AcceptedOutcome): string {
  return (
    `P3: ${nameOf(sent)} was told version ${version} at position ${position}, but what it led to is ` +
    'not in the log.'
  )
}

function nameOf({ command, actor, id, nodeId }: Answered): string {
  const named = id === undefined ? '' : ` (${id})`
  return `command ${command}${named} to ${formatAddress(actor)}, sent through ${nodeId},`
}
