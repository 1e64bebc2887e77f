// Asks with command ids, asked again under the same id until they are answered: lists, doors and registers.

import { type Node, formatAddress } from 'cairn-es'

import { type Call, call, type Ended, mayRepeat } from '../calls.js'
import { idIn, type Note } from '../actors.js'
import {
  below,
  loops,
  someNode,
  wait,
  type Workload,
  type WorkloadContext,
} from './workload.js'

interface Asked {
  readonly workload: string
  readonly type: string
  readonly name: string
  readonly command: string
  readonly data?: unknown
  readonly id?: string
}

async function ask(
  { journal }: WorkloadContext,
  node: Node,
  { workload, type, name, command, data, id }: Asked,
  timeout = 4_000,
): Promise<Ended> {
  const actor = { type, id: idIn(node.namespace, name) }
  const invoked: Call = {
    namespace: node.namespace,
    workload,
    call: 'ask',
    actor: formatAddress(actor),
    command,
    data,
    ...(id !== undefined && { id }),
  }
  return call(journal, invoked, async () => {
    const outcome = await node.ask(actor, command, data, {
      timeout,
      ...(id !== undefined && { commandId: id }),
    })
    if (!outcome.ok)
      return {
        outcome: 'rejected',
        code: outcome.rejection.code,
        version: outcome.version,
      }
    const { version, position, reply, duplicate } = outcome
    return { outcome: 'ok', version, position, reply, duplicate }
  })
}

/** Asks up to `times` times under one id; some answered commands are asked once more, to be told the first answer. */
async function askUntilAnswered(
  context: WorkloadContext,
  node: Node,
  asked: Asked,
  times = 6,
): Promise<Ended> {
  const { random, signal } = context
  // A short deadline now and then: outcomes become unknown without a fault.
  let ended = await ask(context, node, asked, random() < 0.03 ? 5 : 4_000)
  for (let attempt = 1; attempt < times && mayRepeat(ended); attempt++) {
    await wait(30 * 2 ** attempt * (0.5 + random()), signal)
    ended = await ask(context, node, asked)
  }
  if (ended.outcome === 'ok' && random() < 0.05) await ask(context, node, asked)
  return ended
}

export const lists: Workload = context => {
  const { client, random } = context
  let count = 0
  return loops(context, 6, 30, async () => {
    const id = `${client}-add-${++count}`
    const announces = random() < 0.3
    const dice = random()
    const note: Note = {
      value: id,
      ...(dice < 0.03
        ? { terminal: true }
        : dice < 0.1
          ? { fails: 1 + below(random, 3) }
          : {}),
    }
    await askUntilAnswered(context, someNode(context), {
      workload: 'list',
      type: 'list',
      name: `l${below(random, 12)}`,
      command: announces ? 'announce' : 'add',
      data: announces ? note : id,
      id,
    })
  })
}

export const doors: Workload = context => {
  const { client, random } = context
  let count = 0
  return loops(context, 3, 40, async () => {
    const dice = random()
    const command = dice < 0.2 ? 'open' : dice < 0.4 ? 'shut' : 'enter'
    const name = `d${below(random, 4)}`
    const id = `${client}-${command}-${++count}`
    const asked = { workload: 'door', type: 'door', name, command, id }
    // A rejection is final for its id: it is not asked again, and must never be stored.
    await askUntilAnswered(context, someNode(context), asked, random() < 0.5 ? 1 : 4)
  })
}

export const registers: Workload = context => {
  const { client, journal, random, readers } = context
  let count = 0
  return loops(context, 4, 30, async () => {
    const node = someNode(context)
    const name = `r${below(random, 3)}`
    if (random() < 0.4) {
      const id = `${client}-set-${++count}`
      await askUntilAnswered(context, node, {
        workload: 'register',
        type: 'register',
        name,
        command: 'set',
        data: id,
        id,
      })
      return
    }
    const actor = { type: 'register', id: idIn(node.namespace, name) }
    const invoked = {
      namespace: node.namespace,
      workload: 'register',
      call: 'state',
      actor: formatAddress(actor),
      freshness: 'latest',
    } as const
    const reader = readers.find(({ namespace }) => namespace === node.namespace)!
    await call(journal, invoked, async () => {
      const { state, version } = await reader.state(actor, {
        freshness: 'latest',
        timeout: 4_000,
      })
      return { outcome: 'ok', version, value: state }
    })
  })
}

export const trains: Workload = context => {
  const { client, random } = context
  let count = 0
  return loops(context, 2, 60, async () => {
    const commands = ['depart', 'halt', 'resume', 'arrive']
    const command = commands[below(random, commands.length)]!
    const id = `${client}-${command}-${++count}`
    const data =
      command === 'depart' ? { to: id } : command === 'halt' ? { at: id } : undefined
    const name = `t${below(random, 3)}`
    const asked = { workload: 'machine', type: 'train', name, command, data, id }
    await askUntilAnswered(context, someNode(context), asked)
  })
}

export const alarms: Workload = context => {
  const { client, random } = context
  let count = 0
  return loops(context, 2, 120, async () => {
    const id = `${client}-arm-${++count}`
    const data = { name: id, after: below(random, 4) === 0 ? 0 : below(random, 4_000) }
    const name = `a${below(random, 4)}`
    const asked = { workload: 'timer', type: 'alarm', name, command: 'arm', data, id }
    await askUntilAnswered(context, someNode(context), asked)
  })
}
