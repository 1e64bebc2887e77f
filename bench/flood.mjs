// A program of the bench: a process that offers work at a fixed rate, whether or not what it has offered is answered.
//
// It reads one JSON object a line from stdin, `{ rate, ms, timeout }`, and answers with what came of it in one line. `rate`
// is pieces a second; 0 keeps `pending` pieces under way instead, which finds the capacity.
import { defineTopic, jetstream, memory, startNode } from 'cairn-es'
import { createInterface } from 'node:readline'
import { counter } from './actors.mjs'
import { percentile } from './stats.mjs'

const [, , kind = 'ask', namespace = 'bench', servers = '', id = 'flood'] = process.argv
const actorCount = 1_000
/** Milliseconds between two looks at what is due. */
const step = 5

const store = servers === '' ? memory() : jetstream({ servers })
const actors = servers === '' ? [counter] : []
const node = await startNode({ namespace, store, id, actors })
const topic = defineTopic('bench.flood')
const to = Array.from({ length: actorCount }, (_, i) => ({
  type: 'counter',
  id: `c${i}`,
}))

/** @type {Record<string, (i: number, timeout: number) => Promise<unknown>>} */
const kinds = {
  ask: (i, timeout) =>
    node.ask(to[i % actorCount] ?? { type: '', id: '' }, 'add', { by: 1 }, { timeout }),
  append: (i, timeout) =>
    node.store.append(
      { type: 'flood', id: `${id}-${i % 50_000}` },
      [{ type: 'added', data: { by: 1 } }],
      { timeout },
    ),
  publish: (_, timeout) => node.publish(topic, { by: 1 }, { timeout }),
}
const begin = kinds[kind]
if (begin === undefined) throw new Error(`there is no work ${kind}`)

const pause = (/** @type {number} */ ms) =>
  new Promise(resolve => setTimeout(resolve, ms))

/** @param {{ rate: number, ms: number, timeout: number, pending: number }} load */
const offer = async ({ rate, ms, timeout, pending }) => {
  /** @type {number[]} */
  const latencies = []
  /** @type {Record<string, number>} */
  const errors = {}
  let [open, offered, done] = [0, 0, 0]
  const startedAt = performance.now()
  const one = () => {
    const at = performance.now()
    const ended = () => {
      open--
      // The capacity is found with as many under way at every moment.
      if (rate === 0 && performance.now() - startedAt < ms) one()
    }
    open++
    begin(offered++, timeout).then(
      () => {
        done++
        latencies.push(performance.now() - at)
        ended()
      },
      error => {
        ended()
        const code = error.code ?? String(error)
        errors[code] = (errors[code] ?? 0) + 1
      },
    )
  }
  for (;;) {
    const passed = performance.now() - startedAt
    if (passed >= ms) break
    if (rate === 0) while (offered < pending) one()
    else {
      // What could not be offered in time is lost: this process is slower than its rate.
      const due = Math.min((rate * passed) / 1_000 - offered, rate / 10)
      for (let i = 0; i < due; i++) one()
    }
    await pause(rate === 0 ? 1 : step)
  }
  const tookMs = performance.now() - startedAt
  // What ends later is counted, too: it was offered in time.
  const doneInTime = done
  while (open > 0) await pause(10)
  return {
    offered,
    done,
    errors,
    perSecond: (doneInTime / tookMs) * 1_000,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    memory: process.memoryUsage.rss(),
  }
}

process.on('unhandledRejection', error => {
  process.stderr.write(`unhandled: ${String(error)}\n`)
  process.exit(1)
})
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await offer(JSON.parse(line)))}\n`)
await node.close({ timeout: 1_000 })
process.exit(0)
