// Stores durable commands in the inbox: new ones, and those that are sent again from a dead letter.

import { checkSameCommand, digestOf } from '../../actor/command-digest.js'
import { withCommandId } from '../../actor/command-error.js'
import { decodeStoredCommand, encodeStoredCommand } from '../../codec/stored-command.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import { sanitizeCauses } from '../../model/causes.js'
import type { RedeliveryOptions, SendReceipt } from '../../model/command-sender.js'
import { defined } from '../../model/defined.js'
import { newId } from '../../model/id.js'
import { partitionOf } from '../../model/partition.js'
import type { CommandRepeat, StoredCommand } from '../../model/stored-command.js'
import { carryOn, type SendTrace, sendTraces, trace } from '../../model/trace.js'
import type { Position } from '../../model/version.js'
import type { PutOptions, Queue, QueueKey } from '../../store/queue/queue.js'
import type { Origin } from './origin.js'

/** Stores a command for its actor. */
export async function storeCommand(
  inbox: Queue,
  partitions: number,
  from: Origin,
  actor: ActorAddress,
  type: string,
  data: unknown,
  options: RedeliveryOptions = {},
): Promise<SendReceipt> {
  const { commandId = newId(), redelivery } = options
  const repeat = repeatOf(options)
  const command: StoredCommand = {
    id: commandId,
    type,
    data,
    nodeId: from.nodeId,
    at: from.clock.now(),
    sentAfter: redelivery?.sentAfter ?? from.store.knownPosition(),
    ...(repeat !== undefined && { repeat }),
    ...sanitizeCauses(options),
  }
  const { signal, timeout } = options
  const bounds = { signal, timeout, isReserved: redelivery !== undefined }
  try {
    const put = sendTraces.hasSubscribers
      ? await putTraced(inbox, partitions, from, actor, command, bounds)
      : await putCommand(inbox, partitions, actor, command, bounds)
    if (put.duplicate && repeat === 'callers-id')
      await checkSame(inbox, actor, command, put.position, signal)
    return { commandId, ...put }
  } catch (error) {
    throw withCommandId(error, commandId)
  }
}

type Bounds = Parameters<Queue['put']>[1]

function putCommand(
  inbox: Queue,
  partitions: number,
  actor: ActorAddress,
  command: StoredCommand,
  bounds: Bounds,
) {
  const key = inboxKeyOf(actor, partitions)
  return inbox.put({ key, id: command.id, ...encodeStoredCommand(command) }, bounds)
}

function putTraced(
  inbox: Queue,
  partitions: number,
  { nodeId, store }: Origin,
  actor: ActorAddress,
  command: StoredCommand,
  bounds: Bounds,
) {
  const { id: commandId, type, correlationId, traceparent } = command
  const context: SendTrace = {
    namespace: store.namespace,
    nodeId,
    actor,
    command: type,
    commandId,
    correlationId,
    traceparent,
  }
  return trace(sendTraces, context, own =>
    putCommand(inbox, partitions, actor, carryOn(command, own), bounds),
  )
}

/** Throws `command-id-reused` if the inbox holds another command under this id. */
async function checkSame(
  inbox: Queue,
  actor: ActorAddress,
  { id, type, data }: StoredCommand,
  position: Position,
  signal: AbortSignal | undefined,
): Promise<void> {
  const range = { after: position - 1, upTo: position, ...defined({ signal }) }
  for await (const { headers, body } of inbox.read(range)) {
    const stored = decodeStoredCommand(headers, body)
    // One that cannot be read is reported by its reader.
    if (typeof stored === 'string' || stored.id !== id) return
    const [first, now] = [stored, { type, data }].map(one =>
      digestOf(one, false, undefined),
    )
    checkSameCommand(actor, id, first, now, position)
  }
}

/** Whether the command may have been sent before. */
function repeatOf({
  commandId,
  redelivery,
}: RedeliveryOptions): CommandRepeat | undefined {
  if (redelivery !== undefined) return 'resent'
  return commandId === undefined ? undefined : 'callers-id'
}

/** Stores a command of a dead letter again, under its own id. */
export async function requeueCommand(
  inbox: Queue,
  partitions: number,
  actor: ActorAddress,
  bounds: Pick<PutOptions, 'signal' | 'timeout'>,
  command: StoredCommand & { readonly redrives: number },
): Promise<void> {
  const key = inboxKeyOf(actor, partitions)
  // Some backends remember the id of a record for longer than the record itself.
  const id = `${command.id}~${command.redrives}`
  await inbox.put({ key, id, ...encodeStoredCommand(command) }, bounds)
}

/** The key of an actor's records in the inbox. */
export function inboxKeyOf(actor: ActorAddress, partitions: number): QueueKey {
  const { type, id } = checkAddress(actor)
  return [String(partitionOf(actor, partitions)), type, id]
}
