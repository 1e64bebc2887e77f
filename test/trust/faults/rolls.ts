// Hosts that are ended in good order and replaced, one after the other: restarts and deployments.

import type { Random } from '../../../src/testing/random.js'
import type { Settings, TrustProcess } from '../processes.js'
import { startAgain, successor } from './crew.js'
import { between, chance, shuffle } from './draws.js'
import { disturb, everywhere, type Fault, type FaultContext, namesOf } from './fault.js'

/** Stops a host (its drain must end with code 0, see `TrustProcess.stop`) and starts another, in either order. */
async function replace(
  context: FaultContext,
  host: TrustProcess,
  random: Random,
  change: Settings = {},
): Promise<void> {
  // Another fault has ended it, and replaces it.
  if (!host.isAlive) return
  const startsFirst = chance(random, 0.5)
  const sameId = !startsFirst && chance(random, 0.5)
  const settings = { ...successor(host, { sameId }), ...change }
  if (startsFirst) await startAgain(context, 'host', settings)
  await host.stop()
  if (!startsFirst) await startAgain(context, 'host', settings)
}

export const rollHosts: Fault = {
  name: 'hosts-roll',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 0,
  async inject(context, random) {
    const hosts = shuffle(random, context.processes.list('host'))
    await disturb(context, {
      fault: this.name,
      target: namesOf(hosts),
      ms: 0,
      async begin() {
        for (const host of hosts) {
          await replace(context, host, random)
          await context.hold(between(random, 0, 1_000))
        }
      },
      heal() {}, // each has its successor
    })
  },
}

const codeOf = ({ settings }: TrustProcess) => settings.code ?? 'old'

/** To the other code and back. In between both run, for a while. */
export const deploy: Fault = {
  name: 'hosts-deploy',
  places: everywhere,
  isPossible: ({ processes }) => processes.list('host').length > 0,
  async inject(context, random) {
    const hosts = shuffle(random, context.processes.list('host'))
    const before = codeOf(hosts[0]!)
    const after = before === 'old' ? 'new' : 'old'
    await disturb(context, {
      fault: this.name,
      target: namesOf(hosts),
      ms: between(random, 0, 3_000),
      async begin() {
        for (const host of hosts) {
          await replace(context, host, random, { code: after })
          await context.hold(between(random, 0, 2_000))
        }
      },
      async heal() {
        for (const host of context.processes.list('host'))
          if (codeOf(host) !== before) {
            await replace(context, host, random, { code: before })
            await context.hold(between(random, 0, 2_000))
          }
      },
    })
  },
}
