// Watchers of one actor on one node share its reads, and a slow one holds up nobody.

import t from 'tap'

import { defineActor, event, memory, startNode } from '../../src/index.js'
import type { Node } from '../../src/runtime/node.js'
import type { WatchOptions } from '../../src/actor/watch.js'
import { deferred } from '../../src/model/wait.js'
import { until } from '../support/wait.js'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => event('added', by),
    addAll: (_state, all: number[]) => all.map(by => event('added', by)),
    mark: () => event('marked', { at: new Date(0) }),
  },
  evolve: {
    added: (state, by: number) => state + by,
    marked: (state, _data: { at: Date }) => state,
  },
})

async function startTwo() {
  const store = memory()
  const owner = await startNode({ namespace: 'n', id: 'owner', store, actors: [counter] })
  const other = await startNode({ namespace: 'n', id: 'other', store })
  return {
    owner,
    other,
    async [Symbol.asyncDispose]() {
      await other.close()
      await owner.close()
    },
  }
}

/** Watches until it is stopped; waits before it takes the next event while `mayTake` is pending. */
function watching(
  node: Node,
  options: WatchOptions = {},
  mayTake: Promise<void> = Promise.resolve(),
) {
  const stop = new AbortController()
  const seen: number[] = []
  const events: { readonly data: unknown }[] = []
  const states: number[] = []
  const ended = (async () => {
    const { signal } = stop
    const loop = node.spawn(counter, 'x').watch({ ...options, signal })
    for await (const { version, state, event } of loop) {
      if (event === undefined) continue // the state that a watch begins with
      seen.push(version)
      events.push(event)
      states.push(state)
      await mayTake
    }
  })()
  return {
    seen,
    events,
    states,
    async stop() {
      stop.abort()
      await ended
    },
  }
}

/** Adds until all have seen one, and so the last version. Returns it. */
async function beginAll(owner: Node, all: readonly { readonly seen: number[] }[]) {
  const x = owner.spawn(counter, 'x')
  const last = await until(async () => {
    const { version } = await x.ask('add', 1)
    return all.every(({ seen }) => seen.length > 0) ? version : undefined
  })
  await until(() => all.every(({ seen }) => seen.at(-1) === last))
  return last
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

await t.test('a commit is read once for all watchers of the actor', async t => {
  await using nodes = await startTwo()
  const { owner, other } = nodes
  const x = owner.spawn(counter, 'x')
  await x.ask('add', 1)
  const all = Array.from({ length: 200 }, () => watching(other))
  const begun = await beginAll(owner, all)
  const { reads } = other.stats().watches
  for (let version = begun + 1; version <= begun + 40; version++) {
    await x.ask('add', 1)
    await until(() => all.every(({ seen }) => seen.at(-1) === version))
  }
  t.ok(other.stats().watches.reads - reads <= 40, 'one read for each commit')
  for (const { seen, states } of all) {
    t.strictSame(seen, range(seen[0]!, begun + 40))
    t.strictSame(states, seen)
  }
  t.match(other.stats().watches, { actors: 1, watchers: 200 })
  await Promise.all(all.map(one => one.stop()))
  t.match(other.stats().watches, { actors: 0, watchers: 0, held: 0 })
})

await t.test('nothing is read where the actor is in memory', async t => {
  await using nodes = await startTwo()
  const { owner } = nodes
  const x = owner.spawn(counter, 'x')
  await x.ask('add', 1)
  const all = Array.from({ length: 20 }, () => watching(owner))
  const begun = await beginAll(owner, all)
  const { reads } = owner.stats().watches
  await Promise.all(range(1, 40).map(() => x.ask('add', 1)))
  await x.ask('addAll', [1, 1, 1])
  const last = begun + 43
  await until(() => all.every(({ seen }) => seen.at(-1) === last))
  t.equal(owner.stats().watches.reads, reads)
  for (const { seen, states } of all) {
    t.strictSame(seen, range(seen[0]!, last))
    t.strictSame(states, seen)
  }
  await Promise.all(all.map(one => one.stop()))
})

await t.test('an event from memory is the event that a read returns', async t => {
  await using nodes = await startTwo()
  const { owner, other } = nodes
  const all = [watching(owner), watching(owner), watching(other)]
  const last = await beginAll(owner, all)
  const options = { correlationId: 'c', commandId: 'e' }
  await owner.ask({ type: 'counter', id: 'x' }, 'mark', undefined, options)
  await until(() => all.every(({ seen }) => seen.at(-1) === last + 1))
  const [one, two, read] = all.map(({ events }) => events.at(-1)!)
  t.strictSame(one, read)
  const dates = [one, two].map(event => (event!.data as { at: Date }).at)
  t.not(dates[0], dates[1], 'each gets its own copy of what can be changed')
  await Promise.all(all.map(one => one.stop()))
})

await t.test('a slow loop misses nothing, and little is held for it', async t => {
  await using nodes = await startTwo()
  const { owner, other } = nodes
  const x = owner.spawn(counter, 'x')
  const { promise: mayTake, resolve: go } = deferred<void>()
  const slow = watching(other, { from: 0 }, mayTake)
  const latest = watching(other, { from: 0, latest: true }, mayTake)
  const fast = watching(other, { from: 0 })
  await x.ask('add', 1)
  await until(() => slow.seen.length === 1 && latest.seen.length === 1)
  for (let i = 0; i < 10; i++)
    await x.ask(
      'addAll',
      range(1, 100).map(() => 1),
    )
  await until(() => fast.seen.length === 1_001)
  t.ok(other.stats().watches.held <= 256)
  go()
  await until(() => slow.seen.length === 1_001 && latest.seen.length === 2)
  t.strictSame(slow.seen, range(1, 1_001))
  t.strictSame(slow.states, slow.seen)
  t.strictSame(latest.seen, [1, 1_001], 'one that wants the latest state skips the rest')
  await x.ask('add', 1)
  await until(() => [slow, latest, fast].every(({ seen }) => seen.at(-1) === 1_002))
  await Promise.all([slow, latest, fast].map(one => one.stop()))
})

await t.test('what was stored before a loop starts is not news to it', async t => {
  await using nodes = await startTwo()
  const { owner, other } = nodes
  const x = owner.spawn(counter, 'x')
  const early = watching(other, { from: 0 })
  for (let version = 1; version <= 50; version += 2) {
    await x.ask('add', 1)
    // `early` may not know of that commit yet; the new one shares its reads.
    const begun = watching(other)
    await until(() => other.stats().watches.watchers === 2)
    await until(() => early.seen.at(-1) === version)
    await x.ask('add', 1)
    await until(() => early.seen.at(-1) === version + 1)
    await begun.stop()
    t.ok([undefined, version + 1].includes(begun.seen[0]))
  }
  await early.stop()
})

await t.test('a loop ends when its node closes', async t => {
  const nodes = await startTwo()
  const loops = [nodes.owner, nodes.other].map(async node => {
    for await (const _ of node.spawn(counter, 'x').watch());
  })
  await until(() => nodes.other.stats().watches.reads > 0)
  await until(() => nodes.owner.stats().watches.reads > 0)
  await nodes[Symbol.asyncDispose]()
  await Promise.all(loops)
  t.pass()
})
