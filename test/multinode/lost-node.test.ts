// The other nodes say once that a node is lost, and say nothing of one that leaves in order.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { type NodeProcess, startNode } from './harness.js'

await using server = await startNats()
const dir = await mkdtemp(join(tmpdir(), 'cairn-lost-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))

/** What a node says of others that it has given up. */
const warnings = ({ lines }: NodeProcess) =>
  lines.filter(({ level, lost }) => (level as number) >= 40 && lost !== undefined)

/** Whether a node has seen that another one is gone. */
const misses = ({ lines }: NodeProcess, id: string) =>
  lines.some(({ left }) => Array.isArray(left) && left.includes(id))

for (const [where, flags] of Object.entries({
  'a server': ['--nats', server.url],
  'one directory': ['--embedded', dir],
}))
  await t.test(`of nodes on ${where}`, async t => {
    const start = (id: string) =>
      startNode('--ns', 'lost', ...flags, '--demo', '--id', id)
    await using a = await start('a')
    await using b = await start('b')
    await using leaving = await start('leaving')
    await using killed = await start('killed')
    t.equal(await leaving.stop(), 0)
    await until(() => misses(a, 'leaving') && misses(b, 'leaving'))
    await killed.kill()
    await until(() => warnings(a).length > 0 && warnings(b).length > 0)
    t.equal(await b.stop(), 0)
    await until(() => misses(a, 'b'))
    for (const node of [a, b]) {
      const [line, ...more] = warnings(node)
      t.match(line, { level: 40, part: 'cluster', lost: 'killed' })
      t.match(line?.msg, /^Node killed is given up: it no longer answers.*see whether/)
      t.strictSame(more, [])
    }
  })
