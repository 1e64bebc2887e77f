// Whatever user code throws: no process ends, nothing hangs, attempts are counted, and the reason is kept.

import t from 'tap'
import { assign, fromPromise, setup } from 'xstate'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { memory } from '../../src/backend/memory.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { RetryableError } from '../../src/model/retry-policy.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { CairnError, isCairnError } from '../../src/model/errors.js'
import { describeThrown } from '../../src/model/thrown.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import type { Node } from '../../src/runtime/node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { oddValues, randomOddValues } from '../support/odd-values.js'
import { until } from '../support/wait.js'

const odd = [...oddValues, ...randomOddValues(40, 11)]
const throwOdd = (index: number): never => {
  throw odd[index]!.make()
}
/** Logs through pino itself, whose serializer reads the errors. */
const start = (options: Partial<NodeOptions>): Promise<Node> =>
  startNode({ namespace: 'odd', store: memory(), ...options })

const unhandled: unknown[] = []
process.on('unhandledRejection', error => unhandled.push(error))

async function lettersOf({ deadLetters }: Node): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of deadLetters.list()) letters.push(letter)
  return letters
}

const topic = defineTopic('odd')
const settled = (handled: ReadonlyMap<string, number>, node: Node) =>
  until(
    async () =>
      handled.size === odd.length && (await lettersOf(node)).length >= odd.length,
  )

await t.test(
  'a reactor gives up each message, and handles the next of its key',
  async t => {
    const handled = new Map<string, number>()
    const reactor = defineReactor({
      name: 'r',
      on: topic,
      retry: { attempts: 2, first: 1 },
      handle({ data, id }) {
        if (id.startsWith('good')) handled.set(id, data as number)
        else throwOdd(data as number)
      },
    })
    await using node = await start({ reactors: [reactor] })
    for (const index of odd.keys()) {
      await node.publish(topic, index, { id: `bad ${index}`, key: `k${index}` })
      await node.publish(topic, index, { id: `good ${index}`, key: `k${index}` })
    }
    await settled(handled, node)
    const letters = await lettersOf(node)
    t.equal(letters.length, odd.length)
    for (const { message, error, attempts } of letters) {
      const { name, make } = odd[message.data as number]!
      t.equal(attempts, 2, name)
      t.equal(error.message, describeThrown(make()).message, name)
    }
    t.equal(node.stats().reactors.r!.failing, 0)
  },
)

await t.test('so does a trigger', async t => {
  const consumer = defineConsumer({ name: 'c', on: topic, attempts: 1 })
  const handled = new Map<string, number>()
  await using node = await start({})
  const trigger = node.trigger(
    consumer,
    ({ payload, headers }) => {
      const id = decodeURIComponent(headers['Cairn-Message']!)
      if (id.startsWith('good')) handled.set(id, payload as number)
      else throwOdd(payload as number)
    },
    { concurrency: 10 },
  )
  for (const index of odd.keys()) {
    await node.publish(topic, index, { id: `bad ${index}` })
    await node.publish(topic, index, { id: `good ${index}` })
  }
  await trigger.start()
  await settled(handled, node)
  const letters = await lettersOf(node)
  t.equal(letters.length, odd.length)
  for (const { message, error } of letters) {
    const { name, make } = odd[message.data as number]!
    t.equal(error.message, describeThrown(make()).message, name)
  }
})

await t.test(
  'odd delays, reasons, policies and middleware do not stop a reactor',
  async t => {
    const requests = {
      'NaN after': () => {
        throw new RetryableError('later', { after: NaN })
      },
      'text after': () => {
        throw new RetryableError('later', { after: 'soon' as unknown as number })
      },
      'infinite retry': (retry: (after: number) => void) => retry(Infinity),
    }
    const calls = new Map<string, number>()
    const slips = defineReactor({
      name: 'slips',
      on: topic,
      retry: { attempts: 2, first: 1 },
      handle({ id }, { retry }) {
        calls.set(id, (calls.get(id) ?? 0) + 1)
        requests[id as keyof typeof requests]?.(retry)
      },
    })
    const parking = defineReactor({
      name: 'parking',
      on: topic,
      handle: (_message, { park }) => park(new Error('a reason') as unknown as string),
    })
    const careless = defineReactor({
      name: 'careless',
      on: topic,
      retry: { attempts: 2, first: 1 },
      use: [(_message, _context, next) => void next()],
      async handle() {
        await Promise.resolve()
        throw new Error('unawaited')
      },
    })
    await using node = await start({ reactors: [slips, parking, careless] })
    const ids = Object.keys(requests)
    for (const id of ids) await node.publish(topic, 0, { id })
    const letters = await until(async () => {
      const found = await lettersOf(node)
      return found.length === 3 * ids.length && found
    })
    const of = (name: string) => letters.filter(({ reactor }) => reactor === name)
    t.strictSame(
      of('slips').map(({ attempts }) => attempts),
      [2, 2, 2],
    )
    t.strictSame(
      of('parking').map(({ reason }) => reason),
      ['parked', 'parked', 'parked'],
    )
    t.match(of('parking')[0], { error: { message: 'a reason' } })
    t.match(of('careless')[0], { error: { message: 'unawaited' }, attempts: 2 })
  },
)

