// Work of deciders: started after the commit by the owner, started again by the next one under the same key, and ended
// once, by a command.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { cancel, type Effect } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { perform, type PerformOptions } from '../../src/actor/perform.js'
import { reject } from '../../src/actor/reject.js'
import { defineWork, type FailedWork, type WorkContext } from '../../src/actor/work.js'
import { isCairnError } from '../../src/model/errors.js'
import { TerminalError } from '../../src/model/retry-policy.js'
import { type Deferred, deferred } from '../../src/model/wait.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend, type Scene } from '../support/backends.js'
import { pinoLines } from '../machine/support.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }

interface Call {
  readonly cents: number
  readonly context: WorkContext
  readonly answer: Deferred<unknown>
}

/** An order, and the calls of its work, which the test answers. */
function shop(options: Omit<PerformOptions, 'done' | 'failed'> = {}) {
  const calls: Call[] = []
  const charge = defineWork('charge', ({ cents }: { cents: number }, context) => {
    const answer = deferred<unknown>()
    calls.push({ cents, context, answer })
    return answer.promise
  })
  const asked = (cents: number): [ReturnType<typeof paying>, Effect] => [
    paying(cents),
    perform(charge, { cents }, { done: 'charged', failed: 'notCharged', ...options }),
  ]
  const paying = (cents: number) => event('paying', cents)
  const order = defineActor({
    type: 'order',
    performs: [charge],
    initialState: { paying: 0, paid: [] as unknown[], why: [] as FailedWork[], notes: 0 },
    decide: {
      pay: (_state, cents: number) => asked(cents),
      charged: (state, receipt: unknown) =>
        receipt === 'nothing'
          ? undefined
          : state.paid.length > 0 && receipt === 'again'
            ? reject('paid', 'It is paid already.')
            : event('paid', receipt),
      notCharged: (_state, failure: FailedWork) => event('failed', failure),
      note: () => event('noted'),
      giveUp: () => [event('noted'), cancel(charge)],
    },
    evolve: {
      paying: (state, _cents: number) => ({ ...state, paying: state.paying + 1 }),
      paid: (state, receipt: unknown) => ({ ...state, paid: [...state.paid, receipt] }),
      failed: (state, failure: FailedWork) => ({
        ...state,
        why: [...state.why, failure],
      }),
      noted: state => ({ ...state, notes: state.notes + 1 }),
    },
  })
  return { order, charge, calls }
}

async function eventsOf(node: Node, id: string): Promise<string[]> {
  const events: string[] = []
  for await (const stored of node.store.read({ type: 'order', id }))
    if (stored.kind === 'event') events.push(stored.type)
  return events
}

const called = (calls: readonly Call[], count: number, why: string) =>
  until(() => calls.length === count, { ...patience, describe: why })

await onEachBackend(
  t,
  'work starts after its commit, and its end is a command, once',
  async (t, scene) => {
    const { order, calls } = shop()
    const node = await scene(t).start({ actors: [order] })
    const a = node.spawn(order, 'a')
    await a.ask('pay', 700)
    await called(calls, 1, 'it starts')
    const [first] = calls
    t.match(first, { cents: 700, context: { key: 'order/a/1#0', attempt: 1 } })
    t.strictSame(first!.context.actor, { type: 'order', id: 'a' })
    t.equal(node.stats().children.running, 1)
    await a.ask('note')
    first!.answer.resolve({ receipt: 'r-1', at: new Date(5) })
    const { state } = await a.until(({ paid }) => paid.length > 0, patience)
    t.strictSame(state.paid, [{ receipt: 'r-1', at: new Date(5) }])
    t.equal(node.stats().children.running, 0)

    const end = (data: unknown, commandId = 'order/a/1#0:end') =>
      node.ask({ type: 'order', id: 'a' }, 'charged', data, { commandId })
    t.match(
      await end({ receipt: 'r-1', at: new Date(5) }),
      { ok: true, duplicate: true },
      'an end that is sent twice acts once',
    )
    await t.rejects(end({ receipt: 'r-2' }), { code: 'command-id-reused' })
    t.match(await end('other', 'order/a/9#0:end'), {
      ok: false,
      rejection: { code: 'cairn.work-ended' },
    })
    t.strictSame(await eventsOf(node, 'a'), ['paying', 'noted', 'paid'])
  },
)

