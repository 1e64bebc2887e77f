// Machines as actors of nodes: what they say is stored with what they accept, what they do is
// done once and live, and what has slept or moved goes on as if nothing had been.

import t from 'tap'
import { assign, setup } from 'xstate'

import { fromMachine } from '../../src/machine/from-machine.js'
import type { Message } from '../../src/delivery/messages/message.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'
import { account, done, loop, player, ride, settled } from './machines.js'

const patience = { timeout: 60_000 }

await onEachBackend(
  t,
  'a machine says and does what it should, once',
  async (t, scene) => {
    const { start, backend } = scene(t)
    const heard: Message[] = []
    const reactor = defineReactor({
      name: 'listener',
      on: [settled],
      handle: message => void heard.push(message),
    })
    done.length = 0
    const node = await start({ actors: [ride, account], reactors: [reactor] })
    const one = node.spawn(ride, 'one')

    t.match(
      (await one.state()).state,
      { status: 'active', value: 'free' },
      'before any event',
    )
    const refused = await one.ask('end')
    if (refused.ok) throw new Error('it was not refused')
    t.match(refused.rejection, {
      code: 'rejected',
      message: 'Machine ride in state "free" does not accept "end": it accepts begin.',
      details: { state: 'free', status: 'active', accepts: ['begin'] },
    })
    t.equal(refused.version, 0)
    t.strictSame(done, [], 'what is refused does nothing')

    const begun = await one.ask('begin', { rider: 'rita' })
    t.match(begun, {
      ok: true,
      version: 2,
      reply: { status: 'active', value: 'driving' },
    })
    t.strictSame(
      done,
      [
        'built ride/one/1',
        'unlocked ride/one/2',
        'greeted ride/one/2',
        'driving ride/one/2',
      ],
      'in order, before the answer, each with the id of its event',
    )
    await one.ask('drive', { km: 7 })
    await one.ask('drive', { km: 5 })
    const again = { commandId: 'drive-3' }
    await one.ask('drive', { km: 1 }, again)
    t.match(await one.ask('drive', { km: 1 }, again), { ok: true, duplicate: true })

    await one.ask('end')
    await until(() => heard.length === 1, {
      ...patience,
      describe: 'the message is handled',
    })
    t.strictSame(heard[0]?.data, { rider: 'rita', price: 13 })
    const rita = node.spawn(account, 'rita')
    await until(async () => (await rita.state()).version === 1, {
      ...patience,
      describe: 'the command is carried out',
    })
    t.strictSame((await rita.state()).state, { balance: -13 })
    await until(() => done.some(line => line.startsWith('checked')), {
      ...patience,
      describe: 'what it sent to itself is carried out',
    })
    t.match((await one.state()).state, {
      value: 'free',
      context: { rider: '', price: 0 },
    })

    done.length = 0
    const other = await start({ actors: [ride, account], serve: false })
    const seen = await other.spawn(ride, 'one').state()
    t.strictSame(seen, await one.state(), 'the same on a node that wakes it')
    const { version } = seen
    const past = await other.state({ type: 'ride', id: 'one' }, { version: 4 })
    t.match(past.state, { value: 'driving', context: { rider: 'rita', price: 12 } })
    t.strictSame(done, [], 'waking and time travel do nothing')

    const events: string[] = []
    for await (const event of one.events())
      if (event.kind === 'event') events.push(`${event.version} ${event.type}`)
    t.strictSame(events, [
      '1 xstate.init',
      '2 begin',
      '3 drive',
      '4 drive',
      '5 drive',
      '6 end',
      '7 checked',
    ])
    t.equal(version, 7)
    t.ok(backend)
  },
)

