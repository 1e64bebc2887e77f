// cairn verify reads the snapshots that are too large for commits: one that a node would go on from, and one that it would not
// use, are named.

import { setTimeout as pause } from 'node:timers/promises'

import t from 'tap'

import { encode } from '../../src/codec/msgpack.js'
import { startNode } from '../../src/runtime/start-node.js'
import {
  type Snapshot,
  snapshotModelOf,
  Snapshots,
} from '../../src/store/snapshots/snapshots.js'
import { ByteBudget } from '../../src/cli/verify/byte-budget.js'
import { cairn } from '../multinode/harness.js'
import { largeOf } from '../support/actors/large.mjs'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

await using server = await startNats()
const namespace = 'snapshots'
const ids = ['damaged', 'differs', 'later', 'other', 'sound', 'torn']

for (const { name, store, flags } of homesOf(server, t.testdir()))
  await t.test(`snapshots are verified, on ${name}`, async t => {
    {
      const actors = [largeOf({ version: 1, every: 10 })]
      await using node = await startNode({ namespace, store, actors })
      for (const id of ids) {
        await node.ask({ type: 'large', id }, 'grow', { slots: 5, seed: 1 })
        await node.ask({ type: 'large', id }, 'count', 15)
      }
      // Of no size to speak of: it has no snapshot.
      await node.ask({ type: 'large', id: 'small' }, 'count', 1)
      await until(() => node.stats().actors.snapshots.written === ids.length)
    }
    {
      await using open = await store.open({ namespace, nodeId: 'test' })
      const snapshots = new Snapshots(open.readModels)
      const change = async (id: string, to: Partial<Snapshot>) => {
        const actor = { type: 'large', id }
        const found = await snapshots.read(actor)
        await snapshots.write(actor, { ...found!, ...to })
      }
      await change('differs', { value: encode({ pieces: [], count: 99 }) })
      await change('later', { behavior: 7 })
      await change('other', { commitId: 'of-another-history' })
      await spoil('damaged', 'manifest', 'no manifest')
      await spoil('torn', 'a/0', new Uint8Array(10))

      async function spoil(id: string, row: string, value: unknown) {
        const model = open.readModels.open(snapshotModelOf({ type: 'large', id }))
        const { revision, position } = await model.checkpoint()
        await model.write({ position, ahead: 0, rows: new Map([[row, value]]) }, revision)
      }
    }
    const verify = async (env: Record<string, string>) => {
      const where = ['--ns', namespace, ...flags, '--json']
      Object.assign(process.env, env)
      const actors = ['--actors', 'test/support/actors/large.mjs']
      const ended = await cairn('verify', ...actors, ...where)
      const found = jsonLines<Record<'actor' | 'problem' | 'message', string>>(ended)
      t.equal(ended.code, 1, ended.stderr)
      t.match(ended.stderr, new RegExp(`7 histories .* ${found.length} problems were`))
      return new Map(found.map(one => [`${one.actor} ${one.problem}`, one]))
    }
    const unused = [
      'large/damaged snapshot',
      'large/other snapshot',
      'large/torn snapshot',
    ]
    const now = await verify({ LARGE_VERSION: '1' })
    t.strictSame([...now.keys()].toSorted(), [
      'large/damaged snapshot',
      'large/differs differs',
      ...unused.slice(1),
    ])
    t.match(now.get('large/differs differs'), {
      version: 16,
      message: /than the one that is in its snapshot, by the same version/,
    })
    t.match(now.get('large/torn snapshot'), {
      version: 16,
      message: /is not used: it does not match its checksum\. Its history is folded/,
    })
    t.match(now.get('large/damaged snapshot')?.message, /its manifest is not one/)
    t.match(now.get('large/other snapshot')?.message, /names commit of-another-history/)

    // One of an earlier version is not used, as long as it is not migrated.
    const next = await verify({ LARGE_VERSION: '2' })
    t.strictSame([...next.keys()].toSorted(), unused)
    const migrated = await verify({ LARGE_MIGRATION: '0' })
    t.strictSame([...migrated.keys()].toSorted(), [
      'large/damaged snapshot',
      'large/differs migration',
      ...unused.slice(1),
    ])
    const wrong = await verify({ LARGE_MIGRATION: '1' })
    t.match(wrong.get('large/sound migration'), {
      version: 16,
      message: /^migrateState makes another state of the one that is in its snapshot/,
    })
    delete process.env['LARGE_MIGRATION']
  })

await t.test('the bytes of snapshots in memory are bounded', async t => {
  const budget = new ByteBudget(10)
  const { signal } = new AbortController()
  const doing = 'reading'
  const first = await budget.take(6, signal, doing)
  let hasTwo = false
  let hasThree = false
  const second = budget.take(1_000, signal, doing)
  const third = budget.take(1, signal, doing)
  void second.then(() => (hasTwo = true))
  void third.then(() => (hasThree = true))
  const left = new AbortController()
  const fourth = budget.take(1, left.signal, doing)
  left.abort()
  await t.rejects(fourth, { code: 'aborted' })
  await pause(0)
  t.strictSame([hasTwo, hasThree], [false, false], 'they wait, in order')
  first()
  const giveBack = await second
  await pause(0)
  t.equal(hasThree, false, 'one that is larger than all has it alone')
  giveBack()
  ;(await third)()
  await t.rejects(budget.take(1, left.signal, doing), { code: 'aborted' })
})
