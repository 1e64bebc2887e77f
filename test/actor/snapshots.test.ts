// Snapshots of actors whose states are too large for their commits: an actor wakes from one, and never from one that is not its own.

import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { event } from '../../src/actor/event.js'
import { perform } from '../../src/actor/perform.js'
import { defineWork } from '../../src/actor/work.js'
import { encode } from '../../src/codec/msgpack.js'
import type { Node } from '../../src/runtime/node.js'
import { Snapshots } from '../../src/store/snapshots/snapshots.js'
import { onEachBackend, type Scene } from '../support/backends.js'
import { until } from '../support/wait.js'

const { largeOf } = (await import(
  new URL('../../../test/support/actors/large.mjs', import.meta.url).href
)) as {
  largeOf(options: { version: number; every: number }): AnyActorDefinition
}

const actor = { type: 'large', id: 'a' }
const every = 100
const first = largeOf({ version: 1, every })

const snapshotsOf = (node: Node) => node.stats().actors.snapshots

async function fill(node: Node, events: number): Promise<void> {
  await node.ask(actor, 'grow', { slots: 8, seed: 1 })
  for (let done = 0; done < events; done += 50) await node.ask(actor, 'count', 50)
}

async function showOn(node: Node) {
  const shown = await node.ask(actor, 'show', undefined)
  return shown.ok ? (shown.reply as { count: number; hash: string }) : undefined
}

/** What a node of these definitions shows, and what became of snapshots on it. */
async function shownBy(scene: Scene, definition: AnyActorDefinition, counted = 0) {
  await using node = await scene.start({ actors: [definition] })
  for (let done = 0; done < counted; done += 50) await node.ask(actor, 'count', 50)
  const shown = await showOn(node)
  return { count: shown?.count, hash: shown?.hash, ...snapshotsOf(node) }
}

await onEachBackend(t, 'a large state', async (t: Test, at) => {
  const scene = at(t)
  let hash: string | undefined
  await t.test('it is stored beside the log, and the actor wakes from it', async t => {
    {
      await using node = await scene.start({ actors: [first] })
      await fill(node, 250)
      await until(() => snapshotsOf(node).written > 0, { describe: 'a snapshot' })
      hash = (await showOn(node))?.hash
    }
    const shown = await shownBy(scene, first)
    t.match(shown, { count: 250, hash, used: 1, failed: 0 })
  })

  await t.test('a transaction reads it, too', async t => {
    await using node = await scene.start({ actors: [first] })
    const done = await node.transact(async tx => {
      const { state } = await tx.load(first, 'a')
      return (state as { count: number }).count
    })
    t.equal(done.ok && done.value, 250)
    t.equal(snapshotsOf(node).used, 1)
  })

  const opened = async <T>(work: (snapshots: Snapshots) => Promise<T>): Promise<T> => {
    await using open = await scene.backend.open({
      namespace: scene.namespace,
      nodeId: 'test',
    })
    return await work(new Snapshots(open.readModels))
  }

  await t.test('one of another history is not used', async t => {
    const own = await opened(snapshots => snapshots.read(actor))
    t.ok(own !== undefined)
    const value = encode({ pieces: [], count: 1_000_000 })
    for (const foreign of [
      { ...own!, value, commitId: 'other' },
      { ...own!, value, version: own!.version - 1 },
      { ...own!, value, version: 9_000, position: 9_000 },
      { ...own!, value, skipped: '3' },
      { ...own!, value: encode('x').subarray(0, 1) },
    ]) {
      await opened(snapshots => snapshots.write(actor, foreign))
      t.match(await shownBy(scene, first), { count: 250, hash })
    }
    await opened(snapshots => snapshots.write(actor, own!))
    t.match(await shownBy(scene, first), { count: 250, hash, used: 1 })
  })

  await t.test(
    'a later behavior version folds the history, and stores its own',
    async t => {
      const second = largeOf({ version: 2, every })
      t.match(await shownBy(scene, second), { count: 250, hash, used: 0 })
      {
        await using node = await scene.start({ actors: [second] })
        await node.ask(actor, 'count', 50)
        await until(() => snapshotsOf(node).written > 0, { describe: 'a snapshot' })
      }
      t.match(await shownBy(scene, second, 200), { count: 500, hash, used: 1 })
      const stored = await opened(snapshots => snapshots.read(actor))
      t.equal(stored?.behavior, 2)
    },
  )

  await t.test(
    'the type says how often; 0 is never, and a long tail is counted',
    async t => {
      const never = at(t)
      const definition = largeOf({ version: 1, every: 0 })
      {
        await using node = await never.start({ actors: [definition] })
        await node.ask(actor, 'grow', { slots: 8, seed: 1 })
        for (let i = 0; i < 6; i++) await node.ask(actor, 'count', 900)
        t.match(snapshotsOf(node), { written: 0, failed: 0, used: 0 })
      }
      await using node = await never.start({ actors: [definition] })
      t.equal((await showOn(node))?.count, 5_400)
      t.equal(node.stats().actors.longTails, 1)
    },
  )
})

await onEachBackend(t, 'a large state with work that has not ended', async (t, at) => {
  const scene = at(t)
  const runs: string[] = []
  const definitionWith = (mayEnd: boolean) => {
    const call = defineWork('call', async ({ to }: { to: string }, { key, signal }) => {
      runs.push(key)
      if (mayEnd) return { to }
      return await new Promise<{ to: string }>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    })
    return defineActor({
      type: 'caller',
      snapshotEvery: 100,
      initialState: { text: '', count: 0, called: '' },
      performs: [call],
      decide: {
        fill: () => [
          event('filled'),
          perform(
            call,
            { to: 'x' },
            { done: 'called', failed: 'failed', timeout: Infinity },
          ),
        ],
        count: (_state, times: number) =>
          Array.from({ length: times }, () => event('counted')),
        called: (_state, { to }: { to: string }) => event('called', { to }),
        failed: () => event('counted'),
      },
      evolve: {
        filled: state => ({ ...state, text: 'x'.repeat(300_000) }),
        counted: state => ({ ...state, count: state.count + 1 }),
        called: (state, { to }: { to: string }) => ({ ...state, called: to }),
      },
    })
  }
  {
    const caller = definitionWith(false)
    await using node = await scene.start({ actors: [caller] })
    const ref = node.spawn(caller, 'c')
    await ref.ask('fill')
    for (let i = 0; i < 3; i++) await ref.ask('count', 50)
    await until(() => snapshotsOf(node).written > 0, { describe: 'a snapshot' })
    for (let i = 0; i < 3; i++) await ref.ask('count', 50)
  }
  const caller = definitionWith(true)
  await using node = await scene.start({ actors: [caller] })
  const { state } = await node.spawn(caller, 'c').until(({ called }) => called !== '')
  t.match(state, { called: 'x', count: 300 }, 'the next owner has taken the work up')
  t.ok(snapshotsOf(node).used > 0, 'from a snapshot')
  t.equal(new Set(runs).size, 1, 'under the same key')
})
