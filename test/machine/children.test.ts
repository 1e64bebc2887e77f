// Invoked and spawned actors: started once their state is stored, stopped with it, started again by
// the next owner, and heard of as events of the history.

import t from 'tap'
import {
  assign,
  fromCallback,
  fromObservable,
  fromPromise,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'

import { fromMachine } from '../../src/machine/from-machine.js'
import { deferred } from '../../src/model/wait.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'
import { pinoLines } from './support.js'

const patience = { timeout: 60_000 }

/** A job whose workers the test holds in its hands, whichever node runs them. */
function workshop() {
  const started: string[] = []
  const stopped: string[] = []
  const workers = new Map<string, PromiseWithResolversLike>()
  const work = fromPromise<number, { item: string }>(({ input, self, signal }) => {
    started.push(`${input.item} ${self.sessionId}`)
    signal.addEventListener('abort', () => stopped.push(input.item))
    const worker = deferred<number>()
    workers.set(input.item, worker)
    return worker.promise
  })
  const job = fromMachine(
    setup({
      types: {
        context: {} as { item: string; result: number; why: string },
        events: {} as
          { type: 'order'; item: string } | { type: 'cancel' } | { type: 'note' },
      },
      actors: { work },
    }).createMachine({
      id: 'job',
      context: { item: '', result: 0, why: '' },
      initial: 'idle',
      states: {
        idle: {
          on: {
            order: {
              target: 'working',
              actions: assign({ item: ({ event }) => event.item }),
            },
          },
        },
        working: {
          invoke: {
            id: 'worker',
            src: 'work',
            input: ({ context }) => ({ item: context.item }),
            onDone: {
              target: 'done',
              actions: assign({ result: ({ event }) => event.output }),
            },
            onError: {
              target: 'failed',
              actions: assign({
                why: ({ event }) => (event.error as { readonly message: string }).message,
              }),
            },
          },
          on: { cancel: 'idle', note: {} },
        },
        done: {},
        failed: { on: { order: 'working' } },
      },
    }),
  )
  return { job, started, stopped, workers }
}

interface PromiseWithResolversLike {
  resolve(value: number): void
  reject(why: unknown): void
}

async function eventsOf(node: Node, type: string, id: string): Promise<string[]> {
  const events: string[] = []
  for await (const event of node.store.read({ type, id }))
    if (event.kind === 'event') events.push(event.type)
  return events
}

await onEachBackend(
  t,
  'what a machine invokes is started, heard and stopped',
  async (t, scene) => {
    const { start } = scene(t)
    const { job, started, stopped, workers } = workshop()
    const node = await start({ actors: [job] })
    const a = node.spawn(job, 'a')
    t.match(await a.ask('order', { item: 'chair' }), { ok: true, version: 2 })
    t.strictSame(
      started,
      ['chair job/a/2#worker'],
      'once its state is stored, before the answer',
    )
    t.strictSame((await a.state()).state.children, {
      worker: { src: 'work', input: { item: 'chair' }, key: 'job/a/2#worker' },
    })
    t.equal(node.stats().children.running, 1)
    workers.get('chair')!.resolve(7)
    await until(async () => (await a.state()).state.value === 'done', {
      ...patience,
      describe: 'its end is an event',
    })
    t.match((await a.state()).state, { context: { result: 7 } })
    t.equal((await a.state()).state.children, undefined)
    t.strictSame(await eventsOf(node, 'job', 'a'), [
      'xstate.init',
      'order',
      'xstate.done.actor.worker',
    ])

    const b = node.spawn(job, 'b')
    await b.ask('order', { item: 'table' })
    workers.get('table')!.reject(new RangeError('no wood'))
    await until(async () => (await b.state()).state.value === 'failed', {
      ...patience,
      describe: 'its failure is an event',
    })
    t.equal((await b.state()).state.context.why, 'no wood')

    const c = node.spawn(job, 'c')
    await c.ask('order', { item: 'lamp' })
    await c.ask('cancel')
    t.strictSame(stopped, ['lamp'], 'stopped when its state is left')
    workers.get('lamp')!.resolve(1)
    await c.ask('order', { item: 'shelf' })
    const end = { key: 'job/c/2#worker', output: 1 }
    t.match(
      await node.ask({ type: 'job', id: 'c' }, 'xstate.done.actor.worker', end),
      { ok: false, rejection: { code: 'rejected' } },
      'the end of an earlier start is none of this one',
    )
    t.strictSame((await c.state()).state.children?.['worker']?.key, 'job/c/4#worker')
    await until(() => node.stats().children.running === 1, {
      ...patience,
      describe: 'only the last one runs',
    })
  },
)

await onEachBackend(
  t,
  'xstate 5077: a child that ran when its node ended runs on the next, as the same, and ends once',
  async (t, scene) => {
    const { start } = scene(t)
    const { job, started, stopped, workers } = workshop()
    const first = await start({ actors: [job] })
    await first.spawn(job, 'a').ask('order', { item: 'boat' })
    const { state } = await first.spawn(job, 'a').state()
    // Stored, restored and stored again: twice over.
    for (const round of [1, 2]) {
      const node = round === 1 ? first : await start({ actors: [job] })
      await until(() => started.length === round, {
        ...patience,
        describe: `started by owner ${round}, although nobody asks anything`,
      })
      await node.close()
      t.equal(stopped.length, round, 'and stopped with its node')
    }
    const last = await start({ actors: [job] })
    await until(() => started.length === 3, {
      ...patience,
      describe: 'started by the last',
    })
    t.equal(new Set(started).size, 1, 'each time by the same name')
    t.strictSame((await last.spawn(job, 'a').state()).state, state)
    workers.get('boat')!.resolve(3)
    await until(async () => (await last.spawn(job, 'a').state()).state.value === 'done', {
      ...patience,
      describe: 'it ends',
    })
    t.equal((await eventsOf(last, 'job', 'a')).length, 3, 'once')
    const replayed = await last.state({ type: 'job', id: 'a' }, { version: 3 })
    t.strictSame(replayed.state, (await last.spawn(job, 'a').state()).state)
  },
)

await onEachBackend(
  t,
  'a commit by whoever is not the owner starts and stops children at the owner',
  async (t, scene) => {
    const { start } = scene(t)
    const { job, started, stopped } = workshop()
    const owner = await start({ actors: [job] })
    const guest = await start({ actors: [job], serve: false })
    await guest.spawn(job, 'a').ask('order', { item: 'vase' })
    t.equal(guest.stats().children.running, 0)
    await until(() => started.length === 1, {
      ...patience,
      describe: 'the owner starts it',
    })
    t.equal(owner.stats().children.running, 1)
    await owner.transact(async tx => void (await tx.ask(job, 'a', 'cancel')))
    await until(() => stopped.length === 1, {
      ...patience,
      describe: 'the owner stops it',
    })
  },
)

await onEachBackend(t, 'callbacks and observables tell as they go', async (t, scene) => {
  const { start } = scene(t)
  const beats: ((n: number) => void)[] = []
  let released = 0
  const sensor = fromMachine(
    setup({
      types: {
        context: {} as { sum: number; last: number },
        events: {} as
          { type: 'on' | 'off' | 'watch' | 'unwatch' } | { type: 'beat'; n: number },
      },
      actors: {
        pulse: fromCallback<{ type: 'beat'; n: number }>(({ sendBack }) => {
          beats.push(n => sendBack({ type: 'beat', n }))
          return () => void released++
        }),
        readings: fromObservable(() => ({
          subscribe(observer: unknown) {
            const { next, complete } = observer as {
              next(value: number): void
              complete(): void
            }
            queueMicrotask(() => {
              for (const value of [4, 5, 6]) next(value)
              complete()
            })
            return { unsubscribe() {} }
          },
        })),
      },
    }).createMachine({
      id: 'sensor',
      context: { sum: 0, last: 0 },
      initial: 'idle',
      states: {
        idle: { on: { on: 'live' } },
        live: {
          invoke: {
            src: 'readings',
            id: 'readings',
            onSnapshot: {
              actions: assign({ last: ({ event }) => event.snapshot.context as number }),
            },
          },
          on: {
            watch: { actions: spawnChild('pulse', { id: 'pulse' }) },
            unwatch: { actions: stopChild('pulse') },
            beat: {
              actions: assign({ sum: ({ context, event }) => context.sum + event.n }),
            },
            off: 'idle',
          },
        },
      },
    }),
  )
  const node = await start({ actors: [sensor] })
  const s = node.spawn(sensor, 's')
  await s.ask('on')
  await until(async () => (await s.state()).state.children === undefined, {
    ...patience,
    describe: 'the observable has ended, which no transition waits for',
  })
  t.equal((await s.state()).state.context.last, 6, 'its values came in order')
  await s.ask('watch')
  for (const n of [1, 2, 3]) beats[0]!(n)
  await until(async () => (await s.state()).state.context.sum === 6, {
    ...patience,
    describe: 'what the callback sends is accepted',
  })
  await s.ask('unwatch')
  t.equal(released, 1, 'the callback was cleaned up')
  beats[0]!(9)
  await s.ask('watch')
  await s.ask('off')
  t.strictSame(
    (await s.state()).state.children?.['pulse']?.src,
    'pulse',
    'spawned: it stays',
  )
  t.equal((await s.state()).state.context.sum, 6)
})

await onEachBackend(
  t,
  'a failure that nobody takes ends the machine',
  async (t, scene) => {
    const { log, lines } = pinoLines()
    const fragile = fromMachine(
      setup({
        actors: {
          bad: fromPromise(() => Promise.reject(new Error('broken'))),
          odd: fromPromise(() => Promise.resolve(() => 'no data')),
        },
      }).createMachine({
        id: 'fragile',
        initial: 'calm',
        states: {
          calm: { on: { bad: 'bad', odd: 'odd' } },
          bad: { invoke: { src: 'bad' } },
          odd: { invoke: { src: 'odd', id: 'odd', onError: 'calm' } },
        },
      }),
    )
    const node = await scene(t).start({ actors: [fragile], log })
    const one = node.spawn(fragile, '1')
    await one.ask('odd')
    await until(async () => (await one.state()).version === 3, {
      ...patience,
      describe: 'an output that is no data is a failure',
    })
    t.equal((await one.state()).state.value, 'calm')
    await one.ask('bad')
    await until(async () => (await one.state()).state.status === 'error', {
      ...patience,
      describe: 'it has failed',
    })
    t.strictSame((await one.state()).state.error, { name: 'Error', message: 'broken' })
    const late = await one.ask('bad')
    if (late.ok) throw new Error('it was not refused')
    t.match(late.rejection.message, /it has failed, and accepts no more events/)
    t.strictSame(
      lines().filter(({ level }) => level >= 50),
      [],
    )
  },
)
