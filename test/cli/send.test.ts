// cairn send: a command is stored, with a running node or without, and takes effect once.

import t from 'tap'

import { cairn, startNode } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, isRefused, jsonLines } from './support.js'

await using server = await startNats()
const dir = t.testdir()

for (const { name, flags: backend } of homesOf(server, dir))
  await t.test(`cairn send stores a command, on ${name}`, async t => {
    const here = ['--ns', 'send', ...backend]
    let isHosted = false
    const send = async (amount: number, ...flags: string[]) => {
      const data = JSON.stringify({ amount })
      const args = ['send', 'account/alice', 'deposit', data, ...flags, ...here]
      const { code, stdout, stderr } = await cairn(...args)
      t.equal(code, 0, stderr)
      if (isHosted) t.equal(stderr, '')
      else t.match(stderr, /^No node that hosts account has checked it: .*\n$/)
      return stdout
    }
    const events = async () => {
      const read = await cairn('read', 'account/alice', '--json', ...here)
      t.equal(read.code, 0, read.stderr)
      return jsonLines<{ data: object; commandId: string }>(read)
    }

    const first: unknown = JSON.parse(await send(1, '--json'))
    t.match(first, { commandId: /^[\w-]{20,}$/, position: 1, duplicate: false })
    t.strictSame(Object.keys(first as object), ['commandId', 'position', 'duplicate'])
    t.equal(
      await send(2, '--command-id', 'mine'),
      'deposit for account/alice is stored as mine (inbox position 2)\n',
    )
    t.equal(
      await send(2, '--command-id', 'mine'),
      'deposit for account/alice was stored before as mine (inbox position 2)\n',
    )
    t.strictSame(JSON.parse(await send(2, '--command-id', 'mine', '--json')), {
      commandId: 'mine',
      position: 2,
      duplicate: true,
    })
    t.strictSame(await events(), [], 'no node runs: no command is handled yet')

    await using node = await startNode('--demo', ...here)
    await until(async () => (await events()).length === 2, {
      describe: 'a node has started and handles the waiting commands',
      timeout: 30_000,
      interval: 200,
    })
    isHosted = true
    t.match(JSON.parse(await send(3, '--json')), { position: 3, duplicate: false })
    await until(async () => (await events()).length === 3, {
      describe: 'a command sent while it runs is handled',
      timeout: 30_000,
      interval: 200,
    })
    const stored = await events()
    t.strictSame(
      stored.map(({ data }) => data),
      [{ amount: 1 }, { amount: 2 }, { amount: 3 }],
    )
    t.equal(stored[1]!.commandId, 'mine')
    t.equal(await node.stop(), 0)
  })

await t.test('a slip is refused with its field, and nothing is stored', async t => {
  const here = ['--ns', 'slips', '--nats', server.url]
  await using node = await startNode('--demo', ...here)
  for (const way of ['send', 'ask']) {
    const slip = (data: string, command = 'deposit') =>
      cairn(way, 'account/alice', command, data, ...here)
    isRefused(t, await slip('{"amuont":5}'), {
      code: 2,
      says: /alice is not valid: amount: /,
    })
    isRefused(t, await slip('{"amount":"5"}'), {
      code: 2,
      says: /alice is not valid: amount: /,
    })
    const misnamed = await slip('{"amount":5}', 'depositt')
    t.match(misnamed.stderr, /Did you mean deposit.*\[unknown-command\]/)
  }
  const inbox = await cairn('send', 'account/alice', 'deposit', '{"amount":5}', ...here)
  t.match(inbox.stdout, /inbox position 1/, 'nothing was stored before')
  const types = await cairn('actors', '--types', '--json', ...here)
  t.match(jsonLines(types), [
    {
      type: 'account',
      commands: { deposit: true, balance: false },
      events: { deposited: true, withdrawn: true },
      withoutSchema: ['command balance', 'state'],
    },
    { type: 'trip', commands: { reserve: false }, state: false },
  ])
  const local = await cairn('actors', '--types', '--demo', '--type', 'account')
  t.equal(local.stdout, 'account@1  no schema: command balance, state\n')
  t.equal((await cairn('actors', '--demo', ...here)).code, 2)
  t.equal(await node.stop(), 0)
})
