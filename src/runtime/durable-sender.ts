// Stores what programs send and publish, until the node closes.

import { storeCommand } from '../delivery/messages/store-command.js'
import {
  type Published,
  type PublishOptions,
  publishMessage,
} from '../delivery/messages/publish-message.js'
import type { DurableCommandSender } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import type { Topic } from '../model/topic.js'
import type { NodeContext } from './context.js'

export interface DurableSender extends DurableCommandSender {
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>
}

export function durableSender({ settings, open, isClosing }: NodeContext): DurableSender {
  const { queues, partitions, store } = open
  const from = { nodeId: settings.id, clock: settings.clock, store }
  return {
    async send(actor, type, data, options) {
      if (isClosing()) throw nodeClosing()
      return storeCommand(queues.inbox, partitions, from, actor, type, data, options)
    },
    async publish(topic, data, options) {
      if (isClosing()) throw nodeClosing()
      return publishMessage(queues.topic, from, topic, data, options)
    },
  }
}

function nodeClosing(): CairnError {
  return new CairnError('node-closed', 'This node is closing: use another one.')
}
