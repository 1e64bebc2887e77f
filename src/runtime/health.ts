// Whether a node is ready for requests: its store answers, it has caught up with the log, and it is not closing.

import type { Membership } from '../cluster/membership.js'
import { messageOf } from '../model/errors.js'
import type { Position } from '../model/version.js'
import { bounded, pause } from '../model/wait.js'
import { describeOutage } from '../nats/connection-state.js'
import type { CaughtUp } from './caught-up.js'
import type { NodeContext } from './context.js'

/** One condition of being ready. */
export interface HealthCheck {
  readonly ok: boolean
  /** What is wrong; absent if it is met. */
  readonly reason?: string
}

export interface NodeHealth {
  /** Whether all checks are met. */
  readonly isReady: boolean
  readonly checks: {
    /** The store answers a read in time. */
    readonly store: HealthCheck
    /** The node is a member, where it is to be one, and has heard of the log up to its end. */
    readonly caughtUp: HealthCheck
    /** The node is not closing. */
    readonly accepting: HealthCheck
  }
}

export interface HealthOptions {
  /** Milliseconds for the checks. Default 1,000. */
  readonly timeout?: number | undefined
}

/** Milliseconds. */
const timeoutDefault = 1_000
/** Milliseconds between two looks whether notices have arrived. */
const lookEvery = 10
/** Notices that are this long on their way are late: milliseconds. */
const noticesWithin = 500

const met: HealthCheck = { ok: true }
const unmet = (reason: string): HealthCheck => ({ ok: false, reason })

export function healthReader(
  context: NodeContext,
  parts: { readonly membership: () => Membership; readonly caughtUp: CaughtUp },
): (options?: HealthOptions) => Promise<NodeHealth> {
  const { open, settings, isClosing, isMember } = context
  const { caughtUp } = parts

  async function endOfLog(timeout: number): Promise<Position> {
    const startedAt = Date.now()
    const connection = open.connection?.()
    const outage =
      connection && connection.state !== 'connected'
        ? describeOutage(connection, startedAt)
        : undefined
    if (outage !== undefined) throw new Error(outage)
    return bounded(
      signal => open.store.lastPosition({ signal }),
      timeout,
      () => new Error(`the store has not answered within ${timeout} ms`),
      undefined,
      'checking the store',
    )
  }

  async function checkCaughtUp(end: Position, timeout: number): Promise<HealthCheck> {
    const isIn = parts
      .membership()
      .members()
      .some(({ id }) => id === settings.id)
    if (isMember && !isIn)
      return unmet('this node is not among the members: its messages do not come back')
    const until = performance.now() + Math.min(timeout, noticesWithin)
    let behind = caughtUp.behind(end)
    while (behind > 0 && performance.now() < until) {
      await pause(lookEvery)
      if (caughtUp.hasHeard(end)) behind = 0
    }
    return behind === 0
      ? met
      : unmet(`notices of the last ${behind} positions of the log have not arrived yet`)
  }

  return async ({ timeout = timeoutDefault } = {}) => {
    const accepting = isClosing() ? unmet('this node is closing') : met
    let store = met
    let caught = unmet('the end of the log is not known')
    try {
      const end = await endOfLog(timeout)
      caught = await checkCaughtUp(end, timeout)
    } catch (error) {
      store = unmet(messageOf(error))
    }
    const checks = { store, caughtUp: caught, accepting }
    return { isReady: Object.values(checks).every(({ ok }) => ok), checks }
  }
}