await onEachBackend(
  t,
  'what ran when its node ended runs on the next, under the same key, with nobody asking',
  async (t, scene) => {
    const { order, calls } = shop()
    const { start } = scene(t)
    let node = await start({ actors: [order] })
    await node.spawn(order, 'a').ask('pay', 700)
    for (const round of [1, 2]) {
      await called(calls, round, `it is started by owner ${round}`)
      await node.close()
      t.ok(calls[round - 1]!.context.signal.aborted, 'its signal fires')
      calls[round - 1]!.answer.resolve('too late')
      node = await start({ actors: [order] })
    }
    await called(calls, 3, 'it is started by the last owner')
    t.equal(new Set(calls.map(({ context }) => context.key)).size, 1, 'by one key')
    // Commits of others between: their states carry the work.
    await node.spawn(order, 'a').ask('note')
    calls[2]!.answer.resolve('r-3')
    const { state } = await node
      .spawn(order, 'a')
      .until(({ paid }) => paid.length > 0, patience)
    t.strictSame(state, { paying: 1, paid: ['r-3'], why: [], notes: 1 })
    t.strictSame(await eventsOf(node, 'a'), ['paying', 'noted', 'paid'])
  },
)

await onEachBackend(
  t,
  'without states in commits, work is found in the history',
  async (t, scene) => {
    const { order, calls } = shop()
    const bare = { ...order, options: { ...order.options, stateBytesMax: 1 } }
    const { start } = scene(t)
    const first = await start({ actors: [bare] })
    const a = first.spawn(bare, 'a')
    await a.ask('pay', 1)
    await a.ask('pay', 2)
    await called(calls, 2, 'both start')
    calls[0]!.answer.resolve('one')
    await a.until(({ paid }) => paid.length === 1, patience)
    await first.close()
    await start({ actors: [bare] })
    await called(calls, 3, 'only the one that has not ended starts again')
    t.equal(calls[2]!.context.key, 'order/a/2#0')
  },
)

await onEachBackend(
  t,
  'work that is cancelled is stopped, and none of its commands comes',
  async (t, scene) => {
    const { order, calls } = shop()
    const { start } = scene(t)
    const node = await start({ actors: [order] })
    const guest = await start({ actors: [order], serve: false })
    const a = guest.spawn(order, 'a')
    await a.ask('pay', 700)
    await called(calls, 1, 'the owner starts it')
    t.equal(guest.stats().children.running, 0)
    await guest.transact(async tx => void (await tx.ask(order, 'a', 'giveUp')))
    await until(() => calls[0]!.context.signal.aborted, {
      ...patience,
      describe: 'the owner stops it',
    })
    t.ok(isCairnError(calls[0]!.context.signal.reason, 'aborted'))
    calls[0]!.answer.resolve('too late')
    await until(() => node.stats().children.running === 0, patience)
    await a.ask('note')
    t.strictSame(await eventsOf(node, 'a'), ['paying', 'noted', 'noted'])
  },
)

await onEachBackend(
  t,
  'an end that the actor rejects is counted, logged and over',
  async (t, scene) => {
    const { order, calls } = shop()
    const { start } = scene(t)
    const { log, lines } = pinoLines()
    const first = await start({ actors: [order], log })
    const a = first.spawn(order, 'a')
    for (const [i, answer] of ['r-1', 'again', 'nothing'].entries()) {
      await a.ask('pay', i)
      await called(calls, i + 1, 'it starts')
      calls[i]!.answer.resolve(answer)
      await until(() => first.stats().children.running === 0, patience)
    }
    await until(() => first.stats().actors.rejectedEnds === 1, patience)
    t.ok(lines().some(({ msg }) => msg === 'The end of work was rejected by its actor'))
    const ended: unknown[] = []
    for await (const stored of first.store.read({ type: 'order', id: 'a' }))
      if (stored.kind === 'event' && stored.type === 'cairn.workEnded')
        ended.push(stored.data)
    t.strictSame(ended, [
      {
        key: 'order/a/3#0',
        work: 'charge',
        command: 'charged',
        rejection: { code: 'paid', message: 'It is paid already.' },
      },
      { key: 'order/a/5#0', work: 'charge', command: 'charged' },
    ])
    await first.close()
    const next = await start({ actors: [order] })
    await next.settled()
    t.equal(calls.length, 3, 'it does not run again')
    t.strictSame((await next.spawn(order, 'a').state()).state.paid, ['r-1'])
  },
)

