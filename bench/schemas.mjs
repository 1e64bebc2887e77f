// What schemas cost a command: `ask-spread` (1,000 actors, 256 callers) with a schema for the command, the event, the reply and
// the state, of zod, valibot and arktype, beside the same without, and beside the same four validations called bare. Each run is
// a process of its own: in one process the libraries would share what is compiled for each of them. Prints a Markdown table;
// docs/schemas.md holds the figures. Argument: how often each is measured (5). The three libraries are not installed with the bench.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { defineActor, jetstream, startNode } from 'cairn-es'
import { counterSpec } from './actors.mjs'
import { verify } from './benchmark.mjs'
import { checkVersions } from './check-log.mjs'
import { drive } from './drive.mjs'
import { machineFacts } from './machine.mjs'
import { freshNamespace, removeNamespace } from './place.mjs'
import { startServers } from './servers.mjs'
import { median } from './stats.mjs'

/**
 * @typedef {import('cairn-es').StandardSchema<{ by: number }>} By
 * @typedef {import('cairn-es').StandardSchema<{ sum: number }>} Sum
 * @typedef {{ readonly by: By, readonly sum: Sum }} Pair
 * @typedef {{ readonly micros: number, readonly rate: number, readonly bare: number }} Run
 */

const actorCount = 1_000
const callers = 256
const warmUpMs = 1_500
const runMs = 2_000
const bareCalls = 300_000

/** @type {Readonly<Record<string, () => Promise<Pair | undefined>>>} */
const libraries = {
  none: async () => undefined,
  zod: async () => {
    const { z } = await import('zod')
    return { by: z.object({ by: z.number() }), sum: z.object({ sum: z.number() }) }
  },
  valibot: async () => {
    const v = await import('valibot')
    return { by: v.object({ by: v.number() }), sum: v.object({ sum: v.number() }) }
  },
  arktype: async () => {
    const { type } = await import('arktype')
    return { by: type({ by: 'number' }), sum: type({ sum: 'number' }) }
  },
}

/** @param {Pair | undefined} schemas */
const counterWith = schemas =>
  defineActor({
    ...counterSpec,
    ...(schemas && {
      schemas: {
        commands: { add: schemas.by },
        events: { added: schemas.by },
        replies: { add: schemas.sum },
        state: schemas.sum,
      },
    }),
  })

/**
 * @param {string} servers
 * @param {Pair | undefined} schemas
 * @returns microseconds of this process's processor for a command, and commands a second
 */
const asked = async (servers, schemas) => {
  const namespace = freshNamespace()
  const counter = counterWith(schemas)
  const store = jetstream({ servers })
  const node = await startNode({ namespace, store, actors: [counter] })
  try {
    const refs = Array.from({ length: actorCount }, (_, i) =>
      node.spawn(counter, `c${i}`),
    )
    const versions = new Map()
    const step = async (/** @type {number} */ worker, /** @type {number} */ turn) => {
      const i = (worker + callers * turn) % actorCount
      const ref = /** @type {NonNullable<typeof refs[0]>} */ (refs[i])
      const outcome = await ref.ask('add', { by: 1 })
      const { sum } = outcome.reply
      verify(
        sum === outcome.version && !outcome.duplicate,
        () => `version ${outcome.version} was answered with ${sum}`,
      )
      versions.set(`c${i}`, Math.max(versions.get(`c${i}`) ?? 0, outcome.version))
    }
    // What waking and compiling takes is not of a command.
    await drive({ workers: callers, ms: warmUpMs, step })
    const before = process.cpuUsage()
    const { done, rate } = await drive({ workers: callers, ms: runMs, step })
    const { user, system } = process.cpuUsage(before)
    await checkVersions(node.store, versions)
    return { micros: (user + system) / done, rate }
  } finally {
    await node.close()
    await removeNamespace({ servers, replicas: 1 }, namespace)
  }
}

/**
 * The validations of one command, without Cairn.
 *
 * @param {Pair} schemas
 * @returns microseconds of this process's processor
 */
const bareOf = ({ by, sum }) => {
  const round = (/** @type {number} */ i) => {
    const results = [
      by['~standard'].validate({ by: 1 }),
      by['~standard'].validate({ by: 1 }),
      sum['~standard'].validate({ sum: i }),
      sum['~standard'].validate({ sum: i }),
    ]
    for (const result of results)
      verify(
        'value' in result && result.issues === undefined,
        () => 'a value was refused',
      )
  }
  for (let i = 0; i < bareCalls; i++) round(i)
  const before = process.cpuUsage()
  for (let i = 0; i < bareCalls; i++) round(i)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / bareCalls
}

/**
 * A run in this process.
 *
 * @param {string} name
 * @param {string} servers
 * @returns {Promise<Run>}
 */
const run = async (name, servers) => {
  const schemas = await libraries[name]?.()
  const figures = await asked(servers, schemas)
  return { ...figures, bare: schemas === undefined ? 0 : bareOf(schemas) }
}

/**
 * A run in a process of its own.
 *
 * @param {string} name
 * @param {string} servers
 * @returns {Promise<Run>}
 */
const runApart = async (name, servers) => {
  const child = fork(fileURLToPath(import.meta.url), [name, servers])
  /** @type {Run | undefined} */
  let figures
  child.once('message', message => {
    figures = /** @type {Run} */ (message)
  })
  const [code] = await once(child, 'exit')
  if (code !== 0 || figures === undefined) throw new Error(`${name} ended with ${code}`)
  return figures
}

/** @param {number} repetitions */
const main = async repetitions => {
  const names = Object.keys(libraries)
  /** @type {Record<string, Run[]>} */
  const runs = Object.fromEntries(names.map(name => [name, []]))
  const facts = machineFacts()
  const { signal } = new AbortController()
  const servers = await startServers({ replicas: 1, syncAlways: false, signal })
  try {
    for (let i = 0; i < repetitions; i++)
      for (const name of i % 2 === 0 ? names : names.toReversed())
        runs[name]?.push(await runApart(name, servers.urls))
  } finally {
    await servers.close()
  }
  console.log(
    '| schemas | commands/s | CPU a command | more than without | called bare |',
  )
  console.log('| --- | ---: | ---: | ---: | ---: |')
  for (const name of names) {
    const own = runs[name] ?? []
    const micros = own.map(one => one.micros)
    // Each against the run without schemas of the same round.
    const more = micros.map((one, i) => one - (runs['none']?.[i]?.micros ?? NaN))
    const cells = [
      Math.round(median(own.map(({ rate }) => rate))).toLocaleString('en'),
      `${median(micros).toFixed(1)} µs`,
      name === 'none' ? '' : `${median(more).toFixed(1)} µs`,
      name === 'none' ? '' : `${median(own.map(({ bare }) => bare)).toFixed(2)} µs`,
    ]
    console.log(`| ${name} | ${cells.join(' | ')} |`)
  }
  const rounds = names.map(name => [
    name,
    (runs[name] ?? []).map(({ micros }) => micros.toFixed(1)),
  ])
  console.log(`\nCPU a command by round: ${JSON.stringify(Object.fromEntries(rounds))}`)
  console.log(
    JSON.stringify({ node: process.version, server: servers.version, ...facts }),
  )
}

const [first = '5', servers] = process.argv.slice(2)
if (servers === undefined) await main(Number(first))
else {
  process.send?.(await run(first, servers))
  process.disconnect()
}
