// Drawn statecharts as actors of real nodes, beside plain XState.
//
// The machines that some seeds draw are hosted by one node, on a clock that the test moves. Event by event, the state of
// each actor is compared with the one that XState's own actor has reached. Between two events the node goes on, or is
// closed and started again, or crashes after it has answered. Delays fire as the timers of any actor: the history says
// which have fired, and in which order.

import { isDeepStrictEqual } from 'node:util'

import type { AnyMachineSnapshot } from 'xstate'

import { fromMachine } from '../../src/machine/from-machine.js'
import { timerEvent, timerMetadata } from '../../src/machine/timers.js'
import { isCairnError } from '../../src/model/errors.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { testCluster } from '../../src/testing/cluster.js'
import type { ClusterNode } from '../../src/testing/cluster-node.js'
import { randomFrom as randomBy } from '../../src/testing/random.js'
import { randomFrom } from '../actor/support.js'
import { seen, startBeside } from './beside.js'
import { drawEvent, drawMachine } from './statechart.js'
import type { Difference } from './statecharts.js'

const eventsMax = 60

export interface Lived {
  readonly differences: Difference[]
  accepted: number
  rejected: number
  delays: number
  restarts: number
  crashes: number
  /** Charts that were not compared to their end: XState's own actor failed, or had two children under one id. */
  ended: number
}

/** One statechart, hosted and beside. */
interface Chart {
  readonly seed: number
  readonly definition: ReturnType<typeof define>
  readonly beside: ReturnType<typeof startBeside>
  readonly random: () => number
  eventsLeft: number
  version: number
  isOver: boolean
}

// Each command has a commit of its own: the first event of a commit is the one that came from outside.
function define(seed: number) {
  const type = `m${seed}`
  return fromMachine(drawMachine(randomFrom(seed)), { type, commitCommandsMax: 1 })
}

/** Lives through the statecharts of some seeds, all on one node. */
export async function liveThrough(seeds: readonly number[]): Promise<Lived> {
  const lived: Lived = {
    differences: [],
    accepted: 0,
    rejected: 0,
    delays: 0,
    restarts: 0,
    crashes: 0,
    ended: 0,
  }
  const charts = seeds.map((seed): Chart => {
    const random = randomBy(seed, 'events')
    return {
      seed,
      definition: define(seed),
      beside: startBeside(seed),
      random,
      // Most are short: there are as many rounds as the longest has events.
      eventsLeft: 1 + Math.floor(random() ** 7 * eventsMax),
      version: 0,
      isOver: false,
    }
  })
  const random = randomBy(seeds[0]!, 'faults')
  const actors = charts.map(({ definition }) => definition)
  await using cluster = await testCluster({ nodes: 1, actors, seed: seeds[0]! })
  const current = () => cluster.node(cluster.running[0]!)
  const goOn = async () => {
    const drawn = random()
    if (drawn < 0.4) return
    const [index] = cluster.running as [number]
    if (drawn < 0.7) {
      await cluster.drain(index)
      lived.restarts++
    } else {
      cluster.crash(index)
      lived.crashes++
    }
    await cluster.start()
  }
  while (charts.some(({ isOver }) => !isOver)) {
    const node = current()
    const here = charts.filter(({ isOver }) => !isOver)
    await Promise.all(here.map(chart => askOne(chart, node, lived)))
    await goOn()
    if (random() < 0.3) {
      await cluster.advance(5 + Math.floor(random() * 40))
      const open = charts.filter(({ isOver }) => !isOver)
      await Promise.all(open.map(chart => takeDelays(chart, current(), cluster, lived)))
      await goOn()
    }
    await Promise.all(here.map(chart => compare(chart, current(), lived)))
  }
  return lived
}

function end(chart: Chart, lived: Lived, difference?: Omit<Difference, 'seed'>): void {
  chart.isOver = true
  chart.beside.live.stop()
  if (difference === undefined) lived.ended++
  else lived.differences.push({ seed: chart.seed, ...difference })
}

/** Sends one event to both, and compares whether they take it. */
async function askOne(chart: Chart, node: ClusterNode, lived: Lived): Promise<void> {
  const { definition, beside, random } = chart
  const { live } = beside
  const type = drawEvent(random)
  const snapshot = live.getSnapshot() as never as AnyMachineSnapshot
  const isTaken = snapshot.status === 'active' && snapshot.can({ type })
  let isAccepted = false
  try {
    const outcome = await node.spawn(definition, 'one').ask(type)
    isAccepted = outcome.ok
  } catch (error) {
    if (isCairnError(error, 'decide-failed')) {
      // Named in docs/machines.md: XState's machine ends with the error, and here the command fails.
      live.send({ type })
      const { status } = live.getSnapshot()
      return end(
        chart,
        lived,
        (status as string) === 'error'
          ? undefined
          : { what: `${type}: failed`, found: 'failed', wanted: status },
      )
    }
    // Named in docs/machines.md: a type that the machine never handles is an error.
    if (!isCairnError(error, 'unknown-command')) throw error
  }
  if (isAccepted !== isTaken)
    return end(chart, lived, {
      what: `${type}: accepted`,
      found: isAccepted,
      wanted: isTaken,
    })
  lived[isAccepted ? 'accepted' : 'rejected']++
  if (isAccepted) live.send({ type })
}

/** Sends the delays that have fired to XState's actor, in the order in which the history has them. */
async function takeDelays(
  chart: Chart,
  node: ClusterNode,
  { clock }: { readonly clock: { now(): number } },
  lived: Lived,
): Promise<void> {
  const { definition, beside, version } = chart
  // Named in docs/machines.md: XState may have two children under one id.
  if (beside.hasTwins()) return end(chart, lived)
  const ref = node.spawn(definition, 'one')
  let commit: string | undefined
  for await (const event of ref.events({ from: version + 1 })) {
    if (event.kind !== 'event') throw new Error(event.reason)
    chart.version = event.version
    const timer = event.commitId === commit ? undefined : firedBy(event)
    commit = event.commitId
    if (timer === undefined) continue
    beside.fire(timer)
    lived.delays++
    if (beside.hasOvertaken()) return end(chart, lived)
  }
  const { state } = await ref.state()
  const now = clock.now()
  const isStuck = Object.values(state.timers ?? {}).some(({ at }) => at <= now)
  // Its command fails for an error of a guard or an action: see `askOne`.
  if (isStuck) end(chart, lived)
}

function firedBy({ type, data, metadata }: RecordedEvent): string | undefined {
  if (type === timerEvent) return (data as { readonly name: string }).name
  return metadata[timerMetadata]
}

async function compare(chart: Chart, node: ClusterNode, lived: Lived): Promise<void> {
  if (chart.isOver) return
  const { definition, beside } = chart
  if (beside.hasTwins()) return end(chart, lived)
  const { state, version } = await node.spawn(definition, 'one').state()
  chart.version = version
  const found = seen(definition.snapshot(state) as never)
  const wanted = seen(beside.live.getSnapshot() as never)
  if (!isDeepStrictEqual(found, wanted))
    return end(chart, lived, { what: `at version ${version}`, found, wanted })
  if (--chart.eventsLeft > 0) return
  chart.isOver = true
  beside.live.stop()
}
