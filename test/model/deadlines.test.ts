// DEADLINES-1 and DEADLINES-2 of one timer for many deadlines.

import { spawnSync } from 'node:child_process'

import t from 'tap'

import { Deadlines, type Expiring } from '../../src/model/deadlines.js'
import { until } from '../support/wait.js'

interface Watched extends Expiring {
  /** Times at which it expired. */
  readonly at: number[]
}

function after(ms: number, then = () => {}): Watched {
  const at: number[] = []
  const expire = () => {
    at.push(performance.now())
    then()
  }
  return { deadline: performance.now() + ms, at, expire }
}

await t.test(
  'DEADLINES-1: each entry expires once and not early, in any order of insertion',
  async t => {
    const deadlines = new Deadlines()
    const all = [300, 5, 120, 0, 40, 41, 5, 250].map(ms => after(ms))
    for (const one of all) deadlines.add(one)
    t.equal(deadlines.size, all.length)
    await until(() => deadlines.size === 0)
    t.ok(all.every(({ at, deadline }) => at.length === 1 && at[0]! >= deadline))
  },
)

await t.test(
  'DEADLINES-1: a removed entry never expires, even if it is removed during expiry',
  async t => {
    const deadlines = new Deadlines()
    const removed = after(20)
    const neighbour = after(20)
    const bystander = after(20, () => deadlines.remove(neighbour))
    for (const one of [removed, bystander, neighbour]) deadlines.add(one)
    deadlines.remove(removed)
    deadlines.remove(removed)
    t.equal(deadlines.size, 2)
    const last = after(60)
    deadlines.add(last)
    await until(() => last.at.length === 1)
    t.strictSame([removed.at.length, bystander.at.length, neighbour.at.length], [0, 1, 0])
    t.equal(deadlines.size, 0)
  },
)

await t.test(
  'an entry that is added while others expire waits for its own deadline',
  async t => {
    const deadlines = new Deadlines()
    const second = after(10)
    const first = after(10, () => {
      deadlines.add(second)
      deadlines.add(after(30))
    })
    deadlines.add(first)
    await until(() => second.at.length === 1 && deadlines.size === 0)
    t.ok(second.at[0]! >= first.at[0]!)
  },
)

await t.test(
  'DEADLINES-2: the timer does not keep a process alive without entries',
  async t => {
    const url = new URL('../../src/model/deadlines.js', import.meta.url)
    const script = `
    const { Deadlines } = await import(${JSON.stringify(url.href)})
    const deadlines = new Deadlines()
    const far = { deadline: performance.now() + 3_600_000, expire() {} }
    deadlines.add(far)
    deadlines.remove(far)
    const near = { deadline: performance.now() + 50, expire() { console.log('expired') } }
    deadlines.add(near)
  `
    const args = ['--input-type=module', '--eval', script]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 60_000,
    })
    t.equal(status, 0, stderr)
    t.equal(stdout, 'expired\n')
  },
)
