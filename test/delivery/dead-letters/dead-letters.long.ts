// 50,000 dead letters sent again: `npm run test:reactors`.

import t from 'tap'

import { jetstream } from '../../../src/backend/jetstream.js'
import type { NodeOptions } from '../../../src/runtime/options.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { run } from '../../multinode/harness.js'
import { forgetPeak, peakOf } from '../../support/memory.js'
import { startNats } from '../../support/nats.js'
import { until } from '../../support/wait.js'
import { ailing, areHandled, giveUpMany, counting } from './redrive.js'

const timeout = 1_800_000
t.setTimeout(timeout * 3)
const count = 50_000

await t.test('50,000 dead letters are sent again in bounded memory', async t => {
  await using server = await startNats()
  const watched = counting(jetstream({ servers: server.url }))
  const sick = ailing()
  const start = async (options: Partial<NodeOptions>) => {
    const node = await startNode({ namespace: 'dlq', store: watched.backend, ...options })
    t.teardown(() => node.close())
    return node
  }
  const node = await giveUpMany(start, sick, count, timeout)
  sick.recover()
  await forgetPeak(process.pid)
  const before = await peakOf(process.pid)
  let heap = 0
  const weighing = setInterval(() => {
    heap = Math.max(heap, process.memoryUsage().heapUsed / 2 ** 20)
  }, 100)
  t.teardown(() => clearInterval(weighing))
  const begun = performance.now()
  t.equal(await node.deadLetters.retryAll(), count)
  const { again } = await areHandled(t, node, sick, count, timeout)
  const peak = await peakOf(process.pid)
  t.equal(again, 0, 'none is handled twice')
  const { puts, removes, openMax } = watched.calls
  t.equal(puts, count, 'no put too many')
  t.equal(removes, count, 'no removal too many')
  t.ok(openMax <= 64, `${openMax} writes at a time`)
  t.equal(sick.seen.calls, 2 * count, 'no attempt too many')
  t.ok(sick.seen.openMax <= 1_000, `${sick.seen.openMax} handled at a time`)
  t.comment(
    `${count} sent again and handled in ${((performance.now() - begun) / 1_000).toFixed(0)} s, ` +
      `${openMax} writes and ${sick.seen.openMax} handlers at a time; ` +
      `rss ${before} MiB before and ${peak} MiB at most, heap ${Math.round(heap)} MiB at most`,
  )
})

await t.test('a process that redrives all dead letters is killed half way', async t => {
  await using server = await startNats()
  const sick = ailing()
  const start = async (options: Partial<NodeOptions>) => {
    const store = jetstream({ servers: server.url })
    const node = await startNode({ namespace: 'dlq', store, ...options })
    t.teardown(() => node.close())
    return node
  }
  const node = await giveUpMany(start, sick, count, timeout)
  sick.recover()
  const flags = ['--ns', 'dlq', '--nats', server.url]
  const killed = run(['dist/cli/main.js', 'dlq', 'retry-all', ...flags])
  const first = async () => {
    for await (const { position } of node.deadLetters.list()) return position
    return Infinity
  }
  await until(async () => (await first()) > count / 2, { describe: 'half way', timeout })
  killed.child.kill('SIGKILL')
  await killed.ended
  const left = await node.deadLetters.retryAll({ dryRun: true })
  t.ok(left > 0 && left < count, `${left} are left`)
  const again = run(['dist/cli/main.js', 'dlq', 'retry-all', ...flags])
  t.equal(await again.ended, 0, again.stderr())
  const handled = await areHandled(t, node, sick, count, timeout)
  t.ok(handled.again <= 64, `${handled.again} of those under way were handled again`)
  t.comment(`killed with ${left} of ${count} left; ${handled.again} were handled twice`)
})
