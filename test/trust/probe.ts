// Whether the system answers: an ask to many actors of several types in every namespace, each repeated until it is
// answered. Rejects when that takes too long.

import type { Node } from 'cairn-es'

import { idIn } from './actors.js'
import { call } from './calls.js'
import type { Journal } from './history.js'
import { wait } from './workloads/workload.js'

/** Longer than a run allows a healed system to take: the report tells a slow recovery from none. */
const patience = 60_000

let probes = 0

/** Several ids of each type, so that every host owns some of them. */
const actorsPerType = 6
const commands = [
  ['list', 'add'],
  ['register', 'set'],
] as const

export async function probe(nodes: readonly Node[], journal: Journal): Promise<void> {
  const deadline = Date.now() + patience
  const round = ++probes
  const asks = nodes.flatMap(node =>
    commands.flatMap(([type, command]) =>
      Array.from({ length: actorsPerType }, (_, i) => async () => {
        const actor = { type, id: idIn(node.namespace, `probe${i}`) }
        const id = `probe-${round}-${node.namespace}-${type}-${i}`
        const invoked = {
          namespace: node.namespace,
          workload: 'probe',
          call: 'ask',
          actor: `${type}/${actor.id}`,
          command,
          data: id,
          id,
        } as const
        for (;;) {
          const ended = await call(journal, invoked, async () => {
            const outcome = await node.ask(actor, command, id, {
              commandId: id,
              timeout: 5_000,
            })
            if (!outcome.ok) return { outcome: 'rejected', code: outcome.rejection.code }
            const { version, position, reply, duplicate } = outcome
            return { outcome: 'ok', version, position, reply, duplicate }
          })
          if (ended.outcome === 'ok') return
          if (Date.now() > deadline)
            throw new Error(
              `${invoked.actor} does not answer ${patience} ms after the heal: ${ended.code}: ${ended.message}`,
            )
          await wait(100)
        }
      }),
    ),
  )
  await Promise.all(asks.map(ask => ask()))
}
