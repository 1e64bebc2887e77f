// One history (P1), all or nothing (P2), once (P4), as the log alone can show them.

import { formatAddress } from '../model/address.js'
import type { LogRecord, StoredCommit } from '../model/commit.js'
import { messageOf } from '../model/errors.js'
import type { Histories, History } from './histories.js'
import { isSame } from './same.js'

export function* checkHistories(
  histories: Histories,
  records: readonly LogRecord[],
): Generator<string> {
  for (const record of records)
    if (record.kind === 'malformed')
      yield `P2: the record at position ${record.position} is no whole commit: ${record.reason}.`
  for (const history of histories.all()) {
    yield* checkVersions(history)
    yield* checkStates(histories, history)
  }
  for (const commits of histories.commands()) yield* checkOnce(histories, commits)
}

function* checkVersions({ actor, commits }: History): Generator<string> {
  let last = 0
  for (const commit of commits) {
    const { firstVersion, lastVersion, events, position, nodeId } = commit
    if (firstVersion !== last + 1)
      yield (
        `P1: ${formatAddress(actor)} goes from version ${last} to ${firstVersion} at position ` +
        `${position}, written by ${nodeId}.`
      )
    const versions = events.map(({ version }) => version)
    const isWhole =
      versions.length === lastVersion - firstVersion + 1 &&
      versions.every((version, i) => version === firstVersion + i)
    if (!isWhole)
      yield (
        `P2: the commit at position ${position} says it holds versions ${firstVersion} to ` +
        `${lastVersion}, and holds ${versions.join(', ') || 'none'}.`
      )
    last = lastVersion
  }
}

/** A state that rides in a commit was folded by its writer: from this history, or from none. */
function* checkStates(
  histories: Histories,
  { actor, commits }: History,
): Generator<string> {
  const behavior = histories.definitionOf(actor)?.behavior
  if (behavior === undefined) return
  for (const { lastVersion, state, position, nodeId } of commits) {
    if (state?.behavior !== behavior.version) continue
    try {
      const at = histories.stateAt(actor, lastVersion)
      // Without one the versions have a hole, which is told already.
      if (at === undefined || isSame(at.state, state.value)) continue
    } catch (error) {
      yield `P1: the history of ${formatAddress(actor)} cannot be folded: ${messageOf(error)}`
      return
    }
    yield (
      `P1: the commit at position ${position} by ${nodeId} was decided on another history than ` +
      `that of ${formatAddress(actor)}: the state in it is not what the events lead to.`
    )
  }
}

/** P4, within the window in which a command sent again is recognised. */
function* checkOnce(
  histories: Histories,
  commits: readonly StoredCommit[],
): Generator<string> {
  for (let i = 1; i < commits.length; i++) {
    const [before, after] = [commits[i - 1]!, commits[i]!]
    const { actor } = after
    const { commands = 1024, ms = 600_000 } =
      histories.definitionOf(actor)?.options.commandWindow ?? {}
    const all = histories.of(actor)
    const between = all.indexOf(after) - all.indexOf(before) - 1
    if (between >= commands || after.at - before.at >= ms) continue
    yield (
      `P4: command ${after.command?.id} to ${formatAddress(actor)} took effect twice: at position ` +
      `${before.position} by ${before.nodeId}, and at ${after.position} by ${after.nodeId}.`
    )
  }
}
