// A storm: events of many actors through a reactor of three processes, which are killed, stopped for
// longer than the others wait, ended and added meanwhile, while one event in a hundred fails.

import type { Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { pause } from '../../src/model/wait.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { type Random, randomFrom } from '../../src/testing/random.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { type NodeProcess, startNode } from './harness.js'

export interface StormOptions {
  readonly seed: number
  readonly events: number
  readonly actors: number
  /** Milliseconds between two blows: at least, and at most. */
  readonly every: readonly [number, number]
  /** Milliseconds in which all must be handled. */
  readonly timeout: number
}

/** An event as it was said: how many of its attempts fail, `null` for all of them. */
interface Said {
  readonly n: number
  readonly fails: number | null
}

/** Events of one commit, at most. */
const packedMax = 9

export async function storm(t: Test, options: StormOptions): Promise<void> {
  const { seed, events, actors, timeout } = options
  await using server = await startNats()
  const flags = ['--ns', 'storm', '--nats', server.url]
  await using fleet = new Fleet([...flags, '--actors', 'test/support/actors/storm.mjs'])
  await using looker = await startHere({
    namespace: 'storm',
    store: jetstream({ servers: server.url }),
  })
  await Promise.all([fleet.start(), fleet.start(), fleet.start()])

  const random = randomFrom(seed, 'events')
  const ids = Array.from({ length: actors }, (_, i) => `s${i}`)
  const said = new Map(ids.map(id => [id, speech(Math.ceil(events / actors), random)]))
  const all = [...said.values()].flat()
  const deadly = all.filter(({ fails }) => fails === null).length
  const speaking = Promise.all(
    ids.map(async id => {
      const speaker = { type: 'speaker', id }
      const left = said.get(id)!.map(data => ({ type: 'spoke', data }))
      while (left.length > 0)
        await looker.store.append(
          speaker,
          left.splice(0, 1 + Math.floor(random() * packedMax)),
        )
    }),
  )

  /** Every event that does not fail for good has one effect. */
  const wanted = all.length - deadly
  const heardSoFar = async () => {
    const heads = await Promise.all(
      ids.map(async id => looker.store.head({ type: 'listener', id })),
    )
    return heads.reduce((sum, head) => sum + (head?.version ?? 0), 0)
  }
  const begun = performance.now()
  const over = new AbortController()
  const storming = blow(fleet, options, over.signal)
  let told = 0
  const isOver = async () => {
    const heard = await heardSoFar()
    const seconds = (performance.now() - begun) / 1_000
    if (seconds > told + 10) {
      told = seconds
      t.comment(`${heard} of ${wanted} heard after ${seconds.toFixed(0)} s`)
    }
    return heard >= wanted && blows.kills > 0 && blows.freezes > 0
  }
  const { blows } = storming
  try {
    await speaking
    await until(isOver, { describe: `${wanted} are heard`, timeout, interval: 250 })
  } finally {
    over.abort()
    await storming.end
  }
  const seconds = (performance.now() - begun) / 1_000

  let heard = 0
  const wrong: string[] = []
  for (const id of ids) {
    const expected = said.get(id)!.flatMap(({ n, fails }) => (fails === null ? [] : [n]))
    const found: number[] = []
    for await (const stored of looker.store.read({ type: 'listener', id }))
      if (stored.kind === 'event') found.push(stored.data as number)
    heard += found.length
    if (found.join() !== expected.join()) wrong.push(id)
  }
  t.strictSame(wrong, [], 'each event has one effect, in the order of its actor')
  t.equal(heard, wanted, 'none is missing and none is there twice')

  const letters = async () => {
    const found = new Set<string>()
    for await (const { message, reason } of looker.deadLetters.list())
      found.add(`${reason} ${message.id}`)
    return found
  }
  const given = ids.flatMap(id =>
    said
      .get(id)!
      .flatMap(({ n, fails }) => (fails === null ? [`terminal speaker/${id}/${n}`] : [])),
  )
  await until(async () => (await letters()).size >= deadly, {
    describe: 'what fails for good is given up',
    timeout,
  })
  t.strictSame(
    [...(await letters())].toSorted(),
    given.toSorted(),
    'dead letters are those that fail for good, and no others',
  )
  const failing = all.filter(({ fails }) => fails !== null && fails > 0).length
  t.comment(
    `${all.length} events of ${actors} actors in ${seconds.toFixed(0)} s: ${heard} heard once and in order ` +
      `(${failing} of them after failures), ${(await letters()).size} dead letters; ` +
      `${blows.kills} kills, ${blows.freezes} freezes, ${blows.stops} stops, ${fleet.started} processes`,
  )
}

/** The events of one actor: one in a hundred fails, and of these one in five for good. */
function speech(count: number, random: Random): Said[] {
  return Array.from({ length: count }, (_, i) => {
    const isBad = random() < 0.01
    const isDeadly = isBad && random() < 0.2
    const fails = isDeadly ? null : isBad ? 1 + Math.floor(random() * 2) : 0
    return { n: i + 1, fails }
  })
}

/** The processes of the storm. */
class Fleet implements AsyncDisposable {
  readonly nodes: NodeProcess[] = []
  readonly #flags: readonly string[]
  started = 0

  constructor(flags: readonly string[]) {
    this.#flags = flags
  }

  async start(): Promise<void> {
    this.nodes.push(await startNode(...this.#flags, '--id', `n${++this.started}`))
  }

  /** One of them, which counts no more. */
  take(random: Random): NodeProcess {
    return this.nodes.splice(Math.floor(random() * this.nodes.length), 1)[0]!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(node => node.kill()))
  }
}

/** How a process is hit, one way after the other. */
const ways = ['kills', 'freezes', 'kills', 'freezes', 'kills', 'stops'] as const

/** Until the signal fires: each blow hits one process, and there are three or four again after it. */
function blow(fleet: Fleet, options: StormOptions, signal: AbortSignal) {
  const {
    seed,
    every: [least, most],
  } = options
  const random = randomFrom(seed, 'blows')
  const blows = { kills: 0, freezes: 0, stops: 0 }
  const rage = async () => {
    for (let round = 0; ; round++) {
      await pause(least + random() * (most - least), signal)
      if (signal.aborted) return
      const way = ways[round % ways.length]!
      const victim = fleet.take(random)
      if (way === 'freezes') {
        process.kill(victim.pid, 'SIGSTOP')
        await pause(500 + random() * 3_500, signal)
        process.kill(victim.pid, 'SIGCONT')
        fleet.nodes.push(victim)
      } else await (way === 'kills' ? victim.kill() : victim.stop())
      blows[way]++
      while (fleet.nodes.length < (random() < 0.3 ? 4 : 3)) await fleet.start()
    }
  }
  return { blows, end: rage() }
}
