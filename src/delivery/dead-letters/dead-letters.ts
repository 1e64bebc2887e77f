// Dead letters: what a reactor has given up, and commands that could not be carried out, until somebody
// sends them again or throws them away.
//
// K1. A message is marked handled by its reactor only when its dead letter is stored.
// K2. Sending again stores the message for its reactor alone, and removes the dead letter only
//     then: who is interrupted begins again, and the reactor may get it twice, never not at all.
// K3. A message that dies again is a dead letter again, which counts how often it was sent.

import {
  toDeadLetterError,
  decodeDeadLetter,
  encodeDeadLetter,
  type StoredDeadLetter,
} from '../../codec/dead-letter.js'
import { encodeRedriven } from '../../codec/redriven.js'
import { definedCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import { CairnError, isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import type { Queue } from '../../store/queue/queue.js'
import type { Message } from '../messages/message.js'
import { putAgain } from '../commands/stored-commands.js'
import { redriveKey } from '../messages/topics.js'

/** Why a message was given up. */
export type DeadLetterReason =
  'max-attempts-exhausted' | 'terminal' | 'parked' | 'crashed' | (string & {})

/** A message that a reactor has given up. */
export interface DeadLetter extends StoredDeadLetter<Message> {
  /** Its position in the queue of dead letters; identifies it in the namespace. */
  readonly position: Position
  /** The name of the reactor; of a command, `commands:courier`, `commands:inbox` or `commands:timers`. */
  readonly reactor: string
  readonly reason: DeadLetterReason
}

/** The queues that dead letters go through. */
export interface DeadLetterQueues {
  readonly dead: Queue
  readonly topic: Queue
  readonly inbox: Queue
}

/** Where dead letters are, and where they go when they are sent again. */
export interface DeadLetterPlace {
  readonly queues: DeadLetterQueues
  readonly partitions: number
}

export interface DeadLetterFilter {
  readonly reactor?: string
  readonly topic?: string
  readonly reason?: string
  /** The name of the error. */
  readonly error?: string
  /** Given up before this moment, ms since 1970. */
  readonly before?: number
  /** Given up at or after this moment, ms since 1970. */
  readonly since?: number
}

export interface DeadLetterListOptions extends DeadLetterFilter {
  /** Those behind this position. Default 0. */
  readonly after?: Position
  readonly signal?: AbortSignal
}

export interface RedriveOptions {
  readonly signal?: AbortSignal
  /** Milliseconds. Default 10,000. */
  readonly timeout?: number
}

const kind = 'reactor'

/** K1. Stores what a reactor gives up. */
export async function storeDeadLetter(
  { dead }: Pick<DeadLetterQueues, 'dead'>,
  reactor: string,
  letter: Omit<StoredDeadLetter<Message>, 'error' | 'lastAt' | 'markedAt'> & {
    readonly error: unknown
  },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const now = clock.now()
  const stored = {
    ...letter,
    error: toDeadLetterError(letter.error),
    lastAt: now,
    markedAt: now,
  }
  const key = [kind, reactor]
  // K3: on some places an id is remembered for longer than its record is there.
  const id = `${letter.message.id}~${letter.redrives}`
  try {
    await dead.put({ key, id, ...encodeDeadLetter(stored) }, { signal })
  } catch (error) {
    if (!isCairnError(error, 'commit-too-large')) throw error
    const message = { ...stored.message, data: undefined }
    const cut = encodeDeadLetter({ ...stored, message, isCut: true })
    await dead.put({ key, id, ...cut }, { signal })
  }
}

/** Yields dead letters, oldest first. What cannot be read is thrown as `storage-failed`. */
export async function* deadLetters(
  { dead }: Pick<DeadLetterQueues, 'dead'>,
  options: DeadLetterListOptions = {},
): AsyncGenerator<DeadLetter> {
  const { reactor, after = 0, signal } = options
  const key = reactor === undefined ? undefined : [kind, reactor]
  for await (const record of dead.read({
    after,
    ...(key !== undefined && { key }),
    ...(signal !== undefined && { signal }),
  })) {
    const { position, headers, body } = record
    if (record.key[0] !== kind) continue
    const letter = {
      position,
      reactor: record.key[1]!,
      ...decodeDeadLetter<Message>(headers, body, position),
    }
    if (isWanted(letter, options)) yield letter
  }
}

/** The dead letter at a position; throws `unknown-dead-letter`. */
export async function deadLetter(
  queues: Pick<DeadLetterQueues, 'dead'>,
  position: Position,
  signal?: AbortSignal,
): Promise<DeadLetter> {
  const options = { after: position - 1, ...(signal !== undefined && { signal }) }
  for await (const letter of deadLetters(queues, options)) {
    if (letter.position === position) return letter
    break
  }
  throw new CairnError(
    'unknown-dead-letter',
    `There is no dead letter at position ${position}: it was sent again or discarded, or never was. List ` +
      'them with "cairn dlq list".',
    { details: { position } },
  )
}

/** K2. Sends a dead letter's message to its reactor again. */
export async function redrive(
  { queues, partitions }: DeadLetterPlace,
  letter: DeadLetter,
  options: RedriveOptions = {},
): Promise<void> {
  const { dead, topic, inbox } = queues
  const { position, reactor, message, source, redrives, command } = letter
  if (letter.isCut)
    throw new CairnError(
      'invalid-message',
      `The data of message ${message.id} was too large to be kept in its dead letter: read it at position ` +
        `${message.position} of the ${source}, and publish it anew.`,
      { details: { position } },
    )
  if (command !== undefined) {
    const { id, data, nodeId, at } = message
    await putAgain(inbox, partitions, command.actor, options, {
      id,
      type: command.type,
      data,
      nodeId,
      at,
      redrives: redrives + 1,
      ...definedCauses(message),
    })
    await dead.remove([position])
    return
  }
  if (source === 'inbox')
    throw new CairnError(
      'invalid-message',
      `The dead letter at position ${position} comes from the inbox and names no command: it cannot be sent again; ` +
        'look at it with "cairn dlq show", and discard it.',
      { details: { position } },
    )
  await topic.put(
    {
      key: redriveKey(reactor),
      id: `${message.id}~${redrives}`,
      ...encodeRedriven({ message, source, redrives: redrives + 1 }),
    },
    options,
  )
  await dead.remove([position])
}

export async function discard(
  { dead }: Pick<DeadLetterQueues, 'dead'>,
  positions: readonly Position[],
): Promise<void> {
  await dead.remove(positions)
}

function isWanted(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const { topic, reason, error, before = Infinity, since = 0 } = filter
  return (
    (topic === undefined || letter.message.topic === topic) &&
    (reason === undefined || letter.reason === reason) &&
    (error === undefined || letter.error.name === error) &&
    letter.markedAt < before &&
    letter.markedAt >= since
  )
}
