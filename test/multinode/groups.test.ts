// Reactors and actors in processes of their own: groups share messages, and a command reaches one worker.

import { connect } from 'nats'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { run } from './harness.js'

const namespace = 'groups'
const patience = { timeout: 60_000 }
const mailed = defineTopic('mails.sent')
/** What this process has to know of an actor type that others host. */
const trip = defineActor({
  type: 'trip',
  initialState: 0,
  decide: { end: (_state, n: number) => event('ended', n) },
  evolve: { ended: count => count + 1 },
})

await using server = await startNats()

type Line =
  | { kind: 'handled'; group: string; message: string }
  | { kind: 'owns'; group: string; partitions: number }
  | { kind: 'charging'; commandId: string }

/** Starts a process, and reads what it has told. */
function start(id: string, groups: readonly string[], hosts = false) {
  const options = { servers: server.url, namespace, id, groups, hosts }
  const program = run(['test/support/programs/grouped.mjs', JSON.stringify(options)])
  t.teardown(() => program.child.kill('SIGKILL'))
  const lines = () =>
    program
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Line)
  return {
    ...program,
    owned: (group: string) =>
      lines().reduce(
        (last, line) =>
          line.kind === 'owns' && line.group === group ? line.partitions : last,
        0,
      ),
    handled: (group: string) =>
      lines().flatMap(line =>
        line.kind === 'handled' && line.group === group ? [line.message] : [],
      ),
    charging: () =>
      lines().flatMap(line => (line.kind === 'charging' ? [line.commandId] : [])),
  }
}

await t.test(
  'A0.2 A1.7 of processes, each group gets each message once and shares it, and one worker gets a command',
  async t => {
    const pricing = [1, 2].map(n => start(`pricing-${n}`, ['pricing'], true))
    const audit = [start('audit', ['audit'])]
    const notify = [start('notify', ['notify'])]
    const groups = { pricing, audit, notify }
    const processes = Object.values(groups).flat()
    for (const [name, members] of Object.entries(groups))
      await until(
        () => {
          const shares = members.map(member => member.owned(name))
          return shares.every(Boolean) && shares.reduce((a, b) => a + b) === 16
        },
        { describe: `each process of ${name} has its share`, ...patience },
      )
    const store = jetstream({ servers: server.url })
    await using client = await startNode({ namespace, store, id: 'client' })
    await using again = await startNode({ namespace, store, id: 'again' })
    const ids = Array.from({ length: 20 }, (_, n) => `t${n}`)
    const asked = ids.map((id, n) => client.spawn(trip, id).ask('end', n))
    for (const outcome of await Promise.all(asked)) t.equal(outcome.version, 1)
    const mails = ids.map(id => `mail-${id}`)
    for (const id of mails) {
      const sent = await client.publish(mailed, id, { id })
      // Its publisher has had no answer, and another process publishes it for it.
      const repeated = await again.publish(mailed, id, { id })
      t.match(repeated, { duplicate: true, position: sent.position }, id)
    }
    const all = [...ids.map(id => `trip/${id}/1#1`), ...mails].toSorted()
    const commands = ids.map(id => `trip/${id}/1#0`).toSorted()
    // The last of everything: what comes twice has come twice by then.
    await client.publish(mailed, 'last', { id: 'last' })
    for (const [name, members] of Object.entries(groups)) {
      const handled = () => members.flatMap(member => member.handled(name))
      const hasAll = () => new Set(handled()).size === all.length + 1
      await until(hasAll, { describe: `${name} has all`, ...patience })
      t.strictSame(
        handled().toSorted(),
        [...all, 'last'].toSorted(),
        `${name} gets each message once`,
      )
      for (const member of members)
        t.ok(member.handled(name).length > 0, `each process of ${name} gets some`)
    }
    const charging = () => processes.flatMap(member => member.charging())
    await until(() => charging().length >= commands.length, patience)
    for (const { child, ended, stderr } of processes) {
      child.kill('SIGTERM')
      t.equal(await ended, 0, stderr())
    }
    t.strictSame(charging().toSorted(), commands, 'one process decides each command')
    for (const [name, members] of Object.entries(groups))
      t.equal(
        members.flatMap(member => member.handled(name)).length,
        all.length + 1,
        `${name} has had no message again until its end`,
      )
    const nc = await connect({ servers: server.url })
    t.teardown(() => nc.close())
    const { streams } = await nc.jetstreamManager()
    const { state } = await streams.info(`CAIRN_${namespace}_TOPICS`)
    t.equal(state.last_seq, mails.length + 1, 'a repeated message is stored once')
  },
)
