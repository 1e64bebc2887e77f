// Processes that end without a word.

import { between, chance, pick } from './draws.js'
import { startAgain, successor } from './crew.js'
import { disturb, everywhere, type Fault, namesOf } from './fault.js'

export const killHost: Fault = {
  name: 'host-kill',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 0,
  async inject(context, random) {
    const host = pick(random, context.processes.list('host'))
    const settings = successor(host, { sameId: chance(random, 0.5) })
    await disturb(context, {
      fault: this.name,
      target: host.name,
      ms: between(random, 0, 4_000),
      begin: () => host.kill(),
      async heal() {
        await startAgain(context, 'host', settings)
      },
    })
  },
}

export const killAllHosts: Fault = {
  name: 'hosts-kill-all',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 1,
  async inject(context, random) {
    const hosts = context.processes.list('host')
    const sameId = chance(random, 0.5)
    const settings = hosts.map(host => successor(host, { sameId }))
    await disturb(context, {
      fault: this.name,
      target: namesOf(hosts),
      ms: between(random, 0, 4_000),
      async begin() {
        await Promise.all(hosts.map(host => host.kill()))
      },
      async heal() {
        await Promise.all(settings.map(each => startAgain(context, 'host', each)))
      },
    })
  },
}

/** What it was told and what it was not is in its history; another client goes on. */
export const killClient: Fault = {
  name: 'client-kill',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('client').length > 0,
  async inject(context, random) {
    const client = pick(random, context.processes.list('client'))
    await disturb(context, {
      fault: this.name,
      target: client.name,
      ms: between(random, 0, 2_000),
      begin: () => client.kill(),
      async heal() {
        await startAgain(context, 'client', client.settings)
      },
    })
  },
}
