// Three trips, and nodes that die during them. One trip is settled although its node dies after the
// charge and before it is reported. One is undone step by step, in reverse order, because its card
// is declined; a node dies during that, too. One is settled, and its message fails.
//
// This program is also the nodes: with CAR_NODE in its environment it is one. It needs a server:
// `npm run nats`.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { defineReactor, jetstream, startNode, TerminalError } from 'cairn-es'

import { completed, trip, type TripCompleted } from './trip.js'
import { doneFor } from './world.js'

const receipts = defineReactor({
  name: 'receipts',
  on: [completed],
  handle(message) {
    const { tripId, rider } = message.data as TripCompleted
    if (rider === 'bo') throw new TerminalError(`${tripId}: ${rider} has no address`)
  },
})

if (process.env.CAR_NODE === undefined) await direct(`cars-${Date.now().toString(36)}`)
else await serve(process.env.EXAMPLE_NS!)

/** A node: it runs trips until it dies or is stopped. */
async function serve(namespace: string): Promise<void> {
  const node = await startNode({
    namespace,
    store: jetstream(),
    actors: [trip],
    reactors: [receipts],
    // The deaths are on purpose; by default they would be logged to stderr.
    log: false,
  })
  process.once('disconnect', () => void node.close())
}

async function direct(namespace: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-cars-'))
  process.env.WORLD = join(dir, 'world')
  await writeFile(process.env.WORLD, '')
  let isOver = false
  let deaths = 0
  // A process supervisor does this in production: it replaces a node that died.
  const keepOne = () => {
    const child = fork(fileURLToPath(import.meta.url), {
      env: { ...process.env, CAR_NODE: 'yes', EXAMPLE_NS: namespace },
    })
    child.once('exit', (_code, signal) => {
      if (signal === 'SIGKILL') deaths++
      if (!isOver) current = keepOne()
    })
    return child
  }
  let current = keepOne()

  const node = await startNode({ namespace, store: jetstream(), log: false })
  const t1 = node.spawn(trip, 't1')
  const t2 = node.spawn(trip, 't2')
  const t3 = node.spawn(trip, 't3')
  const trips = [t1, t2, t3]
  for (const [i, [rider, car]] of [
    ['rita', 'c7'],
    ['otto', 'c8'],
    ['bo', 'c9'],
  ].entries()) {
    const ref = trips[i]!
    await ref.send('reserve', { rider: rider!, car: car! })
    await until(() => ref.matches('reserved'))
    await ref.send('start')
    await until(() => ref.matches('driving'))
    await ref.send('end', { seconds: 60 * (i + 1) })
  }
  const dead = async () => {
    for await (const letter of node.deadLetters.list()) return letter
    return undefined
  }
  for (const ref of trips) await until(async () => (await ref.output()) !== undefined)
  await until(async () => (await dead()) !== undefined)

  for (const { address, output } of trips) {
    const { settled, cents, why } = (await output())!
    console.log(`${address.id}: ${await doneFor(address.id)}`)
    console.log(
      `${address.id}: ${settled ? `settled, ${cents} cents` : `undone: ${why}`}`,
    )
  }
  const letter = (await dead())!
  console.log(`a receipt was not sent (${letter.error.message}), and t3 is settled`)
  console.log(`${deaths} nodes died on the way`)

  isOver = true
  current.disconnect()
  await once(current, 'exit')
  await node.close()
  await rm(dir, { recursive: true })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(next => setTimeout(next, 20))
}
