// What schemas cost a command: `ask-spread` (1,000 actors, 256 callers) with a schema for the command, the event, the reply and
// the state, of zod, valibot and arktype, beside the same without, and beside the same four validations called bare. Prints a
// Markdown table; docs/schemas.md holds the figures. Argument: how often each is measured (7). The three libraries are not
// installed with the bench.
import { defineActor, event, jetstream, startNode } from 'cairn-es'
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
 */

const repetitions = Number(process.argv[2] ?? 7)
const actorCount = 1_000
const callers = 256
const warmUpMs = 300
const runMs = 1_000
const bareCalls = 200_000

const { z } = await import('zod')
const v = await import('valibot')
const { type } = await import('arktype')

/** @type {Readonly<Record<string, Pair>>} */
const libraries = {
  zod: { by: z.object({ by: z.number() }), sum: z.object({ sum: z.number() }) },
  valibot: { by: v.object({ by: v.number() }), sum: v.object({ sum: v.number() }) },
  arktype: { by: type({ by: 'number' }), sum: type({ sum: 'number' }) },
}

/** @param {Pair} [schemas] */
const counterWith = schemas =>
  defineActor({
    type: 'counter',
    ...(schemas && {
      schemas: {
        commands: { add: schemas.by },
        events: { added: schemas.by },
        replies: { add: schemas.sum },
        state: schemas.sum,
      },
    }),
    initialState: { sum: 0 },
    decide: {
      add: (_state, /** @type {{ by: number }} */ { by }) => ({
        events: event('added', { by }),
        reply: after => ({ sum: after.sum }),
      }),
    },
    evolve: {
      added: (state, /** @type {{ by: number }} */ { by }) => ({ sum: state.sum + by }),
    },
  })

/**
 * @param {string} servers
 * @param {Pair} [schemas]
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
      const outcome = await /** @type {NonNullable<typeof refs[0]>} */ (refs[i]).ask(
        'add',
        {
          by: 1,
        },
      )
      const { sum } = /** @type {{ sum: number }} */ (outcome.reply)
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
const bare = ({ by, sum }) => {
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

const names = ['none', ...Object.keys(libraries)]
/** @type {Record<string, { micros: number, rate: number }[]>} */
const runs = Object.fromEntries(names.map(name => [name, []]))
const facts = machineFacts()
const signal = new AbortController().signal
const servers = await startServers({ replicas: 1, syncAlways: false, signal })
try {
  // The first run of a process pays for what is compiled on the way.
  await asked(servers.urls)
  for (let i = 0; i < repetitions; i++)
    for (const name of i % 2 === 0 ? names : names.toReversed())
      runs[name]?.push(await asked(servers.urls, libraries[name]))
} finally {
  await servers.close()
}

console.log(
  '| schemas | commands/s | CPU a command | more than without | the validations, called bare |',
)
console.log('| --- | ---: | ---: | ---: | ---: |')
for (const name of names) {
  const own = runs[name] ?? []
  const schemas = libraries[name]
  // Each against the run without schemas of the same round.
  const more = median(
    own.map(({ micros }, i) => micros - (runs['none']?.[i]?.micros ?? NaN)),
  )
  const cells = [
    Math.round(median(own.map(({ rate }) => rate))).toLocaleString('en'),
    `${median(own.map(({ micros }) => micros)).toFixed(1)} µs`,
    schemas === undefined ? '' : `${more.toFixed(1)} µs`,
    schemas === undefined ? '' : `${bare(schemas).toFixed(2)} µs`,
  ]
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}
const rounds = names.map(name => [
  name,
  (runs[name] ?? []).map(({ micros }) => micros.toFixed(1)),
])
console.log(`\nCPU a command by round: ${JSON.stringify(Object.fromEntries(rounds))}`)
console.log(JSON.stringify({ node: process.version, server: servers.version, ...facts }))
