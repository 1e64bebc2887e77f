// `npm run bench` and `cairn bench`: runs the benchmarks on NATS servers of its own, or on those that
// are named, prints what they came to, and keeps it in a file. Exit codes: 0 all verified, 1 one was not or failed, 2 usage.
import { relative } from 'node:path'
import { benchmarks } from './benchmarks.mjs'
import { NotVerified } from './benchmark.mjs'
import { parseFlags, select, usage, UsageError } from './flags.mjs'
import { growthTable, measureGrowth } from './growth.mjs'
import { machineFacts } from './machine.mjs'
import { backendAt, freshNamespace, removeNamespace } from './place.mjs'
import { lineOf, openResults, resultsTable } from './results.mjs'
import { startServers, useServers } from './servers.mjs'
import { summarize } from './stats.mjs'
import { until } from './wait.mjs'

/**
 * @typedef {import('./flags.mjs').Flags} Flags
 * @typedef {import('./benchmark.mjs').Benchmark} Benchmark
 * @typedef {import('./benchmark.mjs').Context} Context
 */

const say = (/** @type {string} */ text) => void process.stderr.write(`${text}\n`)
const print = (/** @type {string} */ text) => void process.stdout.write(`${text}\n`)

/** @param {Flags} flags */
const durabilityOf = ({ replicas, syncAlways, nats }) =>
  nats !== undefined
    ? `R${replicas}, fsync as ${nats} does it`
    : `R${replicas}, ${syncAlways ? 'fsync before every ack' : 'fsync every 2 min'}`

/**
 * @param {Flags} flags
 * @param {readonly Benchmark[]} chosen
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether all of them were verified
 */
const runAll = async (flags, chosen, signal) => {
  const { quick, replicas, syncAlways, nats } = flags
  const facts = machineFacts()
  const servers =
    nats === undefined
      ? await startServers({ replicas, syncAlways, signal })
      : await useServers(nats)
  try {
    const circumstances = {
      node: process.version,
      server: servers.version,
      durability: durabilityOf(flags),
    }
    const where = { servers: servers.urls, serverPids: servers.serverPids, replicas }
    await untilReady(where, signal)
    const beginning = { machine: facts, at: new Date().toISOString(), quick }
    const results = await openResults(beginning, flags.results)
    if (flags.growth) {
      const progress = (/** @type {string} */ text) => say(`growth: ${text}`)
      const time = { runs: 5, ms: quick ? 50 : 500 }
      const fresh =
        nats === undefined
          ? () => startServers({ replicas, syncAlways, signal })
          : undefined
      const context = { ...where, ...time, quick, signal, progress, fresh }
      const growths = await orStopped(measureGrowth(context), signal)
      for (const growth of growths) {
        await results.add(growth)
        if (flags.json) print(JSON.stringify(growth))
      }
      const text = `\n${growthTable(growths)}\n${describe(facts, circumstances)}`
      if (flags.json) say(text)
      else print(text)
      return true
    }
    const lines = []
    let allVerified = true
    for (const { name, unit, durability, goal, run } of chosen) {
      signal.throwIfAborted()
      const progress = (/** @type {string} */ text) => say(`${name}: ${text}`)
      const time = { runs: 5, ms: quick ? 100 : 1_000 }
      try {
        const samples = await orStopped(
          run({ ...where, ...time, quick, signal, progress }),
          signal,
        )
        const under =
          durability === undefined ? circumstances : { ...circumstances, durability }
        const line = lineOf(name, unit, summarize(samples), under, goal)
        await results.add(line)
        if (flags.json) print(JSON.stringify(line))
        lines.push(line)
      } catch (error) {
        signal.throwIfAborted()
        allVerified = false
        const reason = error instanceof NotVerified ? 'NOT VERIFIED: ' : ''
        say(`${name}: ${reason}${explain(error)}`)
      }
    }
    const text = `\n${resultsTable(lines)}\n${describe(facts, circumstances)}`
    if (flags.json) say(text)
    else print(text)
    say(`kept in ${relative('', results.path)}`)
    return allVerified
  } finally {
    await servers.close()
  }
}

/** Milliseconds that work has to end by itself when it is told to stop. */
const stopTimeout = 5_000

/**
 * Work that hangs does not look at the signal.
 *
 * @template T
 * @param {Promise<T>} work
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
const orStopped = (work, signal) =>
  new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', () => setTimeout(giveUp, stopTimeout), {
      once: true,
    })
    work.then(resolve, reject)
  })

/**
 * A cluster elects its leaders first.
 *
 * @param {Pick<Context, 'servers' | 'replicas'>} where
 * @param {AbortSignal} signal
 */
const untilReady = async (where, signal) => {
  let last = 'nothing was tried'
  const isReady = async () => {
    const namespace = freshNamespace()
    try {
      const open = await backendAt(where).open({ namespace, nodeId: 'bench' })
      await open.close()
      await removeNamespace(where, namespace)
      return true
    } catch (error) {
      last = explain(error)
      return false
    }
  }
  await until('the servers take streams', isReady, { timeout: 60_000, signal }).catch(
    error => {
      throw new Error(`${explain(error)} Last: ${last}`, { cause: error })
    },
  )
}

/**
 * @param {ReturnType<typeof machineFacts>} facts
 * @param {{ node: string, server: string, durability: string }} circumstances
 */
const describe = ({ cpu, cores, memoryGiB, load }, { node, server, durability }) =>
  `${durability}; Node ${node}, nats-server ${server}; ${cores} × ${cpu}, ${memoryGiB} GiB, ` +
  `load ${load.join(' ')} before. Compare ratios; absolute figures are this machine's, today.`

/** @param {unknown} error */
const explain = error => (error instanceof Error ? error.message : String(error))

/** @param {readonly string[]} args */
const main = async args => {
  const flags = parseFlags(args)
  if (flags.help) return print(usage)
  if (flags.list)
    return print(benchmarks.map(({ name, about }) => `${name}: ${about}`).join('\n'))
  const { only, quick } = flags
  const isLeftOut = quick && only.length === 0
  const chosen = select(benchmarks, only).filter(({ extra }) => !isLeftOut || !extra)
  const stopping = new AbortController()
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.once(name, () => stopping.abort(new Error(`stopped by ${name}`)))
  if (!(await runAll(flags, chosen, stopping.signal))) process.exitCode = 1
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  say(`bench: ${explain(error)}`)
  if (error instanceof UsageError) say(usage)
  // What was under way when it stopped may hold connections to servers that are gone.
  process.exit(error instanceof UsageError ? 2 : 1)
}