await t.test('an actor fails the command, or is parked with the reason', async t => {
  const actor = defineActor({
    type: 'odd',
    initialState: (id: string) =>
      id === 'first' ? throwOdd(oddIndex('revoked proxy')) : 0,
    decide: {
      decide: (_state, index: number) => throwOdd(index),
      reply: (_state, index: number) => ({ events: [], reply: () => throwOdd(index) }),
      evolve: (_state, index: number) => event('evolved', index),
      fine: () => event('fine'),
    },
    evolve: {
      evolved: (_state, index: number): number => throwOdd(index),
      fine: (state): number => state + 1,
    },
  })
  const escalations: unknown[] = []
  await using node = await start({
    actors: [actor],
    onEscalation: ({ error }) => {
      escalations.push(error)
      throw odd[0]!.make()
    },
  })
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => (isCairnError(error) ? error : undefined),
    )
  for (const [index, { name, make }] of odd.entries()) {
    const one = node.spawn(actor, `a${index}`)
    const { message } = describeThrown(make())
    for (const command of ['decide', 'reply'] as const) {
      const error = await failure(one.ask(command, index))
      t.equal(error?.code, 'decide-failed', name)
      t.ok(error?.message.includes(message), name)
    }
    const parked = await failure(one.ask('evolve', index))
    t.equal(parked?.code, 'actor-parked', name)
    t.ok(parked?.message.includes(message), name)
    await node.supervise({ type: 'odd', id: `a${index}` }).retry({ by: 'test' })
    t.match(await one.ask('fine'), { ok: true, version: 1 }, name)
  }
  t.equal((await failure(node.spawn(actor, 'first').ask('fine')))?.code, 'actor-parked')
})

await t.test('an error of Cairn is passed on, whatever its details are', async t => {
  const getter = { get: () => throwOdd(0), enumerable: true }
  const { proxy, revoke } = Proxy.revocable({}, {})
  const details: Record<string, () => object> = {
    'a getter that throws': () => Object.defineProperty({ kept: 1 }, 'x', getter),
    'a proxy whose traps throw': () => new Proxy({}, { ownKeys: () => throwOdd(0) }),
    'a revoked proxy': () => proxy,
    'a circle': () => {
      const circle: Record<string, unknown> = {}
      circle.self = circle
      return circle
    },
    'no data': () => ({ go() {}, map: new Map(), symbol: Symbol('s') }),
  }
  revoke()
  const throwOurs = (name: string): never => {
    throw new CairnError('forbidden', 'mine', { details: details[name]!() as never })
  }
  // One that looks like ours, and whose details are exchanged after it was made.
  const throwExchanged = (name: string): never => {
    const error = new CairnError('forbidden', 'mine')
    Object.defineProperty(error, 'details', { value: details[name]!() })
    throw error
  }
  const actor = defineActor({
    type: 'ours',
    initialState: 0,
    guard: ({ type, data }) => (type === 'guard' ? throwOurs(data as string) : true),
    decide: {
      guard: (_state, _name: string) => event('fine'),
      decide: (_state, name: string) => throwOurs(name),
      exchange: (_state, name: string) => throwExchanged(name),
      reply: (_state, name: string) => ({ events: [], reply: () => throwOurs(name) }),
      fine: () => event('fine'),
    },
    evolve: { fine: (state: number) => state + 1 },
  })
  await using node = await start({ actors: [actor] })
  for (const name of Object.keys(details)) {
    const one = node.spawn(actor, name)
    for (const command of ['guard', 'decide', 'reply'] as const)
      await t.rejects(
        one.ask(command, name),
        { code: 'forbidden', message: 'mine' },
        name,
      )
    await t.rejects(one.ask('exchange', name), name)
    t.match(await one.ask('fine'), { ok: true, version: 1 }, name)
  }
  const { message, details: read } = new CairnError('forbidden', 'mine', {
    details: details['a getter that throws']!() as never,
  })
  t.strictSame([message, read.kept], ['mine', 1])
})

