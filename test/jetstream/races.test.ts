// P1: two owners without knowledge of each other make a command slower, never a fork.
// No store here subscribes to notices, so the caches are as stale as possible.

import t from 'tap'

import type { AppendResult } from '../../src/store/event-store/event-store.js'
import { deposits, mustAppend } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { freshNamespace, openNode, readHistory } from './nodes.js'

await using server = await startNats()
const actor = { type: 'account', id: 'alice' }

async function three() {
  const namespace = freshNamespace()
  const open = (nodeId: string) => openNode(server.url, { namespace, nodeId })
  return [await open('third'), await open('one'), await open('two')] as const
}

await t.test(
  'A3.4 of two stores that race for the same next version with stale caches and no notices, exactly one wins',
  async t => {
    const nodes = await three()
    const [third, one, two] = nodes
    const rounds = 300
    const winners: string[] = []
    const wrong: unknown[] = []
    for (let round = 0; round < rounds; round++) {
      // Another writer appends, so the racers' caches are one or two versions old.
      const { version } = await mustAppend(third.store, actor, deposits(round))
      winners.push('third')
      const stale = [one, two].map(({ store }) => store.cachedVersion(actor))
      if (stale.some(cached => cached !== undefined && cached >= version))
        wrong.push(stale)
      const results = await Promise.all(
        [one, two].map(({ store }) =>
          store.append(actor, deposits(round), { expected: version }),
        ),
      )
      const [won, lost] = results[0]!.ok ? results : results.toReversed()
      winners.push(results[0]!.ok ? 'one' : 'two')
      const isRight =
        won!.ok &&
        won!.version === version + 1 &&
        JSON.stringify(lost) ===
          JSON.stringify({ ok: false, actor, expected: version, actual: version + 1 })
      if (!isRight) wrong.push(results)
    }
    t.strictSame(wrong, [], 'the loser is told what it expected and what is')
    const { commits, dense } = await readHistory(third.store)
    t.strictSame(dense, [], 'no gap and no fork')
    t.strictSame(
      commits.map(commit => commit.nodeId),
      winners,
      'every winner is stored, no loser is',
    )
    t.ok(winners.includes('one') && winners.includes('two'), 'each won at times')
    for (const node of nodes) await node[Symbol.asyncDispose]()
  },
)

await t.test(
  'A3.4 two stores that race for a new actor: exactly one stores its first version',
  async t => {
    const nodes = await three()
    const [third, one, two] = nodes
    const wrong: AppendResult[][] = []
    for (let round = 0; round < 200; round++) {
      const fresh = { type: 'account', id: `new-${round}` }
      const results = await Promise.all(
        [one, two].map(({ store }, i) =>
          store.append(fresh, deposits(round), { expected: i === 0 ? 'none' : 0 }),
        ),
      )
      const lost = results.find(result => !result.ok)
      if (results.filter(result => result.ok).length !== 1 || lost?.actual !== 1)
        wrong.push(results)
    }
    t.strictSame(wrong, [])
    const { commits, dense } = await readHistory(third.store)
    t.strictSame(dense, [])
    t.equal(commits.length, 200)
    for (const node of nodes) await node[Symbol.asyncDispose]()
  },
)

await t.test(
  'A3.4 a loser that decides again at the reported version is stored, and nothing is lost',
  async t => {
    const nodes = await three()
    const each = 150
    const stored: string[] = []
    await Promise.all(
      nodes.map(async ({ store }) => {
        let expected = 0
        for (let done = 0; done < each;) {
          const result = await store.append(actor, deposits(done), { expected })
          if (result.ok) stored.push(result.commitId)
          if (result.ok) done++
          expected = result.ok ? result.version : result.actual
        }
      }),
    )
    const { commits, dense } = await readHistory(nodes[0].store)
    t.strictSame(dense, [])
    t.strictSame(commits.map(commit => commit.id).sort(), stored.sort())
    for (const node of nodes) await node[Symbol.asyncDispose]()
  },
)

await t.test('A3.9 wrong caches of every kind change no result', async t => {
  const nodes = await three()
  const [third, one, two] = nodes
  const rounds = 150
  for (let round = 0; round < rounds; round++) {
    const lies: [number, number][] = [
      [round + 40, round + 1_000],
      [1, 1],
      [round + 1, Math.max(1, round)],
    ]
    const [version, position] = lies[round % lies.length]!
    one.store.updateVersionCache(actor, version, position)
    two.store.updateVersionCache(actor, version, position, { version: 0, position: 0 })
    const results = await Promise.all(
      [one, two].map(({ store }) =>
        store.append(actor, deposits(round), { expected: round }),
      ),
    )
    if (results.filter(result => result.ok).length !== 1)
      t.fail(`round ${round}: ${JSON.stringify(results)}`)
  }
  const { commits, dense } = await readHistory(third.store)
  t.strictSame(dense, [])
  t.equal(commits.length, rounds)
  for (const node of nodes) await node[Symbol.asyncDispose]()
})
