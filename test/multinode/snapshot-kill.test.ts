// A node that is killed with SIGKILL while it writes a snapshot: the next one reads the same state, from a whole snapshot or from
// the history.

import t from 'tap'

import { startNode as startHere } from '../../src/runtime/start-node.js'
import { Snapshots, snapshotModelOf } from '../../src/store/snapshots/snapshots.js'
import { homesOf } from '../cli/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

process.env['SNAPSHOT_EVERY'] = '10'
await using server = await startNats()

const actor = { type: 'large', id: 'a' }
const kills = 2

for (const { name, store, flags } of homesOf(server, t.testdir()))
  await t.test(`nodes are killed while they write a snapshot, on ${name}`, async t => {
    const namespace = 'killed'
    const args = [
      '--ns',
      namespace,
      ...flags,
      '--actors',
      'test/support/actors/large.mjs',
    ]
    await using client = await startHere({ namespace, store })
    await using open = await store.open({ namespace, nodeId: 'looker' })
    const model = open.readModels.open(snapshotModelOf(actor))
    const snapshots = new Snapshots(open.readModels)
    const ask = async (command: string, data?: unknown) => {
      for (;;)
        try {
          const outcome = await client.ask(actor, command, data, { timeout: 30_000 })
          return outcome.ok ? outcome.reply : undefined
        } catch {
          // The node has died, or is not known yet.
        }
    }
    let counted = 0
    let hash: unknown
    let inTheMiddle = 0
    for (let kill = 0; kill <= kills; kill++) {
      await using node = await startNode(...args, '--id', `n${kill}`)
      if (kill === 0) await ask('grow', { slots: 128, seed: 1 })
      else {
        const shown = (await ask('show')) as { count: number; hash: string }
        t.equal(shown.count, counted, 'nothing is lost')
        t.equal(shown.hash, (hash ??= shown.hash), 'the state is the same')
      }
      if (kill === kills) break
      const before = (await snapshots.read(actor))?.version ?? 0
      const { revision } = await model.checkpoint()
      while ((await model.checkpoint()).revision === revision) {
        await ask('count', 5)
        counted += 5
      }
      await node.kill()
      const found = await snapshots.read(actor)
      if ((found?.version ?? 0) === before) inTheMiddle++
      t.ok(found === undefined || found.version >= before, 'what is read is whole')
    }
    t.comment(
      `${inTheMiddle} of ${kills} were killed between the first chunk and the last`,
    )
    await using node = await startNode(...args, '--id', 'last')
    const known = (await snapshots.read(actor))?.version ?? 0
    await ask('count', 30)
    await ask('count', 30)
    await until(async () => ((await snapshots.read(actor))?.version ?? 0) > known, {
      describe: 'a later snapshot is written',
      timeout: 60_000,
    })
    await node.stop()
  })
