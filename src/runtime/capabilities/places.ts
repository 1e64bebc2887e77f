// The places beside the log: tells their damage, and has what is in the log found again.
//
// PLACES-1. Once a minute a node asks the server about the log, and warns once if their clocks have come to differ.
//
// One member of the namespace, chosen by placement, sets missing timers again and finds lost publishers; what it has not
// finished when it ends, the next one begins again.

import { groupPlacement } from '../../cluster/group-placement.js'
import type { Membership } from '../../cluster/membership.js'
import { courierGroup } from '../../delivery/commands/courier.js'
import { readPublishers } from '../../delivery/messages/topic-registry.js'
import { FailureLog } from '../../delivery/failure-log.js'
import { rebuildPublishers, restoreTimers } from '../../delivery/rebuild/rebuild.js'
import { isCairnError } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import { clockOffsetMax } from '../../nats/log-report.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

/** Milliseconds between two checks. */
const checkEvery = 2_000
/** PLACES-1. Checks from one report of the log to the next: a minute. */
const reportEvery = 30
/** TOPIC-REGISTRY-1. Checks in which the nodes register their publishers again before the others are found in the log. */
const checksBefore = 3

export function placesCapability(
  { open, settings, log, isMember }: NodeContext,
  parts: {
    readonly membership: () => Membership
    readonly registerAgain: () => Promise<void>
  },
): Capability {
  const { damage } = open
  const write = partLog(log, 'places')
  const failures = new FailureLog(write)
  const stopping = new AbortController()
  const { signal } = stopping
  let checks = 0
  let isClockTold = false
  /** Checks in a row that found no publishers. */
  let checksWithout = 0
  let running: Promise<void> | undefined

  /** PLACES-1. */
  async function askAboutLog(): Promise<void> {
    const { clockOffset } = (await open.readLogReport?.(signal)) ?? {}
    if (clockOffset === undefined) return
    const isOff = Math.abs(clockOffset) >= clockOffsetMax
    if (isOff && !isClockTold)
      write(
        'warn',
        `The clock of the NATS server is ${describeOffset(clockOffset)} that of this machine: timers are early or late by as ` +
          'much. Let both machines set their clocks by NTP.',
        { clockOffset },
      )
    isClockTold = isOff
  }

  async function check(isOurs: boolean): Promise<void> {
    if (checks++ % reportEvery === 0) await askAboutLog()
    if (damage.list().some(({ state }) => state === 'open'))
      await open.checkMissing?.(signal)
    await parts.registerAgain()
    if (!isOurs) return
    const clock = settings.clock
    await restoreTimers({ ...open, now: () => clock.now(), log: write, signal })
    const isLost = (await readPublishers(open.documents)) === undefined
    checksWithout = isLost ? checksWithout + 1 : 0
    if (checksWithout > checksBefore)
      await rebuildPublishers({ ...open, log: write, signal })
  }

  /** Never rejects. */
  async function run(): Promise<void> {
    const placement = groupPlacement(parts.membership(), settings.id, courierGroup)
    while (!signal.aborted) {
      try {
        await check(isMember && placement.isOurs(0))
        failures.succeeded()
      } catch (error) {
        if (signal.aborted || isCairnError(error, 'store-closed')) break
        failures.failed(
          'What is beside the log could not be checked; the check is retried',
          error,
        )
      }
      await pause(checkEvery, signal)
    }
  }

  return {
    start() {
      damage.listen(({ place, problem, state, text }) =>
        write(state === 'open' ? 'error' : 'warn', text, { place, problem, state }),
      )
      running = run()
    },
    async stop({ timeout }) {
      stopping.abort()
      const inTime = new AbortController()
      const ended = running?.then(() => inTime.abort())
      await Promise.race([ended, pause(timeout / 2, inTime.signal)])
    },
    stats: () => ({ damage: damage.list() }),
  }
}

/** An offset in words, to be followed by the clock that it is an offset from. */
function describeOffset(ms: number): string {
  const seconds = (Math.abs(ms) / 1_000).toFixed(1)
  return `${seconds} s ${ms > 0 ? 'ahead of' : 'behind'}`
}
