// A command id that is used for another command is an error, and never answered with the first one's reply.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { digestOf } from '../../src/actor/command-digest.js'
import { event } from '../../src/actor/event.js'
import { isCairnError } from '../../src/model/errors.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

interface Money {
  readonly amount: number
  readonly note?: string
}
const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: Money) => ({
      events: event('deposited', amount),
      reply: after => after.balance,
    }),
    withdraw: (_state, { amount }: Money) => ({
      events: event('withdrawn', amount),
      reply: after => after.balance,
    }),
  },
  evolve: {
    deposited: ({ balance }, amount: number) => ({ balance: balance + amount }),
    withdrawn: ({ balance }, amount: number) => ({ balance: balance - amount }),
  },
})

const reused = { code: 'command-id-reused' }
const codeOf = (work: Promise<{ readonly duplicate?: boolean; readonly ok: boolean }>) =>
  work.then(
    outcome => (outcome.duplicate === true ? 'duplicate' : 'done'),
    (error: unknown) => (isCairnError(error) ? error.code : String(error)),
  )

await onEachBackend(t, 'another command under an id is refused', async (t, scene) => {
  const { start, backend, namespace } = scene(t)
  const node = await start({ actors: [account] })
  const alice = node.spawn(account, 'alice')
  const k = { commandId: 'k' }
  t.match(await alice.ask('deposit', { amount: 10, note: 'a' }, k), { reply: 10 })
  await t.rejects(alice.ask('withdraw', { amount: 10, note: 'a' }, k), {
    ...reused,
    message:
      /id "k" was used for another command to account\/alice: deposit, and now withdraw/,
    details: { first: 'deposit', command: 'withdraw', position: 1 },
  })
  await t.rejects(alice.ask('deposit', { amount: 11, note: 'a' }, k), {
    ...reused,
    message: /deposit with other data/,
  })
  // The same command, whatever the order of its keys.
  t.match(await alice.ask('deposit', { note: 'a', amount: 10 }, k), {
    duplicate: true,
    reply: 10,
  })
  t.match(await node.spawn(account, 'bob').ask('withdraw', { amount: 1 }, k), {
    ok: true,
  })

  // While the first one is still running, and within one commit of several commands.
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      codeOf(
        i % 3 === 2
          ? alice.ask('withdraw', { amount: 1 }, { commandId: `c${i % 6}` })
          : alice.ask('deposit', { amount: 1 }, { commandId: `c${i % 6}` }),
      ),
    ),
  )
  t.strictSame(outcomes, [
    ...Array.from({ length: 6 }, () => 'done'),
    ...Array.from({ length: 6 }, () => 'duplicate'),
  ])
  const mixed = await Promise.all([
    codeOf(alice.ask('deposit', { amount: 1 }, { commandId: 'm' })),
    codeOf(alice.ask('deposit', { amount: 1 })),
    codeOf(alice.ask('withdraw', { amount: 1 }, { commandId: 'm' })),
    codeOf(alice.ask('deposit', { amount: 1 }, { commandId: 'm' })),
  ])
  t.strictSame(mixed, ['done', 'done', 'command-id-reused', 'duplicate'])
  const { state } = await alice.state()
  t.strictSame(state, { balance: 10 + 4 - 2 + 2 })
  await node.close()

  // By another node, which has nothing in memory.
  const other = await start({ actors: [account] })
  const again = other.spawn(account, 'alice')
  await t.rejects(again.ask('withdraw', { amount: 10 }, k), reused)
  await t.rejects(again.ask('withdraw', { amount: 1 }, { commandId: 'c4' }), reused)
  t.match(await again.ask('deposit', { amount: 10, note: 'a' }, k), { duplicate: true })
  t.strictSame((await again.state()).state, state)

  // A commit of an older build has no digest, and answers as it did.
  await using open = await backend.open({ namespace, nodeId: 'old' })
  await open.store.append(
    { type: 'account', id: 'old' },
    [{ type: 'deposited', data: 5 }],
    { command: { id: 'k', reply: 5 } },
  )
  const old = other.spawn(account, 'old')
  t.match(await old.ask('withdraw', { amount: 1 }, k), { duplicate: true, reply: 5 })
})

await onEachBackend(t, 'so are durable commands', async (t, scene) => {
  const { start } = scene(t)
  const sender = await start({})
  const alice = sender.spawn(account, 'alice')
  const k = { commandId: 'k' }
  t.match(await alice.send('deposit', { amount: 10 }, k), { duplicate: false })
  t.match(await alice.send('deposit', { amount: 10 }, k), { duplicate: true })
  await t.rejects(alice.send('withdraw', { amount: 10 }, k), reused)
  await t.rejects(alice.send('deposit', { amount: 11 }, k), reused)
  const node = await start({ actors: [account] })
  const own = node.spawn(account, 'alice')
  await until(async () => (await own.state()).version === 1)
  await t.rejects(own.ask('withdraw', { amount: 10 }, k), reused)
  // Asked first and sent then: no caller waits, so it becomes a dead letter.
  await own.ask('deposit', { amount: 1 }, { commandId: 'asked' })
  await own.send('withdraw', { amount: 1 }, { commandId: 'asked' })
  const dead: DeadLetter[] = []
  await until(async () => {
    dead.length = 0
    for await (const letter of node.deadLetters.list()) dead.push(letter)
    return dead.length > 0
  })
  t.match(dead, [
    { reactor: 'commands:inbox', error: { message: /Command id "asked" was used/ } },
  ])
  t.strictSame((await own.state()).state, { balance: 11 })
})

await t.test('the digest depends on the name and the data only', async t => {
  const digest = (type: string, data: unknown) =>
    digestOf({ type, data }, false, undefined)
  t.equal(
    digest('a', { x: 1, y: { b: 2, a: [1, 'x'] } }),
    digest('a', { y: { a: [1, 'x'], b: 2 }, x: 1 }),
  )
  t.equal(digest('a', { x: undefined }), digest('a', {}))
  t.equal(digest('a', 0), digest('a', -0))
  t.equal(digest('a', undefined), digest('a', {}))
  const texts = ['', '1', 'true']
  const numbers = [0, 1, 1n, NaN, Infinity]
  const objects = [[], {}, [1], ['1'], { 0: 1 }, { a: 1 }, [[1]]]
  const others = [true, new Date(1), new Uint8Array([1])]
  const different = [...texts, ...numbers, ...objects, ...others].map(data =>
    digest('a', data),
  )
  t.equal(new Set(different).size, different.length)
  t.not(digest('a', 1), digest('b', 1))
  t.equal(digestOf({ type: 'a', data: 1 }, true, undefined), undefined)
  t.equal(digestOf({ type: 'a', data: 1 }, false, { sentAfter: 1 }), undefined)
  t.type(
    digestOf({ type: 'a', data: 1 }, false, { sentAfter: 1, isCallersId: true }),
    'string',
  )
})
