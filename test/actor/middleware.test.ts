// Middleware around commands, guards and limits: what runs in the owner before a command reaches its actor.

import t, { type Test } from 'tap'
import { fromPromise, setup } from 'xstate'

import { contract } from '../../src/actor/contract.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { schedule, send } from '../../src/actor/effects.js'
import { perform } from '../../src/actor/perform.js'
import { event } from '../../src/actor/event.js'
import { limit } from '../../src/actor/limit.js'
import type {
  CommandMiddleware,
  GuardedCommand,
  GuardedOutcome,
} from '../../src/actor/guarded-command.js'
import { only } from '../../src/actor/only.js'
import { defineWork, type FailedWork } from '../../src/actor/work.js'
import { memory } from '../../src/backend/memory.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { CairnError } from '../../src/model/errors.js'
import { defineTopic } from '../../src/model/topic.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, amount: number) => event('deposited', amount),
    close: () => event('closed', {}),
    later: () => [event('deposited', 0), schedule('t', { after: 1 }, 'deposit', 7)],
    pay: (_state, to: string) => [
      event('deposited', 0),
      send(contract('account'), to, 'deposit', 3),
    ],
  },
  evolve: {
    deposited: (state, amount: number) => ({ balance: state.balance + amount }),
    closed: state => state,
  },
})

/** Only alice may close; deliveries need a principal. */
const guarded = (seen: GuardedCommand[] = []) => ({
  ...account,
  options: {
    ...account.options,
    guard: (command: GuardedCommand) => {
      seen.push(command)
      const { type, principal } = command
      if (principal === undefined) return false
      return type !== 'close' || principal === 'alice' || 'only alice closes accounts'
    },
  },
})

async function start(t: Test, options: Partial<NodeOptions>) {
  const node = await startNode({
    namespace: 'middleware',
    store: memory(),
    actors: [account],
    log: false,
    ...options,
  })
  t.teardown(() => node.close())
  return node
}

await onEachBackend(
  t,
  'a guard refuses what a principal may not do',
  async (t, scene) => {
    const seen: GuardedCommand[] = []
    const node = await scene(t).start({ actors: [guarded(seen)], log: false })
    const ask = (command: string, principal?: string) =>
      node.ask({ type: 'account', id: 'a' }, command, 1, {
        ...(principal !== undefined && { principal }),
      })
    await t.rejects(ask('deposit'), {
      code: 'forbidden',
      retryable: false,
      message:
        /A caller without a principal may not send command "deposit" to account\/a\. Nothing/,
    })
    await t.rejects(ask('close', 'bob'), {
      code: 'forbidden',
      details: {
        actor: 'account/a',
        command: 'close',
        principal: 'bob',
        reason: 'only alice closes accounts',
      },
    })
    await t.rejects(
      node.transact(tx => tx.ask(guarded() as never, 'a', 'deposit' as never)),
      {
        code: 'unknown-actor-type',
      },
    )
    t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
    t.equal((await ask('deposit', 'bob')).version, 1)
    t.equal((await ask('close', 'alice')).version, 2)
    const principals: (string | undefined)[] = []
    for await (const item of node.store.read({ type: 'account', id: 'a' }))
      if (item.kind === 'event') principals.push(item.principal)
    t.strictSame(principals, ['bob', 'alice'])
    t.match(seen[1], {
      type: 'close',
      data: 1,
      source: 'call',
      actor: { type: 'account', id: 'a' },
    })
  },
)

await t.test('a transaction cannot pass a guard by', async t => {
  const seen: GuardedCommand[] = []
  const definition = guarded(seen)
  const node = await start(t, { actors: [definition] })
  const close = (principal: string) =>
    node.transact(
      async tx => {
        await tx.ask(definition, 'a', 'deposit', 5)
        return (await tx.ask(definition, 'a', 'close')).version
      },
      { principal },
    )
  await t.rejects(close('bob'), { code: 'forbidden' })
  t.equal(await node.store.lastPosition(), 0)
  t.match(await close('alice'), { ok: true, value: 2 })
  t.ok(seen.every(({ source }) => source === 'transaction'))
})

