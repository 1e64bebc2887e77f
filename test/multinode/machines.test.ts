// Children and delays of machines, and work of deciders, in real processes: the owner is killed while they run.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { throughDeaths } from './deadline.js'
import { cairn, startNode } from './harness.js'

await using server = await startNats()
const patience = { timeout: 120_000 }

/** An actor that works once it is asked to, the key of its work, and its history at the end. */
interface Worked {
  readonly file: string
  readonly actor: string
  readonly command: string
  readonly key: string
  readonly events: readonly string[]
}

const machine: Worked = {
  file: 'test/support/actors/worker.mjs',
  actor: 'worker/w',
  command: 'begin',
  key: 'worker/w/2#work',
  events: ['xstate.init', 'begin', 'xstate.done.actor.work'],
}
const decider: Worked = {
  file: 'test/support/actors/payer.mjs',
  actor: 'payer/p',
  command: 'pay',
  key: 'payer/p/1#0',
  events: ['paying', 'paid'],
}

async function throughKills(
  t: Test,
  { file, actor, command, key, events }: Worked,
): Promise<void> {
  const works = join(t.testdir(), 'works')
  writeFileSync(works, '')
  process.env['WORKS'] = works
  const at = ['--ns', actor.split('/')[0]!, '--nats', server.url]
  const serve = ['--actors', file]
  const starts = () =>
    readFileSync(works, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(' ') as [pid: string, key: string])
  const nodes = [await startNode(...at, ...serve), await startNode(...at, ...serve)]
  t.teardown(() => Promise.all(nodes.map(node => node.kill())))

  const begun = await cairn('ask', actor, command, ...at, '--json')
  t.equal(begun.code, 0, begun.stderr)
  for (const round of [1, 2]) {
    await until(() => starts().length === round, {
      ...patience,
      describe: `start ${round}, with nobody asking`,
    })
    const [pid] = starts().at(-1)!
    const owner = nodes.find(node => String(node.pid) === pid)
    if (owner === undefined) throw new Error(`no node has pid ${pid}`)
    await owner.kill()
    // The second time nobody is left: a node that was not there takes over.
    if (round === 2) nodes.push(await startNode(...at, ...serve))
  }
  await until(() => starts().length === 3, { ...patience, describe: 'the last start' })
  t.equal(new Set(starts().map(([pid]) => pid)).size, 3, 'each by another process')
  t.strictSame(new Set(starts().map(([, key]) => key)), new Set([key]))

  writeFileSync(`${works}.done`, '')
  const isOver = async () => {
    const { stdout } = await cairn('state', actor, ...at, '--json')
    return stdout.includes('"status":"done"')
  }
  await until(isOver, { ...patience, describe: 'it ends' })
  const { lines } = await cairn('read', actor, ...at, '--json')
  const read = lines.map(line => (JSON.parse(line) as { type: string }).type)
  t.strictSame(read, events, 'once')
}

await t.test('what ran on a killed node runs on the next, and ends once', t =>
  throughKills(t, machine),
)
await t.test('the same for work of a decider', t => throughKills(t, decider))

await t.test(
  'xstate 5331: a machine with a 3 s delay, its owner killed at 1 s, server restarted at 2 s: the transition happens once, at its deadline',
  async t => {
    const drifts = await throughDeaths(t, server, 4)
    t.comment(`behind their deadlines by ${drifts.join(', ')} ms`)
  },
)
