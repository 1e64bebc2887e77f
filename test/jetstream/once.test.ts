// P4 on one real server, and from the command line.

import t from 'tap'

import { cairn, startNode } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace } from './nodes.js'
import { provesOnce } from './once.js'

await using server = await startNats()
await provesOnce(t, { urls: [server.url] })

await t.test(
  'the command line asks again with an id and reports the duplicate',
  async t => {
    const namespace = freshNamespace()
    const flags = ['--ns', namespace, '--nats', server.url]
    const ask = (...more: string[]) =>
      cairn('ask', 'account/alice', 'deposit', '{"amount":5}', ...more, ...flags)
    await using first = await startNode(...flags, '--demo')
    const once = ['--command-id', 'c1']
    const told = await ask('--json', ...once)
    t.equal(told.code, 0, told.stderr)
    const answer = { version: 1, position: 1, reply: { balance: 5 } }
    t.strictSame(JSON.parse(told.stdout), { ...answer, duplicate: false })
    await first.kill()
    await using _second = await startNode(...flags, '--demo')
    const again = await until(
      async () => {
        const { code, stdout } = await ask('--json', ...once, '--timeout', '2000')
        return code === 0 && stdout
      },
      { describe: 'the second node answers', timeout: 20_000 },
    )
    t.strictSame(JSON.parse(again), { ...answer, duplicate: true })
    t.match((await ask(...once)).stdout, /was at version 1 .*answered before/)
    t.strictSame(JSON.parse((await ask('--json')).stdout), {
      version: 2,
      position: 2,
      reply: { balance: 10 },
      duplicate: false,
    })
  },
)
