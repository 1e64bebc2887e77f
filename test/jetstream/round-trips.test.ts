// The cost of operations, counted in messages on the wire.

import t from 'tap'

import type { NewEvent } from '../../src/model/event.js'
import { Connection } from '../../src/nats/connection.js'
import { ensureLogStream } from '../../src/nats/log-stream.js'
import { JetStreamStore } from '../../src/store/event-store/jetstream.js'
import { startNats } from '../support/nats.js'

await using server = await startNats()
const namespace = 'trips'
const connection = await Connection.open({ servers: server.url }, namespace, 'test')
const stream = await ensureLogStream(connection, namespace)
const store = new JetStreamStore({ namespace, nodeId: 'n', connection, stream })
t.teardown(async () => {
  await store.close()
  await connection.close()
})

const actor = { type: 'account', id: 'alice' }
const deposited: NewEvent[] = [{ type: 'deposited', data: { amount: 1 } }]

/** Messages sent to the server and received from it during the work. */
async function count(
  work: () => Promise<unknown>,
): Promise<{ sent: number; received: number }> {
  const before = connection.nc.stats()
  await work()
  const after = connection.nc.stats()
  return { sent: after.outMsgs - before.outMsgs, received: after.inMsgs - before.inMsgs }
}

const oneRoundTrip = { sent: 1, received: 1 }

await t.test('an append with a warm cache is one round trip and no read', async t => {
  await store.append(actor, deposited)
  for (const expected of [1, 'any', 'exists'] as const)
    t.strictSame(
      await count(() => store.append(actor, deposited, { expected })),
      oneRoundTrip,
    )
  t.equal((await store.head(actor)).version, 4)
})

await t.test(
  'the first append of an actor that must be new is one round trip',
  async t => {
    const bob = { type: 'account', id: 'bob' }
    const first = () => store.append(bob, deposited, { expected: 'none' })
    t.strictSame(await count(first), oneRoundTrip)
  },
)

await t.test(
  'an append after a notice that continues a proven entry needs no read',
  async t => {
    const before = store.cachedVersion(actor)!
    const { position } = await store.head(actor)
    // As another node would: its commit, and the notice of it.
    const other = new JetStreamStore({ namespace, nodeId: 'm', connection, stream })
    const theirs = await other.append(actor, deposited)
    t.ok(theirs.ok)
    if (theirs.ok)
      store.updateVersionCache(actor, theirs.version, theirs.position, {
        version: before,
        position,
      })
    const expected = before + 1
    t.strictSame(
      await count(() => store.append(actor, deposited, { expected })),
      oneRoundTrip,
    )
    await other.close()
  },
)

await t.test('a head is one round trip, whatever the length of the history', async t => {
  t.strictSame(await count(() => store.head(actor)), oneRoundTrip)
})
