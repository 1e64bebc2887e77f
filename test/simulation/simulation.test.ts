// Many schedules, each with its own seed: 100, or 1,000 with `npm run test:simulation`. `SEED=n` replays only that
// seed, `SCHEDULES=n` runs n schedules, and `TRACE=file` writes their steps to a file.

import { writeFile } from 'node:fs/promises'

import t from 'tap'

import type { Step } from '../../src/testing/index.js'
import { newSeed } from '../../src/testing/random.js'
import { type Simulated, simulate } from './simulate.js'

const { SEED: seed, TRACE: trace } = process.env
const count = Number(process.env.SCHEDULES ?? 100)

t.setTimeout(180_000 + count * 1_000)

// Faults cause thousands of errors, and their stack traces would take most of the time.
if (seed === undefined) Error.stackTraceLimit = 0

void t.test('the promises hold for a cluster under random faults', async t => {
  const first = newSeed()
  const seeds =
    seed === undefined
      ? Array.from({ length: count }, (_, i) => first + i)
      : [Number(seed)]
  const begun = performance.now()
  const results: Simulated[] = []
  const failed: string[] = []
  const steps: string[] = []
  const onStep = ({ at, what }: Step) => steps.push(`${at} ${what}`)
  for (const each of seeds)
    try {
      results.push(await simulate(each, trace === undefined ? {} : { onStep }))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      failed.push(
        `${message}\n` +
          `Replay: SEED=${each} TRACE=steps.txt npm test -- test/simulation/simulation.test.ts`,
      )
    }
  if (trace !== undefined) await writeFile(trace, `${steps.join('\n')}\n`)
  const seconds = (performance.now() - begun) / 1000

  t.strictSame(failed.slice(0, 3), [], 'no schedule breaks a promise')
  const sum = (pick: (result: Simulated) => number) =>
    results.reduce((total, result) => total + pick(result), 0)
  const faults = Object.keys(results[0]?.faults ?? {}).map(name => {
    const total = sum(({ faults }) => faults[name as keyof typeof faults])
    return [name, total] as const
  })
  t.comment(
    `${results.length} schedules from seed ${seeds[0]} in ${seconds.toFixed(1)} s: ` +
      `${sum(({ summary }) => summary.commands)} commands, ` +
      `${sum(({ retries }) => retries)} sent again, ` +
      `${sum(({ summary }) => summary.duplicates)} duplicates, ` +
      `${sum(({ summary }) => summary.refused)} refused, ` +
      `${sum(({ summary }) => summary.unanswered)} unanswered, ` +
      `${sum(({ summary }) => summary.commits)} commits, ` +
      `${sum(({ conflicts }) => conflicts)} conflicts`,
  )
  t.comment(`faults: ${faults.map(([name, total]) => `${total} ${name}`).join(', ')}`)
  if (seed !== undefined) return
  // A simulation without faults would prove nothing.
  for (const [name, total] of faults) t.ok(total > 0, `${name} happened: ${total}`)
  t.ok(sum(({ conflicts }) => conflicts) > 0, 'nodes had conflicts')
  t.ok(sum(({ summary }) => summary.duplicates) > 0, 'duplicates were recognised')
})
