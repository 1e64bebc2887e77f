// GATE-1 to GATE-5.

import { setTimeout } from 'node:timers/promises'

import t from 'tap'

import { SendGate, SendGates } from '../../src/cluster/send-gate.js'
import { until } from '../support/wait.js'

const actor = (id: string) => ({ type: 'tally', id })
const plenty = () => 60_000
const turn = () => new Promise(resolve => setImmediate(resolve))

/** Takes places, and tells in which order they were given. */
function taker(gate: SendGate) {
  const sent: string[] = []
  return {
    sent,
    take: (id: string, isReserved = false, signal?: AbortSignal) =>
      gate.take(actor(id), plenty, signal, isReserved).then(left => {
        sent.push(left === undefined ? `${id} gone` : id)
        return left
      }),
  }
}

void t.test('GATE-2 actors take turns, and each keeps its order', async t => {
  const gate = new SendGate('n', 2)
  const { take, sent } = taker(gate)
  await Promise.all([take('hot'), take('hot')])
  for (let i = 0; i < 5; i++) void take('hot')
  void take('a')
  void take('b')
  sent.length = 0
  for (let i = 0; i < 7; i++) {
    gate.leave()
    await turn()
  }
  t.strictSame(sent, ['hot', 'a', 'b', 'hot', 'hot', 'hot', 'hot'])
})

void t.test('GATE-3 a queue that is full refuses, and one actor fills half', async t => {
  const gate = new SendGate('n', 1)
  const { take } = taker(gate)
  await take('x')
  let hot = 0
  for (; gate.refusal(actor('hot'), 10_000) === undefined; hot++) void take('hot')
  const full = { code: 'queue-full', retryable: true, details: { node: 'n' } }
  t.match(gate.refusal(actor('hot'), 10_000), full)
  t.equal(hot, 8_192)
  let others = 0
  for (; gate.refusal(actor(`a${others}`), 10_000) === undefined; others++)
    void take(`a${others}`)
  t.equal(others, 8_192)
  gate.close()
  t.equal(gate.isIdle, false, 'one is in flight')
  gate.leave()
  t.equal(gate.isIdle, true)
})

void t.test('GATE-3 a queue that stands still accepts little', async t => {
  const gate = new SendGate('n', 1)
  const { take } = taker(gate)
  await take('x')
  for (let i = 0; i < 1_000; i++) void take(`a${i}`)
  const isRefused = () => gate.refusal(actor('new'), 10_000) !== undefined
  t.equal(isRefused(), false, 'a burst')
  await setTimeout(1_500)
  t.equal(isRefused(), false, 'a node that has answered nothing yet')
  gate.leave()
  await until(isRefused)
  gate.close()
  gate.leave()
  t.equal(isRefused(), false)
})

void t.test('GATE-4 what nobody waits for any more is not sent', async t => {
  const gate = new SendGate('n', 1)
  const { take, sent } = taker(gate)
  await take('x')
  const cancel = new AbortController()
  const aborted = gate.take(
    actor('a'),
    () => {
      cancel.signal.throwIfAborted()
      return 60_000
    },
    cancel.signal,
    false,
  )
  const start = performance.now()
  const late = gate.take(
    actor('b'),
    () => {
      const left = Math.floor(start + 20 - performance.now())
      if (left <= 0) throw new Error('late')
      return left
    },
    undefined,
    false,
  )
  void take('c')
  cancel.abort(new Error('cancelled'))
  await t.rejects(aborted, /cancelled/)
  await t.rejects(late, /late/)
  gate.leave()
  await until(() => sent.includes('c'))
  gate.leave()
  t.strictSame(sent, ['x', 'c'])
  t.equal(gate.isIdle, true)
})

void t.test('GATE-5 own deliveries do not wait', async t => {
  const gate = new SendGate('n', 1)
  const { take, sent } = taker(gate)
  await take('x')
  void take('y')
  await take('timer', true)
  t.strictSame(sent, ['x', 'timer'])
  gate.leave()
  gate.leave()
  await until(() => sent.includes('y'))
})

void t.test('GATE-1 a refusal of the node halves the window', async t => {
  const gate = new SendGate('n', 512)
  const { take, sent } = taker(gate)
  await Promise.all(Array.from({ length: 512 }, (_, i) => take(`a${i}`)))
  for (let i = 0; i < 300; i++) void take(`b${i}`)
  sent.length = 0
  gate.leave(true)
  for (let i = 0; i < 255; i++) gate.leave()
  await turn()
  t.equal(sent.length, 0, 'as many are in flight as the window has now')
  gate.leave()
  await turn()
  t.equal(sent.length, 1)
  gate.close()
})

void t.test('the gate of a dead node lets go, and a new one begins', async t => {
  const gates = new SendGates(1)
  const { take, sent } = taker(gates.to('n'))
  await take('x')
  const waiting = take('y')
  gates.update(['n'], new Set())
  t.equal(await waiting, undefined)
  t.strictSame(sent, ['x', 'y gone'])
  t.equal(gates.to('n').isIdle, true)
})
