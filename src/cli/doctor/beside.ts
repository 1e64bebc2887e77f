// The doctor's look at what is beside the log: documents, checkpoints, queues, timers, projections and nodes.

import type { OpenNamespace } from '../../backend/backend.js'
import type { Membership } from '../../cluster/membership.js'
import { decodeStoredCommand } from '../../codec/stored-command.js'
import { decodeStoredMessage } from '../../codec/stored-message.js'
import { type Backlog, backlogs } from '../../delivery/backlog.js'
import {
  readDeadLetters,
  unreadableReason,
} from '../../delivery/dead-letters/dead-letters.js'
import { damagedDocuments } from '../../delivery/rebuild/damaged-documents.js'
import { isCairnError } from '../../model/errors.js'
import { programs } from '../../model/programs.js'
import { late } from '../lag-flags.js'
import { checkBuildsDocument, projectionNames } from '../../projection/builds.js'
import { logEndOf, statusOf } from '../../projection/reader.js'
import {
  checkMinimumDocument,
  membersBehind,
  minimumVersionsKey,
  readMinimum,
} from '../../runtime/minimum-versions.js'
import { readTimer } from '../../store/timers/timers.js'
import type { Finding } from './finding.js'

/** Records of a queue that are read, at most. */
const readMax = 10_000

export async function* examineDocuments(
  { documents }: OpenNamespace,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const others = {
    projection: checkBuildsDocument,
    [minimumVersionsKey]: checkMinimumDocument,
  }
  for await (const { key, reason, isNewer } of damagedDocuments(
    documents,
    others,
    signal,
  ))
    yield {
      severity: isNewer ? 'watch' : 'critical',
      check: isNewer ? 'document-newer' : 'document-damaged',
      place: `document ${key.join('.')}`,
      problem: isNewer ? 'was written by a newer build' : `cannot be read: ${reason}`,
      means: isNewer
        ? 'Nodes of this build leave what it is about alone.'
        : 'What it is about starts again, from what can be found in the log.',
      remedy: isNewer ? 'Upgrade this build.' : `Run "${programs.cairn} repair".`,
    }
}

export async function* examineQueues(
  { queues, timers, partitions }: OpenNamespace,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  let dead = 0
  for await (const { reason, position, error } of readDeadLetters(queues, { signal })) {
    if (++dead > readMax) break
    if (reason !== unreadableReason) continue
    yield unreadable('dead-letter-unreadable', `dead letter ${position}`, error.message)
  }
  for (const name of ['inbox', 'topic'] as const) {
    let read = 0
    for await (const { key, position, headers, body } of queues[name].read({ signal })) {
      if (++read > readMax) break
      const decoded =
        name === 'inbox'
          ? decodeStoredCommand(headers, body)
          : decodeStoredMessage(key[0]!, headers, body)
      if (typeof decoded !== 'string') continue
      yield unreadable(`${name}-unreadable`, `${name} position ${position}`, decoded)
    }
  }
  let read = 0
  for await (const { key, position, headers, body } of timers.due.read({ signal })) {
    if (++read > readMax) break
    const timer = readTimer(key, headers, body, partitions)
    if (typeof timer !== 'string') continue
    yield unreadable('timer-unreadable', `due timer at ${position}`, timer)
  }
  if ((await timers.completeness({ signal })) === 'incomplete')
    yield {
      severity: 'critical',
      check: 'timers-incomplete',
      place: timers.place,
      problem: 'timers were lost',
      means: 'Actors wait for timers that never fire.',
      remedy: `Run "${programs.cairn} repair", or start a node: it sets them again from the log.`,
    }
}

function unreadable(check: string, place: string, why: string): Finding {
  return {
    severity: 'critical',
    check,
    place,
    problem: `cannot be read: ${why}`,
    means: 'Nobody can handle it; what another program has stored is not Cairn’s.',
    remedy: 'Upgrade this build if a newer one has written it; otherwise discard it.',
  }
}

export async function* examineGroups(
  open: OpenNamespace,
  membership: Membership,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const members = membership.members()
  let isWaiting = false
  try {
    for await (const backlog of backlogs(open, { all: true, signal })) {
      isWaiting ||= backlog.waiting > 0
      yield* groupFindings(backlog)
    }
  } catch (error) {
    if (!isCairnError(error, 'storage-failed')) throw error
    yield {
      severity: 'watch',
      check: 'backlog-unknown',
      place: `namespace ${open.namespace}`,
      problem: error.message,
      means: 'How far the groups have come is not known.',
      remedy: 'See to the documents that were found, and run this again.',
    }
  }
  if (isWaiting && members.length === 0)
    yield {
      severity: 'watch',
      check: 'no-node',
      place: `namespace ${open.namespace}`,
      problem: 'no node runs, and work waits',
      means: 'Nothing is handled until a node runs.',
      remedy: `Start a node: ${programs.cairn} node.`,
    }
  const minimum = await minimumOf(open)
  for (const lack of minimum === undefined ? [] : membersBehind(members, minimum))
    yield {
      severity: 'watch',
      check: 'node-behind',
      place: 'nodes',
      problem: lack,
      means: 'The namespace requires a later version: the node will not start again.',
      remedy: `Replace the node: see "${programs.cairn} versions".`,
    }
}

/** `undefined` for a damaged document, which is found as such. */
async function minimumOf({ documents }: OpenNamespace) {
  try {
    return await readMinimum(documents)
  } catch (error) {
    if (isCairnError(error)) return undefined
    throw error
  }
}

export function* groupFindings(backlog: Backlog): Generator<Finding> {
  const { group, source, floor, end, waiting, failing, dead } = backlog
  const place = `${group} on ${source}`
  if (floor > end)
    yield {
      severity: 'critical',
      check: 'checkpoint-ahead',
      place,
      problem: `its checkpoint is ${floor}, and the last position is ${end}`,
      means:
        'The log is older than its checkpoints, as after a restore: the next records would be left out.',
      remedy:
        'Restore the checkpoints of the same backup: see "After a restore" in docs/operations.md.',
    }
  const { health, lagSeconds } = backlog
  if (health === 'good') return
  yield {
    severity: health,
    check: 'group-backlog',
    place,
    problem: `${waiting} waiting, ${failing.length} failing, ${dead} dead${late(lagSeconds)}`,
    means: 'Messages are late, or were given up.',
    remedy: `See "${programs.cairn} messages" and "${programs.cairn} dlq list".`,
  }
}

export async function* examineProjections(
  { documents, readModels, store }: OpenNamespace,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const end = logEndOf(store, signal)
  for (const name of await projectionNames(documents, { signal })) {
    let status
    try {
      status = await statusOf({ name, documents, readModels, ...end })
    } catch (error) {
      if (isCairnError(error, 'foreign-stream')) continue // Found as a damaged document.
      throw error
    }
    for (const { number, position, state } of status.builds)
      if (state !== 'retired' && position > status.end)
        yield {
          severity: 'critical',
          check: 'projection-ahead',
          place: `projection ${name}, build ${number}`,
          problem: `includes position ${position}, and the last one of the log is ${status.end}`,
          means:
            'The log is older than its rows, as after a restore: rows say what never happened.',
          remedy: `Build it again: ${programs.cairn} projections --rebuild ${name}.`,
        }
  }
}
