// The timers contract: one suite for every implementation of src/store/timers/timers.ts.

import type { Test } from 'tap'

import type { Clock } from '../../src/model/clock.js'
import { newId } from '../../src/model/id.js'
import { partitionOf, defaultPartitions } from '../../src/model/partition.js'
import type { Timer } from '../../src/model/timer.js'
import type { QueueRecord } from '../../src/store/queue/queue.js'
import { readTimer, type Timers } from '../../src/store/timers/timers.js'
import { until } from '../support/wait.js'

export interface TimersPlace {
  /** Opens the timers of a namespace; two of one namespace are one place. */
  open(namespace: string): Promise<Timers>
  /** The time that the place goes by, and its passing; where it is real, it passes by itself. */
  readonly clock: Clock
  pass(ms: number): void
}

const actor = { type: 'order', id: 'o 1.é' }
const other = { type: 'order', id: 'o2' }
const far = 3_600_000

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

function read({ key, headers, body }: QueueRecord): Timer {
  const timer = readTimer(key, headers, body, defaultPartitions)
  if (typeof timer === 'string') throw new Error(timer)
  return timer
}

export async function testTimers(
  t: Test,
  name: string,
  { open, clock, pass }: TimersPlace,
): Promise<void> {
  await t.test(`the timers contract: ${name}`, async t => {
    const timerOf = (timerName: string, more: Partial<Timer> = {}): Timer => ({
      actor,
      name: timerName,
      generation: 100,
      occurrence: 0,
      at: clock.now() + far,
      type: 'expire',
      data: { why: timerName },
      commitPosition: 1,
      ...more,
    })
    const fresh = async (t: Test) => {
      const namespace = `t-${newId().slice(0, 8)}`
      const timers = await open(namespace)
      const stop = new AbortController()
      const keeping = timers.run(clock, stop.signal)
      t.teardown(async () => {
        stop.abort()
        await keeping
        await timers.close()
      })
      /** What was due, once there is so much of it. */
      const due = async (count: number): Promise<Timer[]> => {
        const all = async () => (await collect(timers.due.read())).map(read)
        await until(async () => (await all()).length >= count, {
          describe: `${count} are due`,
          timeout: 30_000,
        })
        return all()
      }
      return { namespace, timers, due }
    }

    await t.test('what is set comes back as it was, and waits', async t => {
      const { timers } = await fresh(t)
      const timer = timerOf('a name. with * and é', {
        every: 500,
        skipAfter: 7,
        occurrence: 3,
        data: { at: new Date(5), list: [1, null] },
        correlationId: 'c',
        causationId: 'd',
        traceparent: 't',
      })
      t.equal(await timers.set(timer), true)
      t.strictSame(await timers.get(actor, timer.name), timer)
      t.equal(await timers.get(actor, 'another'), undefined)
      t.equal(await timers.get(other, timer.name), undefined)
      t.strictSame(await collect(timers.due.read()), [])
    })

    await t.test('what is due becomes so once, by itself, with its moment', async t => {
      const { timers, due } = await fresh(t)
      const timer = timerOf('soon', { at: clock.now() + 300 })
      await timers.set(timer)
      await timers.set(timerOf('later'))
      pass(300)
      t.strictSame(await due(1), [timer])
      const [record] = await collect(timers.due.read())
      const place = [String(partitionOf(actor, defaultPartitions)), 'order', actor.id]
      t.strictSame(record?.key, place, 'it lies with its actor')
      t.equal(await timers.get(actor, 'soon'), undefined, 'it waits no more')
      t.ok(await timers.get(actor, 'later'), 'another does')
      await timers.due.remove([record!.position])
      t.strictSame(await collect(timers.due.read()), [])
    })

    await t.test('what is due already is so at once', async t => {
      const { timers, due } = await fresh(t)
      const timer = timerOf('past', { at: Math.max(0, clock.now() - far) })
      await timers.set(timer)
      t.strictSame(await due(1), [timer])
    })

    await t.test('whoever follows what is due hears of it', async t => {
      const { timers } = await fresh(t)
      const stop = new AbortController()
      const heard: string[] = []
      const following = (async () => {
        for await (const record of timers.due.follow({ signal: stop.signal }))
          heard.push(read(record).name)
      })()
      await timers.set(timerOf('one', { at: clock.now() + 100 }))
      pass(100)
      await until(() => heard.length === 1, { describe: 'the first', timeout: 30_000 })
      await timers.set(timerOf('two', { at: clock.now() }))
      await until(() => heard.length === 2, { describe: 'the second', timeout: 30_000 })
      stop.abort()
      await following
      t.strictSame(heard, ['one', 'two'])
    })

    await t.test('only what was said later replaces a timer', async t => {
      const { timers } = await fresh(t)
      const set = (generation: number, occurrence: number, at = clock.now() + far) =>
        timers.set(timerOf('a', { generation, occurrence, at }))
      const now = async () => {
        const { generation, occurrence } = (await timers.get(actor, 'a'))!
        return [generation, occurrence]
      }
      t.equal(await set(200, 0), true)
      t.equal(await set(200, 0), false, 'the same')
      t.equal(await set(101, 5, 0), false, 'an older one, with more firings')
      t.strictSame(await now(), [200, 0])
      t.equal(await set(200, 2), true, 'a later firing')
      t.equal(await set(200, 1, 0), false, 'an earlier firing')
      t.equal(await set(201, 0), true, 'a newer one')
      t.strictSame(await now(), [201, 0])
      t.strictSame(await collect(timers.due.read()), [], 'nothing replaced became due')
      t.equal((await collect(timers.list())).length, 1)
    })

    await t.test('a timer that was replaced is due at its new moment only', async t => {
      const { timers, due } = await fresh(t)
      await timers.set(timerOf('a', { at: clock.now() + 500 }))
      const newer = timerOf('a', { generation: 300, at: clock.now() + 900 })
      await timers.set(newer)
      await timers.set(timerOf('end', { at: newer.at + 200 }))
      pass(1_100)
      t.strictSame(
        (await due(2)).map(one => [one.name, one.generation]),
        [
          ['a', 300],
          ['end', 100],
        ],
      )
    })

    await t.test('cancelling takes what was set before, and nothing else', async t => {
      const { timers, due } = await fresh(t)
      await timers.set(timerOf('a', { generation: 200, at: clock.now() + 500 }))
      t.equal(await timers.cancel(actor, 'a', 200), false, 'it was not set before')
      t.equal(await timers.cancel(actor, 'b', 900), false, 'nothing is there')
      t.equal(await timers.cancel(other, 'a', 900), false, 'another actor')
      t.equal(await timers.cancel(actor, 'a', 201), true)
      t.equal(await timers.cancel(actor, 'a', 201), false, 'it is gone')
      t.equal(await timers.get(actor, 'a'), undefined)
      await timers.set(timerOf('end', { at: clock.now() + 700 }))
      pass(700)
      t.strictSame(
        (await due(1)).map(one => one.name),
        ['end'],
      )
      t.equal(await timers.cancel(actor, 'end', 900), false, 'it has fired')
      t.equal((await due(1)).length, 1, 'which is left alone')
    })

    await t.test('it is written down what is known of a timer that waits', async t => {
      const { timers } = await fresh(t)
      const timer = timerOf('a', { occurrence: 2 })
      await timers.advance({ ...timer, commitPosition: 9 })
      t.equal(await timers.get(actor, 'a'), undefined, 'of one that waits, only')
      await timers.set(timer)
      await timers.advance({ ...timer, commitPosition: 9 })
      t.equal((await timers.get(actor, 'a'))?.commitPosition, 9)
      await timers.advance({ ...timer, occurrence: 1, commitPosition: 11 })
      await timers.advance({ ...timer, generation: 101, commitPosition: 11 })
      t.strictSame(await timers.get(actor, 'a'), { ...timer, saidAt: 9 })
    })

    await t.test('timers of one moment become due as they were set', async t => {
      const { timers, due } = await fresh(t)
      const at = clock.now() + 800
      const names = Array.from({ length: 30 }, (_, i) => `n${(i * 7) % 30}`)
      for (const one of names) await timers.set(timerOf(one, { at }))
      await timers.set(timerOf('before', { at: at - 100 }))
      pass(800)
      t.strictSame(
        (await due(31)).map(one => one.name),
        ['before', ...names],
      )
    })

    await t.test('lists all, or one actor’s, from whichever opening', async t => {
      const { timers, namespace } = await fresh(t)
      const second = await open(namespace)
      const names = Array.from({ length: 600 }, (_, i) => `n${i}`)
      await Promise.all(names.map(one => timers.set(timerOf(one))))
      await second.set(timerOf('other', { actor: other }))
      const all = await collect(second.list())
      t.strictSame(new Set(all.map(one => one.name)), new Set([...names, 'other']))
      t.equal(all.length, 601)
      t.equal((await collect(second.list({ actor }))).length, 600)
      t.strictSame(await collect(timers.list({ actor: other })), [
        timerOf('other', { actor: other, at: all.find(one => one.name === 'other')!.at }),
      ])
      const aborted = AbortSignal.abort()
      await t.rejects(collect(timers.list({ signal: aborted })))
    })

    await t.test('what cannot be a timer is refused, and nothing is stored', async t => {
      const { timers } = await fresh(t)
      await t.rejects(timers.set(timerOf('')), { code: 'invalid-timer' })
      await t.rejects(timers.set(timerOf('a', { at: -1 })), { code: 'invalid-timer' })
      await t.rejects(timers.set(timerOf('a', { data: () => 1 })), {
        code: 'invalid-data',
      })
      t.strictSame(await collect(timers.list()), [])
    })
  })
}
