// A bank account: definition, commands, events and a node in one file. It runs on the embedded
// store, so there is nothing to set up; for a cluster, use `store: jetstream()`.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { defineActor, embedded, event, reject, startNode } from 'cairn-es'

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: { amount: number }) => ({
      events: event('deposited', { amount }),
      reply: after => ({ balance: after.balance }),
    }),
    withdraw: (state, { amount }: { amount: number }) =>
      state.balance < amount
        ? reject('overdraft', `The balance is ${state.balance}.`, {
            balance: state.balance,
          })
        : event('withdrawn', { amount }),
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      balance: state.balance + amount,
    }),
    withdrawn: (state, { amount }: { amount: number }) => ({
      balance: state.balance - amount,
    }),
  },
})

const dir = await mkdtemp(join(tmpdir(), 'cairn-bank-'))
const options = { namespace: 'bank', store: embedded({ dir }), actors: [account] }

{
  await using node = await startNode(options)
  const alice = node.spawn(account, 'alice')

  const deposited = await alice.ask('deposit', { amount: 100 })
  console.log(`version ${deposited.version}, balance ${deposited.reply.balance}`)

  const refused = await alice.ask('withdraw', { amount: 250 })
  if (!refused.ok)
    console.log(`refused: ${refused.rejection.code}. ${refused.rejection.message}`)

  await alice.ask('withdraw', { amount: 30 })
  // Sent concurrently, decided one after another: an actor handles one command at a time.
  await Promise.all([1, 2, 3].map(amount => alice.ask('deposit', { amount })))
}

// The node has stopped; a new one finds the history on disk.
await using node = await startNode(options)
const alice = node.spawn(account, 'alice')
const { state, version } = await alice.state()
console.log(`after a restart: version ${version}, balance ${state.balance}`)
for await (const stored of alice.events({ to: 2 }))
  if (stored.kind === 'event')
    console.log(`${stored.id} ${stored.type} ${stored.data.amount}`)

await node.close()
await rm(dir, { recursive: true })
