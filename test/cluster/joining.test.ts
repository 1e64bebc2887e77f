// A node that joins under load wakes the actors that move to it, a limited number at a time.

import { setImmediate } from 'node:timers/promises'

import t from 'tap'

import { memory, startNode } from '../../src/index.js'
import { formatAddress } from '../../src/model/address.js'
import { observed } from '../support/observed-backend.js'
import { until } from '../support/wait.js'
import { account } from '../actor/support.js'

const actorCount = 3_000
const wakesMax = 8

await t.test('thousands of actors move, never more than the limit at once', async t => {
  const base = memory()
  const options = { namespace: 'ns', actors: [account] }
  await using first = await startNode({ ...options, id: 'first', store: base })
  const asked = Array.from({ length: actorCount }, () => 0)
  const deposit = async (n: number) => {
    const actor = { type: 'account', id: `${n}` }
    const outcome = await first.ask(actor, 'deposit', { amount: 1 }, { timeout: 60_000 })
    if (!outcome.ok) throw new Error('a deposit is never refused')
    asked[n]!++
  }
  const each = () => Promise.all(asked.map((_, n) => deposit(n)))
  await each()
  t.equal(first.stats().actors.residents, actorCount)

  let isOver = false
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let n = lane; !isOver; n = (n + 37) % actorCount) await deposit(n)
  })
  const watched = observed(base)
  const woken = new Set<string>()
  let waking = 0
  let most = 0
  watched.beforeHead = async actor => {
    // An actor's first read here is its waking.
    if (woken.has(formatAddress(actor))) return
    woken.add(formatAddress(actor))
    most = Math.max(most, ++waking)
    await setImmediate()
    waking--
  }
  await using second = await startNode({
    ...options,
    id: 'second',
    store: watched.backend,
    wakesMax,
  })
  await each()
  isOver = true
  await Promise.all(lanes)

  const { residents, dismissals } = first.stats().actors
  const moved = second.stats().actors.residents
  t.equal(most, wakesMax, 'as many as may wake at once did, and never more')
  t.equal(woken.size, moved, 'each that moved was woken once')
  t.equal(residents + moved, actorCount, 'each actor is in memory once')
  t.ok(moved > actorCount / 3 && moved < (actorCount * 2) / 3, 'about half of them moved')
  t.ok(dismissals >= moved, 'the first let go what moved')
  t.comment(`${moved} moves, at most ${most} wakings at once`)

  for (const [n, count] of asked.entries()) {
    const { version } = await first.store.head({ type: 'account', id: `${n}` })
    if (version !== count) t.fail(`${n} is at ${version}, and ${count} were acknowledged`)
  }
  await second.close()
  await until(() => first.members().length === 1)
  await each()
  t.equal(first.stats().actors.residents, actorCount, 'and all come back')
})
