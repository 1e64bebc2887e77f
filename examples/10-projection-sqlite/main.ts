// A projection in a SQLite database: rows that SQL can query, folded from events, each exactly once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import { defineActor, defineProjection, embedded, event, startNode } from 'cairn-es'

import { SqliteReadModels } from './sqlite-read-models.js'

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: {
    deposit: (_balance, amount: number) => event('deposited', amount),
    close: () => event('closed'),
  },
  evolve: {
    deposited: (balance, amount: number) => balance + amount,
    closed: () => 0,
  },
})

const dir = await mkdtemp(join(tmpdir(), 'cairn-sqlite-'))
const database = new sqlite.Database(join(dir, 'views.sqlite'))

const balances = defineProjection({
  name: 'balances',
  from: account,
  target: new SqliteReadModels(database),
  initial: { balance: 0, deposits: 0 },
  when: {
    deposited: ({ balance, deposits }, { data }) => ({
      balance: balance + data,
      deposits: deposits + 1,
    }),
    closed: () => null,
  },
})

const start = () =>
  startNode({
    namespace: 'bank',
    store: embedded({ dir }),
    actors: [account],
    projections: [balances],
  })

/** A query of a program that knows nothing of Cairn. */
const richest = () =>
  database.all(`
    select key, json ->> 'balance' as balance, json ->> 'deposits' as deposits
    from cairn_rows where model like 'balances%' order by balance desc
  `)

try {
  const first = await start()
  for (const [id, amount] of [
    ['alice', 10],
    ['bob', 70],
    ['carol', 5],
    ['alice', 20],
  ] as const)
    await first.spawn(account, id).ask('deposit', amount)
  await first
    .projection(balances)
    .waitFor(await first.spawn(account, 'carol').ask('close'))
  console.log('in SQL:', JSON.stringify(richest()))
  await first.close()

  // Another node continues at the checkpoint in the database, and folds nothing twice.
  const second = await start()
  await second
    .projection(balances)
    .waitFor(await second.spawn(account, 'alice').ask('deposit', 100))
  console.log('after a restart:', JSON.stringify(richest()))
  console.log(
    'by its key:',
    JSON.stringify(await second.projection(balances).get('alice')),
  )
  await second.close()
} finally {
  database.close()
  await rm(dir, { recursive: true, force: true })
}
