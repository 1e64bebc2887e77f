// Histories of the first build, of the build before schemas, and of this one go through two deployments of definitions whose
// events, states and machine change shape, with nodes of two versions side by side.

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import t, { type Test } from 'tap'

import * as cairn from 'cairn-es'

import { definitionsOf, type Generation } from '../fixtures/evolution/definitions.mjs'
import { Deliveries, evolve, type Scene } from '../fixtures/evolution/evolve.mjs'
import {
  namespace,
  readHistory,
  restoreInDirectory,
  restoreOnServer,
  writeSteps,
} from '../fixtures/evolution/homes.mjs'
import { firstSteps, stepsOf } from '../fixtures/evolution/model.mjs'
import { cairn as runCairn, startNode } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'

await using server = await startNats()
const { embedded, jetstream, memory } = cairn

/** The sets: whether the build that wrote one had machines. */
const sets = { 'first-build': false, 'before-schemas': true }

async function compare(t: Test, scene: Scene): Promise<void> {
  for await (const [title, found, wanted] of evolve(scene))
    t.strictSame(found, wanted, title)
}

/** Nodes in this process, whose reactors tell what they have handled. */
function nodesHere(store: cairn.Backend, of: string) {
  const live = new Deliveries()
  const start = (generation: Generation, id: string) => {
    const definitions = definitionsOf(cairn, generation)
    const reactors = [live.reactorOf(cairn, generation, definitions, 'live')]
    const actors = Object.values(definitions)
    return cairn.startNode({ namespace: of, store, id, actors, reactors, log: false })
  }
  return { live, start }
}

for (const [set, hasMachines] of Object.entries(sets)) {
  const folder = resolve('test/fixtures/evolution', set)
  const restored = async (t: Test, home: 'embedded' | 'jetstream') => {
    if (home === 'jetstream') {
      const own = await startNats()
      t.teardown(() => own[Symbol.asyncDispose]())
      await restoreOnServer(folder, own.url)
      return jetstream({ servers: own.url })
    }
    const dir = join(t.testdir(), 'data')
    await restoreInDirectory(folder, dir)
    return embedded({ dir })
  }
  for (const home of ['embedded', 'jetstream'] as const)
    await t.test(`the history of ${set} on ${home} is read, and evolves`, async t => {
      const store = await restored(t, home)
      const text = await readFile(join(folder, 'expected.json'), 'utf8')
      const expected = (JSON.parse(text) as Record<string, unknown>)[home]
      const { observed, repeated } = await readHistory(cairn, store, hasMachines)
      t.strictSame(JSON.parse(JSON.stringify(observed)), expected, 'as its build read it')
      t.strictSame(
        repeated.filter(([, isDuplicate]) => isDuplicate !== true),
        [],
        'each of its commands is known',
      )
      const steps = firstSteps(hasMachines)
      await compare(t, { cairn, namespace, store, steps, ...nodesHere(store, namespace) })
    })
}

const steps = [
  ...firstSteps(true),
  // Far from the last state in a commit, so that a snapshot is read.
  ...stepsOf('album', 'a', [['many', { times: 120 }]], 'first more'),
]

await t.test('a history of this build evolves in memory', async t => {
  const store = memory()
  await writeSteps(cairn, store, namespace, steps)
  await compare(t, { cairn, namespace, store, steps, ...nodesHere(store, namespace) })
})

const dir = t.testdir()
for (const { name, store, flags } of [
  { name: 'a directory', store: embedded({ dir }), flags: ['--embedded', dir] },
  {
    name: 'a server',
    store: jetstream({ servers: server.url }),
    flags: ['--nats', server.url],
  },
])
  await t.test(
    `a history of this build evolves in ${name}, by processes of two versions`,
    async t => {
      const of = 'processes'
      const fileOf = (generation: Generation) =>
        `test/fixtures/evolution/v${generation}.mjs`
      const here = ['--ns', of, ...flags]
      const verify = async (generation: Generation) => {
        const actors = ['--actors', fileOf(generation)]
        const { code, stderr } = await runCairn('verify', ...here, ...actors)
        t.match(stderr, /; 0 problems were found/)
        t.equal(code, 0)
      }
      await writeSteps(cairn, store, of, steps)
      await verify(2)
      const start = async (generation: Generation, id: string) => {
        const actors = ['--actors', fileOf(generation)]
        const node = await startNode(...here, ...actors, '--id', id)
        return {
          close: async () => {
            t.equal(await node.stop(), 0, node.stderr())
          },
        }
      }
      await compare(t, { cairn, namespace: of, store, steps, start })
      await verify(3)
    },
  )
