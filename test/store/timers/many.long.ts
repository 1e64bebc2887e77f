// 100,000 timers in a namespace, in bounded memory of the node and of the server. Run by
// `npm run test:timers`, on Linux, which reports the memory of a process; TIMERS sets how many.

import t from 'tap'

import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { forgetPeak, peakOf } from '../../support/memory.js'
import { startNats } from '../../support/nats.js'
import { manyTimers, order } from './many.js'

const count = Number(process.env['TIMERS'] ?? 100_000)
const timeout = 30 * 60_000
t.setTimeout(4 * timeout)
/** MiB by which a process may grow, at most: about 10 KiB per timer. */
const grownMax = 1_024

await using server = await startNats()
const places = {
  JetStream: { backend: jetstream({ servers: server.url }), serverPid: server.pid },
  'the embedded store': { backend: embedded({ dir: t.testdir() }), serverPid: undefined },
}

for (const [place, { backend, serverPid }] of Object.entries(places))
  await t.test(`${count} timers, on ${place}`, async t => {
    await using node = await startNode({
      namespace: 'many',
      store: backend,
      actors: [order],
    })
    const pids = {
      node: process.pid,
      ...(serverPid !== undefined && { server: serverPid }),
    }
    const peaks = async () => {
      const entries = Object.entries(pids).map(async ([name, pid]) => {
        const peak = await peakOf(pid)
        await forgetPeak(pid)
        return [name, peak] as const
      })
      return Object.fromEntries(await Promise.all(entries))
    }
    for (const pid of Object.values(pids)) await forgetPeak(pid)
    const before = await peaks()
    const highest = { ...before }
    let since = performance.now()
    t.comment(`before: ${JSON.stringify(before)} MiB`)
    await manyTimers(t, node, {
      count,
      timeout,
      async onStep(what, timers) {
        const now = await peaks()
        const seconds = ((performance.now() - since) / 1_000).toFixed(1)
        since = performance.now()
        for (const [name, peak] of Object.entries(now))
          highest[name] = Math.max(peak, highest[name]!)
        const held = Object.entries(now).map(([name, peak]) => `${name} ${peak} MiB`)
        t.comment(`${timers} ${what} in ${seconds} s; at most ${held.join(', ')}`)
      },
    })
    for (const [name, peak] of Object.entries(highest)) {
      t.comment(`the ${name} held ${peak} MiB at most`)
      t.ok(peak - before[name]! < grownMax, `${name}: ${peak - before[name]!} MiB more`)
    }
  })
