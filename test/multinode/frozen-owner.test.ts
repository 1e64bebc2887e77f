// P4: what a frozen owner is sent expires there. The owner finds it when it goes on, and must not begin it: its caller
// may have been told another outcome by then, or may have sent another command.

import t from 'tap'

import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { isCairnError } from '../../src/model/errors.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

await using server = await startNats()
const namespace = 'frozen'
const flags = ['--ns', namespace, '--nats', server.url, '--demo']
const store = jetstream({ servers: server.url })
await using client = await startHere({ namespace, store })
const accounts = Array.from({ length: 20 }, (_, i) => ({ type: 'account', id: `a${i}` }))

const ask = (actor: { type: string; id: string }, commandId: string, timeout = 30_000) =>
  client.ask(actor, 'deposit', { amount: 1 }, { commandId, timeout }).then(
    outcome => outcome.ok,
    (error: unknown) => (isCairnError(error) ? error.code : error),
  )

await using owner = await startNode(...flags, '--id', 'owner')
await until(() => client.members().length === 1)
for (const actor of accounts) await client.ask(actor, 'deposit', { amount: 1 })

await t.test('commands that expired in a frozen owner are not begun', async t => {
  process.kill(owner.pid, 'SIGSTOP')
  const outcomes = await Promise.all(
    accounts.map((actor, i) => ask(actor, `late-${i}`, 500)),
  )
  t.strictSame(new Set(outcomes), new Set(['outcome-unknown']), 'nobody can know')
  process.kill(owner.pid, 'SIGCONT')
  // A later command of the same actor is answered after the late one, if that was begun.
  const after = await Promise.all(accounts.map((actor, i) => ask(actor, `after-${i}`)))
  t.strictSame(new Set(after), new Set([true]))
  const begun: string[] = []
  for await (const record of client.store.readAll())
    if (record.kind === 'commit' && record.command?.id.startsWith('late-'))
      begun.push(record.command.id)
  t.strictSame(begun, [])
})

await t.test(
  'commands that still have time are handled when the owner goes on',
  async t => {
    process.kill(owner.pid, 'SIGSTOP')
    const asked = accounts.map((actor, i) => ask(actor, `soon-${i}`))
    // The owner is stopped for longer than what counts as a stall.
    const since = Date.now()
    await until(() => Date.now() - since > 500)
    process.kill(owner.pid, 'SIGCONT')
    t.strictSame(new Set(await Promise.all(asked)), new Set([true]))
  },
)

await t.test('an owner that was given up is found again, in one directory', async t => {
  const dir = t.testdir()
  const place = ['--ns', namespace, '--embedded', dir, '--demo']
  await using alone = await startNode(...place, '--id', 'alone')
  await using looker = await startHere({ namespace, store: embedded({ dir }) })
  const deposit = (timeout: number) =>
    looker.ask({ type: 'account', id: 'a' }, 'deposit', { amount: 1 }, { timeout })
  await until(() => deposit(30_000))
  process.kill(alone.pid, 'SIGSTOP')
  await t.rejects(deposit(200), { code: 'deadline-exceeded' }, 'too short to tell')
  t.equal(looker.members().length, 1, 'so it is not given up')
  await t.rejects(deposit(30_000), { code: 'no-node' }, 'it does not greet')
  t.strictSame(looker.members(), [])
  process.kill(alone.pid, 'SIGCONT')
  await until(() => looker.members().length === 1, { describe: 'it is a member again' })
  t.match(await deposit(30_000), { ok: true })
  t.equal(await alone.stop(), 0)
})
