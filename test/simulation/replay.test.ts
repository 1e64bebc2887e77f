// One seed gives one interleaving: in one process, beside other simulations, and in another process.
// `SEED=n` replays only that seed, `SCHEDULES=n` replays n seeds.

import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import t from 'tap'

import type { NoticeBus } from '../../src/bus/bus.js'
import type { StoredCommit } from '../../src/model/commit.js'
import { testCluster } from '../../src/testing/index.js'
import { newSeed } from '../../src/testing/random.js'
import { bare } from '../support/bare.js'
import { backendOf, hearing } from './broken-backend.js'
import { account } from './simulate.js'
import { simulateOrders } from './simulate-orders.js'
import { parting, traceOf } from './trace.js'

const seed = process.env.SEED
const count = Number(process.env.SCHEDULES ?? 8)
const begin = newSeed()
const seeds =
  seed === undefined ? Array.from({ length: count }, (_, i) => begin + i) : [Number(seed)]
const printer = fileURLToPath(new URL('print-traces.js', import.meta.url))

t.setTimeout(180_000 + count * 5_000)
Error.stackTraceLimit = 0

void t.test('a seed repeats its trace', async t => {
  const first: string[][] = []
  for (const each of seeds) first.push(await traceOf(each))

  const compare = (where: string, traces: readonly (readonly string[])[]) => {
    t.equal(traces.length, seeds.length)
    for (const [i, each] of seeds.entries()) {
      const found = parting(first[i]!, traces[i] ?? [])
      if (found === undefined) t.pass(`seed ${each} repeats its trace ${where}`)
      else t.fail(`seed ${each} has another trace ${where}: ${found}. ${replay(each)}`)
    }
  }
  // Backwards, so that what earlier runs leave in the process differs.
  const again: string[][] = []
  for (const each of seeds.toReversed()) again.unshift(await traceOf(each))
  compare('in this process', again)
  compare('beside the others', await Promise.all(seeds.map(each => traceOf(each))))
  compare('in another process', await printed(seeds))
  compare('in yet another process', (await printed(seeds.toReversed())).toReversed())

  const steps = first.reduce((sum, { length }) => sum + length, 0)
  t.comment(`${seeds.length} seeds from ${seeds[0]}, ${steps} lines of trace`)
  if (seed !== undefined) return
  t.ok(
    first.every(({ length }) => length > 500),
    'much happens in each of them',
  )
})

void t.test('a seed repeats durable commands, outboxes and timers', async t => {
  for (const each of seeds.slice(0, 4)) {
    const found = parting(await simulateOrders(each), await simulateOrders(each))
    if (found === undefined) t.pass(`seed ${each} repeats its trace`)
    else t.fail(`seed ${each} has another trace: ${found}. ${replay(each)}`)
  }
})

void t.test('different seeds have different interleavings', async t => {
  // Without a fault, so that only the order differs: of what is stored, and of all that leads to it.
  const stored = new Set<string>()
  const traces = new Set<string>()
  for (let each = 0; each < 20; each++) {
    const steps: string[] = []
    await using cluster = await testCluster({
      actors: [account],
      seed: each,
      onStep: ({ what }) => steps.push(what),
    })
    await cluster.run(async () => {
      await Promise.all(
        Array.from({ length: 9 }, (_, i) =>
          cluster
            .node(i % 3)
            .spawn(account, 'one')
            .ask('deposit', 1, { commandId: `c${i}` }),
        ),
      )
      await cluster.check()
    })
    const log = await cluster.log()
    stored.add(log.map(record => record.kind === 'commit' && commandsOf(record)).join())
    traces.add(steps.join())
  }
  t.comment(`20 seeds: ${stored.size} orders of commands, ${traces.size} traces`)
  t.equal(traces.size, 20)
  t.ok(stored.size > 10, `${stored.size} orders of commands`)
})

void t.test('what a seed does not repeat is noticed', async t => {
  // Randomness that no simulation replaces.
  const bus = (whole: NoticeBus) =>
    hearing(whole, (notice, handler) => {
      if (randomInt(2) === 0) handler(notice)
    })
  const backend = () => backendOf({ bus })
  t.not(
    parting(
      await traceOf(1, { store: backend() }),
      await traceOf(1, { store: backend() }),
    ),
    undefined,
  )
})

/** The traces of the seeds in a process of their own. */
async function printed(of: readonly number[]): Promise<string[][]> {
  const { stdout } = await promisify(execFile)(
    ...bare(process.execPath, printer, ...of.map(String)),
    { maxBuffer: 2 ** 30 },
  )
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as string[])
}

function commandsOf({ command, events }: StoredCommit): string {
  return command?.id ?? events.map(({ commandId }) => commandId).join()
}

function replay(of: number): string {
  return `Replay: SEED=${of} npm test -- test/simulation/replay.test.ts`
}
