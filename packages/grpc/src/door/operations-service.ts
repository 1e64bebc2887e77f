// Timers and dead letters, over the door.

import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import type { Message, Node } from 'cairn-es'
import type { DeadLetter } from 'cairn-es/ops'

import { dataField } from '../codec/data.js'
import { countOf, defined, fromActor, toActor, toCauses } from '../codec/records.js'
import { OutboxCommandSchema } from '../gen/cairn/v1/data_pb.js'
import * as pb from '../gen/cairn/v1/operations_pb.js'

export function operationsService(node: Node): ServiceImpl<typeof pb.OperationsService> {
  const { deadLetters } = node
  return {
    async *listTimers({ actor }, { signal }) {
      const options = { signal, ...(actor !== undefined && { actor: fromActor(actor) }) }
      for await (const timer of node.timers(options)) {
        const { name, at, every, skipAfter, type, data, occurrence } = timer
        yield {
          actor: toActor(timer.actor),
          name,
          atMs: BigInt(at),
          type,
          occurrence: BigInt(occurrence),
          ...defined({
            everyMs: every === undefined ? undefined : BigInt(every),
            skipAfterMs: skipAfter === undefined ? undefined : BigInt(skipAfter),
          }),
          ...dataField('data', data),
        }
      }
    },

    async *listDeadLetters({ after, reactor, topic, reason }, { signal }) {
      const options = {
        after: countOf(after),
        signal,
        ...defined({ reactor, topic, reason }),
      }
      for await (const letter of deadLetters.list(options))
        yield { deadLetter: toDeadLetter(letter) }
    },

    async getDeadLetter({ position }, { signal }) {
      return {
        deadLetter: toDeadLetter(await deadLetters.get(countOf(position), { signal })),
      }
    },

    async retryDeadLetter({ position }, { signal }) {
      await deadLetters.retry(countOf(position), { signal })
      return {}
    },

    async discardDeadLetter({ position }) {
      await deadLetters.discard(countOf(position))
      return {}
    },
  }
}

function toDeadLetter(letter: DeadLetter): pb.DeadLetter {
  const { position, reactor, reason, error, attempts, redrives, command } = letter
  const { firstAt, lastAt, markedAt, message } = letter
  return create(pb.DeadLetterSchema, {
    position: BigInt(position),
    reactor,
    reason,
    errorName: error.name,
    errorMessage: error.message,
    attempts,
    redrives,
    firstAtMs: BigInt(Math.round(firstAt)),
    lastAtMs: BigInt(Math.round(lastAt)),
    markedAtMs: BigInt(Math.round(markedAt)),
    message: toMessage(message),
    ...(command !== undefined && {
      command: create(OutboxCommandSchema, {
        actor: toActor(command.actor),
        type: command.type,
        ...dataField('data', message.data),
      }),
    }),
  })
}

/** @param withData whether the message has its data; it has not, where that stands elsewhere */
export function toMessage(message: Message, withData = true): pb.Message {
  const { id, topic, version, data, at, position, nodeId, actor } = message
  return create(pb.MessageSchema, {
    id,
    topic,
    version,
    atMs: BigInt(Math.round(at)),
    position: BigInt(position),
    nodeId,
    ...defined({ actor: actor && toActor(actor), causes: toCauses(message) }),
    headers: { ...message.headers },
    ...(withData ? dataField('data', data) : {}),
  })
}
