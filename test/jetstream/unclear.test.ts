// P1, P3, P4: an append whose answer is lost is neither lost nor stored twice.

import { isCairnError } from '../../src/model/errors.js'
import { withTimeout } from '../../src/model/wait.js'
import { deposits, mustAppend } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { Ledger, type Node, readHistory, throwsCode } from './nodes.js'
import { loseRequest, scenesOn } from './scene.js'

await using server = await startNats()
const actor = { type: 'account', id: 'alice' }

const scene = scenesOn(server.url)

const isVersion = (node: Node, version: number) =>
  until(async () => (await node.store.head(actor)).version === version, {
    describe: `the actor is at version ${version}`,
  })

for (const expected of [1, 'any', 'exists'] as const) {
  await scene(
    `an append (expected ${expected}) whose answer is lost is stored once and acknowledged`,
    async (t, { proxy, writer, other }) => {
      await mustAppend(writer.store, actor, deposits(1))
      proxy.dropReplies(true)
      const work = writer.store.append(actor, deposits(2, 3), { expected })
      await isVersion(other, 3)
      proxy.dropReplies(false)
      const result = await work
      t.match(result, { ok: true, firstVersion: 2, version: 3, position: 2 })
      const { commits, dense } = await readHistory(other.store)
      t.strictSame(dense, [])
      t.strictSame(
        commits.map(commit => commit.id).slice(1),
        result.ok ? [result.commitId] : [],
      )
      t.equal((await mustAppend(writer.store, actor, deposits(4))).version, 4)
    },
  )

  await scene(
    `an append (expected ${expected}) whose answer is lost is recognised although others append after it`,
    async (t, { proxy, writer, other }) => {
      await mustAppend(writer.store, actor, deposits(1))
      proxy.dropReplies(true)
      const work = writer.store.append(actor, deposits(2), { expected })
      await isVersion(other, 2)
      await mustAppend(other.store, actor, deposits(3), { expected: 2 })
      await mustAppend(other.store, actor, deposits(4), { expected: 3 })
      proxy.dropReplies(false)
      t.match(await work, { ok: true, firstVersion: 2, version: 2, position: 2 })
      const { commits, dense } = await readHistory(other.store)
      t.strictSame(dense, [])
      t.strictSame(
        commits.map(commit => commit.nodeId),
        ['writer', 'writer', 'other', 'other'],
      )
      t.equal((await mustAppend(writer.store, actor, deposits(5))).version, 5)
    },
  )
}

await scene(
  "an actor's very first append may lose its answer too",
  async (t, { proxy, writer, other }) => {
    await mustAppend(other.store, { type: 'account', id: 'bob' }, deposits(1))
    proxy.dropReplies(true)
    const work = writer.store.append(actor, deposits(1), { expected: 'none' })
    await isVersion(other, 1)
    proxy.dropReplies(false)
    t.match(await work, { ok: true, version: 1, position: 2 })
    t.equal((await readHistory(other.store)).commits.length, 2)
  },
)

await scene(
  'an append lost in transit is a conflict when another writer took its version',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await mustAppend(writer.store, actor, deposits(1))
    proxy.pause()
    const work = writer.store.append(actor, deposits(2), { expected: 1 })
    await loseRequest(scene, () => mustAppend(other.store, actor, deposits(9)))
    t.strictSame(await work, { ok: false, actor, expected: 1, actual: 2 })
    const { commits } = await readHistory(other.store)
    t.strictSame(
      commits.map(commit => commit.nodeId),
      ['writer', 'other'],
      'it is not stored',
    )
  },
)

await scene(
  "an append that expects 'any' and was lost on its way goes behind the other one, once",
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await mustAppend(writer.store, actor, deposits(1))
    proxy.pause()
    const work = writer.store.append(actor, deposits(2))
    await loseRequest(scene, () => mustAppend(other.store, actor, deposits(9)))
    t.match(await work, { ok: true, version: 3, position: 3 })
    const { commits, dense } = await readHistory(other.store)
    t.strictSame(dense, [])
    t.strictSame(
      commits.map(commit => commit.nodeId),
      ['writer', 'other', 'writer'],
    )
  },
)

await scene(
  'an append lost in transit is sent again when its version is free',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await mustAppend(writer.store, actor, deposits(1))
    proxy.pause()
    const work = writer.store.append(actor, deposits(2), { expected: 1 })
    await loseRequest(scene, async () => {})
    t.match(await work, { ok: true, version: 2, position: 2 })
    t.equal((await readHistory(other.store)).commits.length, 2)
  },
)

await scene(
  'a deadline without an answer fails with outcome-unknown and names the commit',
  async (t, { proxy, writer, other }) => {
    await mustAppend(writer.store, actor, deposits(1))
    proxy.dropReplies(true)
    const error = await throwsCode(
      t,
      'outcome-unknown',
      () => writer.store.append(actor, deposits(2), { timeout: 300 }),
      'account/alice',
      'version 2',
    )
    await isVersion(other, 2)
    const { commits } = await readHistory(other.store)
    t.equal(commits.length, 2)
    t.equal(error.details.commitId, commits[1]!.id)
    t.equal(error.details.firstVersion, 2)
    t.ok(error.message.includes(commits[1]!.id), 'the message names the commit')
    proxy.dropReplies(false)
    t.equal((await mustAppend(writer.store, actor, deposits(3))).version, 3)
  },
)

