// Contract: an actor's version and last record, in one read.

import {
  account,
  actorOf,
  asCommit,
  deposits,
  mustAppend,
  type Suite,
} from './support.js'

export function testHead(test: Suite): void {
  test('an actor without events is at version 0, position 0', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, actorOf('bob'), deposits(1))
    t.strictSame(await store.head(account), { version: 0, position: 0 })
  })

  test('the head is the last commit, whole', async (t, place) => {
    const store = await place.open({ nodeId: 'node-1' })
    await mustAppend(store, account, deposits(1))
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const { commitId, position } = await mustAppend(store, account, deposits(2, 3), {
      expected: 1,
      command: { id: 'command 2, with spaces', reply: { balance: 6, at: new Date(5) } },
      state: { behavior: 3, value: { balance: 6, tags: ['a'] } },
      behaviorVersion: 4,
      correlationId: 'correlation-2',
      causationId: 'causation-2',
      traceparent,
      at: 1_700_000_000_123,
    })
    for (const reader of [store, await place.open()]) {
      const head = await reader.head(account)
      t.equal(head.version, 3)
      t.equal(head.position, position)
      const { events, ...last } = asCommit(head.last)
      t.strictSame(last, {
        kind: 'commit',
        id: commitId,
        position,
        actor: account,
        firstVersion: 2,
        lastVersion: 3,
        at: 1_700_000_000_123,
        nodeId: 'node-1',
        command: {
          id: 'command 2, with spaces',
          reply: { balance: 6, at: new Date(5) },
        },
        state: { behavior: 3, value: { balance: 6, tags: ['a'] } },
        behaviorVersion: 4,
        correlationId: 'correlation-2',
        causationId: 'causation-2',
        traceparent,
      })
      t.strictSame(
        events.map(event => [event.version, event.data]),
        [
          [2, { amount: 2 }],
          [3, { amount: 3 }],
        ],
      )
    }
  })

  test('absent properties of a commit stay absent', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    const last = asCommit((await store.head(account)).last)
    for (const key of ['command', 'state', 'correlationId', 'causationId', 'traceparent'])
      t.notOk(key in last, `no ${key}`)
    await mustAppend(store, account, deposits(2), { command: { id: 'silent' } })
    t.strictSame(asCommit((await store.head(account)).last).command, { id: 'silent' })
  })

  test('the head moves with every append, of any store', async (t, place) => {
    const [one, two] = [await place.open(), await place.open()]
    for (let version = 1; version <= 5; version++) {
      const writer = version % 2 === 0 ? one : two
      const { position } = await mustAppend(writer, account, deposits(version))
      for (const reader of [one, two]) {
        const head = await reader.head(account)
        t.strictSame([head.version, head.position], [version, position])
      }
    }
  })
}
