// Commands whose answer comes when projections include them.

import t from 'tap'

import {
  defineActor,
  defineProjection,
  defineReactor,
  event,
  eventsOf,
  reject,
  statesOf,
} from '../../src/index.js'
import { onEachBackend } from '../support/backends.js'

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, amount: number) => event('deposited', amount),
    withdraw: (state, amount: number) =>
      state.balance < amount ? reject('overdraft') : event('deposited', -amount),
    look: state => ({ reply: state.balance }),
  },
  evolve: { deposited: ({ balance }, amount: number) => ({ balance: balance + amount }) },
})
const balances = defineProjection({
  name: 'balances',
  from: statesOf(account),
  row: ({ state }) => state,
})
const counts = defineProjection({
  name: 'counts',
  from: account,
  key: () => 'all',
  initial: { n: 0 },
  when: { deposited: ({ n }) => ({ n: n + 1 }) },
})
const unbuilt = defineProjection({
  name: 'unbuilt',
  from: statesOf(account),
  row: ({ state }) => state,
})

await onEachBackend(
  t,
  'an answer comes when projections include the command',
  async (t, scene) => {
    const { start } = scene(t)
    const building = await start({ actors: [account], projections: [balances, counts] })
    const other = await start({ actors: [account] })
    const visibleIn = [balances, counts]
    for (const [i, node] of [building, other].entries()) {
      const ref = node.spawn(account, `a${i}`)
      for (let n = 1; n <= 10; n++) {
        await ref.ask('deposit', 2, { visibleIn })
        t.strictSame(await node.projection(balances).get(`a${i}`), { balance: 2 * n })
        t.match(await node.projection(counts).get('all'), { n: 11 * i + n })
      }
      const outcome = await node.ask(ref.address, 'deposit', 1, { visibleIn })
      t.match(outcome, { ok: true, version: 11 })
      t.match(await ref.ask('withdraw', 99, { visibleIn }), { ok: false })
      t.match(await ref.ask('look', undefined, { visibleIn: [balances] }), { reply: 21 })
    }
  },
)

await onEachBackend(
  t,
  'what is carried out and not visible in time is told so',
  async (t, scene) => {
    const node = await scene(t).start({ actors: [account], projections: [balances] })
    const ref = node.spawn(account, 'a')
    const options = { visibleIn: [unbuilt], commandId: 'one', timeout: 1_500 }
    const late = {
      code: 'deadline-exceeded',
      message:
        /Command "deposit" to account\/a was carried out, at version 1 and position \d+, and is not visible yet/,
      details: { commandId: 'one', version: 1, projection: 'unbuilt' },
    }
    await t.rejects(ref.ask('deposit', 5, options), late)
    t.equal((await ref.state()).version, 1)
    await t.rejects(ref.ask('deposit', 5, options), late, 'sent again it acts no more')
    const { duplicate } = await ref.ask('deposit', 5, {
      commandId: 'one',
      visibleIn: [balances],
    })
    t.equal(duplicate, true)
    t.strictSame(await node.projection(balances).get('a'), { balance: 5 })
    const aborting = AbortSignal.timeout(50)
    const aborted = node
      .spawn(account, 'b')
      .ask('deposit', 5, { visibleIn: [unbuilt], signal: aborting })
    await t.rejects(aborted, { code: 'aborted' })
    const wrong = { code: 'invalid-option' }
    // @ts-expect-error names are no projections
    await t.rejects(ref.ask('deposit', 5, { visibleIn: ['balances'] }), wrong)
    // @ts-expect-error only an answer can come later
    await t.rejects(ref.tell('deposit', 5, { visibleIn: [balances] }), wrong)
    // @ts-expect-error only an answer can come later
    await t.rejects(ref.send('deposit', 5, { visibleIn: [balances] }), wrong)
    t.equal((await ref.state()).version, 1, 'nothing was sent')
  },
)

await onEachBackend(
  t,
  'a transaction is answered when projections include all of it',
  async (t, scene) => {
    const { start } = scene(t)
    const building = await start({ actors: [account], projections: [balances, counts] })
    const other = await start({ actors: [account] })
    const visibleIn = [balances, counts]
    for (const [i, node] of [building, other].entries()) {
      const id = `transfer-${i}`
      const move = (options: object) =>
        node.transact(
          async tx => {
            await tx.ask(account, `a${i}`, 'deposit', 7)
            await tx.ask(account, `b${i}`, 'deposit', 3)
            return 'moved'
          },
          { id, ...options },
        )
      t.match(await move({ visibleIn }), { ok: true, value: 'moved', duplicate: false })
      t.strictSame(await node.projection(balances).get(`b${i}`), { balance: 3 })
      t.strictSame(await node.projection(counts).get('all'), { n: 2 * i + 2 })
      t.match(await move({ visibleIn }), { ok: true, value: 'moved', duplicate: true })
      const late = { visibleIn: [unbuilt], timeout: 1_500 }
      await t.rejects(move(late), {
        code: 'deadline-exceeded',
        message:
          /Transaction "transfer-\d" is stored, at position \d+, and is not visible/,
        details: { transactionId: id, projection: 'unbuilt' },
      })
    }
    const nothing = await other.transact(tx => tx.abort('no'), { visibleIn: [unbuilt] })
    t.match(nothing, { ok: false, reason: 'no' })
    const wrong = { code: 'invalid-option' }
    await t.rejects(
      other.transact(() => 1, { visibleIn: [{} as never] }),
      wrong,
    )
    await t.rejects(
      other.transact(() => 1, null as never),
      wrong,
    )
  },
)

await onEachBackend(t, 'a reactor waits for rows in the same way', async (t, scene) => {
  const seen: unknown[] = []
  const doubling = defineReactor({
    name: 'doubling',
    on: eventsOf(account),
    async handle({ data: { actor } }, { spawn }) {
      if (actor.id !== 'a') return
      await spawn(account, 'b').ask('deposit', 8, { visibleIn: [balances] })
      seen.push(await node.projection(balances).get('b'))
    },
  })
  const node = await scene(t).start({
    actors: [account],
    projections: [balances],
    reactors: [doubling],
  })
  await node.spawn(account, 'a').ask('deposit', 1)
  await node.settled()
  t.strictSame(seen, [{ balance: 8 }])
})
