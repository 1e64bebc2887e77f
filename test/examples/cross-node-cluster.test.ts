// A3.8: the cross-node example, on a cluster of servers; and what it shows, with each node in a process of its own that
// is connected to another server.

import { readFile } from 'node:fs/promises'

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { run } from '../multinode/harness.js'
import { startNatsCluster } from '../support/nats.js'
import { until } from '../support/wait.js'

await using cluster = await startNatsCluster(3)

await t.test(
  'A3.8 the cross-node example runs against a cluster of real servers',
  async t => {
    const example = run(['examples/dist/02-cross-node-broadcast/main.js'], {
      NATS_URL: cluster.url,
    })
    t.equal(await example.ended, 0, example.stderr())
    const readme = await readFile('examples/02-cross-node-broadcast/README.md', 'utf8')
    const printed = example.stdout().trim().split('\n')
    t.ok(printed.length >= 9)
    for (const line of printed) t.ok(readme.includes(line), line)
  },
)

await t.test(
  'A3.1 A3.8 a process on another server follows without a read, and a stale writer gets a conflict',
  async t => {
    const start = (n: number, options: object) => {
      const servers = cluster.urls[n]
      const program = run([
        'test/support/programs/peer.mjs',
        JSON.stringify({ servers, namespace: 'peers', ...options }),
      ])
      t.teardown(() => program.child.kill('SIGKILL'))
      let isOver = false
      void program.ended.then(() => (isOver = true))
      return {
        ...program,
        /** What it tells of a kind, as soon as it does. */
        async told(kind: string): Promise<Record<string, unknown>> {
          const find = () =>
            program
              .stdout()
              .split('\n')
              .slice(0, -1)
              .map(line => JSON.parse(line) as Record<string, unknown>)
              .find(line => line['kind'] === kind)
          await until(() => isOver || find() !== undefined, {
            describe: `it tells "${kind}"`,
            timeout: 90_000,
          })
          return find() ?? { kind: `it ended: ${program.stderr()}` }
        },
      }
    }
    const count = 50
    const reader = start(1, { id: 'reader', after: count, write: 1 })
    const stranger = start(2, { id: 'stranger', namespace: 'others', after: 0, write: 1 })
    const { kind: _ready, ...before } = await reader.told('ready')
    await stranger.told('done')
    const writer = start(0, { id: 'writer', after: 0, write: count, until: count + 1 })
    t.match(await writer.told('wrote'), { kind: 'wrote', version: count })
    t.strictSame(
      await reader.told('cached'),
      { kind: 'cached', version: count, ...before },
      'the cache of the reader has followed, and it has read nothing',
    )
    t.match(await reader.told('wrote'), { kind: 'wrote', version: count + 1 })
    t.strictSame(await writer.told('late'), {
      kind: 'late',
      expected: count,
      actual: count + 1,
    })
    t.match(await stranger.told('wrote'), { version: 1 }, 'in its own namespace')
    writer.child.kill('SIGKILL')
    t.equal(await writer.ended, null)
    const store = jetstream({ servers: cluster.url })
    await using open = await store.open({ namespace: 'peers', nodeId: 'test' })
    const writers: string[] = []
    for await (const record of open.store.read({ type: 'account', id: 'shared' }))
      if (record.kind === 'event') writers[record.version - 1] = record.nodeId
    t.strictSame(
      writers,
      [...Array.from({ length: count }, () => 'writer'), 'reader'],
      'one history, in which nothing is lost when the writer is killed',
    )
    for (const { child, ended, stderr } of [reader, stranger]) {
      child.kill('SIGTERM')
      t.equal(await ended, 0, stderr())
    }
    t.match(await stranger.told('heard'), { notices: 1 }, 'of its own namespace alone')
  },
)
