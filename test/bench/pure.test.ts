// The parts of the bench that decide what its figures mean.

import t from 'tap'

import { findAffected, latencyOf } from '../../bench/affected.mjs'
import { checkVersions } from '../../bench/check-log.mjs'
import { parseFlags, select } from '../../bench/flags.mjs'
import { slope } from '../../bench/growth.mjs'
import { lineOf, resultsTable } from '../../bench/results.mjs'
import { median, percentile, round, summarize } from '../../bench/stats.mjs'
import { table } from '../../bench/table.mjs'
import { Traffic } from '../../bench/traffic.mjs'
import { memory } from '../../src/backend/memory.js'
import { until } from '../support/wait.js'

await t.test('medians and percentiles are of what was measured', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 3, 2]), 2.5)
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
  t.equal(percentile(hundred, 50), 50)
  t.equal(percentile(hundred, 99), 99)
  t.equal(percentile(hundred, 100), 100)
  t.equal(percentile([7], 99), 7)
  t.ok(Number.isNaN(percentile([], 50)), 'of nothing there is none')
  t.equal(round(1234.56), 1235)
  t.equal(round(0.012345), 0.0123)
})

await t.test('a summary tells medians, extremes and counts of its runs', async t => {
  const sample = (value: number, baseline: number) => ({
    value,
    baseline,
    medians: { p99: value / 10 },
    maxima: { longest: value },
    sums: { verified: 5 },
  })
  const summary = summarize([sample(100, 400), sample(300, 600), sample(200, 500)])
  t.strictSame(summary, {
    value: 200,
    baseline: 500,
    ratio: 0.4,
    runs: 3,
    min: 100,
    max: 300,
    p99: 20,
    longest: 300,
    verified: 15,
  })
  t.throws(() => summarize([]), /without a run/)
})

await t.test('a line has its keys in order, and the table has a row for it', async t => {
  const summary = summarize([{ value: 2_000, baseline: 4_000, sums: { verified: 9 } }])
  const circumstances = { node: 'v20', server: '2.14.5', durability: 'R1' }
  const line = lineOf('append-1', 'appends/s', summary, circumstances)
  t.strictSame(Object.keys(line), [
    'bench',
    'value',
    'unit',
    'baseline',
    'ratio',
    'runs',
    'min',
    'max',
    'node',
    'server',
    'durability',
    'verified',
  ])
  t.match(
    resultsTable([{ ...line, failed: 3 }]),
    /^append-1 +2,000 +appends\/s .* 4,000 +0\.5 +3$/m,
  )
})

await t.test('a table aligns names left and figures right', async t => {
  const rows = [
    ['a', '1'],
    ['long', '1,000'],
  ]
  t.equal(
    table(['name', 'n'], rows),
    [
      'name      n', //
      '----  -----',
      'a         1',
      'long  1,000',
      '',
    ].join('\n'),
  )
})

await t.test('flags are read, and those that make no sense refused', async t => {
  t.match(parseFlags([]), {
    only: [],
    quick: false,
    json: false,
    syncAlways: false,
    replicas: 1,
  })
  t.match(parseFlags(['--only', 'pause,ask-1', '--quick', '--replicas', '3']), {
    only: ['pause', 'ask-1'],
    quick: true,
    replicas: 3,
  })
  t.throws(() => parseFlags(['--replicas', '2']), { name: 'UsageError' })
  t.throws(() => parseFlags(['--fast']), { name: 'UsageError' })
  t.match(parseFlags(['append-1', '--quick']), { only: ['append-1'], quick: true })
})

await t.test('--only means one benchmark, or all that begin with the word', async t => {
  const all = ['pause-kill', 'append-1', 'append-16', 'ask-1', 'remote-ask-1'].map(
    name => ({ name }),
  )
  const names = (...only: string[]) => select(all, only).map(({ name }) => name)
  t.strictSame(names(), ['pause-kill', 'append-1', 'append-16', 'ask-1', 'remote-ask-1'])
  t.strictSame(names('append-1'), ['append-1'])
  t.strictSame(names('ask', 'append'), ['append-1', 'append-16', 'ask-1'])
  t.throws(() => names('append-1', 'appendix'), /appendix.*append-16/)
})

await t.test('a log that is not what was acknowledged is not verified', async t => {
  await using open = await memory().open({ namespace: 'bench', nodeId: 'n' })
  const { store } = open
  for (const id of ['a', 'a', 'b'])
    await store.append({ type: 'counter', id }, [{ type: 'added', data: 1 }])
  const notVerified = { name: 'NotVerified' }
  const check = (...versions: [string, number][]) =>
    checkVersions(store, new Map(versions))
  t.equal(await check(['a', 2], ['b', 1]), 3)
  await t.rejects(
    check(['a', 3], ['b', 1]),
    notVerified,
    'an acknowledged one is missing',
  )
  await t.rejects(check(['a', 1], ['b', 1]), notVerified, 'one is there too many')
  await t.rejects(check(['a', 2]), notVerified, 'an actor is there too many')
  await t.rejects(check(['a', 2], ['b', 1], ['c', 1]), notVerified, 'an actor is missing')
})

await t.test('requests are sent when they are due, answered or not', async t => {
  const traffic = new Traffic({
    actors: 2,
    every: 2,
    prefix: 'x',
    send: actor =>
      actor === 0 ? new Promise<number>(() => {}) : Promise.reject(new Error('refused')),
  })
  traffic.start()
  await until(() => traffic.requests.length >= 10, { describe: 'ten requests' })
  traffic.stop()
  const [first, second, third] = traffic.requests
  t.equal(first?.answeredAt, undefined, 'nobody answered the first')
  t.equal(second?.failure, 'refused')
  t.equal(third?.actor, 0, 'and its actor got the next one all the same')
  t.equal(Math.round(third!.due - first!.due), 2)
  t.ok(traffic.open >= 5)
})

await t.test('affected is what a lost node made wait, and nothing else', async t => {
  let n = 0
  const request = (actor: number, due: number, answeredAt: number, writer: string) => ({
    actor,
    due,
    answeredAt,
    writer,
    version: 1,
    commandId: `c${n++}`,
  })
  const ofLost = [
    request(0, 0, 2, 'lost'), // before the undisturbed time
    request(0, 12, 15, 'lost'), // undisturbed
    request(0, 19, 21, 'lost'), // under way at the signal, and still answered
    request(0, 22, 40, 'next'), // waited for the next owner
    request(0, 30, 41, 'next'), // due while it was waited for
    request(0, 42, 43, 'next'), // after it
  ]
  const ofNext = [request(1, 12, 13, 'next'), request(1, 22, 24, 'next')]
  const requests = [...ofNext, ...ofLost]
  const writers = new Map(requests.map(({ commandId, writer }) => [commandId, writer]))
  const lost = { node: 'lost', calmFrom: 10, signalAt: 20 }
  const { affected, before } = findAffected(requests, writers, lost)
  t.strictSame(affected, ofLost.slice(2, 5))
  t.strictSame(before, [ofLost[1]])
  t.strictSame(affected.map(latencyOf), [2, 18, 11])
})

await t.test('growth is told by its exponent', async t => {
  const sizes = [1_000, 100_000, 1_000_000]
  const exponent = (cost: (size: number) => number) =>
    Math.round(slope(sizes, sizes.map(cost)) * 1_000) / 1_000
  t.equal(
    exponent(() => 7),
    0,
    'flat',
  )
  t.equal(
    exponent(size => size / 9),
    1,
    'as fast as what grows',
  )
  t.equal(
    exponent(size => Math.sqrt(size)),
    0.5,
  )
})
