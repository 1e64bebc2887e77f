// A trust run: real processes under real faults, and a checker that decides from what they wrote.
//
// Ends with 0 for a clean run, 1 for violations, 2 for wrong arguments. The flags: flags.ts.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { type Node, startNode } from 'cairn-es'

import { randomFrom } from '../../src/testing/random.js'
import { definitionsOf } from './actors.js'
import { checkHistory } from './check/check.js'
import { report } from './check/report.js'
import { dump, writeDump } from './dump.js'
import { type Fault, faultContext } from './faults/fault.js'
import { runNemesis } from './faults/nemesis.js'
import { type Flags, readFlags, usage, UsageError } from './flags.js'
import { Journal, now, readHistory, readRun, type Run } from './history.js'
import { startPlace } from './places/start.js'
import { probe } from './probe.js'
import { Processes } from './processes.js'
import { backendOf } from './program.js'
import { settle } from './settle.js'

const namespaces = ['trust-a', 'trust-b']
try {
  const flags = readFlags()
  if (flags.help) console.log(usage)
  else
    process.exitCode = await (flags.check === undefined ? run(flags) : check(flags.check))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}

async function run({ seed, minutes, place, faults, keep }: Flags): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), `cairn-trust-${place}-${seed}-`))
  console.log(`trust: ${minutes} minutes, seed ${seed}, place ${place}, in ${folder}`)
  const startedAt = new Date().toISOString()
  const settings: Run = { seed, place, minutes, namespaces, startedAt }
  await writeFile(join(folder, 'run.json'), JSON.stringify(settings))
  await happen(settings, faults, folder)
  const code = await check(folder)
  if (code === 0 && !keep) await rm(folder, { recursive: true })
  else console.log(`The history is kept: npm run trust -- --check ${folder}`)
  return code
}

/** Starts everything, runs load and faults for the time of the run, and reads what is stored after it. */
async function happen(
  { seed, place, minutes }: Run,
  chosen: readonly Fault[],
  folder: string,
): Promise<void> {
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