await t.test('timers and sends come with the principal that caused them', async t => {
  const seen: GuardedCommand[] = []
  const node = await start(t, { actors: [guarded(seen)] })
  const alice = { principal: 'alice' }
  const address = { type: 'account', id: 'a' }
  await node.ask(address, 'later', undefined, alice)
  await node.ask(address, 'pay', 'b', alice)
  await node.send(address, 'deposit', 9, alice)
  await until(() => seen.length >= 5)
  const by = (source: string) => seen.filter(one => one.source === source)
  t.match(by('timer'), [{ principal: 'alice', data: 7 }])
  const told = (source: string) =>
    by(source).map(
      ({ principal, data, actor }) => `${principal} ${String(data)} ${actor.id}`,
    )
  t.strictSame(told('delivery'), ['alice 3 b'])
  t.strictSame(told('send'), ['alice 9 a'])
  const principals = async () => {
    const found: (string | undefined)[] = []
    for await (const record of node.store.readAll())
      if (record.kind === 'commit')
        found.push(...record.events.map(({ principal }) => principal))
    return found
  }
  await until(async () => (await principals()).length === 5)
  t.strictSame(await principals(), Array(5).fill('alice'))
})

await t.test(
  'the ends of work and of children come with the causes of their start',
  async t => {
    const seen: GuardedCommand[] = []
    const guard = (command: GuardedCommand) => {
      seen.push(command)
      return command.principal !== undefined
    }
    const charge = defineWork('charge', async (cents: number) => cents)
    const order = defineActor({
      type: 'order',
      guard,
      performs: [charge],
      initialState: 0,
      decide: {
        place: (_: number, cents: number) => [
          event('placed', cents),
          perform(charge, cents, { done: 'charged', failed: 'declined' }),
        ],
        charged: (_: number, cents: number) => event('charged', cents),
        declined: (_sum: number, _failure: FailedWork) => event('declined', 0),
      },
      evolve: {
        placed: (sum: number) => sum,
        charged: (sum: number, cents: number) => sum + cents,
        declined: (sum: number) => sum,
      },
    })
    const lamp = fromMachine(
      setup({
        types: { events: {} as { type: 'PRESS' } },
        actors: { warmUp: fromPromise(async () => 1) },
      }).createMachine({
        id: 'lamp',
        initial: 'off',
        states: {
          off: { on: { PRESS: 'warming' } },
          warming: { invoke: { id: 'warmUp', src: 'warmUp', onDone: 'on' } },
          on: { after: { 5: 'dimmed' } },
          dimmed: {},
        },
      }),
      { guard },
    )
    const node = await start(t, {
      actors: [order, lamp],
      middleware: [limit({ perSecond: 0.001, burst: 4, by: 'type' })],
    })
    const by = (principal: string) => ({ principal, correlationId: `of-${principal}` })
    const people = ['alice', 'bob', 'carol']
    await Promise.all(
      people.map((who, i) => node.spawn(order, 'o').ask('place', i + 1, by(who))),
    )
    await node.spawn(lamp, 'l').ask('PRESS', undefined, by('alice'))
    await node.spawn(order, 'o').until(sum => sum === 6)
    await node.spawn(lamp, 'l').until(({ value }) => value === 'dimmed')
    const told = (type: string) =>
      seen
        .filter(one => one.type === type)
        .map(({ source, principal, correlationId, data }) =>
          [source, principal, correlationId, type === 'charged' && data].join(' '),
        )
        .sort()
    t.strictSame(
      told('charged'),
      people.map((who, i) => `work ${who} of-${who} ${i + 1}`),
      'also of commands that are stored together',
    )
    t.strictSame(told('xstate.done.actor.warmUp'), ['work alice of-alice false'])
    t.strictSame(told('xstate.after.5.lamp.on'), ['timer alice of-alice false'])
  },
)

await t.test(
  'a forbidden send becomes a dead letter, and other commands continue',
  async t => {
    const node = await start(t, { actors: [guarded()] })
    await node.send({ type: 'account', id: 'x' }, 'deposit', 1)
    await node.send({ type: 'account', id: 'y' }, 'deposit', 1, { principal: 'bob' })
    await until(async () => (await node.store.lastPosition()) === 1)
    const letters = async () => {
      for await (const letter of node.deadLetters.list()) return letter
      return undefined
    }
    t.match(await until(letters), { error: { message: /may not send/ } })
  },
)

