// Hosts that do nothing for a while, and go on as if no time had passed.

import { between, pick } from './draws.js'
import { disturb, everywhere, type Fault, namesOf } from './fault.js'

/** Milliseconds after which the others take a host for dead: the heartbeat settings of the runs. */
const deadAfter = 2_000

function freeze(name: string, least: number, most: number): Fault {
  return {
    name,
    places: everywhere,
    isPossible: ({ processes }) => processes.list('host').length > 0,
    async inject(context, random) {
      const host = pick(random, context.processes.list('host'))
      await disturb(context, {
        fault: name,
        target: host.name,
        ms: between(random, least, most),
        begin: () => host.freeze(),
        heal: () => host.thaw(),
      })
    },
  }
}

/** The others do not take it for dead. */
export const freezeShort = freeze('host-freeze-short', 300, deadAfter - 200)

/** The others take it for dead and serve its actors. */
export const freezeLong = freeze('host-freeze-long', deadAfter + 200, 8_000)

export const freezeOthers: Fault = {
  name: 'hosts-freeze-all-but-one',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 1,
  async inject(context, random) {
    const hosts = context.processes.list('host')
    const awake = pick(random, hosts)
    const others = hosts.filter(host => host !== awake)
    await disturb(context, {
      fault: this.name,
      target: namesOf(others),
      ms: between(random, 300, 8_000),
      begin() {
        for (const host of others) host.freeze()
      },
      heal() {
        for (const host of others) host.thaw()
      },
    })
  },
}

/** Its sockets still take what arrives, and its timers are late. */
export const blockHost: Fault = {
  name: 'host-block',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 0,
  async inject(context, random) {
    const host = pick(random, context.processes.list('host'))
    const ms = Math.round(between(random, 1_000, 6_000))
    await disturb(context, {
      fault: this.name,
      target: host.name,
      ms,
      begin: () => host.tell({ kind: 'block', ms }),
      heal() {}, // it ends by itself
    })
  },
}
