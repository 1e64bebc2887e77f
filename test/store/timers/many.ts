// A namespace with many timers: all are set and listed, half of them cancelled, and the rest set
// again for one time, at which each fires once.

import type { Test } from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { cancel, schedule } from '../../../src/actor/effects.js'
import type { Node } from '../../../src/runtime/node.js'
import { until } from '../../support/wait.js'

export const order = defineActor({
  type: 'order',
  initialState: 'new',
  decide: {
    place: (_state, { at }: { at: number }) => [
      event('placed'),
      schedule('unpaid', { at }, 'expire'),
    ],
    pay: () => [event('paid'), cancel('unpaid')],
    expire: () => event('expired'),
  },
  evolve: { placed: () => 'placed', paid: () => 'paid', expired: () => 'expired' },
})

export interface ManyOptions {
  readonly count: number
  /** Milliseconds per step. */
  readonly timeout: number
  /** Called after each step, with the number of timers concerned. */
  readonly onStep?: (what: string, count: number) => Promise<void>
}

const askedAtOnce = 256
const year = 365 * 24 * 3_600_000

export async function manyTimers(
  t: Test,
  node: Node,
  options: ManyOptions,
): Promise<void> {
  const { count, timeout, onStep } = options
  const patience = { timeout, interval: 100 }
  const paid = (i: number) => i % 2 === 1
  const half = Math.floor(count / 2)
  const rest = count - half
  let carried = 0
  /** Sends each its command, and waits until all of their outbox entries are handled. */
  const all = async (
    send: (i: number) => Promise<{ readonly ok: boolean }> | undefined,
  ) => {
    let next = 0
    const asker = async () => {
      while (next < count) {
        const outcome = await send(next++)
        if (outcome === undefined) continue
        if (!outcome.ok) throw new Error('a command was refused')
        carried++
      }
    }
    await Promise.all(Array.from({ length: askedAtOnce }, asker))
    await until(() => node.stats().courier.handled >= carried, {
      ...patience,
      describe: `the courier has carried out ${carried} commits`,
    })
  }
  /** Ids of the actors with a waiting timer. */
  const waiting = async (at: number): Promise<Set<number>> => {
    const ids = new Set<number>()
    let listed = 0
    for await (const timer of node.timers()) {
      listed++
      if (timer.at === at) ids.add(Number(timer.actor.id))
    }
    if (ids.size !== listed)
      throw new Error(`${listed} are listed, ${ids.size} as they are`)
    return ids
  }
  const ref = (i: number) => node.spawn(order, String(i))

  const begun = Date.now()
  const later = begun + year
  await all(i => ref(i).ask('place', { at: later }))
  const took = Date.now() - begun
  await onStep?.('set', count)
  t.equal((await waiting(later)).size, count, 'all are set, and listed')
  await onStep?.('listed', count)
  for (const i of [0, half, count - 1])
    for await (const timer of node.timers({ actor: { type: 'order', id: String(i) } }))
      t.match(timer, { name: 'unpaid', at: later, actor: { id: String(i) } })

  await all(i => (paid(i) ? ref(i).ask('pay') : undefined))
  await onStep?.('cancelled', half)
  const left = await waiting(later)
  t.equal(left.size, rest, 'half of them are cancelled')
  t.notOk([...left].some(paid), 'those that were to be')

  // When all should be set again, estimated from the first setting; a timer set later is due at once.
  const at = Date.now() + Math.ceil(took / 2)
  const before = node.stats().timers.handled
  await all(i => (paid(i) ? undefined : ref(i).ask('place', { at })))
  await onStep?.('set anew', rest)
  await until(() => node.stats().timers.handled - before >= rest, {
    ...patience,
    describe: `${rest} timers have fired`,
  })
  await onStep?.('fired', rest)
  t.equal((await waiting(at)).size, 0, 'none waits any more')

  const histories = new Map<string, string>()
  for await (const record of node.store.readAll({ types: ['order'] })) {
    if (record.kind !== 'commit')
      throw new Error(`position ${record.position} is no commit`)
    const { id } = record.actor
    const types = record.events.map(({ type }) => type)
    histories.set(id, [histories.get(id) ?? [], types].flat().join(' '))
  }
  const numbers = new Map<string, number>()
  for (const [id, history] of histories) {
    const what = `${paid(Number(id)) ? 'cancelled' : 'kept'}: ${history}`
    numbers.set(what, (numbers.get(what) ?? 0) + 1)
  }
  t.strictSame(
    Object.fromEntries(numbers),
    { 'kept: placed placed expired': rest, 'cancelled: placed paid': half },
    'the others have fired once each',
  )
  const { rejected: refused, superseded, skipped } = node.stats().timers
  t.strictSame(
    { refused, superseded, skipped },
    { refused: 0, superseded: 0, skipped: 0 },
  )
}
