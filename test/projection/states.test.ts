// Projections of states on each backend: a row for each actor, made of its state after each commit.

import t from 'tap'
import { assign, setup } from 'xstate'

import {
  defineActor,
  defineProjection,
  event,
  fromMachine,
  statesOf,
} from '../../src/index.js'
import { onEachBackend } from '../support/backends.js'

const order = fromMachine(
  setup({
    types: {
      context: {} as { cents: number },
      events: {} as { type: 'add'; cents: number } | { type: 'pay' } | { type: 'drop' },
    },
  }).createMachine({
    id: 'order',
    context: { cents: 0 },
    initial: 'open',
    states: {
      open: {
        on: {
          add: {
            actions: assign({
              cents: ({ context, event }) => context.cents + event.cents,
            }),
          },
          pay: 'paid',
          drop: 'dropped',
        },
      },
      paid: { type: 'final' },
      dropped: { type: 'final' },
    },
  }),
)

/** Its states are too large for its commits, so that they are folded. */
const album = defineActor({
  type: 'album',
  stateBytesMax: 0,
  stateEvery: 1_000_000,
  initialState: { pages: [] as readonly string[] },
  decide: {
    stick: (_state, page: string) => [event('stuck', page), event('stuck', `${page}'`)],
  },
  evolve: { stuck: ({ pages }, page: string) => ({ pages: [...pages, page] }) },
})

const orders = defineProjection({
  name: 'orders',
  from: statesOf(order),
  row: ({ state, actor, version }) =>
    state.value === 'dropped'
      ? null
      : { status: state.value, cents: state.context.cents, id: actor.id, version },
})

await onEachBackend(t, 'a row follows the state of its actor', async (t, scene) => {
  const node = await scene(t).start({ actors: [order], projections: [orders] })
  for (const [id, cents] of [
    ['a', 5],
    ['b', 7],
    ['c', 9],
  ] as const)
    await node.spawn(order, id).ask('add', { cents })
  await node.spawn(order, 'a').ask('pay')
  await node.spawn(order, 'b').ask('drop')
  await node.settled()
  const reader = node.projection(orders)
  t.strictSame(await reader.get('a'), { status: 'paid', cents: 5, id: 'a', version: 3 })
  t.equal(await reader.get('b'), undefined, 'null is no row')
  t.match(await reader.get('c'), { status: 'open', cents: 9 })
})

await onEachBackend(
  t,
  'states that commits do not carry are folded',
  async (t, scene) => {
    const { start } = scene(t)
    const sizes = (version: number) =>
      defineProjection({
        name: 'sizes',
        version,
        from: statesOf(album, order),
        row: ({ state }) =>
          'pages' in state
            ? { pages: state.pages.length * version, last: state.pages.at(-1) }
            : { pages: 0 },
      })
    const before = await start({ actors: [album, order] })
    for (let i = 0; i < 30; i++)
      await before.spawn(album, `a${i % 3}`).ask('stick', `page ${i}`)
    const first = sizes(1)
    const node = await start({ actors: [album, order], projections: [first] })
    await node.spawn(order, 'o').ask('pay')
    await node.settled()
    t.strictSame(await node.projection(first).get('album/a2'), {
      pages: 20,
      last: "page 29'",
    })
    t.strictSame(await node.projection(first).get('order/o'), { pages: 0 })
    await node.close()
    await before.close()
    // A new builder knows no state of before: the next commit makes it fold the history.
    const again = await start({ actors: [album, order], projections: [first] })
    await again.spawn(album, 'a1').ask('stick', 'late')
    await again.settled()
    t.strictSame(await again.projection(first).get('album/a1'), {
      pages: 22,
      last: "late'",
    })
    await again.close()
    const second = sizes(2)
    const newer = await start({ actors: [album, order], projections: [second] })
    const { position } = await newer.spawn(album, 'a1').ask('stick', 'last')
    await newer.projection(second).waitFor(position)
    await newer.settled()
    t.match(await newer.projection(second).get('album/a0'), { pages: 40 })
  },
)

await onEachBackend(
  t,
  'a commit that cannot be folded holds it up until it is skipped',
  async (t, scene) => {
    const frail = defineActor({
      type: 'frail',
      stateBytesMax: 0,
      initialState: 0,
      decide: { add: (_state, by: number) => event('added', by) },
      evolve: {
        added(state, by: number) {
          if (by > 99) throw new Error('overflow')
          return state + by
        },
      },
    })
    const sums = defineProjection({
      name: 'sums',
      from: statesOf(frail),
      key: ({ id }) => `sum of ${id}`,
      row: ({ state }) => ({ sum: state }),
    })
    const node = await scene(t).start({ actors: [frail], projections: [sums] })
    const ref = node.spawn(frail, 'f')
    await node.projection(sums).waitFor(await ref.ask('add', 1))
    await node.store.append({ type: 'frail', id: 'f' }, [event('added', 100)], {
      expected: 1,
    })
    await t.rejects(
      node.settled({ timeout: 300 }),
      /projection sums is stopped at frail\/f\/2/,
    )
    t.strictSame(await node.projection(sums).get('sum of f'), { sum: 1 })
    await node.supervise({ type: 'frail', id: 'f' }).skip({ version: 2 })
    await ref.ask('add', 3)
    await node.settled({ timeout: 60_000 })
    t.strictSame(await node.projection(sums).get('sum of f'), { sum: 4 })
  },
)

void t.test('what does not fit is refused', async t => {
  const wrong: [string, object, RegExp][] = [
    ['no row', {}, /row of projection x is undefined/],
    ['a when', { row: () => null, when: {} }, /has no option "when"/],
    [
      'a key that is no function',
      { row: () => null, key: 'id' },
      /key of projection x is "id"/,
    ],
  ]
  for (const [name, rest, message] of wrong)
    t.throws(
      () => defineProjection({ name: 'x', from: statesOf(order), ...rest } as never),
      { code: 'invalid-definition', message },
      name,
    )
  t.throws(
    () => defineProjection({ name: 'x', from: statesOf(), row: () => null }),
    /statesOf got no definition/,
  )
  t.throws(() => statesOf('order' as never), { code: 'invalid-definition' })
})

await onEachBackend(
  t,
  'a row function that is wrong stops the build with its reason',
  async (t, scene) => {
    const { start } = scene(t)
    const definitions: [string, () => unknown, RegExp][] = [
      ['nothing', () => undefined, /row of projection nothing returned nothing for "o"/],
      ['late', async () => ({}), /row of projection late returned a promise/],
      ['odd', () => new Map(), /The row "o" of projection odd cannot be stored/],
    ]
    const projections = definitions.map(([name, row]) =>
      defineProjection({ name, from: statesOf(order), row: row as () => object }),
    )
    const changing = defineProjection({
      name: 'changing',
      from: statesOf(order),
      row: ({ state }) => {
        ;(state.context as { cents: number }).cents = 9
        return {}
      },
    })
    const node = await start({ actors: [order], projections: [...projections, changing] })
    await node.spawn(order, 'o').ask('pay')
    const failure = await node
      .settled({ timeout: 300 })
      .catch((error: Error) => error.message)
    for (const [, , message] of definitions) t.match(failure, message)
    t.match(failure, /row of projection changing changed the state, at "context\.cents"/)
  },
)