await onEachBackend(
  t,
  'work that the definition of the owner does not have waits for one that has it',
  async (t, scene) => {
    const { order, calls } = shop()
    const without = defineActor({
      type: 'order',
      performs: [defineWork('other', () => 0)],
      initialState: () => ({ paying: 0, paid: [], why: [], notes: 0 }),
      decide: { note: () => event('noted') },
      evolve: {
        paying: (state, _cents: number) => state,
        noted: state => ({ ...state, notes: state.notes + 1 }),
      },
    })
    const { start } = scene(t)
    const { log, lines } = pinoLines()
    const first = await start({ actors: [order] })
    await first.spawn(order, 'a').ask('pay', 700)
    await called(calls, 1, 'it starts')
    await first.close()
    const second = await start({ actors: [without], log })
    await second.spawn(without, 'a').ask('note')
    await until(
      () => lines().some(({ msg }) => /not "charge": the work waits/.test(msg)),
      {
        ...patience,
        describe: 'it says so',
      },
    )
    await second.close()
    const third = await start({ actors: [order] })
    await called(calls, 2, 'it starts again')
    calls[1]!.answer.resolve('r-1')
    const a = third.spawn(order, 'a')
    const { state } = await a.until(({ paid }) => paid.length > 0, patience)
    t.strictSame(state, { paying: 1, paid: ['r-1'], why: [], notes: 1 })
  },
)

const fast = { first: 1, factor: 1 }

void t.test('what fails is tried again, and its last failure is data', async t => {
  const scene = await sceneOf(t)
  const { order, calls } = shop({ retry: { ...fast, attempts: 3 } })
  const node = await scene.start({ actors: [order] })
  const a = node.spawn(order, 'a')
  await a.ask('pay', 700)
  for (const attempt of [1, 2, 3]) {
    await called(calls, attempt, `attempt ${attempt}`)
    const { context, answer } = calls[attempt - 1]!
    t.match(context, { attempt, key: 'order/a/1#0', isLastAttempt: attempt === 3 })
    answer.reject(Object.assign(new RangeError('no answer'), { code: 'ETIMEDOUT' }))
  }
  const { state } = await a.until(({ why }) => why.length > 0, patience)
  t.strictSame(state.why, [
    {
      work: 'charge',
      key: 'order/a/1#0',
      input: { cents: 700 },
      error: { name: 'RangeError', message: 'no answer', code: 'ETIMEDOUT' },
      attempts: 3,
      reason: 'max-attempts-exhausted',
    },
  ])
})

void t.test('ends of every kind', async t => {
  const scene = await sceneOf(t)
  const { order, calls } = shop({ timeout: 50, retry: { ...fast, attempts: 2 } })
  const node = await scene.start({ actors: [order] })
  const endOf = async (id: string, answer?: (call: Call) => void) => {
    const before = calls.length
    await node.spawn(order, id).ask('pay', 1)
    if (answer !== undefined) {
      await called(calls, before + 1, 'it starts')
      answer(calls[before]!)
    }
    const { state } = await node
      .spawn(order, id)
      .until(({ why }) => why.length > 0, patience)
    return state.why[0]
  }
  t.match(
    await endOf('terminal', ({ answer }) => answer.reject(new TerminalError('declined'))),
    { reason: 'terminal', attempts: 1, error: { message: 'declined' } },
  )
  t.match(await endOf('odd', ({ answer }) => answer.resolve(() => 'no data')), {
    reason: 'invalid-result',
    attempts: 1,
    error: { code: 'invalid-data' },
  })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  t.match(
    await endOf('revoked', ({ answer }) => {
      answer.reject(revoked.proxy)
      // The second attempt is late.
    }),
    {
      reason: 'max-attempts-exhausted',
      attempts: 2,
      error: { code: 'deadline-exceeded' },
    },
  )
  t.match(await endOf('late'), { attempts: 2, error: { name: 'CairnError' } })
  t.ok(calls.at(-1)!.context.signal.aborted, 'its signal has fired')
})

