// Appends with an expected version from a cache that may be stale, and transactions over two actors.

import { formatAddress } from 'cairn-es'

import { idIn, purse } from '../actors.js'
import { call, mayRepeat } from '../calls.js'
import { below, loops, someNode, wait, type Workload } from './workload.js'

export const tapes: Workload = context => {
  const { client, journal, random } = context
  let count = 0
  const believed = new Map<string, number>()
  return loops(context, 3, 40, async () => {
    const node = someNode(context)
    const actor = { type: 'tape', id: idIn(node.namespace, `t${below(random, 3)}`) }
    const text = formatAddress(actor)
    const value = `${client}-note-${++count}`
    // What this client last saw, or what the node's cache believes: either may be stale.
    const expected =
      believed.get(text) ?? (await node.store.head(actor).catch(() => undefined))?.version
    if (expected === undefined) return
    const invoked = {
      namespace: node.namespace,
      workload: 'append',
      call: 'append',
      actor: text,
      data: value,
      expected,
    } as const
    const ended = await call(journal, invoked, async () => {
      const result = await node.store.append(actor, [{ type: 'noted', data: value }], {
        expected,
      })
      return result.ok
        ? { outcome: 'ok', version: result.version, position: result.position }
        : { outcome: 'conflict', value: { actual: result.actual } }
    })
    if (ended.outcome === 'ok') believed.set(text, ended.version!)
    else if (ended.outcome === 'conflict')
      believed.set(text, (ended.value as { actual: number }).actual)
    else believed.delete(text)
  })
}

const purses = 6

export const transfers: Workload = context => {
  const { client, journal, random, signal } = context
  let count = 0
  return loops(context, 3, 60, async () => {
    const node = someNode(context)
    const from = below(random, purses)
    const to = (from + 1 + below(random, purses - 1)) % purses
    const names = [from, to].map(one => idIn(node.namespace, `p${one}`)) as [
      string,
      string,
    ]
    const amount = 1 + below(random, 60)
    const id = `${client}-move-${++count}`
    const data = { from: `purse/${names[0]}`, to: `purse/${names[1]}`, amount }
    for (let attempt = 0; attempt < 4 && (attempt === 0 || !signal.aborted); attempt++) {
      const invoked = {
        namespace: node.namespace,
        workload: 'transfer',
        call: 'transact',
        data,
        id,
      } as const
      const ended = await call(journal, invoked, async () => {
        const outcome = await node.transact(
          async tx => {
            const taken = await tx.ask(purse, names[0], 'take', { amount, transfer: id })
            if (!taken.ok) return tx.abort(taken.rejection.code)
            await tx.ask(purse, names[1], 'give', { amount, transfer: id })
            return 'moved'
          },
          { id, timeout: 5_000 },
        )
        return outcome.ok
          ? { outcome: 'ok', duplicate: outcome.duplicate, reply: outcome.value }
          : { outcome: 'rejected', code: outcome.reason }
      })
      if (!mayRepeat(ended)) return
      await wait(60 * 2 ** attempt * (0.5 + random()), signal)
    }
  })
}

/** Opens every purse, before the transfers begin. Asked again until it is known to be stored. */
export const openPurses: Workload = async context => {
  const { nodes, journal, signal } = context
  for (const node of nodes)
    for (let i = 0; i < purses && !signal.aborted; i++) {
      const id = idIn(node.namespace, `p${i}`)
      const invoked = {
        namespace: node.namespace,
        workload: 'transfer',
        call: 'ask',
        actor: `purse/${id}`,
        command: 'open',
        data: 100,
        id: `open-${id}`,
      } as const
      for (;;) {
        const ended = await call(journal, invoked, async () => {
          const options = { commandId: invoked.id, timeout: 5_000 }
          const outcome = await node.spawn(purse, id).ask('open', 100, options)
          const { version, position, reply, duplicate } = outcome as never
          return { outcome: 'ok', version, position, reply, duplicate }
        })
        if (ended.outcome === 'ok' || signal.aborted) break
        await wait(200, signal)
      }
    }
}
