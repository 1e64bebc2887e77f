// A message that ends every process that handles it: it is found out, and those beside it are shipped.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { cairn, type NodeProcess, startNode } from './harness.js'

const patience = { timeout: 90_000 }
t.setTimeout(240_000)

await t.test('node after node ends, until the message is a dead letter', async t => {
  await using server = await startNats()
  const flags = ['--ns', 'shop', '--nats', server.url]
  const actors = ['--actors', 'test/support/actors/shipping.mjs']
  await using looker = await startHere({
    namespace: 'shop',
    store: jetstream({ servers: server.url }),
  })
  const ids = Array.from({ length: 12 }, (_, i) => `o${i}`)
  for (const id of ids) {
    const what = id === 'o5' ? 'poison' : 'book'
    // The one that is poisoned orders a book, too, behind it.
    for (const one of id === 'o5' ? [what, 'book'] : [what]) {
      const place = ['order/' + id, 'place', JSON.stringify(one), ...flags, ...actors]
      const { code, stderr } = await cairn('ask', ...place)
      t.equal(code, 0, stderr)
    }
  }

  let deaths = 0
  let node: NodeProcess | undefined
  const letters = async () => {
    const found: DeadLetter[] = []
    for await (const letter of looker.deadLetters.list()) found.push(letter)
    return found
  }
  // Like a supervisor that starts a process again whenever it has ended.
  const keepOneRunning = async () => {
    const ended = { code: undefined as number | null | undefined }
    // It may end even before it says that it is ready.
    node = await startNode(...flags, ...actors).catch(() => undefined)
    if (node === undefined) return void deaths++
    void node.ended.then(code => (ended.code = code))
    await until(async () => ended.code !== undefined || (await letters()).length > 0, {
      describe: 'the node has ended, or the message is given up',
      ...patience,
    })
    if ((await letters()).length === 0) deaths++
  }
  while ((await letters()).length === 0) {
    await keepOneRunning()
    if (deaths > 12) break
  }
  const [letter, ...others] = await letters()
  t.strictSame(others, [], 'nothing beside it is blamed')
  t.match(letter, { reason: 'crashed', attempts: 3, message: { data: 'poison' } })
  t.equal(letter?.error.name, 'NodeEnded')
  t.ok(deaths >= 3, `${deaths} nodes have ended`)

  const countOf = async (id: string) => {
    const shipped: string[] = []
    for await (const stored of looker.store.read({ type: 'shipped', id }))
      if (stored.kind === 'event') shipped.push(stored.data as string)
    return shipped
  }
  for (const id of ids)
    await until(async () => (await countOf(id)).length > 0, {
      describe: `${id} is shipped`,
      ...patience,
    })
  for (const id of ids) t.strictSame(await countOf(id), ['book'], `${id} is shipped once`)
  t.equal(await node?.stop(), 0)
})
