// The headers of every record that Cairn stores: one row per header, in the order in which they are written. The wire
// format's documentation lists the same (docs/wire-format.md).
//
// To add a header: a row here, the field in the type of the record (src/model), the code that sets it, a row in the
// documentation.
//
// A header that must not be ignored by older builds needs a new wire version (src/codec/wire-version.ts). `Cairn-Wire` and
// `Cairn-Versions` mean the same in every wire version.

import type { Answers } from '../model/answers.js'
import { commandIdBytesMax } from '../model/behavior.js'
import type { Causes, CommitHeader } from '../model/commit.js'
import { outboxEntriesMax } from '../model/outbox.js'
import type { StoredCommandHeader } from '../model/stored-command.js'
import type { DeadLetterHeader, RedrivenHeader } from '../model/stored-dead-letter.js'
import type { StoredMessageHeader } from '../model/stored-message.js'
import { type TimerHeader, timerNameBytesMax } from '../model/timer.js'
import {
  commandsHeader,
  commitWireRow,
  inBatches,
  outsideBatches,
  perEventRow,
  versionsRow,
} from './commit-rows.js'
import {
  address,
  boundedText,
  count,
  countFrom,
  flag,
  listUpTo,
  text,
  time,
  word,
} from './header-kinds.js'
import { type HeaderTable, rowsOf } from './header-row.js'
import { wireRow } from './wire-row.js'
import { wireVersion } from './wire-version.js'

const commandTypeBytesMax = 256
const messageTextBytesMax = 1_024

const causes = rowsOf<Causes>()
const causesRows: HeaderTable<Causes> = [
  causes.optional('Cairn-Correlation', 'correlationId', text('correlation id')),
  causes.optional('Cairn-Causation', 'causationId', text('causation id')),
  causes.optional('traceparent', 'traceparent', text('traceparent')),
  causes.optional('Cairn-Principal', 'principal', text('principal')),
]

const answers = rowsOf<Answers>()
const answersRows: HeaderTable<Answers> = [
  answers.optional('Cairn-Refused', 'refused', text('command for a rejection')),
  answers.optional('Cairn-Replied', 'replied', text('command for a reply')),
  answers.optional('Cairn-Unheard', 'deadLetter', flag('dead-letter'), { omit: false }),
]

const commit = rowsOf<CommitHeader>()
/** A commit, in the log. */
export const commitHeaders: HeaderTable<CommitHeader> = [
  commitWireRow(),
  commit.required('Cairn-Commit', 'commitId', text('commit id')),
  versionsRow('Cairn-Versions'),
  perEventRow('Cairn-Events', 'eventTypes', 'type'),
  commit.optional('Cairn-Node', 'nodeId', text('node id'), { missing: '' }),
  commit.required('Cairn-At', 'at', time),
  commit.hint('Cairn-Behavior', 'behaviorVersion', countFrom(2)),
  commit.optional('Cairn-Says', 'outboxTargets', listUpTo(outboxEntriesMax)),
  commit.optional('Cairn-Transaction', 'transactionId', text('transaction id')),
  commit.hint('Cairn-Inbox', 'inboxPosition', countFrom(1)),
  outsideBatches(commit.optional('Cairn-Command', 'commandId', text('command id'))),
  inBatches(perEventRow(commandsHeader, 'commandIds', 'command', { mayBeEmpty: false })),
  inBatches(
    perEventRow('Cairn-Correlations', 'correlationIds', 'id', { isRequired: false }),
  ),
  ...causesRows,
]

const command = rowsOf<StoredCommandHeader>()
/** A durable command, in the inbox. */
export const commandHeaders: HeaderTable<StoredCommandHeader> = [
  wireRow([wireVersion], () => wireVersion),
  command.required(
    'Cairn-Command',
    'id',
    boundedText('invalid-command', 'command id', commandIdBytesMax),
  ),
  command.required(
    'Cairn-Type',
    'type',
    boundedText('invalid-command', 'command type', commandTypeBytesMax),
  ),
  command.optional('Cairn-Node', 'nodeId', text('node id'), { missing: '' }),
  command.required('Cairn-At', 'at', time),
  command.optional('Cairn-Log', 'sentAfter', count, { missing: 0, omit: 0 }),
  command.optional('Cairn-Redrives', 'redrives', count, { omit: 0 }),
  command.optional('Cairn-Repeat', 'repeat', word(['callers-id'], 'resent')),
  command.optional('Cairn-From', 'from', address),
  ...answersRows,
  ...causesRows,
]

const message = rowsOf<StoredMessageHeader>()
/** A message that code outside an actor published, in the queue of topics. */
export const messageHeaders: HeaderTable<StoredMessageHeader> = [
  wireRow([wireVersion], () => wireVersion),
  message.required(
    'Cairn-Message',
    'id',
    boundedText('invalid-message', 'message id', messageTextBytesMax),
  ),
  message.required('Cairn-Schema', 'version', count),
  message.optional('Cairn-Node', 'nodeId', text('node id'), { missing: '' }),
  message.required('Cairn-At', 'at', time),
  message.hint('Cairn-Log', 'logPosition', count),
  message.optional(
    'Cairn-Key',
    'key',
    boundedText('invalid-message', 'key', messageTextBytesMax),
  ),
  ...causesRows,
]

const timer = rowsOf<TimerHeader>()
/** A timer that waits or was due. */
export const timerHeaders: HeaderTable<TimerHeader> = [
  wireRow([wireVersion], () => wireVersion),
  timer.required(
    'Cairn-Timer',
    'name',
    boundedText('invalid-timer', 'timer name', timerNameBytesMax),
  ),
  timer.required('Cairn-Generation', 'generation', count),
  timer.required('Cairn-Occurrence', 'occurrence', count),
  timer.required('Cairn-Due', 'at', count),
  timer.optional('Cairn-Every', 'every', count),
  timer.optional('Cairn-Skip-After', 'skipAfter', count),
  timer.required('Cairn-Type', 'type', text('command type')),
  timer.required('Cairn-Said-At', 'commitPosition', count),
  ...answersRows,
  ...causesRows,
]

const deadLetter = rowsOf<DeadLetterHeader>()
/** A dead letter. Its body holds the same, and decides. */
export const deadLetterHeaders: HeaderTable<DeadLetterHeader> = [
  wireRow([wireVersion], () => wireVersion),
  deadLetter.optional('Cairn-Message', 'id', text('message id'), { missing: '' }),
  deadLetter.optional('Cairn-Topic', 'topic', text('topic'), { missing: '' }),
  deadLetter.optional('Cairn-Reason', 'reason', text('reason')),
  deadLetter.optional('Cairn-Error', 'errorName', text('name of an error')),
  deadLetter.hint('Cairn-Attempts', 'attempts', count),
  deadLetter.hint('Cairn-At', 'markedAt', time),
  deadLetter.optional('Cairn-Correlation', 'correlationId', text('correlation id')),
]

const redriven = rowsOf<RedrivenHeader>()
/** A message that is redriven to one reactor, in the queue of topics. Its body holds the same, and decides. */
export const redrivenHeaders: HeaderTable<RedrivenHeader> = [
  wireRow([wireVersion], () => wireVersion),
  redriven.optional('Cairn-Message', 'id', text('message id'), { missing: '' }),
]
