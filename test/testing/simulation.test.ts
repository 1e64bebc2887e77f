// A simulation: what one seed repeats, and what stays outside.

import { setTimeout as systemPause } from 'node:timers/promises'
import { promisify } from 'node:util'

import t from 'tap'

import { newId } from '../../src/model/id.js'
import { Simulation } from '../../src/testing/simulation.js'
import type { Step } from '../../src/testing/index.js'

const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

/** Work of several kinds at once, in the order in which it comes to an end. */
async function busy(simulation: Simulation): Promise<string[]> {
  const ended: string[] = []
  const note = (what: string) => void ended.push(`${what} at ${performance.now()}`)
  await Promise.all([
    ...Array.from({ length: 8 }, async (_, i) => {
      await simulation.moment(`moment ${i}`)
      note(`moment ${i}`)
    }),
    ...Array.from({ length: 4 }, async (_, i) => {
      await new Promise(resolve => setImmediate(resolve))
      note(`immediate ${i}`)
    }),
    ...[5, 5, 1_000_000, 5].map(async (ms, i) => {
      await pause(ms)
      note(`timer ${i}`)
    }),
    (async () => {
      await pause(Math.random() * 50)
      note(`id ${newId()} on ${Date.now()}`)
    })(),
  ])
  return ended
}

async function ran(seed: number): Promise<{ ended: string[]; steps: Step[] }> {
  const steps: Step[] = []
  const simulation = new Simulation({ seed, onStep: step => steps.push(step) })
  const ended = await simulation.run(() => busy(simulation))
  simulation.end()
  return { ended, steps }
}

void t.test('a seed repeats order, times, random numbers and ids', async t => {
  const first = await ran(1)
  t.strictSame(await ran(1), first)
  t.equal(first.ended.length, 17)
  t.equal(first.steps.length, 17)
  t.match(
    first.ended.find(what => what.startsWith('id ')),
    /^id [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12} on \d+ at \d/,
  )
})

void t.test('each seed has its own order', async t => {
  const orders = new Set<string>()
  for (let seed = 0; seed < 20; seed++) orders.add((await ran(seed)).ended.join())
  t.equal(orders.size, 20)
})

void t.test('simulations beside each other do not disturb each other', async t => {
  const alone = [await ran(1), await ran(2), await ran(3)]
  t.strictSame(await Promise.all([ran(1), ran(2), ran(3)]), alone)
})

void t.test('what is outside a simulation has the system’s globals', async t => {
  const before = [setTimeout, Date.now, Math.random, performance.now] as const
  const first = new Simulation({ seed: 1 })
  const second = new Simulation({ seed: 1 })
  t.ok(performance.now() > 1 && Date.now() > 1e12, 'the clocks go on')
  t.not(Math.random(), Math.random())
  t.not(newId(), newId())
  const ended: string[] = []
  await Promise.all([
    pause(1).then(() => ended.push('timer')),
    promisify(setTimeout)(1, 'promised').then(what => ended.push(what)),
    promisify(setImmediate)('immediate').then(what => ended.push(what)),
    systemPause(1).then(() => ended.push('timers/promises')),
  ])
  t.equal(ended.length, 4)
  const timer = setTimeout(() => t.fail('a cleared timer fires'), 0)
  clearTimeout(timer)
  const immediate = setImmediate(() => t.fail('a cleared immediate runs'))
  clearImmediate(immediate)
  const interval = setInterval(() => t.fail('a cleared interval fires'), 0)
  clearInterval(interval)
  await pause(1)
  first.end()
  t.not(setTimeout, before[0], 'the second simulation needs them')
  second.end()
  t.ok(
    [setTimeout, Date.now, Math.random, performance.now].every(
      (now, i) => now === before[i],
    ),
    'after the last simulation they are as before',
  )
})

void t.test('timers do what the system’s do', async t => {
  const simulation = new Simulation({ seed: 4 })
  await simulation.run(async () => {
    let ticks = 0
    await new Promise<void>(resolve => {
      const interval = setInterval(() => {
        if (++ticks < 3) return
        clearInterval(interval)
        resolve()
      }, 100)
    })
    t.equal(Math.floor(Date.now() / 100), 3, 'an interval repeats itself')

    const never = [
      setTimeout(() => t.fail('a cleared timer fires'), 1),
      setTimeout(() => t.fail('a timer fires before its new time'), 2),
    ]
    const immediate = setImmediate(() => t.fail('a cleared immediate runs'))
    clearTimeout(never[0])
    clearImmediate(immediate)
    const due = Date.now() + 10_000
    t.equal(never[1]!.hasRef(), true)
    t.equal(never[1]!.unref().hasRef(), false)
    t.equal(never[1]!.ref().hasRef(), true)
    await promisify(setImmediate)()
    never[1]!.refresh()
    clearTimeout(never[1])
    t.equal(await promisify(setTimeout)(10_000, 'value'), 'value')
    t.ok(Date.now() >= due, 'time has passed')
    const order: string[] = []
    setTimeout((...args: string[]) => order.push(...args), Infinity, 'soon')
    await pause(5)
    t.strictSame(order, ['soon'], 'an impossible time is 1 ms')
  })
  simulation.end()
})

void t.test('a timer that was ready is taken back', async t => {
  // Both are due at once; whichever fires first clears the other.
  for (let seed = 0; seed < 10; seed++) {
    const simulation = new Simulation({ seed })
    const fired = await simulation.run(async () => {
      let count = 0
      const first = setTimeout(() => (count++, clearTimeout(second)), 1)
      const second = setTimeout(() => (count++, clearTimeout(first)), 1)
      await pause(10)
      return count
    })
    simulation.end()
    t.equal(fired, 1)
  }
})

void t.test('without skipping, waiting takes real time', async t => {
  const simulation = new Simulation({ seed: 1 })
  const order: string[] = []
  await Promise.all([
    pause(10).then(() => order.push('outside')),
    simulation.within(async () => {
      await pause(20)
      order.push('inside')
    }),
  ])
  t.strictSame(order, ['outside', 'inside'])
  simulation.end()
})

void t.test('the methods of an object are called within the simulation', async t => {
  const simulation = new Simulation({ seed: 1 })
  class Ticker {
    readonly #ms = 5
    readonly name = 'ticker'
    now() {
      return Date.now()
    }
    async *ticks() {
      yield Date.now()
      await pause(this.#ms)
      yield Date.now()
    }
  }
  const ticker = simulation.inside(new Ticker())
  t.equal(ticker.name, 'ticker')
  t.equal(ticker.now(), 0)
  const ticks = []
  for await (const tick of ticker.ticks()) ticks.push(tick)
  t.strictSame(ticks, [0, 5])
  simulation.end()
})

void t.test('an ended simulation runs what was ready, and drops the timers', async t => {
  const simulation = new Simulation({ seed: 1 })
  const arrived = simulation.moment('last')
  await simulation.within(async () => {
    setTimeout(() => t.fail('a dropped timer fires'), 1)
    simulation.end()
    await arrived
    t.ok(Date.now() > 1e12, 'what goes on has the system’s globals')
    await pause(2)
  })
})
