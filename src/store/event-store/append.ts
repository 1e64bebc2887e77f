// Appending: the part that is the same for every store. Checks the caller's input before
// anything is written, and builds the commit once the first version is known.

import { type ActorAddress, checkAddress, formatAddress } from '../../model/address.js'
import { type CommitExtras, copyExtras, type NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import type { NewEvent } from '../../model/event.js'
import { newId } from '../../model/id.js'
import {
  checkExpectedVersion,
  type ExpectedVersion,
  isCount,
  type Position,
  type Version,
} from '../../model/version.js'
import { abortedError } from '../../model/wait.js'
import type { Writable } from '../../model/writable.js'
import type { Appended, AppendOptions, VersionConflict } from './event-store.js'

/** Options of Cairn's own appends. */
export interface OwnAppendOptions extends AppendOptions {
  /** The commit of a command, which was admitted as such: it is not refused by load. */
  readonly isAdmitted?: boolean
}

export const appendTimeoutDefault = 10_000
/** The longest delay of a Node timer; a longer one would fire at once. */
const timeoutMax = 2 ** 31 - 1

/** Checks the input that does not depend on the store; returns the expected version. */
export function checkAppend(
  actor: ActorAddress,
  options: AppendOptions,
): ExpectedVersion {
  checkAddress(actor)
  const expected = checkExpectedVersion(options.expected ?? 'any')
  if (options.state !== undefined && (expected === 'any' || expected === 'exists'))
    throw new CairnError(
      'invalid-option',
      `An inline state needs a definite expected version, not '${expected}': pass a version or 'none'.`,
    )
  const { at, timeout, behaviorVersion } = options
  // Otherwise an invalid time would be stored, or waited for.
  if (at !== undefined && !Number.isFinite(at))
    throw new CairnError('invalid-option', `at is ${at}: use milliseconds since 1970.`)
  if (behaviorVersion !== undefined && !(isCount(behaviorVersion) && behaviorVersion > 0))
    throw new CairnError(
      'invalid-option',
      `behaviorVersion is ${behaviorVersion}: use a whole number from 1.`,
    )
  if (timeout !== undefined && !(timeout >= 0 && timeout <= timeoutMax))
    throw new CairnError(
      'invalid-option',
      `timeout is ${timeout}: use 0 to ${timeoutMax} milliseconds.`,
    )
  if (options.signal?.aborted)
    throw abortedError(options.signal, `appending to ${formatAddress(actor)}`)
  return expected
}

/** Builds the commit that follows `version`, with a new id. */
export function nextCommit(
  nodeId: string,
  actor: ActorAddress,
  version: Version,
  events: readonly NewEvent[],
  options: AppendOptions & CommitExtras,
): NewCommit {
  const { command, commands, state, outbox } = options
  const commit: Writable<NewCommit> = {
    id: newId(),
    actor,
    firstVersion: version + 1,
    events,
    at: options.at ?? Date.now(),
    nodeId,
  }
  if (command !== undefined) commit.command = command
  if (commands !== undefined) commit.commands = commands
  if (state !== undefined) commit.state = state
  if (outbox !== undefined && outbox.length > 0) commit.outbox = outbox
  copyExtras(options, commit)
  return commit
}

export function appended(commit: NewCommit, position: Position): Appended {
  return {
    ok: true,
    actor: commit.actor,
    firstVersion: commit.firstVersion,
    version: commit.firstVersion + commit.events.length - 1,
    position,
    commitId: commit.id,
  }
}

export function conflict(
  actor: ActorAddress,
  expected: ExpectedVersion,
  actual: Version,
): VersionConflict {
  return { ok: false, actor, expected, actual }
}

/** The error of every call on a store after `close()`. */
export function storeClosed(namespace: string): CairnError {
  return new CairnError(
    'store-closed',
    `The event store of namespace ${namespace} is closed.`,
  )
}
