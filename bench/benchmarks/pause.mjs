// The pause that callers see when a node goes: drained as in a deployment, or killed.
//
// Three nodes share the actors; the caller is a fourth process without actors, this one. Each
// round takes one node away under steady traffic and starts another in its place. Which
// requests were affected: see `affected.mjs`.
import { startNode } from 'cairn-es'
import { commitSlicesOf } from 'cairn-es/store'
import { counter } from '../actors.mjs'
import { findAffected, latencyOf } from '../affected.mjs'
import { verify } from '../benchmark.mjs'
import { fill } from '../fill.mjs'
import { startNodeProcess } from '../node-process.mjs'
import { backendAt, freshNamespace, removeNamespace } from '../place.mjs'
import { percentile } from '../stats.mjs'
import { Traffic } from '../traffic.mjs'
import { until } from '../wait.mjs'

/**
 * @typedef {import('../benchmark.mjs').Context} Context
 * @typedef {import('../node-process.mjs').NodeProcess} NodeProcess
 * @typedef {import('../traffic.mjs').Request} Request
 * @typedef {import('cairn-es').Node} Node
 * @typedef {'drain' | 'kill'} How
 */

const nodeCount = 3
const actorCount = 120
/** Commits of each actor beforehand: its next owner looks through them for repeats. */
const commits = 100
/** Milliseconds between two commands to the same actor: 500 commands a second in all. */
const every = 240
/** Milliseconds for a command, its repeats by the router included. */
const commandTimeout = 20_000

