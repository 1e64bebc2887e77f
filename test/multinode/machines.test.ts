// Children of machines in real processes: the owner is killed while they run.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { startNode as startHere } from '../../src/start.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { cairn, startNode } from './harness.js'

await using server = await startNats()
const patience = { timeout: 120_000 }

await t.test('what ran on a killed node runs on the next, and ends once', async t => {
  const works = join(t.testdir(), 'works')
  writeFileSync(works, '')
  process.env['WORKS'] = works
  const at = ['--ns', 'machines', '--nats', server.url]
  const serve = ['--actors', 'test/support/actors/worker.mjs']
  const starts = () =>
    readFileSync(works, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => line.split(' ') as [pid: string, key: string])
  const nodes = [await startNode(...at, ...serve), await startNode(...at, ...serve)]
  t.teardown(() => Promise.all(nodes.map(node => node.kill())))

  const begun = await cairn('ask', 'worker/w', 'begin', ...at, '--json')
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
  t.strictSame(new Set(starts().map(([, key]) => key)), new Set(['worker/w/2#work']))

  writeFileSync(`${works}.done`, '')
  const isOver = async () => {
    const { stdout } = await cairn('state', 'worker/w', ...at, '--json')
    return stdout.includes('"status":"done"')
  }
  await until(isOver, { ...patience, describe: 'it ends' })
  const { lines } = await cairn('read', 'worker/w', ...at, '--json')
  const read = lines.map(line => (JSON.parse(line) as { type: string }).type)
  t.strictSame(read, ['xstate.init', 'begin', 'xstate.done.actor.work'], 'once')
})

await t.test(
  'xstate 5331: a delay ends once, although its owner is killed and the server restarted meanwhile',
  async t => {
    const at = ['--ns', 'deadlines', '--nats', server.url]
    const serve = ['--actors', 'test/support/actors/deadline.mjs']
    const store = jetstream({ servers: server.url })
    await using onlooker = await startHere({ namespace: 'deadlines', store })
    const first = await startNode(...at, ...serve)
    t.teardown(() => first.kill())
    const actors = ['a', 'b', 'c', 'd'].map(id => ({ type: 'deadline', id }))
    await until(() => onlooker.members().length > 0, patience)
    for (const actor of actors) await onlooker.ask(actor, 'begin')
    const eventsOf = async (actor: ActorAddress) => {
      const events: RecordedEvent[] = []
      for await (const event of onlooker.store.read(actor))
        if (event.kind === 'event') events.push(event)
      return events
    }
    const begun = (await eventsOf(actors.at(-1)!)).at(-1)!.at
    await until(() => Date.now() > begun + 1_000, patience)
    await first.kill()
    await until(() => Date.now() > begun + 2_000, patience)
    await server.kill()
    await server.restart()
    await using next = await startNode(...at, ...serve)
    for (const actor of actors)
      await until(async () => (await eventsOf(actor)).length > 2, {
        ...patience,
        describe: `the deadline of ${actor.id} is over`,
      })
    await until(
      async () => {
        for await (const _ of onlooker.timers()) return false
        return true
      },
      { ...patience, describe: 'no timer is left' },
    )
    for (const actor of actors) {
      const events = await eventsOf(actor)
      t.strictSame(
        events.map(({ type }) => type),
        ['xstate.init', 'begin', 'xstate.after.deadline.deadline.waiting'],
        'once',
      )
      t.ok(events[2]!.at >= events[1]!.at + 3_000, 'and not before its moment')
    }
    t.equal(await next.stop(), 0)
  },
)