await t.test(
  'middleware runs in order, once a command, and sees the outcome',
  async t => {
    const seen: string[] = []
    const named =
      (name: string): CommandMiddleware =>
      async (command, next) => {
        seen.push(`${name} ${command.type}`)
        const outcome = await next()
        seen.push(`${name} ${outcome.ok ? outcome.version : outcome.rejection.code}`)
      }
    const node = await start(t, {
      middleware: [named('outer'), named('inner')],
    })
    await node.spawn(account, 'a').ask('deposit', 1, { commandId: 'once' })
    t.strictSame(seen, ['outer deposit', 'inner deposit', 'inner 1', 'outer 1'])
    seen.length = 0
    const again = await node.spawn(account, 'a').ask('deposit', 1, { commandId: 'once' })
    t.match(again, { duplicate: true, version: 1 })
    t.equal(seen.length, 4, 'a command that is sent again passes again')
  },
)

await t.test('commands that pass without a wait keep their order', async t => {
  const node = await start(t, { middleware: [(_command, next) => next()] })
  const a = node.spawn(account, 'a')
  const versions = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => (await a.ask('deposit', i)).version),
  )
  t.strictSame(
    versions,
    versions.map((_, i) => i + 1),
  )
  const data: unknown[] = []
  for await (const item of node.store.read({ type: 'account', id: 'a' }))
    if (item.kind === 'event') data.push(item.data)
  t.strictSame(
    data,
    data.map((_, i) => i),
  )
})

await t.test('what a middleware adds is stored with the events', async t => {
  const node = await start(t, {
    middleware: [
      (_command, next) =>
        next({ principal: 'token:7', metadata: { region: 'eu', by: '1' } }),
      (_command, next) => next({ metadata: { by: '2' } }),
    ],
  })
  await node.spawn(account, 'a').ask('deposit', 1)
  for await (const item of node.store.read({ type: 'account', id: 'a' }))
    t.match(item, { principal: 'token:7', metadata: { region: 'eu', by: '2' } })
  const wrong = await start(t, {
    middleware: [(_c, next) => next({ user: 'x' } as never)],
  })
  await t.rejects(wrong.spawn(account, 'a').ask('deposit', 1), { code: 'invalid-option' })
})

await t.test(
  'what a middleware throws refuses the command, and ends nothing else',
  async t => {
    const throwing = (thrown: unknown): CommandMiddleware =>
      function audit() {
        throw thrown
      }
    for (const [thrown, expected] of [
      [
        new CairnError('forbidden', 'Not you.'),
        { code: 'forbidden', message: 'Not you.' },
      ],
      [
        new Error('database is away'),
        { code: 'middleware-failed', message: /audit threw .*database is away/ },
      ],
      [undefined, { code: 'middleware-failed' }],
      [Object.create(null), { code: 'middleware-failed' }],
    ] as const) {
      const node = await start(t, { middleware: [throwing(thrown)] })
      await t.rejects(node.spawn(account, 'a').ask('deposit', 1), expected)
      await t.rejects(node.spawn(account, 'a').tell('deposit', 1), expected)
      t.equal(await node.store.lastPosition(), 0)
    }
    const silent = await start(t, { middleware: [() => {}] })
    await t.rejects(silent.spawn(account, 'a').ask('deposit', 1), {
      code: 'middleware-failed',
      message: /ended without next\(\)/,
    })
  },
)

await t.test('what it throws after the command hides no outcome', async t => {
  const lines: string[] = []
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_fields: object, message: string) => void lines.push(message),
    error: () => {},
  }
  const node = await start(t, {
    log,
    middleware: [
      async (_command, next) => {
        await next()
        throw new Error('audit log is full')
      },
    ],
  })
  t.match(await node.spawn(account, 'a').ask('deposit', 1), { ok: true, version: 1 })
  t.match(lines, [/A middleware failed after its command: audit log is full/])
  let second: unknown
  const twice = await start(t, {
    middleware: [
      async (_command, next) => {
        await next()
        await next().catch((error: unknown) => (second = error))
      },
    ],
  })
  t.match(await twice.spawn(account, 'a').ask('deposit', 1), { ok: true, version: 1 })
  t.match(second, { code: 'middleware-failed', message: /twice/ })
  t.equal(await twice.store.lastPosition(), 1)
})

