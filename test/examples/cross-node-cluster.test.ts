// A3.8: the cross-node example, on a cluster of servers.

import { readFile } from 'node:fs/promises'

import t from 'tap'

import { run } from '../multinode/harness.js'
import { startNatsCluster } from '../support/nats.js'

await t.test(
  'A3.8 the cross-node example runs against a cluster of real servers',
  async t => {
    await using cluster = await startNatsCluster(3)
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