/** @type {import('../benchmark.mjs').Benchmark} */
export const pauseDrain = {
  name: 'pause-drain',
  extra: true,
  unit: 'ms',
  about: `p99 of requests to the actors of a drained node (SIGTERM), ${commits} commits each; baseline: p99 of the same actors right before`,
  run: context => pauses(context, 'drain'),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const pauseKill = {
  name: 'pause-kill',
  extra: true,
  unit: 'ms',
  about: `p99 of requests to the actors of a killed node (SIGKILL), ${commits} commits each; baseline: p99 of the same actors right before`,
  run: context => pauses(context, 'kill'),
}

/**
 * @param {Context} context
 * @param {How} how
 */
const pauses = async (context, how) => {
  const { servers, signal, progress, runs } = context
  const namespace = freshNamespace()
  const backend = backendAt(context)
  const caller = await startNode({ namespace, store: backend, id: 'caller' })
  /** @type {NodeProcess[]} */
  const nodes = []
  let started = 0
  const fill = async () => {
    const missing = Array.from({ length: nodeCount - nodes.length }, () => ++started)
    const starts = await Promise.allSettled(
      missing.map(n => startNodeProcess({ id: `node-${n}`, namespace, servers, signal })),
    )
    for (const one of starts) if (one.status === 'fulfilled') nodes.push(one.value)
    const failed = starts.find(one => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    await until(
      `the caller sees ${nodeCount} nodes`,
      () => caller.members().length === nodeCount,
      { signal },
    )
  }
  try {
    const samples = []
    for (let run = 1; run <= runs; run++) {
      signal.throwIfAborted()
      progress(`run ${run} of ${runs}`)
      await fill()
      const victim = /** @type {NodeProcess} */ (nodes.shift())
      samples.push(await round({ context, how, run, caller, victim }))
    }
    return samples
  } finally {
    await Promise.all(nodes.map(node => node.kill()))
    await caller.close()
    await removeNamespace(context, namespace)
  }
}

/**
 * @param {{ context: Context, how: How, run: number, caller: Node, victim: NodeProcess }} round
 * @returns {Promise<import('../stats.mjs').Sample>}
 */
const round = async ({ context, how, run, caller, victim }) => {
  const { quick, signal } = context
  const actors = Array.from({ length: actorCount }, (_, i) => ({
    type: counter.type,
    id: `r${run}-${i}`,
  }))
  await fill({ ...context, namespace: caller.namespace, actors, commits })
  const after = await caller.store.lastPosition()
  const routed = caller.stats().router
  const refs = actors.map(({ id }) => caller.spawn(counter, id))
  const traffic = new Traffic({
    actors: actorCount,
    every,
    prefix: `${run}-`,
    send: async (actor, commandId) => {
      const options = { commandId, timeout: commandTimeout }
      const { version } = await /** @type {(typeof refs)[number]} */ (refs[actor]).ask(
        'add',
        { by: 1 },
        options,
      )
      return version
    },
  })
  /** Whether every actor has answered a command that was due after that moment. */
  const allAnsweredSince = (/** @type {number} */ moment) => {
    const since = traffic.requests.filter(
      one => one.due > moment && one.version !== undefined,
    )
    return new Set(since.map(one => one.actor)).size === actorCount
  }
  traffic.start()
  try {
    // Every actor awake at its owner, before what counts as undisturbed begins.
    const begun = performance.now()
    await until('every actor has answered', () => allAnsweredSince(begun), { signal })
    const calmFrom = performance.now()
    const calm = quick ? 150 : 1_000
    await until('the undisturbed time is over', () => performance.now() > calmFrom + calm)
    const signalAt = performance.now()
    if (how === 'drain') victim.drain()
    else await victim.kill()
    await until('the node is gone', victim.isGone, { signal })
    const goneAt = performance.now()
    await until('every actor answers again', () => allAnsweredSince(goneAt), {
      timeout: 60_000,
      signal,
    })
    traffic.stop()
    await until('every command has its answer', () => traffic.open === 0, { signal })
    if (how === 'drain')
      verify(victim.exitCode() === 0, () => `the drained node exits ${victim.exitCode()}`)
    const writers = await checkCommands(caller, after, actors, traffic.requests)
    const { requests } = traffic
    const failed = requests.filter(one => one.failure !== undefined)
    verify(
      how === 'kill' || failed.length === 0,
      () =>
        `a planned drain lost ${failed.length} of ${requests.length} requests; the first: ${failed[0]?.failure}`,
    )
    const lost = { node: victim.id, calmFrom, signalAt }
    const { redirects, resent } = caller.stats().router
    return sampleOf(requests, findAffected(requests, writers, lost), {
      redirects: redirects - routed.redirects,
      resent: resent - routed.resent,
    })
  } finally {
    traffic.stop()
    await victim.kill()
  }
}

/**
 * Every acknowledged command is in the log at the version its caller was told, and none is
 * there twice.
 *
 * @param {Node} caller
 * @param {number} after
 * @param {readonly import('cairn-es').ActorAddress[]} actors
 * @param {readonly Request[]} requests
 * @returns {Promise<ReadonlyMap<string, string>>} command id → the node that wrote it
 */
const checkCommands = async (caller, after, actors, requests) => {
  /** @type {Map<string, { actor: string, version: number, nodeId: string }>} */
  const found = new Map()
  for await (const record of caller.store.readAll({ after })) {
    verify(record.kind === 'commit', () => 'the log holds a record that is no commit')
    const { actor, nodeId } = record
    for (const { command, lastVersion } of commitSlicesOf(record)) {
      const id = command?.id ?? ''
      verify(!found.has(id), () => `command ${id} is in the log twice`)
      found.set(id, { actor: actor.id, version: lastVersion, nodeId })
    }
  }
  for (const { actor, commandId, version } of requests) {
    if (version === undefined) continue
    const stored = found.get(commandId)
    verify(
      stored?.actor === actors[actor]?.id && stored?.version === version,
      () =>
        `command ${commandId} was acknowledged as version ${version} and is not there`,
    )
  }
  return new Map([...found].map(([id, { nodeId }]) => [id, nodeId]))
}

/**
 * @param {readonly Request[]} requests
 * @param {{ affected: readonly Request[], before: readonly Request[] }} found
 * @param {{ redirects: number, resent: number }} detours
 * @returns {import('../stats.mjs').Sample}
 */
const sampleOf = (requests, { affected, before }, detours) => {
  const carriedOut = (/** @type {Request} */ { version }) => version !== undefined
  const latencies = affected.filter(carriedOut).map(latencyOf)
  verify(latencies.length > 0, () => 'no request was affected: the node owned nothing')
  const usual = before.map(latencyOf)
  const verified = requests.filter(carriedOut).length
  return {
    value: percentile(latencies, 99),
    baseline: percentile(usual, 99),
    medians: {
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      baselineP50: percentile(usual, 50),
      baselineP99: percentile(usual, 99),
    },
    maxima: { longest: Math.max(...latencies) },
    sums: {
      affected: affected.length,
      failed: requests.length - verified,
      verified,
      ...detours,
    },
  }
}
