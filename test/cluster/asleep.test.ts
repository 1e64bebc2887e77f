// Actors that are not in memory cost a node nothing: it reads nothing for them, stores nothing and sets no timers.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { type Backend, embedded, memory, type Node, startNode } from '../../src/index.js'
import { account } from '../actor/support.js'
import { observed } from '../support/observed-backend.js'
import { until } from '../support/wait.js'

const dir = await mkdtemp(join(tmpdir(), 'cairn-asleep-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))

const actorCount = 20_000
const backends: [string, () => Backend][] = [
  ['memory', memory],
  ['embedded', () => embedded({ dir })],
]

/** How much keeps this process busy: timers, sockets, files, all together. */
const resources = () => process.getActiveResourcesInfo().length

async function store(backend: Backend, namespace: string): Promise<void> {
  await using open = await backend.open({ namespace, nodeId: 'writer' })
  const events = [{ type: 'deposited', data: { amount: 1 } }]
  for (let n = 0; n < actorCount; n += 1_000)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        open.store.append({ type: 'account', id: `${n + i}` }, events),
      ),
    )
}

/** A node that has just started, with what its start and its idling came to. */
async function startIdle(backend: Backend, namespace: string) {
  const watched = observed(backend)
  const node = await startNode({
    namespace,
    store: watched.backend,
    actors: [account],
    id: `idle-${namespace}`,
    residentsMax: 100,
    cache: { entries: 500 },
  })
  // Its timers run a few times: whatever looked at actors would have looked by then. Some come and
  // go; what is there at every moment is what it keeps.
  let turns = 0
  let kept = Infinity
  await until(
    () => {
      kept = Math.min(kept, resources())
      return ++turns > 40
    },
    { describe: 'it has been idle for a while' },
  )
  return { node, watched, kept }
}

const footprint = (node: Node) => {
  const { actors, cache } = node.stats()
  const { residents, residentBytes, busy, open, wakes } = actors
  return { residents, residentBytes, busy, open, wakes, cached: cache.entries }
}

for (const [name, make] of backends)
  await t.test(
    `${name}: ${actorCount} stored actors cost an idle node nothing`,
    async t => {
      const backend = make()
      const none = await startIdle(backend, 'empty')
      const noneCost = footprint(none.node)
      const noneReads = { ...none.watched.counts }
      await none.node.close()

      await store(backend, 'full')
      const { node, watched, kept } = await startIdle(backend, 'full')
      t.strictSame(footprint(node), noneCost, 'nothing in memory')
      t.strictSame(footprint(node), {
        residents: 0,
        residentBytes: 0,
        busy: 0,
        open: 0,
        wakes: 0,
        cached: 0,
      })
      // The courier reads a log once in its life, from the first commit on.
      const { readAll } = watched.counts
      t.ok(readAll - noneReads.readAll <= 1, `${readAll} readings of the log`)
      t.strictSame(watched.counts.head + watched.counts.commits + watched.counts.read, 0)
      // A node's own timers come and go, and what has been closed before may still leave for a while:
      // the least that was seen of each differs by a few, and by none for an actor.
      const isAsLight = () =>
        Math.min(kept, resources()) <= none.kept + actorCount / 1_000
      await until(isAsLight, { timeout: 30_000, describe: 'no timers and handles more' })

      const sample = 5_000
      for (let n = 0; n < sample; n += 100)
        await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            node.ask({ type: 'account', id: `${n + i}` }, 'balance'),
          ),
        )
      const { residents, cached, busy, open } = footprint(node)
      t.match({ residents, busy, open }, { residents: 100, busy: 0, open: 0 })
      t.ok(cached <= 500, `${cached} versions are cached`)
      t.equal(node.stats().actors.wakes, sample, 'each was woken once, by its command')
      await node.close()
      t.comment(`idle: ${kept} timers and handles, ${none.kept} without actors`)
    },
  )
