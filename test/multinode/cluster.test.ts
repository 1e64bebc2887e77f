// A cluster of three servers with a replicated log; servers are killed and come back while
// two nodes serve and commands keep coming.

import { connect } from 'nats'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { logStream } from '../../src/nats/subjects.js'
import { type NatsServer, startNatsCluster } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'
import { examine, holds, Load } from './load.js'

await using cluster = await startNatsCluster()
const manager = await connect({ servers: [...cluster.urls] })
t.teardown(() => manager.close())

/** The stream as its leader tells of it; asked again until one answers. */
async function streamOf(namespace: string) {
  const { streams } = await manager.jetstreamManager({ timeout: 1_000, checkAPI: false })
  return until(
    async () => {
      const info = await streams.info(logStream(namespace))
      return info.cluster?.leader === undefined ? undefined : info
    },
    { describe: 'the stream has a leader', timeout: 30_000 },
  )
}

async function serverOf(namespace: string, role: 'leader' | 'follower') {
  const { cluster: peers } = await streamOf(namespace)
  const found = cluster.servers.find(
    ({ name }) => (name === peers?.leader) === (role === 'leader'),
  )
  return found as NatsServer
}

/** Every replica has all that the leader has. */
async function whenWhole(namespace: string): Promise<void> {
  await until(
    async () => {
      const { cluster: peers } = await streamOf(namespace)
      const others = peers?.replicas ?? []
      return others.length === 2 && others.every(one => one.current && !one.offline)
    },
    { describe: 'all three replicas are current', timeout: 30_000 },
  )
}

/** A command is asked by its id until it is answered; this many times is for ever. */
const asksMax = 500
const namespace = 'cluster'
const servers = cluster.url

await t.test('--replicas rules the creation of the stream', async t => {
  const flags = ['--ns', namespace, '--nats', servers, '--demo', '--replicas', '3']
  await using node = await startNode(...flags)
  t.ok(node.pid)
  t.equal((await streamOf(namespace)).config.num_replicas, 3)
})

await t.test('any one server may die under load', async t => {
  const flags = ['--ns', namespace, '--nats', servers, '--demo']
  await using first = await startNode(...flags, '--id', 'first')
  await using second = await startNode(...flags, '--id', 'second')
  const load = await Load.start(jetstream({ servers: cluster.urls }), namespace, {
    asksMax,
  })
  t.teardown(() => load.close())
  await load.more(200, 'before anything happens')
  for (const role of ['follower', 'leader'] as const) {
    const victim = await serverOf(namespace, role)
    await victim.kill()
    await load.more(200, `without the ${role}, ${victim.name}`)
    await victim.restart()
    await whenWhole(namespace)
    await load.more(200, `with ${victim.name} again`)
    t.pass(`the ${role}, ${victim.name}, died and came back`)
  }
  const result = await load.end()
  const log = await examine(load.store)
  holds(t, result, log)
  t.equal(result.acknowledged.size, log.commands.size, 'all were answered in the end')
  t.comment(`${load.askedAgain} times a command was asked again`)
  t.ok(log.writers.has('first') && log.writers.has('second'), 'both nodes wrote')
  t.equal(await first.stop(), 0, 'the first node lived through it and stops well')
  t.equal(await second.stop(), 0, 'and so does the second')
})
