// Projections on each backend: rows equal the fold of the log, whoever builds them, and reading them.

import { setImmediate } from 'node:timers/promises'

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { memory } from '../../src/backend/memory.js'
import { newId } from '../../src/model/id.js'
import { isCairnError } from '../../src/model/errors.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { MemoryReadModels } from '../../src/store/read-models/memory.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode } from '../../src/runtime/start-node.js'
import { onEachBackend } from '../support/backends.js'
import { pinned } from '../support/double-owner.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, amount: number) => event('deposited', { amount }),
    spread: (_state, by: number) =>
      Array.from({ length: by }, (_, n) => event('spread', { n, by })),
    close: () => event('closed'),
  },
  evolve: {
    deposited: ({ balance }, { amount }: { amount: number }) => ({
      balance: balance + amount,
    }),
    spread: (state, _data: { n: number; by: number }) => state,
    closed: state => state,
  },
})
const noise = defineActor({
  type: 'noise',
  initialState: 0,
  decide: { make: () => event('deposited', { loud: true }) },
  evolve: { deposited: (state, _data: { loud: boolean }) => state + 1 },
})

const balances = defineProjection({
  name: 'balances',
  from: account,
  initial: { balance: 0, events: [] as string[] },
  when: {
    deposited: ({ balance, events }, { data, id }) => ({
      balance: balance + data.amount,
      events: [...events, id],
    }),
    closed: () => null,
  },
})

// What does not fit does not compile.
void (() => {
  // @ts-expect-error -- no such event
  defineProjection({ name: 'x', from: account, initial: 0, when: { lost: n => n } })
  defineProjection({
    name: 'x',
    from: [account, noise],
    initial: { n: 0 },
    when: {
      // @ts-expect-error -- a row of another shape
      closed: () => ({ n: 'one' }),
      deposited: ({ n }, { data }) => ({ n: 'amount' in data ? data.amount : n }),
    },
  })
  // @ts-expect-error -- nothing is no row
  defineProjection({ name: 'x', from: account, initial: 0, when: { closed: () => {} } })
})

async function rowsOf<Row>(reading: AsyncIterable<readonly [string, Row]>) {
  const rows: Record<string, Row> = {}
  for await (const [key, row] of reading) rows[key] = row
  return rows
}

/** What the rows of `balances` must be. */
async function foldOf({ store }: Node) {
  const rows: Record<string, { balance: number; events: string[] }> = {}
  for await (const record of store.readAll({ types: ['account'] }))
    if (record.kind === 'commit')
      for (const { type, id, data } of record.events) {
        const { balance, events } = (rows[record.actor.id] ??= { balance: 0, events: [] })
        if (type === 'closed') delete rows[record.actor.id]
        else if (type === 'deposited')
          rows[record.actor.id] = {
            balance: balance + (data as { amount: number }).amount,
            events: [...events, id],
          }
      }
  return rows
}

