// Commands in the inbox: how they are put there, and how a group reads them.

import {
  decodeStoredCommand,
  encodeStoredCommand,
  type StoredCommand,
} from '../../codec/stored-command.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import { definedCauses, sanitizeCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import { messageOf } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { partitionOf } from '../../model/partition.js'
import type { RedeliveryOptions, SendReceipt } from '../../model/command-sender.js'
import type { Queue, QueueKey, QueueRecord } from '../../store/queue/queue.js'
import { queueSource } from '../group/queue-source.js'
import type { GroupSource } from '../group/source.js'

/** Stores a command for its actor. */
export async function putCommand(
  inbox: Queue,
  partitions: number,
  from: { readonly nodeId: string; readonly clock: Clock },
  actor: ActorAddress,
  type: string,
  data: unknown,
  options: RedeliveryOptions = {},
): Promise<SendReceipt> {
  const { commandId = newId() } = options
  const command: StoredCommand = {
    id: commandId,
    type,
    data,
    nodeId: from.nodeId,
    // Who sends again says since when: it may have been carried out in between.
    at: options.sentAt ?? from.clock.now(),
    ...(options.sentAt !== undefined && { isRepeat: true }),
    ...definedCauses(sanitizeCauses(options)),
  }
  const { headers, body } = encodeStoredCommand(command)
  const key = keyOf(actor, partitions)
  const { signal, timeout } = options
  const bounds = { signal, timeout }
  const put = await inbox.put({ key, id: commandId, headers, body }, bounds)
  return { commandId, ...put }
}

/** Stores a command again that was given up: as it was, and looked for back to when it was given away. */
export async function putAgain(
  inbox: Queue,
  partitions: number,
  actor: ActorAddress,
  bounds: { readonly signal?: AbortSignal; readonly timeout?: number },
  command: StoredCommand & { readonly redrives: number },
): Promise<void> {
  const key = keyOf(actor, partitions)
  // On some places an id is remembered for longer than its record is there.
  const id = `${command.id}~${command.redrives}`
  await inbox.put({ key, id, ...encodeStoredCommand(command) }, bounds)
}

/** A stored command on its way to its actor. */
export interface Waiting {
  readonly actor: ActorAddress
  readonly command: StoredCommand
}

/** The inbox as a group reads it. */
export function storedCommands(
  inbox: Queue,
  partitions: number,
  log: (message: string, details: object) => void,
): GroupSource<Waiting> {
  return queueSource({
    queue: inbox,
    partitions,
    keyOf,
    read: readRecord,
    onForeign: about => log('A record in the inbox is no command', about),
  })
}

function keyOf(actor: ActorAddress, partitions: number): QueueKey {
  const { type, id } = checkAddress(actor)
  return [String(partitionOf(actor, partitions)), type, id]
}

/** The command and its actor, or why the record is nobody's command. */
function readRecord(
  { key, headers, body }: QueueRecord,
  partitions: number,
): { readonly actor: ActorAddress; readonly value: Waiting } | string {
  const [lane, type = '', id = '', ...rest] = key
  try {
    const actor = checkAddress({ type, id })
    if (rest.length > 0 || lane !== String(partitionOf(actor, partitions)))
      return 'its place is no actor’s'
    const command = decodeStoredCommand(headers, body)
    return typeof command === 'string' ? command : { actor, value: { actor, command } }
  } catch (error) {
    return messageOf(error)
  }
}
