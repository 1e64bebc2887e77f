// The timers contract: one suite for every implementation of src/store/timers/timers.ts.

import type { Test } from 'tap'

import type { Clock } from '../../src/model/clock.js'
import { newId } from '../../src/model/id.js'
import { partitionOf, defaultPartitions } from '../../src/model/partition.js'
import type { Timer } from '../../src/model/timer.js'
import type { QueueRecord } from '../../src/store/queue/queue.js'
import { readTimer, type Timers } from '../../src/store/timers/timers.js'
import { until } from '../support/wait.js'

export interface TimersFixture {
  /** Opens the timers of a namespace; two openings of one namespace share them. */
  open(namespace: string): Promise<Timers>
  /** The clock of the timers. `pass` advances it; a real clock advances by itself. */
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
  { open, clock, pass }: TimersFixture,
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
      const running = timers.run(clock, stop.signal)
      t.teardown(async () => {
        stop.abort()
        await running
        await timers.close()
      })
      /** The timers that became due, once there are `count`. */
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

    await t.test('a timer is read as it was set, and waits', async t => {
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

    await t.test('a timer fires once, at its time, without a call', async t => {
      const { timers, due } = await fresh(t)
      const timer = timerOf('soon', { at: clock.now() + 300 })
      await timers.set(timer)
      await timers.set(timerOf('later'))
      pass(300)
      t.strictSame(await due(1), [timer])
      const [record] = await collect(timers.due.read())
      const key = [String(partitionOf(actor, defaultPartitions)), 'order', actor.id]
      t.strictSame(record?.key, key, 'it has the key of its actor')
      t.equal(await timers.get(actor, 'soon'), undefined, 'it waits no longer')
      t.ok(await timers.get(actor, 'later'), 'another does')
      await timers.due.remove([record!.position])
      t.strictSame(await collect(timers.due.read()), [])
    })

    await t.test('a timer that is already due fires at once', async t => {
      const { timers, due } = await fresh(t)
      const timer = timerOf('past', { at: Math.max(0, clock.now() - far) })
      await timers.set(timer)
      t.strictSame(await due(1), [timer])
    })

    await t.test('a follower of the due queue receives timers as they fire', async t => {
      const { timers } = await fresh(t)
      const stop = new AbortController()
      const seen: string[] = []
      const following = (async () => {
        for await (const record of timers.due.follow({ signal: stop.signal }))
          seen.push(read(record).name)
      })()
      await timers.set(timerOf('one', { at: clock.now() + 100 }))
      pass(100)
      await until(() => seen.length === 1, { describe: 'the first', timeout: 30_000 })
      await timers.set(timerOf('two', { at: clock.now() }))
      await until(() => seen.length === 2, { describe: 'the second', timeout: 30_000 })
      stop.abort()
      await following
      t.strictSame(seen, ['one', 'two'])
    })

    await t.test('only a later timer replaces a timer', async t => {
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
      t.strictSame(await collect(timers.due.read()), [], 'no replaced timer fired')
      t.equal((await collect(timers.list())).length, 1)
    })

    await t.test('a replaced timer fires at its new time only', async t => {
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

    await t.test('cancelling removes only a timer that was set before', async t => {
      const { timers, due } = await fresh(t)
      await timers.set(timerOf('a', { generation: 200, at: clock.now() + 500 }))
      t.equal(await timers.cancel(actor, 'a', 200), false, 'it was not set earlier')
      t.equal(await timers.cancel(actor, 'b', 900), false, 'there is none')
      t.equal(await timers.cancel(other, 'a', 900), false, 'another actor')
      t.equal(await timers.cancel(actor, 'a', 201), true)
      t.equal(await timers.cancel(actor, 'a', 201), false, 'it is cancelled already')
      t.equal(await timers.get(actor, 'a'), undefined)
      await timers.set(timerOf('end', { at: clock.now() + 700 }))
      pass(700)
      t.strictSame(
        (await due(1)).map(one => one.name),
        ['end'],
      )
      t.equal(await timers.cancel(actor, 'end', 900), false, 'it has fired')
      t.equal((await due(1)).length, 1, 'and its record stays')
    })

    await t.test('advance updates what is known of a waiting timer', async t => {
      const { timers } = await fresh(t)
      const timer = timerOf('a', { occurrence: 2 })
      await timers.advance({ ...timer, commitPosition: 9 })
      t.equal(await timers.get(actor, 'a'), undefined, 'only of a waiting timer')
      await timers.set(timer)
      await timers.advance({ ...timer, commitPosition: 9 })
      t.equal((await timers.get(actor, 'a'))?.commitPosition, 9)
      await timers.advance({ ...timer, occurrence: 1, commitPosition: 11 })
      await timers.advance({ ...timer, generation: 101, commitPosition: 11 })
      t.strictSame(await timers.get(actor, 'a'), { ...timer, commitPosition: 9 })
    })

    await t.test(
      'timers with the same time fire in the order in which they were set',
      async t => {
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
      },
    )

    await t.test('lists all timers, or those of one actor, from any opening', async t => {
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

    await t.test('an invalid timer is refused, and nothing is stored', async t => {
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