await onEachBackend(t, 'a projection equals the fold of the log', async (t, scene) => {
  const { start } = scene(t)
  const node = await start({ actors: [account, noise] })
  const many = Array.from({ length: 300 }, (_, n) => n)
  await Promise.all(many.map(n => node.spawn(account, `a${n % 7}`).ask('deposit', n + 1)))
  await node.spawn(account, 'a3').ask('close')
  const before = await node.spawn(account, 'a4').ask('deposit', 1_000)
  // From the first event on, though nobody had the projection then; and on other nodes, too.
  const builder = await start({ projections: [balances] })
  const far = node.projection(balances)
  t.ok((await far.waitFor(before, patience)) >= before.position)
  t.strictSame(await rowsOf(far.entries()), await foldOf(node))
  t.equal(await far.get('a3'), undefined, 'a closed account has no row')
  t.strictSame(await far.get('nobody'), undefined)

  // Read your writes, on the node that builds and on one that does not.
  for (let round = 1; round <= 20; round++)
    for (const reader of [far, builder.projection(balances)]) {
      const told = await node.spawn(account, `mine${round % 3}`).ask('deposit', 1)
      await reader.waitFor(told, patience)
      const row = await reader.get(`mine${round % 3}`)
      if (row?.events.at(-1) !== `account/mine${round % 3}/${told.version}`)
        t.fail(`what was waited for is not there: ${JSON.stringify(row)}`)
    }
  // Commits of others move the place, too.
  const loud = await node.spawn(noise, 'n').ask('make')
  await far.waitFor(loud.position, patience)
  t.strictSame(await rowsOf(far.entries()), await foldOf(node))
  const { builds } = builder.stats().projections.balances!
  t.match(builds, [{ number: 1, state: 'live', position: loud.position }])
  t.strictSame(node.stats().projections, {}, 'it has no part in it')
  await until(() => builder.stats().projections.balances!.builds[0]!.lag === 0, patience)
  t.match(await far.status(), {
    name: 'balances',
    end: loud.position,
    builds: [{ version: 1, state: 'live', position: loud.position, lag: 0 }],
  })
})

await onEachBackend(t, 'waiting ends by deadline and by signal', async (t, scene) => {
  const { start } = scene(t)
  const node = await start({ actors: [account], projections: [balances] })
  const told = await node.spawn(account, 'a').ask('deposit', 1)
  const reader = node.projection(balances)
  await reader.waitFor(told, patience)
  const codeOf = async (work: Promise<unknown>) =>
    work.then(
      () => 'none',
      (error: unknown) => (isCairnError(error) ? error.code : String(error)),
    )
  const ahead = told.position + 1
  await t.rejects(reader.waitFor(ahead, { timeout: 20 }), {
    code: 'deadline-exceeded',
    message: /this node builds it/,
  })
  const giveUp = new AbortController()
  const waiting = codeOf(reader.waitFor(ahead, { signal: giveUp.signal, ...patience }))
  giveUp.abort()
  t.equal(await waiting, 'aborted')
  t.equal(await codeOf(reader.waitFor(-1)), 'invalid-option')
  const onlooker = await start({ serve: false })
  const nowhere = defineProjection({ name: 'other', from: account, initial: 0, when: {} })
  const early = onlooker.projection(nowhere).get('a', { timeout: 20 })
  await t.rejects(
    early,
    { code: 'deadline-exceeded', message: /this node does not build it/ },
    'nobody builds it',
  )
})

await onEachBackend(
  t,
  'one event of many rows, one commit of more rows than a write takes',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({ actors: [account] })
    const wide = defineProjection({
      name: 'wide',
      from: [account],
      key: found =>
        found.type === 'spread'
          ? [`n${found.data.n}`, `all of ${found.data.by}`, `n${found.data.n}`]
          : undefined,
      initial: { count: 0 },
      when: { spread: ({ count }) => ({ count: count + 1 }), deposited: row => row },
    })
    const told = await node.spawn(account, 'a').ask('spread', 1_000)
    const again = await node.spawn(account, 'a').ask('spread', 600)
    const builder = await start({ projections: [wide] })
    const reader = builder.projection(wide)
    await reader.waitFor(again, patience)
    const rows = await rowsOf(reader.entries())
    t.equal(Object.keys(rows).length, 1_002)
    t.strictSame(rows['all of 1000'], { count: 1_000 })
    t.strictSame([rows['n599'], rows['n600']], [{ count: 2 }, { count: 1 }])
    t.ok(told.position < again.position)
  },
)