await t.test('a projection shows where it is stuck, and goes on', async t => {
  const chosen = odd.filter((_, index) => index % 4 === 0)
  const actor = defineActor({
    type: 'counted',
    initialState: 0,
    decide: { count: () => event('counted') },
    evolve: { counted: state => state + 1 },
  })
  let isFixed = false
  const projections = chosen.map(({ make }, index) =>
    defineProjection({
      name: `p${index}`,
      from: actor,
      initial: 0,
      key({ actor: { id } }) {
        if (!isFixed && index % 2 === 0) throw make()
        return id
      },
      when: {
        counted(count) {
          if (!isFixed) throw make()
          return count + 1
        },
      },
    }),
  )
  const careless = defineProjection({
    name: 'careless',
    from: actor,
    initial: 0,
    key: (async () => Promise.reject(new Error('nobody awaits this'))) as never,
    when: { counted: count => count + 1 },
  })
  await using node = await start({
    actors: [actor],
    projections: [...projections, careless],
  })
  await node.spawn(actor, 'one').ask('count')
  const stuckOf = (name: string) => node.stats().projections[name]!.builds.at(-1)?.stuck
  const names = Object.keys(node.stats().projections)
  await until(() => names.every(name => stuckOf(name) !== undefined))
  for (const [index, { name, make }] of chosen.entries())
    t.equal(stuckOf(`p${index}`)?.error, describeThrown(make()).message, name)
  t.match(stuckOf('careless')?.error, /returned a promise/)
  isFixed = true
  for (const projection of projections)
    await until(async () => (await node.projection(projection).get('one')) === 1)
})

await t.test('a machine refuses, reports, or hears of it', async t => {
  const machine = setup({
    types: {
      context: {} as { why: unknown; index: number },
      events: {} as
        | { type: 'guard'; index: number }
        | { type: 'act'; index: number }
        | { type: 'invoke'; index: number },
    },
    actors: {
      failing: fromPromise<number, number>(async ({ input }) => throwOdd(input)),
    },
    guards: { odd: ({ event }) => throwOdd(event.index) },
    actions: { odd: ({ event }) => throwOdd((event as { index: number }).index) },
  }).createMachine({
    id: 'odd',
    context: { why: undefined, index: 0 },
    initial: 'idle',
    states: {
      idle: {
        on: {
          guard: { guard: 'odd', target: 'idle' },
          act: { actions: 'odd' },
          invoke: {
            target: 'working',
            actions: assign({ index: ({ event }) => event.index }),
          },
        },
      },
      working: {
        invoke: {
          id: 'failing',
          src: 'failing',
          input: ({ context }) => context.index,
          onError: {
            target: 'failed',
            actions: assign({ why: ({ event }) => event.error }),
          },
        },
      },
      failed: {},
    },
  })
  const definition = fromMachine(machine)
  await using node = await start({ actors: [definition] })
  for (const [index, { name }] of odd.entries()) {
    const one = node.spawn(definition, `m${index}`)
    // XState makes an error of its own of what a guard throws, and drops a promise.
    if (name !== 'rejected promise')
      await t.rejects(one.ask('guard', { index }), { code: 'decide-failed' }, name)
    t.match(await one.ask('act', { index }), { ok: true }, name)
    t.match(await one.ask('invoke', { index }), { ok: true }, name)
    await until(async () => (await one.state()).state.value === 'failed', {
      describe: name,
    })
  }
})

await t.test('a transaction passes it on, and the node goes on', async t => {
  await using node = await start({})
  for (const { name, make } of odd) {
    const thrown = make()
    Promise.resolve()
      .then(() => thrown)
      .catch(() => {})
    let caught: unknown = 'nothing'
    await node
      .transact(() => {
        throw thrown
      })
      .catch((error: unknown) => {
        caught = { error }
      })
    t.ok(Object.is((caught as { error: unknown }).error, thrown), name)
  }
})

await t.test('no rejection of a promise that was thrown ends the process', async t => {
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(unhandled, [])
})

function oddIndex(name: string): number {
  return odd.findIndex(one => one.name === name)
}
