// Two node processes decide for the same actor at the same time: A3.4 one history, A3.8 no
// lost update.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNats } from '../support/nats.js'
import { cairn, run, startNode } from './harness.js'
import { examine, holds, Load } from './load.js'

await using server = await startNats()

interface Deposit {
  readonly commandId: string
  readonly version: number
}

await t.test(
  'thousands of commands for one actor, decided in three processes at once',
  async t => {
    const flags = ['--ns', 'race', '--nats', server.url]
    await using _first = await startNode('--demo', '--id', 'first', ...flags)
    await using _second = await startNode('--demo', '--id', 'second', ...flags)
    const load = await Load.start(jetstream({ servers: server.url }), 'race', {
      workers: 4,
      actors: 1,
    })
    t.teardown(() => load.close())
    const racers = ['third', 'fourth'].map(id =>
      run(['test/support/programs/racer.mjs', server.url, 'race', id, '250']),
    )
    await load.more(2_000, 'all for one actor')
    // A busy owner wins nearly every race: the others end theirs when it is less busy.
    const { refused, unknown, acknowledged } = await load.end()
    for (const racer of racers) t.equal(await racer.ended, 0, racer.stderr())
    const all = new Map(acknowledged)
    for (const racer of racers)
      for (const line of racer.stdout().trim().split('\n')) {
        const { commandId, version } = JSON.parse(line) as Deposit
        all.set(commandId, { actor: 'a0', version })
      }
    const log = await examine(load.store)
    holds(t, { acknowledged: all, refused, unknown }, log)
    t.strictSame([...log.versions.keys()], ['a0'], 'there is one actor')
    t.ok(log.writers.get('third')! >= 250, 'the third wrote of it')
    t.ok(log.writers.get('fourth')! >= 250, 'so did the fourth')
    t.ok(log.writers.size >= 3, 'and so did who owns it')

    const versions = [...log.versions.get('a0')!.keys()]
    t.equal(versions.at(-1), versions.length, 'its versions are dense')
    const state = await cairn('state', 'account/a0', '--json', ...flags)
    t.strictSame(
      JSON.parse(state.stdout),
      { version: versions.length, state: { balance: versions.length } },
      'each deposit counts once in the balance',
    )
  },
)

await t.test('one of many that may only happen once does', async t => {
  const flags = ['--ns', 'once', '--nats', server.url, '--demo']
  await using _first = await startNode(...flags, '--id', 'first')
  await using _second = await startNode(...flags, '--id', 'second')
  const store = jetstream({ servers: server.url })
  await using open = await store.open({ namespace: 'once', nodeId: 'test' })
  const ask = (id: string, command: string, data: unknown) =>
    open.transport.request({
      kind: 'ask',
      actor: { type: 'account', id },
      command,
      data,
    }) as Promise<{ ok: boolean }>
  for (let round = 0; round < 50; round++) {
    const id = `purse-${round}`
    await ask(id, 'deposit', { amount: 10 })
    const taken = await Promise.all(
      Array.from({ length: 8 }, () => ask(id, 'withdraw', { amount: 10 })),
    )
    const won = taken.filter(outcome => outcome.ok)
    if (won.length !== 1) t.fail(`${won.length} of 8 withdrew the same 10 from ${id}`)
  }
  const log = await examine(open.store)
  t.strictSame(log.gaps, [])
  t.equal(log.commands.size, 100, 'fifty deposits and fifty withdrawals are in the log')
  t.ok(
    [...log.versions.values()].every(({ size }) => size === 2),
    'two events an actor',
  )
  t.equal(log.writers.size, 2, 'both nodes wrote, each of its own actors')
})
