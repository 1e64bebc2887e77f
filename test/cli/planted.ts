// Histories of test/support/actors/evolving.mjs, some of which the later definitions cannot continue: what is planted, and where.

import { pathToFileURL } from 'node:url'

import type { AnyActorDefinition } from '../../src/actor/definition.js'
import type { Backend } from '../../src/backend/backend.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

export const evolving = 'test/support/actors/evolving.mjs'

interface Plant {
  readonly type: 'valve' | 'order'
  readonly command: string
  readonly data?: unknown
  /** The problems of each such actor; none for a sound one. */
  readonly problems: readonly string[]
  readonly timers?: number
}

/** By the beginning of the ids of its actors. */
const plants: Readonly<Record<string, Plant>> = {
  sound: { type: 'valve', command: 'open', problems: [] },
  broken: { type: 'valve', command: 'burst', problems: ['dead-end'] },
  // Its delay is of no state any more, either.
  parked: {
    type: 'valve',
    command: 'park',
    problems: ['migration', 'missing-state', 'timers'],
    timers: 1,
  },
  filling: {
    type: 'valve',
    command: 'fill',
    problems: ['migration', 'unknown-child'],
  },
  paid: { type: 'order', command: 'add', data: [1, 2], problems: [] },
  kept: { type: 'order', command: 'keep', problems: [], timers: 1 },
  orphaned: { type: 'order', command: 'remember', problems: ['timers'], timers: 1 },
  unlucky: { type: 'order', command: 'add', data: [13], problems: ['migration'] },
  negative: { type: 'order', command: 'add', data: [5, -1], problems: ['fails'] },
  twice: {
    type: 'order',
    command: 'add',
    data: [-2, 3, -4],
    problems: ['fails', 'event'],
  },
}

/** How many actors of each kind, by its name. */
export type Counts = Readonly<Partial<Record<string, number>>>

/** Stores the histories by nodes with the first definitions; resolves with `actor problem` for each problem, sorted. */
export async function plant(
  store: Backend,
  namespace: string,
  counts: Counts,
): Promise<string[]> {
  process.env['EVOLVED'] = 'no'
  const { valve, order } = (await import(pathToFileURL(evolving).href)) as Record<
    'valve' | 'order',
    AnyActorDefinition
  >
  const expected: string[] = []
  await using node = await startNode({ namespace, store, actors: [valve, order] })
  let timers = 0
  const asks: (() => Promise<unknown>)[] = []
  for (const [name, count = 0] of Object.entries(counts)) {
    const { type, command, data, problems, timers: set = 0 } = plants[name]!
    for (let i = 0; i < count; i++) {
      const id = `${name}-${i}`
      asks.push(() => node.ask({ type, id }, command, data))
      expected.push(...problems.map(problem => `${type}/${id} ${problem}`))
      timers += set
    }
  }
  while (asks.length > 0) await Promise.all(asks.splice(0, 200).map(ask => ask()))
  await until(
    async () => {
      let set = 0
      for await (const _ of node.timers()) set++
      return set === timers
    },
    { describe: `${timers} timers are set`, timeout: 60_000 },
  )
  return expected.toSorted()
}
