// Publishing and consuming, over the door.

import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { CairnError, type ConsumedMessage, defineConsumer, type Node } from 'cairn-es'

import { dataField, fromData } from '../codec/data.js'
import { defined, fromCauses } from '../codec/records.js'
import * as pb from '../gen/cairn/v1/messages_pb.js'
import { boundsOf } from './calls.js'
import { principalOf } from './login.js'
import { eventsOfType, topicOf, topicOrPattern } from './topics.js'

export function messagesService(node: Node): ServiceImpl<typeof pb.MessagesService> {
  return {
    async publish({ topic, version, data, id, key, causes, headers }, context) {
      const published = await node.publish(topicOf(topic, version || 1), fromData(data), {
        ...defined({ id: id || undefined, key: key || undefined }),
        headers,
        ...fromCauses(causes),
        ...principalOf(context),
        ...boundsOf(context),
      })
      const { position, at, duplicate } = published
      return {
        id: published.id,
        position: BigInt(position),
        atMs: BigInt(Math.round(at)),
        duplicate,
      }
    },

    async declareConsumer({ name, topics, eventsOf, ackWaitMs, attempts, startAtNew }) {
      const definition = defineConsumer({
        name,
        on: [...topics.map(topicOrPattern), ...eventsOf.map(eventsOfType)],
        startAt: startAtNew ? 'new' : 'first',
        ...defined({ ackWait: ackWaitMs, attempts }),
      })
      const consumer = node.consumer(definition)
      await consumer.declare()
      const status = await consumer.status()
      return {
        name: status.name,
        topics: [...status.topics],
        ackWaitMs: status.ackWait,
        attempts: status.attempts,
        pending: status.pending,
        waiting: status.waiting,
      }
    },

    async consume({ consumer, batch, maxWaitMs }, context) {
      const { signal, timeout } = boundsOf(context)
      // A call that ends while a message is given out would keep it for its lease.
      const maxWait = Math.min(maxWaitMs ?? 5_000, timeout ?? Infinity)
      const messages = await node.consumer(consumer).consume({ batch, maxWait, signal })
      return { messages: messages.map(toConsumedMessage) }
    },

    async settle({ consumer: name, ackToken, settlement }) {
      const consumer = node.consumer(name)
      switch (settlement.case) {
        case 'ack':
          await consumer.ack(ackToken)
          break
        case 'nak': {
          const { delayMs, error } = settlement.value
          await consumer.nak(ackToken, delayMs, error || undefined)
          break
        }
        case 'term':
          await consumer.term(ackToken, settlement.value.reason || undefined)
          break
        case 'release':
          await consumer.release(ackToken)
          break
        case 'extend':
          await consumer.extend(ackToken, settlement.value.ms)
          break
        case undefined:
          throw new CairnError(
            'invalid-option',
            'The request says nothing about the message: set ack, nak, term, release or extend.',
          )
      }
      return {}
    },
  }
}

export function toConsumedMessage(message: ConsumedMessage): pb.ConsumedMessage {
  const { subject, payload, headers, sequence, publishedAt, ackToken } = message
  return create(pb.ConsumedMessageSchema, {
    subject,
    headers: { ...headers },
    sequence: BigInt(sequence),
    publishedAt,
    ackToken,
    ...dataField('payload', payload),
  })
}
