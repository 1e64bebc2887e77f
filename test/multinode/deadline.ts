// Machines with a delay of three seconds, whose owner is killed at one second and whose server is
// restarted at two.

import type { Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import type { NatsServer } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

const patience = { timeout: 120_000 }
const delay = 3_000

/** Says the milliseconds from the moment of each delay to the event of its end, the shortest first. */
export async function throughDeaths(
  t: Test,
  server: NatsServer,
  count: number,
): Promise<number[]> {
  const at = ['--ns', 'deadlines', '--nats', server.url]
  const serve = ['--actors', 'test/support/actors/deadline.mjs']
  const store = jetstream({ servers: server.url })
  await using onlooker = await startHere({ namespace: 'deadlines', store })
  const first = await startNode(...at, ...serve)
  t.teardown(() => first.kill())
  const actors = Array.from({ length: count }, (_, i) => ({
    type: 'deadline',
    id: `d${i}`,
  }))
  await until(() => onlooker.members().length > 0, patience)
  await Promise.all(
    actors.map(actor => onlooker.ask(actor, 'begin', undefined, patience)),
  )
  const eventsOf = async (actor: ActorAddress) => {
    const events: RecordedEvent[] = []
    for await (const event of onlooker.store.read(actor))
      if (event.kind === 'event') events.push(event)
    return events
  }
  const begun = (await eventsOf(actors.at(-1)!)).at(-1)!.at
  await until(() => Date.now() > begun + 1_000, patience)
  await first.kill()
  await until(() => Date.now() > begun + 2_000, patience)
  await server.kill()
  await server.restart()
  await using next = await startNode(...at, ...serve)
  for (const actor of actors)
    await until(async () => (await eventsOf(actor)).length > 2, {
      ...patience,
      describe: `the deadline of ${actor.id} is over`,
    })
  await until(
    async () => {
      for await (const _ of onlooker.timers()) return false
      return true
    },
    { ...patience, describe: 'no timer is left' },
  )
  const drifts: number[] = []
  const histories = new Set<string>()
  for (const actor of actors) {
    const [init, begin, over, ...more] = await eventsOf(actor)
    histories.add([init, begin, over, ...more].map(event => event?.type).join(' '))
    drifts.push(over!.at - (begin!.at + delay))
  }
  t.strictSame(
    [...histories],
    ['xstate.init begin xstate.after.deadline.deadline.waiting'],
    `each of ${count} once`,
  )
  t.equal(await next.stop(), 0)
  drifts.sort((a, b) => a - b)
  t.ok(drifts[0]! >= 0, 'and not before its moment')
  return drifts
}
