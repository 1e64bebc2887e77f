// Servers that end, stop answering, or lead no more.

import type { Random } from '../../../src/testing/random.js'
import type { NatsServer } from '../../support/nats.js'
import { between, chance, pick, shuffle } from './draws.js'
import { disturb, type Fault, type FaultContext, namesOf, onServers } from './fault.js'
import { bringUp } from './server.js'
import { leaderOf, stepDown, untilCurrent } from './streams.js'

async function killed(
  context: FaultContext,
  fault: string,
  servers: readonly NatsServer[],
  ms: number,
): Promise<void> {
  await disturb(context, {
    fault,
    target: namesOf(servers),
    ms,
    async begin() {
      await Promise.all(servers.map(server => server.kill()))
    },
    async heal() {
      await Promise.all(servers.map(bringUp))
    },
  })
}

async function paused(
  context: FaultContext,
  fault: string,
  servers: readonly NatsServer[],
  ms: number,
): Promise<void> {
  await disturb(context, {
    fault,
    target: namesOf(servers),
    ms,
    begin() {
      for (const server of servers) server.pause()
    },
    heal() {
      for (const server of servers) server.resume()
    },
  })
}

const downTime = (random: Random) => between(random, 0, 5_000)
const pausedTime = (random: Random) => between(random, 1_000, 8_000)

const killServer: Fault = {
  name: 'server-kill',
  places: onServers,
  async inject(context, random) {
    const server = pick(random, context.place.servers)
    await killed(context, this.name, [server], downTime(random))
  },
}

const killAllServers: Fault = {
  name: 'servers-kill-all',
  places: ['r3'],
  async inject(context, random) {
    await killed(context, this.name, context.place.servers, downTime(random))
  },
}

const killLeader: Fault = {
  name: 'leader-kill',
  places: ['r3'],
  async inject(context, random) {
    const namespace = pick(random, context.processes.namespaces)
    const other = pick(random, context.place.servers)
    const leader = (await leaderOf(context, namespace)) ?? other
    await killed(context, this.name, [leader], downTime(random))
  },
}

/** No majority: nothing can be stored until one of them is back. */
const killMajority: Fault = {
  name: 'servers-kill-majority',
  places: ['r3'],
  async inject(context, random) {
    const two = shuffle(random, context.place.servers).slice(0, 2)
    await killed(context, this.name, two, between(random, 2_000, 8_000))
  },
}

const freezeServer: Fault = {
  name: 'server-freeze',
  places: onServers,
  async inject(context, random) {
    const server = pick(random, context.place.servers)
    await paused(context, this.name, [server], pausedTime(random))
  },
}

const freezeLeader: Fault = {
  name: 'leader-freeze',
  places: ['r3'],
  async inject(context, random) {
    const namespace = pick(random, context.processes.namespaces)
    const other = pick(random, context.place.servers)
    const leader = (await leaderOf(context, namespace)) ?? other
    await paused(context, this.name, [leader], pausedTime(random))
  },
}

const freezeMajority: Fault = {
  name: 'servers-freeze-majority',
  places: ['r3'],
  async inject(context, random) {
    const two = shuffle(random, context.place.servers).slice(0, 2)
    await paused(context, this.name, two, pausedTime(random))
  },
}

const freezeAllServers: Fault = {
  name: 'servers-freeze-all',
  places: ['r3'],
  async inject(context, random) {
    await paused(context, this.name, context.place.servers, pausedTime(random))
  },
}

const stepDownLeader: Fault = {
  name: 'leader-step-down',
  places: ['r3'],
  async inject(context, random) {
    const namespace = pick(random, context.processes.namespaces)
    const times = 1 + Math.floor(random() * 5)
    await disturb(context, {
      fault: this.name,
      target: namespace,
      ms: 0,
      async begin() {
        for (let i = 0; i < times; i++) {
          await stepDown(context, namespace)
          await context.hold(between(random, 200, 1_500))
        }
      },
      heal() {}, // another one leads
    })
  },
}

/** As an operator does it: in good order, the next one once the replicas are current. */
const rollServers: Fault = {
  name: 'servers-roll',
  places: onServers,
  async inject(context, random) {
    const servers = shuffle(random, context.place.servers)
    const isCareful = chance(random, 0.8)
    await disturb(context, {
      fault: this.name,
      target: namesOf(servers),
      ms: 0,
      async begin() {
        for (const server of servers) {
          await server.stop()
          await context.hold(between(random, 0, 1_000))
          await bringUp(server)
          if (isCareful) await untilCurrent(context)
        }
      },
      async heal() {
        await Promise.all(servers.map(bringUp))
      },
    })
  },
}

export const serverFaults: readonly Fault[] = [
  killServer,
  killAllServers,
  killLeader,
  killMajority,
  freezeServer,
  freezeLeader,
  freezeMajority,
  freezeAllServers,
  stepDownLeader,
  rollServers,
]
