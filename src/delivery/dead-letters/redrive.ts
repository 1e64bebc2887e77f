// Sends the message or the command of a dead letter again.
//
// DEAD-LETTERS-2. The message is stored for its reactor alone, and the dead letter is removed only after that. After an
//     interruption the redrive starts again: the reactor may receive the message twice, but never not at all.
// DEAD-LETTERS-3. A message that is given up again becomes a dead letter again, which counts the redrives.

import { encodeRedriven } from '../../codec/redriven.js'
import { answersOf } from '../../model/answers.js'
import { definedCauses } from '../../model/causes.js'
import { CairnError } from '../../model/errors.js'
import { programs } from '../../model/programs.js'
import type { Queue } from '../../store/queue/queue.js'
import { requeueCommand } from '../messages/store-command.js'
import { redriveKey } from '../source/topic-source.js'
import { type DeadLetter, unreadableReason } from './dead-letters.js'

/** The queues of dead letters, and those that receive them when they are sent again. */
export interface DeadLetterPorts {
  readonly queues: { readonly dead: Queue; readonly topic: Queue; readonly inbox: Queue }
  readonly partitions: number
}

export interface RedriveOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. Default 10,000. */
  readonly timeout?: number | undefined
}

/** DEAD-LETTERS-2. Throws `invalid-message` for a dead letter that cannot be sent again. */
export async function redriveDeadLetter(
  { queues, partitions }: DeadLetterPorts,
  letter: DeadLetter,
  options: RedriveOptions = {},
): Promise<void> {
  const { dead, topic, inbox } = queues
  const { position, reactor, message, source, redrives, command } = letter
  if (letter.reason === unreadableReason)
    throw new CairnError(
      'invalid-message',
      `${letter.error.message} It cannot be sent again.`,
      { details: { position } },
    )
  if (letter.isCut)
    throw new CairnError(
      'invalid-message',
      `The data of message ${message.id} was too large for its dead letter: read it at position ` +
        `${message.position} of the ${source}, and publish it again.`,
      { details: { position } },
    )
  if (command !== undefined) {
    const { id, data, nodeId, at, actor: from, otherHeaders } = message
    await requeueCommand(inbox, partitions, command.actor, options, {
      id,
      type: command.type,
      data,
      nodeId,
      at,
      sentAfter: command.sentAfter ?? 0,
      redrives: redrives + 1,
      ...answersOf(command),
      ...(from && { from }),
      ...definedCauses(message),
      ...(otherHeaders && { otherHeaders }),
    })
    await dead.remove([position])
    return
  }
  if (source === 'inbox')
    throw new CairnError(
      'invalid-message',
      `The dead letter at position ${position} comes from the inbox but names no command, so it cannot be sent ` +
        `again: inspect it with "${programs.cairn} dlq show", and discard it.`,
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