await onEachBackend(
  t,
  'it is built anew beside the old rows, under load, and nothing goes backwards',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({ actors: [account], projections: [balances] })
    const reader = node.projection(balances)
    let sum = 0
    const over = new AbortController()
    const load = (async () => {
      while (!over.signal.aborted) {
        const told = await node.spawn(account, 'a').ask('deposit', 1)
        sum++
        await reader.waitFor(told, patience)
        const row = await reader.get('a')
        if ((row?.balance ?? 0) < sum) t.fail(`${row?.balance} after ${sum} deposits`)
        // In memory nothing else would get a turn.
        await setImmediate()
      }
    })()
    await until(() => sum > 20, patience)
    for (let round = 2; round <= 3; round++) {
      await reader.rebuild()
      await reader.rebuild()
      const after = sum
      await until(async () => {
        const { builds } = await reader.status()
        return builds.length === 1 && builds[0]!.number === round && sum > after + 5
      }, patience)
    }
    over.abort()
    await load
    t.strictSame(await rowsOf(reader.entries()), await foldOf(node))
    t.ok(sum > 30, `${sum} deposits were read back`)
  },
)

await onEachBackend(
  t,
  'a new version is built beside the old one, which its own nodes go on with',
  async (t, scene) => {
    const { start } = scene(t)
    const old = await start({ actors: [account], projections: [balances] })
    const alice = old.spawn(account, 'alice')
    await old.projection(balances).waitFor(await alice.ask('deposit', 5), patience)
    let isHeldBack = true
    const counted = defineProjection({
      name: 'balances',
      version: 2,
      from: account,
      initial: { deposits: 0 },
      when: {
        deposited: ({ deposits }) => {
          if (isHeldBack) throw new Error('not yet')
          return { deposits: deposits + 1 }
        },
      },
    })
    const renewed = await start({ projections: [counted] })
    await until(
      () => renewed.stats().projections.balances!.builds[0]?.stuck !== undefined,
      patience,
    )
    t.match(renewed.stats().projections.balances, {
      version: 2,
      builds: [
        {
          number: 2,
          state: 'building',
          position: 0,
          stuck: { event: 'account/alice/1', error: 'not yet', position: 1 },
        },
      ],
    })
    const served: unknown = await renewed.projection(counted).get('alice')
    t.match(served, { balance: 5 }, 'the old rows are read meanwhile')
    isHeldBack = false
    await until(
      async () =>
        (await renewed.projection(counted).status()).builds[1]?.state === 'live',
      patience,
    )
    const told = await alice.ask('deposit', 5)
    await renewed.projection(counted).waitFor(told, patience)
    await old.projection(balances).waitFor(told, patience)
    t.strictSame(await renewed.projection(counted).get('alice'), { deposits: 2 })
    t.match(await old.projection(balances).get('alice'), { balance: 10 })
  },
)

await onEachBackend(
  t,
  'what cannot be folded stops it there, and is told; what came before is written',
  async (t, scene) => {
    const { start } = scene(t)
    let isBroken = true
    const picky = defineProjection({
      name: `picky-${newId().slice(0, 4)}`,
      from: account,
      initial: { n: 0 },
      when: {
        deposited: ({ n }, { data: { amount } }) => {
          if (amount === 13 && isBroken) throw new Error('not that one')
          return { n: n + amount }
        },
      },
    })
    const node = await start({ actors: [account], projections: [picky] })
    for (const amount of [1, 2, 13, 4])
      await node.spawn(account, 'a').ask('deposit', amount)
    const last = await node.spawn(account, 'b').ask('deposit', 1)
    const stats = () => node.stats().projections[picky.name]!.builds[0]
    await until(() => (stats()?.stuck?.attempts ?? 0) >= 2, patience)
    t.match(stats()!.stuck, { event: 'account/a/3', position: 3, error: 'not that one' })
    t.equal(stats()!.position, 2)
    await until(() => stats()!.lag === 3, patience)
    isBroken = false
    await node.projection(picky).waitFor(last, patience)
    t.strictSame(await rowsOf(node.projection(picky).entries()), {
      a: { n: 20 },
      b: { n: 1 },
    })
    t.equal(stats()!.stuck, undefined)
  },
)

