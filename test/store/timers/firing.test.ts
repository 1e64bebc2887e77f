// Timers from the commit that sets them to the command that they send, on every backend.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { cancel, schedule, type TimerOptions } from '../../../src/actor/effects.js'
import type { RecordedEvent } from '../../../src/model/event.js'
import type { Timer } from '../../../src/model/timer.js'
import type { Node } from '../../../src/runtime/node.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

interface State {
  readonly ticks: number
}

const order = defineActor({
  type: 'order',
  initialState: (): State => ({ ticks: 0 }),
  decide: {
    remind: (_state, { name = 'unpaid', ...when }: TimerOptions & { name?: string }) => [
      event('placed', { name }),
      schedule(name, when, 'expire', { name }),
    ],
    pay: (_state, names: string[]) => [event('paid'), ...names.map(cancel)],
    both: (_state, names: string[]) => [
      event('placed', { name: names[0]! }),
      ...names.map(name => schedule(name, { after: 1 }, 'expire', { name })),
      cancel(names[0]!),
    ],
    expire: (_state, { name }: { name: string }) => event('expired', { name }),
    beat: (_state, every: number) => [
      event('placed', { name: 'beat' }),
      schedule('beat', { every }, 'tick'),
    ],
    tick: state =>
      state.ticks < 3 ? event('ticked') : [event('ticked'), cancel('beat')],
  },
  evolve: {
    placed: (state: State, _data: { name: string }) => state,
    paid: (state: State) => state,
    expired: (state: State, _data: { name: string }) => state,
    ticked: (state: State) => ({ ticks: state.ticks + 1 }),
  },
})

async function eventsOf(node: Node, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const record of node.store.read({ type: 'order', id }))
    if (record.kind === 'event') events.push(record)
  return events
}

async function typesOf(node: Node, id: string): Promise<string[]> {
  return (await eventsOf(node, id)).map(({ type }) => type)
}

async function pending(node: Node, id?: string): Promise<Timer[]> {
  const timers: Timer[] = []
  const options = id === undefined ? {} : { actor: { type: 'order', id } }
  for await (const timer of node.timers(options)) timers.push(timer)
  return timers
}

const long = { timeout: 30_000 }
const hour = 3_600_000

