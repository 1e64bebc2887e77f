// Stores what programs send and publish, until the node closes.

import { checkCommandData } from '../actor/schemas.js'
import { storeCommand } from '../delivery/messages/store-command.js'
import {
  type Published,
  type PublishOptions,
  publishMessage,
} from '../delivery/messages/publish-message.js'
import type { DurableCommandSender, RedeliveryOptions } from '../model/command-sender.js'
import { CairnError, refusal } from '../model/errors.js'
import { LoadLimit } from '../model/load-limit.js'
import type { Topic } from '../model/topic.js'
import { putTimeoutDefault } from '../store/queue/queue.js'
import type { NodeContext } from './context.js'

export interface DurableSender extends DurableCommandSender {
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>
}

/** Messages and commands of this node that may wait to be stored. */
const openMax = 16_384
const openLeast = 256

export function durableSender({
  settings,
  definitions,
  open,
  isClosing,
}: NodeContext): DurableSender {
  const { queues, partitions, store } = open
  const from = { nodeId: settings.id, clock: settings.clock, store }
  const commands = new LoadLimit(openMax, openLeast)
  const messages = new LoadLimit(openMax, openLeast)
  return {
    async send(actor, type, data, options = {}) {
      if (isClosing()) throw nodeClosing()
      // Later, no caller waits for its outcome.
      checkCommandData(definitions.find(actor.type)?.schemas, actor, type, data)
      const { timeout = putTimeoutDefault, redelivery }: RedeliveryOptions = options
      const put = () =>
        storeCommand(queues.inbox, partitions, from, actor, type, data, options)
      // What a handler sends is bounded by the records that are handled at a time.
      if (redelivery !== undefined) return put()
      return commands.run(timeout, limit => tooMany('commands', limit), put)
    },
    async publish(topic, data, options = {}) {
      if (isClosing()) throw nodeClosing()
      const { timeout = putTimeoutDefault } = options
      return messages.run(
        timeout,
        limit => tooMany('messages', limit),
        () => publishMessage(queues.topic, from, topic, data, options),
      )
    },
  }
}

function tooMany(what: string, limit: number): CairnError {
  return refusal(
    'queue-full',
    `${limit} ${what} of this node wait to be stored, as many as are stored in time: nothing was stored of this one. ` +
      'Send again later, or send at a lower rate.',
    { limit },
  )
}

function nodeClosing(): CairnError {
  return new CairnError('node-closed', 'This node is closing: use another one.')
}