await onEachBackend(t, 'a machine in a transaction', async (t, scene) => {
  const node = await scene(t).start({ actors: [ride, account] })
  done.length = 0
  const rode = await node.transact(async tx => {
    const begun = await tx.ask(ride, 'two', 'begin', { rider: 'otto' })
    if (!begun.ok) return tx.abort(begun.rejection)
    await tx.ask(ride, 'two', 'drive', { km: 3 })
    await tx.ask(account, 'otto', 'charge', { amount: 1 })
    t.strictSame(done, [], 'nothing is done before it is stored')
    return (await tx.load(ride, 'two')).state.context.price
  })
  t.match(rode, { ok: true, value: 3 })
  t.strictSame(done.slice(-1), ['driving ride/two/2'])
  const undone = await node.transact(async tx => {
    await tx.ask(ride, 'three', 'begin', { rider: 'otto' })
    return tx.abort('no')
  })
  t.equal(undone.ok, false)
  t.equal(done.length, 4, 'what is not stored is not done')
})

await onEachBackend(
  t,
  'xstate 4627: what a restored machine does next is what it would have done (reenter, always)',
  async (t, scene) => {
    const { start } = scene(t)
    const first = await start({ actors: [loop] })
    const events = ['go', 'again', 'note.a', 'go'] as const
    const ask = (node: typeof first, type: (typeof events)[number]) =>
      type === 'go'
        ? node.spawn(loop, 'l').ask(type, { steps: 3 })
        : node.spawn(loop, 'l').ask(type)
    const steady = await start({ actors: [loop] })
    const entered: number[] = []
    for (const type of events) {
      // Each event finds an actor that was just restored from what is stored.
      const restored = await start({ actors: [loop], serve: false })
      const { state: before } = await restored.spawn(loop, 'l').state()
      t.strictSame(
        before,
        (await restored.spawn(loop, 'l').state()).state,
        'restoring takes no transition',
      )
      const { ok } = await ask(restored, type)
      t.equal(ok, type !== 'go' || entered.length === 0, type)
      entered.push((await restored.spawn(loop, 'l').state()).state.context.entered)
      await restored.close()
    }
    t.strictSame(entered, [4, 7, 7, 7], 'the loops went on to their end, each time')
    t.match((await steady.spawn(loop, 'l').state()).state, { value: 'looping' })
  },
)

await onEachBackend(
  t,
  'xstate 5077: what was restored can be stored again, and restored again',
  async (t, scene) => {
    const { start } = scene(t)
    const moves = ['play', 'pause', 'stop', 'resume', 'mute', 'stop', 'peek'] as const
    let restored: unknown
    for (const move of moves) {
      const node = await start({ actors: [player], serve: false })
      const one = node.spawn(player, 'p')
      if (restored !== undefined) t.strictSame((await one.state()).state, restored)
      t.equal((await one.ask(move)).ok, true, move)
      restored = (await one.state()).state
      await node.close()
    }
    const node = await start({ actors: [player], serve: false })
    const { state, version } = await node.spawn(player, 'p').state()
    t.equal(version, moves.length + 1)
    t.match(state.value, { track: { on: 'paused' }, volume: 'muted' }, 'history and all')
    const replayed = await node.state({ type: 'player', id: 'p' }, { version })
    t.strictSame(replayed.state, state)
  },
)

await t.test(
  'states too large for their commits are replayed, and are the same',
  async t => {
    const big = fromMachine(
      setup({
        types: {
          context: {} as { seen: ReadonlyMap<string, number>; text: string },
          events: {} as { type: 'see'; what: string },
        },
      }).createMachine({
        id: 'big',
        context: { seen: new Map(), text: '' },
        on: {
          see: {
            actions: assign(({ context: { seen, text }, event: { what } }) => ({
              seen: new Map([...seen, [what, (seen.get(what) ?? 0) + 1]]),
              text: text + what.repeat(500),
            })),
          },
        },
      }),
      { stateBytesMax: 100 },
    )
    const { memory } = await import('../../src/backend/memory.js')
    const { startNode } = await import('../../src/runtime/start-node.js')
    const store = memory()
    await using a = await startNode({ namespace: 'big', store, actors: [big] })
    for (const what of ['x', 'y', 'x']) await a.spawn(big, 'b').ask('see', { what })
    const { state } = await a.spawn(big, 'b').state()
    t.strictSame(Object.fromEntries(state.context.seen), { x: 2, y: 1 })
    await using b = await startNode({
      namespace: 'big',
      store,
      actors: [big],
      serve: false,
    })
    t.strictSame((await b.spawn(big, 'b').state()).state, state)
  },
)
