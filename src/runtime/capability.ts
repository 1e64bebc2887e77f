// Capabilities: the things that a node does, each started and stopped by itself.

import type { NodeStats } from './node.js'

/** One thing that a node does. All members are optional. */
export interface Capability {
  /** The consumer groups that it takes part in; a member announces them when it joins. */
  readonly groups?: readonly string[]
  start?(): Promise<void> | void
  stop?(bounds: StopBounds): Promise<void> | void
  stats?(): Partial<NodeStats>
  /** What it has still to do of what is stored, in words: see `activity` of a node. */
  unsettled?(signal: AbortSignal): Promise<readonly (string | undefined)[]>
  /** When the next of what waits by the node's clock is due, ms since 1970; `Infinity` for nothing. */
  nextDueAt?(): Promise<number>
}

export interface StopBounds {
  /** Milliseconds for the whole node to close. */
  readonly timeout: number
  /** Milliseconds of that which are left. */
  left(): number
}

/** Capabilities that stop at the same time. */
export type Stage = readonly Capability[]

/** Starts all capabilities, one after the other. When one fails, those before it are stopped. */
export async function startAll(stages: readonly Stage[], timeout: number): Promise<void> {
  const waiting = new Set(stages.flat().filter(({ start }) => start !== undefined))
  try {
    for (const capability of stages.flat()) {
      await capability.start?.()
      waiting.delete(capability)
    }
  } catch (error) {
    const started = stages.map(stage => stage.filter(one => !waiting.has(one)))
    // The first error is the reason.
    await stopAll(started, timeout).catch(() => {})
    throw error
  }
}

/** Stops the stages in reverse, each when the one before has stopped. */
export async function stopAll(stages: readonly Stage[], timeout: number): Promise<void> {
  const deadline = performance.now() + timeout
  const bounds = { timeout, left: () => Math.max(0, deadline - performance.now()) }
  for (const stage of stages.toReversed())
    await Promise.all(
      stage.toReversed().map(async capability => capability.stop?.(bounds)),
    )
}

/** The groups of all capabilities, in their order. */
export function groupsOf(stages: readonly Stage[]): string[] {
  return stages.flat().flatMap(({ groups = [] }) => groups)
}

/** The statistics of all capabilities. */
export function statsOf(stages: readonly Stage[]): NodeStats {
  return Object.assign({}, ...stages.flat().map(capability => capability.stats?.()))
}
