// A schedule of what runs beside commands: durable commands, outboxes, and timers, while nodes crash and join.

import { defineActor, event, schedule, send } from '../../src/index.js'
import { randomFrom } from '../../src/testing/random.js'
import { testCluster } from '../../src/testing/index.js'

const stock = defineActor({
  type: 'stock',
  initialState: 0,
  decide: { take: (_state, order: string) => event('taken', order) },
  evolve: { taken: state => state + 1 },
})

const order = defineActor({
  type: 'order',
  initialState: 'new',
  decide: {
    place: (_state, id: string) => [
      event('placed'),
      send(stock, 'all', 'take', id),
      schedule('unpaid', { after: 1_000 }, 'expire'),
    ],
    expire: () => event('expired'),
  },
  evolve: { placed: () => 'placed', expired: () => 'expired' },
})

/** Runs until all orders have expired; resolves with the steps and the log. */
export async function simulateOrders(seed: number): Promise<string[]> {
  const lines: string[] = []
  const random = randomFrom(seed, 'orders')
  await using cluster = await testCluster({
    actors: [stock, order],
    seed,
    onStep: ({ at, what }) => lines.push(`${at} ${what}`),
  })
  const count = 4
  await cluster.run(async () => {
    cluster.delayAppends(0.3)
    cluster.duplicateRequests(0.2)
    for (let i = 0; i < count; i++) {
      const { running } = cluster
      const through = cluster.node(running[Math.floor(random() * running.length)]!)
      await through.spawn(order, `o${i}`).send('place', `o${i}`)
      if (i === 1) cluster.crash(cluster.running[0]!)
      if (i === 2) await cluster.start()
    }
    const isOver = async () => {
      const log = await cluster.log()
      const types = log.flatMap(record =>
        record.kind === 'commit' ? record.events.map(({ type }) => type) : [],
      )
      const sum = (wanted: string) => types.filter(type => type === wanted).length
      return sum('expired') === count && sum('taken') === count
    }
    for (let tries = 0; !(await isOver()); tries++) {
      if (tries === 1_000) throw new Error(`Seed ${seed}: the orders do not expire.`)
      cluster.clock.advance(100)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    await cluster.check()
  })
  const log = await cluster.log()
  return [...lines, ...log.map(record => JSON.stringify(record))]
}