void t.test(
  'commands that wait are stored with an end, and a failed one changes nothing',
  async t => {
    const scene = await sceneOf(t)
    const { order, calls } = shop()
    const node = await scene.start({ actors: [order] })
    const a = node.spawn(order, 'a')
    for (const cents of [1, 2]) await a.ask('pay', cents)
    await called(calls, 2, 'both start')
    for (const { answer, cents } of calls) answer.resolve(cents)
    await Promise.all(Array.from({ length: 20 }, () => a.ask('note')))
    await a.until(({ paid }) => paid.length === 2, patience)
    t.equal(node.stats().children.running, 0)
    t.strictSame(new Set((await a.state()).state.paid), new Set([1, 2]))
  },
)

void t.test('what cannot be performed is refused where it is decided', async t => {
  const { order, charge } = shop()
  const other = defineWork('other', (_input: number) => 0)
  const terms = { done: 'charged', failed: 'notCharged' }
  const thrown = (work: () => unknown) => {
    try {
      return work()
    } catch (error) {
      return (error as Error).message
    }
  }
  const decideWith = (effect: Effect) => {
    const odd = defineActor({
      type: 'odd',
      performs: [charge],
      initialState: 0,
      decide: {
        go: () => [event('gone'), effect],
        charged: () => event('gone'),
        notCharged: () => event('gone'),
      },
      evolve: { gone: (state: number) => state },
    })
    const command = { id: 'c', type: 'go', data: undefined }
    const context = {
      actor: { type: 'odd', id: 'x' },
      version: 0,
      commandId: 'c',
      now: 0,
    }
    const decided = { ...context, uuid: () => '', random: () => 0 }
    return thrown(() => odd.behavior.decide(0, command, decided))
  }
  t.match(decideWith(perform(other, 1, terms)), /does not declare: add it to performs/)
  t.match(
    decideWith(perform(charge, { cents: 1 }, { ...terms, done: 'chargd' })),
    /knows no command "chargd". Did you mean charged/,
  )
  t.match(decideWith(cancel(other)), /add it to performs/)
  const wrong = (options: object) =>
    thrown(() => perform(charge, { cents: 1 }, { ...terms, ...options }))
  t.match(wrong({ timeout: -1 }), /has timeout: -1: use milliseconds from 1/)
  t.match(wrong({ retries: 1 }), /has no option "retries".*It has done, failed/)
  t.match(wrong({ retry: { when: () => true } }), /throw a TerminalError instead/)
  t.match(wrong({ retry: { attempts: 0 } }), /use whole attempts from 1/)
  t.match(
    thrown(() => perform(charge, { cents: (() => 1) as never }, terms)),
    /input of work "charge"/,
  )
  t.match(
    thrown(() => defineWork('a b', () => 0)),
    /not a name of work/,
  )
  t.match(
    thrown(() => defineWork('a', 1 as never)),
    /pass the function that does it/,
  )
  t.match(
    thrown(() =>
      defineActor({ ...({} as typeof spec), ...spec, performs: [charge, charge] }),
    ),
    /work charge twice/,
  )
  t.equal(order.performs?.length, 1)
})

const spec = { type: 'p', initialState: 0, decide: {}, evolve: {} }

/** A namespace in memory, without servers. */
async function sceneOf(
  t: Parameters<Parameters<typeof onEachBackend>[2]>[0],
): Promise<Pick<Scene, 'start'>> {
  const { memory } = await import('../../src/backend/memory.js')
  const { startNode } = await import('../../src/runtime/start-node.js')
  const store = memory()
  return {
    async start(options) {
      const node = await startNode({ namespace: 'work', store, log: false, ...options })
      t.teardown(() => node.close())
      return node
    },
  }
}
