// What every workload of a client is given.

import type { Node } from 'cairn-es'

import type { Journal } from '../history.js'

export interface WorkloadContext {
  /** One node in each namespace. */
  readonly nodes: readonly Node[]
  /** The same for reading states: these nodes have the definitions, and serve nothing. */
  readonly readers: readonly Node[]
  readonly journal: Journal
  /** The client's name: part of every id. */
  readonly client: string
  readonly random: () => number
  /** Ends the workload; calls in progress are finished. */
  readonly signal: AbortSignal
}

/** Resolves when the signal fires and what was begun has ended. */
export type Workload = (context: WorkloadContext) => Promise<void>

/** The first namespace gets most of the load; the others show that nothing crosses. */
export function someNode({ nodes, random }: WorkloadContext): Node {
  return random() < 0.85 ? nodes[0]! : nodes[Math.floor(random() * nodes.length)]!
}

export function below(random: () => number, count: number): number {
  return Math.floor(random() * count)
}

/** Runs `work` in several loops, which pause after each round: the load is steady, and failures do not spin. */
export async function loops(
  { signal, random }: WorkloadContext,
  count: number,
  pauseMs: number,
  work: (loop: number, round: number) => Promise<void>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, loop) => {
      for (let round = 0; !signal.aborted; round++) {
        await work(loop, round)
        await wait(pauseMs * (0.5 + random()), signal)
      }
    }),
  )
}

export function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}
