// Dead letters that cannot be read: they are listed as that, can be discarded, and stop nothing.

import t from 'tap'

import { defineReactor, defineTopic, type Node } from '../../../src/index.js'
import type { DeadLetterListOptions } from '../../../src/delivery/dead-letters/dead-letters.js'
import { backlogs } from '../../../src/delivery/backlog.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const orders = defineTopic('orders')

async function listOf({ deadLetters }: Node, options: DeadLetterListOptions = {}) {
  const letters = []
  for await (const letter of deadLetters.list(options)) letters.push(letter)
  return letters
}

await onEachBackend(t, 'an unreadable dead letter stops no other', async (t, scene) => {
  const { start, backend, namespace } = scene(t)
  let isWell = false
  const handled: unknown[] = []
  const reactor = defineReactor({
    name: 'r',
    on: orders,
    retry: { attempts: 1 },
    handle({ data }) {
      if (!isWell) throw Object.assign(new Error('no'), { name: Symbol('odd') })
      handled.push(data)
    },
  })
  const node = await start({ reactors: [reactor] })
  await node.publish(orders, 'before')
  await until(async () => (await listOf(node)).length === 1)
  await using open = await backend.open({ namespace, nodeId: 'other' })
  const headers: [string, string][] = [
    ['Cairn-Wire', '1'],
    ['Cairn-Message', 'torn'],
    ['Cairn-Topic', 'orders'],
  ]
  const bodies = { torn: Buffer.from([0xc1]), empty: new Uint8Array() }
  for (const [id, body] of Object.entries(bodies))
    await open.queues.dead.put({ key: ['reactor', 'r'], id, headers, body })
  await node.publish(orders, 'after')
  await until(async () => (await listOf(node)).length === 4)

  const letters = await listOf(node)
  t.strictSame(
    letters.map(({ reason }) => reason),
    ['max-attempts-exhausted', 'unreadable', 'unreadable', 'max-attempts-exhausted'],
  )
  const [first, torn, empty] = letters
  t.equal(first!.error.name, 'Error', 'the name was not text')
  t.match(torn, {
    message: { id: 'torn', topic: 'orders' },
    error: { name: 'Unreadable' },
  })
  t.equal((await listOf(node, { reason: 'unreadable' })).length, 2)
  const counts = []
  for await (const { dead } of backlogs(open)) counts.push(dead)
  t.ok(counts.length > 0, 'backlogs are counted')
  const { deadLetters } = node
  await t.rejects(deadLetters.retry(torn!.position), {
    code: 'invalid-message',
    message: /discard it/,
  })
  isWell = true
  t.equal(await deadLetters.retryAll(), 2, 'all that can be read')
  await until(() => handled.length === 2)
  t.strictSame(
    (await listOf(node)).map(({ position }) => position),
    [torn!.position, empty!.position],
  )
  await deadLetters.discard(torn!.position)
  t.equal(await deadLetters.discardAll({ reason: 'unreadable' }), 1)
  t.strictSame(await listOf(node), [])
})