await t.test('a fold cannot change the row and the event that it gets', async t => {
  const slips: Record<string, (events: string[], data: { amount: number }) => unknown> = {
    'row "a", at "events[1]"': events => events.push('x'),
    'the data of the event, at "amount"': (_events, data) => data.amount++,
  }
  for (const [place, slip] of Object.entries(slips)) {
    let isBroken = true
    const slipping = defineProjection({
      name: 'slipping',
      from: account,
      initial: { sum: 0, events: ['first'] },
      when: {
        deposited: ({ sum, events }, { data }) => {
          if (isBroken) slip(events as string[], data)
          return { sum: sum + data.amount, events }
        },
      },
    })
    await using node = await startNode({
      namespace: 'slips',
      store: memory(),
      actors: [account],
      projections: [slipping],
    })
    const stored = await node.spawn(account, 'a').ask('deposit', 3)
    const stats = () => node.stats().projections['slipping']!.builds[0]
    await until(() => stats()?.stuck !== undefined, patience)
    t.match(
      stats()!.stuck!.error,
      `when.deposited of projection slipping changed ${place}`,
    )
    isBroken = false
    await node.projection(slipping).waitFor(stored, patience)
    t.strictSame(await rowsOf(node.projection(slipping).entries()), {
      a: { sum: 3, events: ['first'] },
    })
  }
})

await onEachBackend(
  t,
  'two nodes that both believe to build it fold each event once',
  async (t, scene) => {
    const { namespace, backend, start } = scene(t)
    const node = await start({ actors: [account] })
    const many = Array.from({ length: 400 }, (_, n) => n)
    await Promise.all(many.map(n => node.spawn(account, `a${n % 5}`).ask('deposit', n)))
    const last = await node.spawn(account, 'a0').ask('deposit', 1)
    const slow = defineProjection({
      name: 'slow',
      from: account,
      // Every event changes this row: whoever writes on an old one is found out.
      key: ({ actor }) => ['all', actor.id],
      initial: { count: 0, sum: 0 },
      when: {
        deposited: ({ count, sum }, { data }) => ({
          count: count + 1,
          sum: sum + data.amount,
        }),
      },
    })
    const alone = () =>
      startNode({ namespace, store: pinned(backend), projections: [slow] })
    const both = await Promise.all([alone(), alone()])
    for (const one of both) {
      t.teardown(() => one.close())
      t.equal(one.members().length, 1, 'it knows of nobody else')
    }
    const reader = node.projection(slow)
    await reader.waitFor(last, patience)
    const position = () =>
      both.map(one => one.stats().projections.slow!.builds[0]?.position)
    await until(() => position().every(at => at === last.position), patience)
    t.strictSame(await reader.get('all'), { count: 401, sum: (400 * 399) / 2 + 1 })
    t.match(await reader.get('a1'), { count: 80 })
  },
)

await onEachBackend(t, 'rows are kept in a database of one’s own', async (t, scene) => {
  const { start } = scene(t)
  const target = new MemoryReadModels()
  const kept = defineProjection({
    name: 'kept',
    from: account,
    target,
    initial: 0,
    when: { deposited: (sum, { data }) => sum + data.amount },
  })
  const node = await start({ actors: [account], projections: [kept] })
  const told = await node.spawn(account, 'a').ask('deposit', 5)
  await node.projection(kept).waitFor(told, patience)
  t.equal(await node.projection(kept).get('a'), 5)
  t.strictSame(await target.open('kept-1').get(['a']), [5])
})

await t.test('what makes no sense is refused', async t => {
  const refused = (spec: object, message: RegExp) =>
    t.throws(
      () => defineProjection({ name: 'x', from: account, initial: 0, when: {}, ...spec }),
      { code: 'invalid-definition', message },
    )
  refused({ name: 'a b' }, /"a b" is not a name/)
  refused({ version: 0 }, /version of projection x is 0/)
  refused({ from: [] }, /folds no events/)
  refused({ from: [account, account] }, /names an actor type twice/)
  refused({ when: { deposited: 1 } }, /when.deposited of projection x is 1:/)
  refused({ initial: null }, /initial of projection x is null/)
})
