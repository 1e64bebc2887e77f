// Dead letters: messages that reactors and consumers gave up, and commands that could not be delivered. They are
// kept until an operator sends them again (redrive.ts) or discards them.
//
// DEAD-LETTERS-1. A message counts as handled only after its dead letter is stored.

import {
  encodeDeadLetter,
  decodeDeadLetter,
  readDeadLetterSubject,
  toDeadLetterError,
} from '../../codec/dead-letter.js'
import type { Clock } from '../../model/clock.js'
import { defined } from '../../model/defined.js'
import { CairnError, isCairnError } from '../../model/errors.js'
import { programs } from '../../model/programs.js'
import type { StoredDeadLetter } from '../../model/stored-dead-letter.js'
import type { Position } from '../../model/version.js'
import type { Queue, QueueRecord } from '../../store/queue/queue.js'
import type { Message } from '../messages/message.js'

/** Why a message was given up. */
export type DeadLetterReason =
  | 'max-attempts-exhausted'
  | 'terminal'
  | 'parked'
  | 'crashed'
  | 'rejected'
  | 'unreadable'
  | (string & {})

/** A message that was given up, as it is stored. */
export interface DeadLetter extends StoredDeadLetter<Message> {
  /** Its position among the dead letters of the namespace, which identifies it. */
  readonly position: Position
  /**
   * The name of the reactor; `consumer:<name>` for a consumer; `commands:courier`, `commands:inbox` or
   * `commands:timers` for a command.
   */
  readonly reactor: string
  /** `unreadable`: its record is damaged, or was written by a newer build; the error says more. */
  readonly reason: DeadLetterReason
}

export interface DeadLetterFilter {
  readonly reactor?: string | undefined
  readonly topic?: string | undefined
  readonly reason?: string | undefined
  /** The name of the error. */
  readonly error?: string | undefined
  /** Given up before this time, ms since 1970. */
  readonly before?: number | undefined
  /** Given up at or after this time, ms since 1970. */
  readonly since?: number | undefined
}

export interface DeadLetterListOptions extends DeadLetterFilter {
  /** Only dead letters after this position. Default 0. */
  readonly after?: Position | undefined
  readonly signal?: AbortSignal | undefined
}

const kind = 'reactor'
export const unreadableReason = 'unreadable'
/** The reasons that Cairn gives by itself: what is counted by reason has so many counts. */
export const deadLetterReasons: readonly DeadLetterReason[] = [
  'max-attempts-exhausted',
  'terminal',
  'parked',
  'crashed',
  'rejected',
  unreadableReason,
]

/** Where dead letters are stored, and who is told of them. */
export interface DeadLetterSink {
  readonly dead: Queue
  onDeadLetter?(reactor: string, letter: StoredDeadLetter<Message>): void
}

/** Stores a message that was given up (DEAD-LETTERS-1). */
export async function storeDeadLetter(
  { dead, onDeadLetter }: DeadLetterSink,
  reactor: string,
  letter: Omit<StoredDeadLetter<Message>, 'error' | 'lastAt' | 'markedAt'> & {
    readonly error: unknown
  },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now()
  const error = toDeadLetterError(letter.error)
  const stored = { ...letter, error, lastAt: now, markedAt: now }
  const key = [kind, reactor]
  // Some backends remember the id of a record for longer than the record itself: each redrive needs a new one.
  const id = `${letter.message.id}~${letter.redrives}`
  try {
    await dead.put({ key, id, ...encodeDeadLetter(stored) }, { signal, isReserved: true })
  } catch (failure) {
    if (!isCairnError(failure, 'commit-too-large')) throw failure
    const message = { ...stored.message, data: undefined }
    const cut = encodeDeadLetter({ ...stored, message, isCut: true })
    await dead.put({ key, id, ...cut }, { signal, isReserved: true })
  }
  onDeadLetter?.(reactor, stored)
}

/** Yields dead letters, oldest first. One that cannot be read is among them, with the reason `unreadable`. */
export async function* readDeadLetters(
  { dead }: { readonly dead: Queue },
  options: DeadLetterListOptions = {},
): AsyncGenerator<DeadLetter> {
  const { reactor, after = 0, signal } = options
  const key = reactor === undefined ? undefined : [kind, reactor]
  for await (const record of dead.read({ after, ...defined({ key, signal }) })) {
    const { position, headers, body } = record
    if (record.key[0] !== kind) continue
    const decoded = decodeDeadLetter<Message>(headers, body)
    const stored = typeof decoded === 'string' ? unreadable(record, decoded) : decoded
    const letter = { position, reactor: record.key[1]!, ...stored }
    if (matches(letter, options)) yield letter
  }
}

/** The dead letter at a position; throws `unknown-dead-letter`. */
export async function readDeadLetter(
  queues: { readonly dead: Queue },
  position: Position,
  signal?: AbortSignal,
): Promise<DeadLetter> {
  const options = { after: position - 1, ...defined({ signal }) }
  for await (const letter of readDeadLetters(queues, options)) {
    if (letter.position === position) return letter
    break
  }
  throw new CairnError(
    'unknown-dead-letter',
    `There is no dead letter at position ${position}: it was sent again or discarded, or never existed. List ` +
      `dead letters with "${programs.cairn} dlq list".`,
    { details: { position } },
  )
}

/** What stands for a dead letter that cannot be read: it can be found and discarded. */
function unreadable(
  { position, at, headers }: QueueRecord,
  why: string,
): StoredDeadLetter<Message> {
  const about = { version: 0, data: undefined, at, position: 0, nodeId: '' }
  return {
    message: { ...readDeadLetterSubject(headers), ...about },
    source: 'log',
    error: {
      name: 'Unreadable',
      message:
        `The dead letter at position ${position} cannot be read: ${why}. Upgrade this node if a newer one has ` +
        'written it; otherwise discard it.',
    },
    reason: unreadableReason,
    attempts: 0,
    firstAt: at,
    lastAt: at,
    markedAt: at,
    redrives: 0,
  }
}

function matches(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const { topic, reason, error, before = Infinity, since = 0 } = filter
  return (
    (topic === undefined || letter.message.topic === topic) &&
    (reason === undefined || letter.reason === reason) &&
    (error === undefined || letter.error.name === error) &&
    letter.markedAt < before &&
    letter.markedAt >= since
  )
}
