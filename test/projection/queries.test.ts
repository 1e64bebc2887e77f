// Reading rows: pages by filter and order, rows that change, and what was just stored.

import t from 'tap'

import { defineActor, defineProjection, event, statesOf } from '../../src/index.js'
import { prepareQuery, type RowsQuery } from '../../src/projection/rows-query.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const item = defineActor({
  type: 'item',
  initialState: { status: 'new', cents: 0 },
  decide: {
    price: (_state, cents: number) => event('priced', cents),
    sell: () => event('sold'),
    drop: () => event('dropped'),
  },
  evolve: {
    priced: (state, cents: number) => ({ ...state, cents }),
    sold: state => ({ ...state, status: 'sold' }),
    dropped: state => ({ ...state, status: 'dropped' }),
  },
})

const items = defineProjection({
  name: 'items',
  from: statesOf(item),
  row: ({ state }) => (state.status === 'dropped' ? null : state),
})

await onEachBackend(t, 'rows are read page by page, in any order', async (t, scene) => {
  const node = await scene(t).start({ actors: [item], projections: [items] })
  const prices = Array.from({ length: 25 }, (_, i) => (i * 7) % 11)
  for (const [i, cents] of prices.entries())
    await node.spawn(item, `i${String(i).padStart(2, '0')}`).ask('price', cents)
  const stored = await node.spawn(item, 'i03').ask('sell')
  const reader = node.projection(items)
  const sold = await reader.list({ where: { status: 'sold' }, after: stored })
  t.strictSame(sold, {
    rows: [{ key: 'i03', row: { status: 'sold', cents: 10 } }],
    cursor: undefined,
  })
  const read = async (query: RowsQuery<{ status: string; cents: number }>) => {
    const keys: string[] = []
    for (
      let cursor: string | undefined, isFirst = true;
      isFirst || cursor !== undefined;
    ) {
      const page = await reader.list({ ...query, limit: 4, cursor })
      keys.push(...page.rows.map(({ key }) => key))
      isFirst = false
      cursor = page.cursor
    }
    return keys
  }
  const nobody = { status: undefined } as unknown as { status: string }
  t.strictSame(
    await read({ where: nobody }),
    [],
    'a value that is missing selects nothing',
  )
  const all = prices.map((cents, i) => ({ key: `i${String(i).padStart(2, '0')}`, cents }))
  const keysOf = (rows: readonly { key: string }[]) => rows.map(({ key }) => key)
  t.strictSame(await read({}), keysOf(all))
  t.strictSame(await read({ descending: true }), keysOf(all.toReversed()))
  t.strictSame(await read({ from: 'i05', to: 'i11' }), keysOf(all.slice(5, 11)))
  const byPrice = all.toSorted((a, b) => a.cents - b.cents || (a.key < b.key ? -1 : 1))
  t.strictSame(await read({ orderBy: 'cents' }), keysOf(byPrice))
  const range = byPrice.filter(({ cents }) => cents >= 3 && cents < 7)
  t.strictSame(await read({ orderBy: 'cents', from: 3, to: 7 }), keysOf(range))
  t.strictSame(
    await read({ orderBy: 'cents', from: 3, to: 7, descending: true }),
    keysOf(range.toReversed()),
  )
  t.strictSame(
    await read({
      orderBy: 'cents',
      where: ({ cents }, key) => cents > 8 && key !== 'i03',
    }),
    keysOf(byPrice.filter(({ cents, key }) => cents > 8 && key !== 'i03')),
  )
})

await onEachBackend(
  t,
  'what was just stored is visible to who waits for it',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({ actors: [item], projections: [items] })
    const other = await start({ actors: [item] })
    for (let cents = 1; cents <= 20; cents++) {
      const stored = await other.spawn(item, 'a').ask('price', cents)
      for (const reader of [node.projection(items), other.projection(items)]) {
        t.match(await reader.get('a', { after: stored }), { cents })
        t.match(await reader.get('a', { after: stored.position }), { cents })
      }
      const found = await other.projection(items).list({ after: stored.position })
      t.match(found.rows, [{ row: { cents } }])
      for await (const [, row] of other.projection(items).entries({ after: stored }))
        t.match(row, { cents })
    }
    const late = { after: 1_000_000, timeout: 20 }
    await t.rejects(node.projection(items).get('a', late), { code: 'deadline-exceeded' })
    await t.rejects(node.projection(items).list(late), { code: 'deadline-exceeded' })
  },
)

