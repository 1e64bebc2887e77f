// A trust run: real processes under real faults, and a checker that decides from what they wrote.
//
//   npm run trust -- --minutes N --seed S [--place nats|r3|lmdb] [--faults all|none|a,b] [--keep] [--check FOLDER]
//
// Ends with 0 for a clean run, 1 for violations; the folder of a run with violations is kept, and `--check` checks it
// again.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { type Node, startNode } from 'cairn-es'

import { newSeed, randomFrom } from '../../src/testing/random.js'
import { definitionsOf } from './actors.js'
import { checkHistory } from './check/check.js'
import { report } from './check/report.js'
import { dump, writeDump } from './dump.js'
import { type Fault, faultContext } from './faults/fault.js'
import { allFaults } from './faults/faults.js'
import { runNemesis } from './faults/nemesis.js'
import { Journal, now, type Place, readHistory, readRun, type Run } from './history.js'
import { startPlace } from './places/start.js'
import { probe } from './probe.js'
import { Processes } from './processes.js'
import { backendOf } from './program.js'
import { settle } from './settle.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string' },
    place: { type: 'string', default: 'nats' },
    faults: { type: 'string' },
    keep: { type: 'boolean', default: false },
    check: { type: 'string' },
  },
})

const namespaces = ['trust-a', 'trust-b']

if (values.check !== undefined) process.exitCode = await check(values.check)
else process.exitCode = await run()

async function run(): Promise<number> {
  const seed = values.seed === undefined ? newSeed() : Number(values.seed)
  const minutes = Number(values.minutes)
  if (!Number.isSafeInteger(seed) || !(minutes >= 0))
    throw new Error('Use a whole number as --seed and minutes from 0 as --minutes.')
  const place = values.place as Place
  const folder = await mkdtemp(join(tmpdir(), `cairn-trust-${place}-${seed}-`))
  console.log(`trust: ${minutes} minutes, seed ${seed}, place ${place}, in ${folder}`)
  const startedAt = new Date().toISOString()
  const settings: Run = { seed, place, minutes, namespaces, startedAt }
  await writeFile(join(folder, 'run.json'), JSON.stringify(settings))
  await happen(settings, folder)
  const code = await check(folder)
  if (code === 0 && !values.keep) await rm(folder, { recursive: true })
  else console.log(`The history is kept: npm run trust -- --check ${folder}`)
  return code
}

/** Starts everything, runs load and faults for the time of the run, and reads what is stored after it. */
async function happen({ seed, place, minutes }: Run, folder: string): Promise<void> {
  await using where = await startPlace(place)
  const journal = new Journal(folder, 'main')
  const processes = new Processes({ folder, seed, namespaces, place: where, journal })
  const backend = backendOf(where.direct)
  const nodes: Node[] = []
  const ended = new AbortController()
  const interrupt = () => ended.abort()
  process.once('SIGINT', interrupt)
  try {
    for (const clock of ['real', 'real', 'fake'] as const)
      await processes.start('host', processes.nextName('host'), { clock })
    for (const namespace of namespaces)
      nodes.push(await startNode({ namespace, store: backend, id: 'main' }))
    for (let i = 0; i < 2; i++)
      await processes.start('client', processes.nextName('client'))
    const context = faultContext({
      processes,
      place: where,
      journal,
      signal: ended.signal,
    })
    const until = now() + minutes * 60_000
    const chosen = faultsOf(values.faults)
    if (chosen.length === 0) await context.hold(until - now())
    else {
      const { injected } = await runNemesis({
        context,
        faults: chosen,
        random: randomFrom(seed, 'nemesis'),
        until,
        probe: () => probe(nodes, journal),
      })
      for (const [fault, count] of injected)
        console.log(`injected ${fault} ${count} times`)
    }
    await Promise.all(processes.list('client').map(client => client.stop()))
    await settle(nodes, backend, journal)
    for (const namespace of namespaces) {
      await using reader = await startNode({
        namespace,
        store: backend,
        id: 'reader',
        actors: definitionsOf('old'),
        serve: false,
      })
      await writeDump(join(folder, namespace), await dump(reader, backend))
    }
  } finally {
    process.off('SIGINT', interrupt)
    await Promise.allSettled(nodes.map(node => node.close()))
    await processes.close()
  }
}

/** Throws for a name that is no fault. */
function faultsOf(names = 'all'): readonly Fault[] {
  if (names === 'all') return allFaults
  if (names === 'none') return []
  return names.split(',').map(name => {
    const fault = allFaults.find(one => one.name === name)
    if (fault !== undefined) return fault
    const known = allFaults.map(one => one.name).join(', ')
    throw new Error(`There is no fault ${name}: use all, none, or some of ${known}.`)
  })
}

/** Checks what a run has left, and prints the report. */
async function check(folder: string): Promise<number> {
  let violations = 0
  for (const namespace of (await readRun(folder)).namespaces) {
    const history = await readHistory(folder, namespace)
    const found = checkHistory(history)
    violations += found.length
    for (const line of report(history, found)) console.log(line)
  }
  console.log(violations === 0 ? 'no violation' : `${violations} violations`)
  return violations === 0 ? 0 : 1
}
