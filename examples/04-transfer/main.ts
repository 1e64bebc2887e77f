// Two accounts, one commit: money leaves one account and reaches another, or neither happens.
// It runs in memory; for a cluster, use `store: jetstream()`.

import { defineActor, event, memory, reject, startNode } from 'cairn-es'

interface Amount {
  readonly amount: number
}

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: Amount) => event('deposited', { amount }),
    withdraw: (state, { amount }: Amount) =>
      state.balance < amount
        ? reject('overdraft', `The balance is ${state.balance}.`)
        : event('withdrawn', { amount }),
  },
  evolve: {
    deposited: (state, { amount }: Amount) => ({ balance: state.balance + amount }),
    withdrawn: (state, { amount }: Amount) => ({ balance: state.balance - amount }),
  },
})

/** The limit of one transfer: every transfer reads it, few commands change it. */
const limits = defineActor({
  type: 'limits',
  initialState: { most: 100 },
  decide: { set: (_state, most: number) => event('set', most) },
  evolve: { set: (_state, most: number) => ({ most }) },
})

await using node = await startNode({
  namespace: 'bank',
  store: memory(),
  actors: [account, limits],
})

/** Takes effect once for each id. */
const transfer = (id: string, from: string, to: string, amount: number) =>
  node.transact(
    async tx => {
      const taken = await tx.ask(account, from, 'withdraw', { amount })
      if (!taken.ok) return tx.abort(taken.rejection.message)
      // Only read: if it has changed by the time of the commit, the work runs again.
      const { state } = await tx.load(limits, 'bank')
      if (amount > state.most) return tx.abort(`At most ${state.most} at once.`)
      await tx.ask(account, to, 'deposit', { amount })
      const { state: left } = await tx.load(account, from)
      return { left: left.balance }
    },
    { id },
  )

const balances = async () => {
  const read = async (id: string) => (await node.spawn(account, id).state()).state.balance
  return `alice ${await read('alice')}, bob ${await read('bob')}`
}

await node.spawn(account, 'alice').ask('deposit', { amount: 150 })

const first = await transfer('rent-may', 'alice', 'bob', 60)
if (first.ok) console.log(`moved 60, alice has ${first.value.left} left`)

const again = await transfer('rent-may', 'alice', 'bob', 60)
if (again.ok)
  console.log(`asked again: duplicate ${again.duplicate}, ${await balances()}`)

for (const [id, amount] of [
  ['rent-june', 91],
  ['car', 90],
] as const) {
  const moved = await transfer(id, 'alice', 'bob', amount)
  console.log(moved.ok ? `moved ${amount}` : `not moved: ${moved.reason}`)
}

await node.spawn(limits, 'bank').ask('set', 20)
const limited = await transfer('gift', 'bob', 'alice', 25)
console.log(limited.ok ? 'moved 25' : `not moved: ${limited.reason}`)

// Ten concurrent transfers over the same two accounts: each is decided on the current balances.
const moves = Array.from({ length: 10 }, (_, i) =>
  i % 2 === 0
    ? transfer(`swap-${i}`, 'bob', 'alice', 10)
    : transfer(`swap-${i}`, 'bob', 'alice', 5),
)
const done = await Promise.all(moves)
console.log(`${done.filter(({ ok }) => ok).length} of 10 moved: ${await balances()}`)

for await (const record of node.store.readAll({ types: ['account'], after: 1, limit: 2 }))
  if (record.kind === 'commit')
    console.log(`${record.actor.id} is part of ${record.transactionId}`)
