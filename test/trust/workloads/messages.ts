// Durable commands, published messages, and a consumer that pulls.

import { type ConsumedMessage, formatAddress, type Node } from 'cairn-es'
import type { ConsumeOptions } from 'cairn-es/ops'

import { collector, idIn, notes, parcels, type Note } from '../actors.js'
import { call, mayRepeat } from '../calls.js'
import type { Journal } from '../history.js'
import { below, loops, someNode, wait, type Workload } from './workload.js'

/** Each loop sends to an actor in order: the next command after the one before is acknowledged. */
export const sends: Workload = context => {
  const { client, journal, random, signal } = context
  return loops(context, 3, 80, async (loop, round) => {
    const node = context.nodes[loop % context.nodes.length]!
    const actor = { type: 'list', id: idIn(node.namespace, `s${below(random, 3)}`) }
    const id = `${client}-send-${loop}-${round}`
    const invoked = {
      namespace: node.namespace,
      workload: 'send',
      call: 'send',
      actor: formatAddress(actor),
      command: 'add',
      data: id,
      id,
    } as const
    while (!signal.aborted) {
      const ended = await call(journal, invoked, async () => {
        const options = { commandId: id, timeout: 4_000 }
        const { position, duplicate } = await node.send(actor, 'add', id, options)
        return { outcome: 'ok', position, duplicate }
      })
      if (!mayRepeat(ended)) return
      await wait(200 * (0.5 + random()), signal)
    }
  })
}

export const publishes: Workload = context => {
  const { client, random } = context
  return loops(context, 2, 60, async (loop, round) => {
    const node = someNode(context)
    const dice = random()
    const note: Note = {
      value: `${client}-note-${loop}-${round}`,
      key: idIn(node.namespace, `k${below(random, 5)}`),
      ...(dice < 0.03
        ? { terminal: true }
        : dice < 0.1
          ? { fails: 1 + below(random, 3) }
          : {}),
    }
    await publishUntilStored(context, node, 'topic', notes, note, note.value, note.key!)
  })
}

/** Publishes parcels, which `consumes` pulls. */
export const parcelsOut: Workload = context => {
  const { client } = context
  return loops(context, 1, 100, async (_loop, round) => {
    const node = someNode(context)
    const id = `${client}-parcel-${round}`
    await publishUntilStored(context, node, 'consumer', parcels, { value: id }, id, id)
  })
}

async function publishUntilStored(
  { journal, random, signal }: Parameters<Workload>[0],
  node: Node,
  workload: string,
  topic: typeof notes,
  data: Note,
  id: string,
  key: string,
): Promise<void> {
  const invoked = {
    namespace: node.namespace,
    workload,
    call: 'publish',
    command: topic.name,
    data,
    id,
  } as const
  for (let attempt = 0; attempt < 6; attempt++) {
    const ended = await call(journal, invoked, async () => {
      const options = { id, key, timeout: 4_000 }
      const { position, duplicate } = await node.publish(topic, data, options)
      return { outcome: 'ok', position, duplicate }
    })
    if (!mayRepeat(ended)) return
    await wait(60 * 2 ** attempt * (0.5 + random()), signal)
  }
}

/** Pulls, and acknowledges most; some are returned, some are left until their lease ends. */
export const consumes: Workload = context => {
  const { journal, random, nodes, signal } = context
  return loops(context, nodes.length, 50, async loop => {
    const node = nodes[loop]!
    const options = { batch: 5, maxWait: 500, signal }
    for (const message of await consumeOnce(node, journal, options)) {
      const dice = random()
      if (dice >= 0.05)
        await settleMessage(node, journal, message, dice < 0.9 ? 'ack' : 'nak')
    }
  })
}

export async function consumeOnce(
  node: Node,
  journal: Journal,
  options: ConsumeOptions,
): Promise<readonly ConsumedMessage[]> {
  let messages: readonly ConsumedMessage[] = []
  const { namespace } = node
  const invoked = {
    namespace,
    workload: 'consumer',
    call: 'consume',
    command: namespace,
  } as const
  await call(journal, invoked, async () => {
    messages = await node.consumer(collector).consume(options)
    const value = messages.map(({ sequence, payload }) => ({ sequence, payload }))
    return { outcome: 'ok', value }
  })
  return messages
}

export async function settleMessage(
  node: Node,
  journal: Journal,
  { ackToken, sequence, payload }: ConsumedMessage,
  command: 'ack' | 'nak',
): Promise<void> {
  const { value: id } = payload as Note
  const settled = {
    namespace: node.namespace,
    workload: 'consumer',
    call: 'settle',
    command,
    id,
    data: sequence,
  } as const
  await call(journal, settled, async () => {
    const consumer = node.consumer(collector)
    await (command === 'ack' ? consumer.ack(ackToken) : consumer.nak(ackToken, 50))
    return { outcome: 'ok' }
  })
}
