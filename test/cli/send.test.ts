// cairn send: a command is stored with no node there, and with nodes; each is carried out once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { cairn, startNode } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

await using server = await startNats()
const dir = await mkdtemp(join(tmpdir(), 'cairn-send-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))

const places: Readonly<Record<string, readonly string[]>> = {
  'on NATS': ['--ns', 'send', '--nats', server.url],
  'in a directory': ['--ns', 'send', '--embedded', dir],
}

for (const [place, here] of Object.entries(places))
  await t.test(`cairn send ${place}`, async t => {
    const send = async (amount: number, ...flags: string[]) => {
      const data = JSON.stringify({ amount })
      const args = ['send', 'account/alice', 'deposit', data, ...flags, ...here]
      const { code, stdout, stderr } = await cairn(...args)
      t.equal(code, 0, stderr)
      t.equal(stderr, '')
      return stdout
    }
    const events = async () => {
      const { code, stderr, lines } = await cairn(
        'read',
        'account/alice',
        '--json',
        ...here,
      )
      t.equal(code, 0, stderr)
      return lines.map(line => JSON.parse(line) as { data: object; commandId: string })
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
    t.strictSame(await events(), [], 'no node is there: nothing is carried out yet')

    await using node = await startNode('--demo', ...here)
    await until(async () => (await events()).length === 2, {
      describe: 'a node has come, and carries out what waited',
      timeout: 30_000,
      interval: 200,
    })
    t.match(JSON.parse(await send(3, '--json')), { position: 3, duplicate: false })
    await until(async () => (await events()).length === 3, {
      describe: 'and what is sent while it runs',
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
