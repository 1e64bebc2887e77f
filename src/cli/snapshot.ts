// The figures of a namespace at one moment, for `status` and `top`. Reading them needs no node and changes nothing.

import type { OpenNamespace } from '../backend/backend.js'
import type { Membership } from '../cluster/membership.js'
import { type Backlog, backlogs } from '../delivery/backlog.js'
import { type LagLimits, healthOfLag, lagLimitsOf } from '../delivery/health.js'
import { projectionNames } from '../projection/builds.js'
import { logEndOf, statusOf } from '../projection/reader.js'
import { isoTime } from '../runtime/views/iso-time.js'

/** Timers that are read, at most. */
const timersMax = 10_000

export type Snapshot = Awaited<ReturnType<typeof snapshotOf>>

export async function snapshotOf(
  open: OpenNamespace,
  membership: Membership,
  signal: AbortSignal,
  lagLimits?: LagLimits,
) {
  const limits = lagLimitsOf(lagLimits)
  const { store, documents, readModels, damage, connection } = open
  const at = Date.now()
  const position = await store.lastPosition({ signal })
  const groups: GroupRow[] = []
  for await (const backlog of backlogs(open, { all: true, signal, lagLimits: limits }))
    groups.push(rowOf(backlog))
  const end = { ...logEndOf(store, signal), lastPosition: async () => position }
  const names = await projectionNames(documents, { signal })
  const projections = await Promise.all(
    names.map(name => statusOf({ name, documents, readModels, ...end })),
  )
  return {
    namespace: store.namespace,
    at: isoTime(at),
    server: connection?.().server ?? null,
    position,
    lastCommitAt: await lastCommitAt(open, position, signal),
    nodes: membership.members().map(({ id, version, types }) => ({ id, version, types })),
    groups,
    projections: projections.flatMap(({ name, builds }) =>
      builds
        .filter(({ state }) => state !== 'retired')
        .map(({ state, position: built, lag, lagSeconds }) => ({
          name,
          state,
          position: built,
          lag,
          lagSeconds,
          health: healthOfLag(lagSeconds, limits),
        })),
    ),
    timers: await timersOf(open, signal),
    damage: damage.list().filter(({ state }) => state !== 'healed'),
  }
}

interface GroupRow {
  readonly group: string
  readonly source: string
  readonly waiting: number
  readonly counted: boolean
  readonly failing: number
  readonly dead: number
  readonly lagSeconds: number
  readonly health: string
}

function rowOf(backlog: Backlog): GroupRow {
  const { group, source, waiting, isCounted, failing, dead, lagSeconds, health } = backlog
  return {
    group,
    source,
    waiting,
    counted: isCounted,
    failing: failing.length,
    dead,
    lagSeconds,
    health,
  }
}

/** The time of the last commit; `null` if there is none, or it cannot be read. */
async function lastCommitAt(
  { store }: OpenNamespace,
  position: number,
  signal: AbortSignal,
): Promise<string | null> {
  for await (const record of store.readAll({ after: Math.max(0, position - 1), signal }))
    if (record.kind === 'commit') return isoTime(record.at)
  return null
}

async function timersOf({ timers }: OpenNamespace, signal: AbortSignal) {
  let count = 0
  let next = Infinity
  for await (const { at } of timers.list({ signal })) {
    next = Math.min(next, at)
    if (++count === timersMax) break
  }
  return {
    count,
    counted: count < timersMax,
    next: next === Infinity ? null : isoTime(next),
  }
}