await onEachBackend(
  t,
  'a watcher gets the row as it is, and each change',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({ actors: [item], projections: [items] })
    const reading = await start({})
    for (const [i, reader] of [
      node.projection(items),
      reading.projection(items),
    ].entries()) {
      const ref = node.spawn(item, `w${i}`)
      const ending = new AbortController()
      const seen: unknown[] = []
      const watching = (async () => {
        for await (const { key, row } of reader.watch(`w${i}`, {
          signal: ending.signal,
        })) {
          t.equal(key, `w${i}`)
          seen.push(row?.cents)
        }
      })()
      await until(() => seen.length === 1)
      for (const cents of [5, 6]) {
        await ref.ask('price', cents)
        await until(() => seen.at(-1) === cents)
      }
      await ref.ask('drop')
      await until(() => seen.at(-1) === undefined)
      t.strictSame(seen, [undefined, 5, 6, undefined])
      ending.abort()
      await watching
    }
  },
)

void t.test('values of all kinds have an order, and cursors keep it', async t => {
  const values = [
    null,
    false,
    true,
    NaN,
    -Infinity,
    -3n,
    -0.5,
    2n ** 60n,
    '',
    'a',
    'b',
    new Date(0),
    new Date(9),
  ]
  const rows = values.map((value, i) => [`${i + 10}`, { value }] as const)
  const shuffled = rows.toSorted(
    ([a], [b]) => ((Number(a) * 7) % 13) - ((Number(b) * 7) % 13),
  )
  async function* read() {
    yield* shuffled
  }
  const query = { orderBy: 'value' as never, limit: 2 }
  for (const descending of [false, true]) {
    const keys: string[] = []
    let cursor: string | undefined
    do {
      const page = await prepareQuery('x', { ...query, descending, cursor }).page(read())
      keys.push(...page.rows.map(({ key }) => key))
      cursor = page.cursor
    } while (cursor !== undefined)
    const expected = rows.map(([key]) => key)
    t.strictSame(keys, descending ? expected.toReversed() : expected)
  }
})

void t.test('a query that makes no sense is refused', async t => {
  const { cursor } = await prepareQuery('x', { limit: 1 }).page(
    (async function* () {
      yield ['a', 1] as const
      yield ['b', 2] as const
    })(),
  )
  const wrong: [object, RegExp][] = [
    [{ limit: 0 }, /limit is 0: use a whole number from 1 to 1000/],
    [{ limit: 1_001 }, /limit is 1001/],
    [{ orderBy: 5 }, /orderBy is 5/],
    [{ from: {} }, /from is an object: use text, a number, a boolean or a date/],
    [{ where: 'status' }, /where is "status"/],
    [{ cursor: 'x' }, /cursor is "x": use the cursor of a page, unchanged/],
    [{ cursor: 7 }, /cursor is 7/],
    [{ cursor, descending: true }, /cursor is of a query with another order/],
    [{ cursor, orderBy: 'status' }, /cursor is of a query with another order/],
  ]
  for (const [query, message] of wrong)
    t.throws(() => prepareQuery('x', query), {
      code: 'invalid-option',
      message,
    })
})

await onEachBackend(t, 'an option that does not exist is refused', async (t, scene) => {
  const node = await scene(t).start({ actors: [item], projections: [items] })
  const reader = node.projection(items)
  const code = { code: 'invalid-option' }
  // @ts-expect-error there is no such option
  await t.rejects(reader.get('a', { since: 1 }), code)
  // @ts-expect-error there is no such field
  await t.rejects(reader.list({ where: { price: 1 }, oderBy: 'cents' }), code)
  // @ts-expect-error there is no such field
  await t.resolves(reader.list({ orderBy: 'price' }))
  // @ts-expect-error a value of another type
  await t.resolves(reader.list({ where: { cents: '1' } }))
  await t.rejects(reader.get('a', { after: {} as never }), code)
})