await onEachBackend(t, 'timers', async (t, scene) => {
  await t.test('a timer sends its command once, with its own id', async t => {
    const { start } = scene(t)
    const node = await start({ actors: [order] })
    await node
      .spawn(order, 'o1')
      .ask('remind', { after: 100 }, { commandId: 'c1', correlationId: 'trip' })
    await until(async () => (await typesOf(node, 'o1')).length === 2, {
      describe: 'it has expired',
      ...long,
    })
    const [, expired] = await eventsOf(node, 'o1')
    t.match(expired, {
      type: 'expired',
      data: { name: 'unpaid' },
      commandId: 'order/o1/1#0@0',
      causationId: 'order/o1/1#0',
      correlationId: 'trip',
    })
    await until(() => node.stats().timers.handled === 1, { describe: 'it is counted' })
    t.strictSame(await pending(node), [])
  })

  await t.test('a waiting timer can be read, replaced and cancelled', async t => {
    const { start } = scene(t)
    const node = await start({ actors: [order] })
    const o1 = node.spawn(order, 'o1')
    const at = Date.now() + hour
    await o1.ask('remind', { at, name: 'a', late: 'skip' })
    await o1.ask('remind', { at, name: 'b', every: 1_000 })
    await node.spawn(order, 'o2').ask('remind', { at })
    await until(async () => (await pending(node)).length === 3, {
      describe: 'all wait',
      ...long,
    })
    const waiting = await pending(node, 'o1')
    t.match(
      waiting.sort((one, other) => one.name.localeCompare(other.name)),
      [
        { name: 'a', at, skipAfter: 10_000, type: 'expire', data: { name: 'a' } },
        { name: 'b', at, every: 1_000, actor: { type: 'order', id: 'o1' } },
      ],
    )
    await o1.ask('remind', { at: at + 5, name: 'a' })
    await o1.ask('pay', ['b', 'never set'])
    await until(
      async () => {
        const [timer, ...rest] = await pending(node, 'o1')
        return rest.length === 0 && timer?.name === 'a' && timer.at === at + 5
      },
      { describe: 'one is replaced, the other cancelled', ...long },
    )
  })

  await t.test(
    'of several entries of one commit for a timer, the last counts',
    async t => {
      const { start } = scene(t)
      const node = await start({ actors: [order] })
      await node.spawn(order, 'o1').ask('both', ['a', 'b', 'b'])
      await until(async () => (await typesOf(node, 'o1')).includes('expired'), {
        describe: 'b has expired',
        ...long,
      })
      await node.spawn(order, 'o1').ask('remind', { after: 1, name: 'end' })
      const names = async () =>
        (await eventsOf(node, 'o1'))
          .filter(({ type }) => type === 'expired')
          .map(({ data }) => (data as { name: string }).name)
      await until(async () => (await names()).includes('end'), {
        describe: 'end',
        ...long,
      })
      t.strictSame(await names(), ['b', 'end'])
    },
  )

  await t.test(
    'an actor that has cancelled a timer does not get its command',
    async t => {
      const { start } = scene(t)
      const nodes = [await start({ actors: [order] }), await start({ actors: [order] })]
      const ids = Array.from({ length: 40 }, (_, i) => `o${i}`)
      await Promise.all(
        ids.map(async (id, i) => {
          const ref = nodes[i % 2]!.spawn(order, id)
          await ref.ask('remind', { after: i % 8 })
          // At any time between setting the timer and its firing.
          if (i % 4 > 0)
            await until(async () => (await pending(nodes[0]!, id)).length === 0)
          await ref.ask('pay', ['unpaid'])
          await ref.ask('remind', { after: 1, name: 'end' })
        }),
      )
      for (const id of ids)
        await until(
          async () => {
            const events = await eventsOf(nodes[0]!, id)
            return (
              events.some(({ data }) => (data as { name?: string })?.name === 'end') &&
              (await typesOf(nodes[0]!, id)).at(-1) === 'expired'
            )
          },
          { describe: `the last timer of ${id} has fired`, ...long },
        )
      for (const id of ids) {
        const events = await eventsOf(nodes[0]!, id)
        const paid = events.findIndex(({ type }) => type === 'paid')
        const expired = events.flatMap(({ type, data }, i) =>
          type === 'expired' && (data as { name: string }).name === 'unpaid' ? [i] : [],
        )
        if (expired.length > 1 || expired.some(i => i > paid))
          t.fail(`${id} has ${events.map(({ type }) => type).join(', ')}`)
      }
      t.pass('each expired once and before it was paid, or never')
    },
  )

  await t.test('a repeating timer keeps its schedule until it is cancelled', async t => {
    const { start } = scene(t)
    const node = await start({ actors: [order] })
    await node.spawn(order, 'o1').ask('beat', 40)
    await until(async () => (await typesOf(node, 'o1')).length >= 5, {
      describe: 'four ticks',
      ...long,
    })
    await until(async () => (await pending(node)).length === 0, {
      describe: 'it is cancelled',
      ...long,
    })
    const [, ...ticks] = await eventsOf(node, 'o1')
    t.equal(ticks.length, 4)
    const occurrences = ticks.map(({ commandId }) => Number(commandId!.split('@')[1]))
    t.strictSame(
      occurrences,
      [...new Set(occurrences)].sort((a, b) => a - b),
      'each firing once, in order',
    )
  })

  await t.test('only active nodes fire; missed firings are made up for', async t => {
    const { start } = scene(t)
    const passive = await start({ actors: [order], timers: 'passive' })
    const o1 = passive.spawn(order, 'o1')
    const past = Date.now() - hour
    await o1.ask('remind', { at: past, name: 'late' })
    await o1.ask('remind', { at: past, name: 'too late', late: 'skip' })
    await o1.ask('remind', {
      at: past,
      name: 'in time',
      late: 'skip',
      lateAfter: 2 * hour,
    })
    await o1.ask('remind', { at: past, name: 'often', every: 1_000_000 })
    await until(() => passive.stats().courier.handled >= 4, {
      describe: 'the courier has set them',
      ...long,
    })
    t.strictSame(await typesOf(passive, 'o1'), ['placed', 'placed', 'placed', 'placed'])
    t.equal(passive.stats().timers.partitions, 0)
    const active = await start({ actors: [order] })
    await until(() => active.stats().timers.handled >= 4, {
      describe: 'all are handled',
      ...long,
    })
    const expired = (await eventsOf(active, 'o1')).slice(4)
    const names = expired.map(({ data }) => (data as { name: string }).name)
    t.strictSame(names, ['late', 'in time', 'often'])
    t.equal(active.stats().timers.skipped, 1)
    t.equal(expired[2]!.commandId, 'order/o1/4#0@3', 'the last one that was missed')
    const [next, ...rest] = await pending(active)
    t.match(next, { name: 'often', occurrence: 4, at: past + 4_000_000 })
    t.strictSame(rest, [])
  })

  await t.test('a timer survives the node that set it, and fires on another', async t => {
    const { start } = scene(t)
    const first = await start({ actors: [order] })
    const ids = Array.from({ length: 10 }, (_, i) => `o${i}`)
    const at = Date.now() + 600
    for (const id of ids) await first.spawn(order, id).ask('remind', { at })
    const second = await start({ actors: [order] })
    await first.close()
    for (const id of ids)
      await until(async () => (await typesOf(second, id)).length === 2, {
        describe: `${id} has expired`,
        ...long,
      })
    await until(async () => (await pending(second)).length === 0, long)
    for (const id of ids) t.strictSame(await typesOf(second, id), ['placed', 'expired'])
  })
})
