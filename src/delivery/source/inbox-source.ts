// Reads the inbox: the durable commands that wait for their actors.

import { decodeStoredCommand } from '../../codec/stored-command.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import { messageOf } from '../../model/errors.js'
import { partitionOf } from '../../model/partition.js'
import type { StoredCommand } from '../../model/stored-command.js'
import type { Queue, QueueRecord } from '../../store/queue/queue.js'
import { inboxKeyOf } from '../messages/store-command.js'
import { queueSource } from './queue-source.js'
import type { RecordSource } from './record-source.js'

export interface InboxCommand {
  readonly actor: ActorAddress
  readonly command: StoredCommand
}

export function inboxSource(
  inbox: Queue,
  partitions: number,
  log: (message: string, details: object) => void,
): RecordSource<InboxCommand> {
  return queueSource({
    queue: inbox,
    partitions,
    keyOf: inboxKeyOf,
    decode: decodeRecord,
    onInvalid: about => log('A record in the inbox is not a command', about),
  })
}

/** The command and its actor, or the reason why the record is not a command. */
function decodeRecord({ key, headers, body }: QueueRecord, partitions: number) {
  const [partition, type = '', id = '', ...rest] = key
  try {
    const actor = checkAddress({ type, id })
    if (rest.length > 0 || partition !== String(partitionOf(actor, partitions)))
      return 'its key does not belong to an actor'
    const command = decodeStoredCommand(headers, body)
    if (typeof command === 'string') return command
    return { actor, value: { actor, command }, at: command.at }
  } catch (error) {
    return messageOf(error)
  }
}