await scene(
  'a signal that fires while an append is in flight fails with outcome-unknown',
  async (t, { proxy, writer, other }) => {
    await mustAppend(writer.store, actor, deposits(1))
    proxy.dropReplies(true)
    const stop = new AbortController()
    const work = writer.store.append(actor, deposits(2), { signal: stop.signal })
    const refused = throwsCode(t, 'outcome-unknown', () => work)
    await isVersion(other, 2)
    stop.abort()
    const error = await refused
    const { commits } = await readHistory(other.store)
    t.equal(error.details.commitId, commits[1]!.id)
    proxy.dropReplies(false)
    t.equal((await mustAppend(writer.store, actor, deposits(3))).version, 3)
  },
)

await scene(
  'a signal that fires while the outcome is resolved fails with outcome-unknown',
  async (t, { proxy, writer, other }) => {
    await mustAppend(writer.store, actor, deposits(1))
    const { requests } = writer.connection
    proxy.dropReplies(true)
    const stop = new AbortController()
    let settled = false
    const work = writer.store
      .append(actor, deposits(2), { signal: stop.signal })
      .finally(() => (settled = true))
    const refused = throwsCode(t, 'outcome-unknown', () => work)
    await isVersion(other, 2)
    // The retry finds the version taken; the read that would tell whose record it is is held back.
    const get = await other.connection.subscribe('$JS.API.STREAM.MSG.GET.>', () => {
      proxy.pause()
    })
    proxy.dropReplies(false)
    await until(() => proxy.connections > 0 && requests.inFlight > 0)
    stop.abort()
    await until(() => settled, { timeout: 5_000 })
    await refused
    get.unsubscribe()
    proxy.resume()
  },
)

await scene(
  'a refusal after a lost answer does not hide that the append was stored',
  async (t, { proxy, writer, other }) => {
    await mustAppend(writer.store, actor, deposits(1))
    proxy.dropReplies(true)
    const work = writer.store.append(actor, deposits(2), { expected: 1 })
    await isVersion(other, 2)
    // From here on the stream refuses every append, also the repeated one.
    const manager = await other.connection.nc.jetstreamManager()
    const name = `CAIRN_${writer.store.namespace}`
    await manager.streams.update(name, { sealed: true } as object)
    proxy.dropReplies(false)
    t.match(await work, { ok: true, version: 2, position: 2 })
  },
)

await scene(
  'a refusal after an append lost in transit is a refusal',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await mustAppend(writer.store, actor, deposits(1))
    proxy.pause()
    const work = writer.store.append(actor, deposits(2), { expected: 1 })
    const refused = throwsCode(t, 'storage-failed', () => work, 'account/alice', 'sealed')
    await loseRequest(scene, async () => {
      const manager = await other.connection.nc.jetstreamManager()
      const name = `CAIRN_${writer.store.namespace}`
      await manager.streams.update(name, { sealed: true } as object)
    })
    await refused
    t.equal((await readHistory(other.store)).commits.length, 1)
  },
)

for (const expected of ['any', 'none', 1, 'exists'] as const)
  await scene(
    `without a server an append (expected ${expected}) ends at its deadline with store-unreachable`,
    async (t, { proxy, writer, other }) => {
      proxy.refuse(true)
      proxy.cut()
      await until(() => !writer.connection.connected)
      const work = () =>
        withTimeout(
          writer.store.append(actor, deposits(1), { expected, timeout: 100 }),
          5_000,
          () => new Error('an append with a deadline of 100 ms still waits'),
        )
      await throwsCode(t, 'store-unreachable', work, proxy.url)
      proxy.refuse(false)
      await until(() => writer.connection.connected)
      t.equal((await readHistory(other.store)).commits.length, 0, 'nothing is stored')
    },
  )

await scene(
  'a signal ends an append that waits for a server, and nothing is stored',
  async (t, { proxy, writer, other }) => {
    proxy.refuse(true)
    proxy.cut()
    await until(() => !writer.connection.connected)
    for (const expected of ['none', 'any'] as const) {
      const stop = new AbortController()
      const work = writer.store.append(actor, deposits(1), {
        expected,
        signal: stop.signal,
      })
      const refused = throwsCode(t, 'aborted', () => work, /alice/)
      stop.abort()
      await refused
    }
    proxy.refuse(false)
    await until(() => writer.connection.connected)
    t.equal((await readHistory(other.store)).commits.length, 0)
  },
)

await scene(
  'appends in flight while the store closes get the real result',
  async (t, { proxy, writer, other }) => {
    await mustAppend(writer.store, actor, deposits(1))
    proxy.dropReplies(true)
    const ledger = new Ledger()
    const work = ledger.write(writer.store, actor, 1, 1, { timeout: 300 })
    await isVersion(other, 2)
    await writer.store.close()
    const told = await work
    t.ok(isCairnError(told, 'outcome-unknown'))
    t.strictSame(
      [...ledger.unknown.values()],
      [(await readHistory(other.store)).commits[1]!.id],
    )
    proxy.dropReplies(false)
  },
)
