// Many schedules, each begun from its seed: 100, and 1,000 with `npm run test:simulation`. `SEED=n` runs that of one seed alone,
// `SCHEDULES=n` more or fewer than usual.

import t from 'tap'

import { newSeed } from '../../src/testing/random.js'
import { type Simulated, simulate } from './simulate.js'

const one = process.env.SEED
const count = Number(process.env.SCHEDULES ?? 100)
/** At a time: while one waits, the others go on. */
const width = 16

t.setTimeout(180_000 + count * 1_000)

// Faults are thousands of errors, and writing out their traces would be nearly all the time.
if (one === undefined) Error.stackTraceLimit = 0

void t.test('whatever happens to a cluster, its promises hold', async t => {
  const first = newSeed()
  const seeds =
    one === undefined ? Array.from({ length: count }, (_, i) => first + i) : [Number(one)]
  const begun = performance.now()
  const results: Simulated[] = []
  const failed: string[] = []
  const next = seeds.values()
  const work = async () => {
    for (const seed of next)
      try {
        results.push(await simulate(seed))
      } catch (error) {
        failed.push(
          `SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`,
        )
      }
  }
  await Promise.all(Array.from({ length: width }, work))
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
      `${sum(({ repeats }) => repeats)} of them repeats, ` +
      `${sum(({ summary }) => summary.duplicates)} recognised, ` +
      `${sum(({ summary }) => summary.refused)} refused, ` +
      `${sum(({ summary }) => summary.unanswered)} unanswered, ` +
      `${sum(({ summary }) => summary.commits)} commits, ` +
      `${sum(({ conflicts }) => conflicts)} conflicts`,
  )
  t.comment(`faults: ${faults.map(([name, total]) => `${total} ${name}`).join(', ')}`)
  if (one !== undefined) return
  // A simulation in which nothing goes wrong would prove nothing.
  for (const [name, total] of faults) t.ok(total > 0, `${name} happened: ${total}`)
  t.ok(sum(({ conflicts }) => conflicts) > 0, 'nodes met')
  t.ok(sum(({ summary }) => summary.duplicates) > 0, 'commands were recognised')
})