await t.test('the deadline and the signal of a command hold in a middleware', async t => {
  const late: Promise<GuardedOutcome>[] = []
  let fired = 0
  const node = await start(t, {
    middleware: [
      async ({ signal }, next) => {
        await new Promise<void>(resolve =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        )
        fired++
        const passed = next()
        late.push(passed)
        return passed
      },
    ],
  })
  const a = node.spawn(account, 'a')
  await t.rejects(a.ask('deposit', 1, { timeout: 5 }), { code: 'deadline-exceeded' })
  const controller = new AbortController()
  const asked = a.ask('deposit', 1, { signal: controller.signal })
  controller.abort()
  await t.rejects(asked, { code: 'aborted' })
  await until(() => fired === 2)
  for (const passed of late) await t.rejects(passed)
  t.equal(await node.store.lastPosition(), 0, 'nothing begins after the deadline')
})

await t.test('a middleware that never ends does not keep an outcome', async t => {
  const node = await start(t, {
    middleware: [
      async (_command, next) => {
        await next()
        await new Promise(() => {})
      },
    ],
  })
  t.match(await node.spawn(account, 'a').ask('deposit', 1, { timeout: 200 }), {
    ok: true,
    version: 1,
  })
})

await t.test('a node that closes gives up what has not passed', async t => {
  const node = await startNode({
    namespace: 'closing',
    store: memory(),
    actors: [account],
    log: false,
    middleware: [() => new Promise(() => {})],
  })
  const asked = node.spawn(account, 'a').ask('deposit', 1)
  asked.catch(() => {})
  await node.close()
  await t.rejects(asked, { code: 'node-closed' })
})

await t.test('only() wraps the commands of one definition, with their types', async t => {
  let sum = 0
  const node = await start(t, {
    middleware: [
      only(account, (command, next) => {
        if (command.type === 'deposit') {
          const amount: number = command.data
          sum += amount
          // @ts-expect-error a deposit's data is a number
          const wrong: string = command.data
          void wrong
        }
        // @ts-expect-error there is no such command
        void (command.type === 'withdraw')
        return next()
      }),
    ],
  })
  await node.spawn(account, 'a').ask('deposit', 4)
  t.equal(sum, 4)
})

await t.test(
  'limit refuses what is above the rate, by its key, and says when to retry',
  async t => {
    const node = await start(t, {
      middleware: [limit({ perSecond: 0.001, burst: 2, by: 'principal' })],
    })
    const ask = (principal?: string) =>
      node
        .spawn(account, 'a')
        .ask('deposit', 1, { ...(principal !== undefined && { principal }) })
    await ask('alice')
    await ask('alice')
    const error = await ask('alice').catch((refused: unknown) => refused)
    t.match(error, {
      code: 'rate-limited',
      retryable: true,
      details: { key: 'alice', perSecond: 0.001 },
    })
    const { retryAfter } = (error as CairnError).details as { retryAfter: number }
    t.ok(retryAfter > 0 && retryAfter <= 1_000_000)
    await ask('bob')
    await ask()
    t.equal(await node.store.lastPosition(), 4)
  },
)

await t.test('limit leaves stored commands and timers alone', async t => {
  const topic = defineTopic<{ n: number }>('things')
  const node = await start(t, {
    middleware: [limit({ perSecond: 0.001, by: 'type' })],
    reactors: [
      defineReactor({
        name: 'r',
        on: topic,
        async handle(_message, { spawn }) {
          await spawn(account, 'r').ask('deposit', 1)
        },
      }),
    ],
  })
  for (let i = 0; i < 5; i++) await node.spawn(account, 'a').send('deposit', 1)
  await node.spawn(account, 'a').ask('later')
  const versionOf = async (id: string) => (await node.spawn(account, id).state()).version
  await until(async () => (await versionOf('a')) === 7)
  await node.publish(topic, { n: 1 })
  await until(async () => (await versionOf('r')) === 1)
  await t.rejects(node.spawn(account, 'b').ask('deposit', 1), { code: 'rate-limited' })
})

await t.test('wrong options are refused', async t => {
  for (const options of [
    { perSecond: 0 },
    { perSecond: NaN },
    { perSecond: 1, burst: 0.5 },
    { perSecond: 1, by: 'user' },
    { perSecond: 1, per: 2 },
  ])
    t.throws(() => limit(options as never), { code: 'invalid-option' })
  await t.rejects(start(t, { middleware: ['x'] as never }), { code: 'invalid-option' })
  t.throws(
    () =>
      defineActor({
        type: 'a',
        initialState: 0,
        decide: {},
        evolve: {},
        guard: true as never,
      }),
    { code: 'invalid-definition' },
  )
})
