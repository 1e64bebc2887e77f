// A3.7: replay reports corrupt records, no event can be changed, and an inline state plus the commits
// after it equals the fold of the whole history.

import t from 'tap'

import { recover, recoverAt } from '../../src/actor/recovery.js'
import { account } from '../../src/program/demo/account.js'
import { createActorHost } from '../../src/actor/host.js'
import { DefinitionRegistry } from '../../src/actor/registry.js'
import type { MalformedRecord } from '../../src/model/commit.js'
import { collect } from '../contract/store/support.js'
import { JetStreamPlace } from '../support/jetstream-fixture.js'
import { startNats } from '../support/nats.js'

await using server = await startNats()

await t.test(
  'A3.7 corrupt records are reported with position and bytes, the rest is read',
  async t => {
    await using place = new JetStreamPlace(server.url)
    const store = await place.open()
    const actor = { type: 'account', id: 'alice' }
    const garbage = Buffer.from([0xc1, 0x00, 0xff])
    for (let i = 1; i <= 10; i++) {
      await store.append(actor, [{ type: 'deposited', data: { amount: i } }])
      if (i % 3 === 0) await place.injectRecord(actor, { headers: {}, body: garbage })
    }
    const versions: number[] = []
    const corrupt: MalformedRecord[] = []
    for await (const item of store.read(actor))
      if (item.kind === 'event') versions.push(item.version)
      else corrupt.push(item)
    t.strictSame(versions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    t.strictSame(
      corrupt.map(({ position }) => position),
      [4, 8, 12],
    )
    t.ok(corrupt.every(({ raw }) => garbage.equals(raw)))
    // There are more records than versions, and the store requests as many as there are versions.
    const upTo = await collect(store.commits(actor, { to: 9 }))
    t.strictSame(
      upTo.map(({ position }) => position),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    )
  },
)

await t.test('A3.7 the store has no way to change or remove an event', async t => {
  await using place = new JetStreamPlace(server.url)
  const store = await place.open()
  const names = new Set<string>()
  for (
    let o: unknown = store;
    o !== Object.prototype && o !== null;
    o = Object.getPrototypeOf(o)
  )
    for (const name of Object.getOwnPropertyNames(o)) names.add(name)
  const suspicious = [...names].filter(name =>
    /delete|remove|purge|update|truncate/i.test(name),
  )
  t.strictSame(suspicious, ['updateVersionCache'])
})

await t.test(
  'A3.7 an inline state and the commits after it equal the fold of the whole history',
  async t => {
    await using place = new JetStreamPlace(server.url)
    const store = await place.open({ nodeId: 'host' })
    const other = await place.open({ nodeId: 'other' })
    const host = createActorHost({
      store,
      nodeId: 'host',
      definitions: new DefinitionRegistry([account]),
    })
    const actor = { type: 'account', id: 'alice' }
    const folding = { actor, behavior: account.behavior }
    // Commits with an inline state, and commits of another writer without one.
    const tails = [0, 1, 2, 7]
    for (const tail of tails) {
      await host.ask(actor, 'deposit', { amount: 10 })
      for (let i = 0; i < tail; i++)
        await other.append(actor, [{ type: 'withdrawn', data: { amount: 1 } }])
      host.markUnverified()
      const now = await recover(store, folding)
      const folded = await recoverAt(store, folding, now.version)
      t.strictSame(now.state, folded.state, `with ${tail} commits after the inline state`)
      t.equal(now.version, folded.version)
      t.strictSame((await host.state(actor)).state, folded.state)
    }
    const { last } = await store.head(actor)
    t.ok(last?.kind === 'commit' && last.state === undefined, 'the last commit has none')
    await host.close()
  },
)
