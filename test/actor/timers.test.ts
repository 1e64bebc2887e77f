// Timers that decide returns: how they are stored, and which are refused.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { cancel, type Effect, schedule } from '../../src/actor/effects.js'
import { decodeRecord, encodeCommit } from '../../src/codec/envelope.js'
import { encode } from '../../src/codec/msgpack.js'
import type { OutboxEntry } from '../../src/model/outbox.js'
import {
  firingId,
  generationOf,
  lastDueAt,
  nextOccurrence,
  type Timer,
} from '../../src/model/timer.js'
import { timerSuperseded } from '../../src/actor/superseded-timer.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { node } from './support.js'

const actor = { type: 'order', id: 'o1' }

/** Orders whose one command returns the effects that the test gives. */
function orders(effects: () => readonly Effect[]) {
  return defineActor({
    type: 'order',
    initialState: {},
    decide: {
      place: () => [event('placed'), ...effects()],
      expire: () => event('expired'),
    },
    evolve: { placed: state => state, expired: state => state },
  })
}

async function outboxOf(effects: () => readonly Effect[], now = 1_000) {
  const { host, store } = node({ clock: { now: () => now }, actors: [orders(effects)] })
  await host.ask(actor, 'place', undefined)
  const { last } = await store.head(actor)
  return last?.kind === 'commit' ? last.outbox : undefined
}

await t.test('timers are stored in the commit, each with its own time', async t => {
  const outbox = await outboxOf(() => [
    schedule('unpaid', { after: 500 }, 'expire', { why: 'unpaid' }),
    schedule('at', { at: new Date(7_000), late: 'skip' }, 'expire'),
    schedule('past', { at: 5 }, 'expire'),
    schedule('tick', { every: 250, late: 'skip', lateAfter: 9 }, 'expire'),
    cancel('unpaid'),
  ])
  const timer = { kind: 'timer', type: 'expire', data: undefined }
  t.strictSame(outbox, [
    { ...timer, name: 'unpaid', at: 1_500, data: { why: 'unpaid' } },
    { ...timer, name: 'at', at: 7_000, skipAfter: 10_000 },
    { ...timer, name: 'past', at: 5 },
    { ...timer, name: 'tick', at: 1_250, every: 250, skipAfter: 9 },
    { kind: 'cancel', name: 'unpaid' },
  ])
})

await t.test('a timer that can never be due is refused by decide', async t => {
  const refused: readonly (() => Effect)[] = [
    () => schedule('a', {}, 'expire'),
    () => schedule('a', { at: 1, after: 1 }, 'expire'),
    () => schedule('a', { at: NaN }, 'expire'),
    () => schedule('a', { at: new Date(NaN) }, 'expire'),
    () => schedule('a', { at: 253_402_300_800_000 }, 'expire'),
    () => schedule('a', { after: 0.5 }, 'expire'),
    () => schedule('a', { after: -1 }, 'expire'),
    () => schedule('a', { every: 0 }, 'expire'),
    () => schedule('a', { after: 1, late: 'never' as never }, 'expire'),
    () => schedule('a', { after: 1, late: 'skip', lateAfter: -1 }, 'expire'),
    () => schedule('', { after: 1 }, 'expire'),
    () => schedule('\ud800', { after: 1 }, 'expire'),
    () => schedule('ä'.repeat(129), { after: 1 }, 'expire'),
    () => schedule('a', { after: 1 }, ''),
    () => cancel(''),
  ]
  for (const effect of refused)
    t.throws(effect, { code: 'invalid-timer' }, effect.toString().slice(6))
  await t.rejects(
    outboxOf(() => [schedule('a', { after: 1 }, 'expires')]),
    { code: 'unknown-command', message: /expires.*place, expire/ },
  )
})

await t.test('a body that does not match its header is malformed', async t => {
  const outbox: OutboxEntry[] = [
    { kind: 'timer', name: 'a', at: 5, type: 'expire', data: undefined },
    { kind: 'cancel', name: 'a' },
  ]
  const commit = {
    id: 'c',
    actor,
    firstVersion: 1,
    events: [{ type: 'placed', data: undefined }],
    at: 1,
    nodeId: 'n',
    outbox,
  }
  const envelope = encodeCommit(commit)
  const headers = Object.fromEntries(envelope.headers)
  t.equal(headers['Cairn-Says'], '@,@-')
  const decoded = (listed: string, body: readonly object[]) =>
    decodeRecord({
      position: 1,
      source: 'here',
      actor,
      body: encode({ events: [{ type: 'placed' }], says: body }),
      header: name => ({ ...headers, 'Cairn-Says': listed })[name],
      headers: () => headers,
    }).kind
  const timer = { timer: 'a', at: 5, command: 'expire' }
  t.equal(decoded('@,@-', [timer, { cancel: 'a' }]), 'commit')
  t.equal(decoded('@-', [timer]), 'malformed')
  t.equal(decoded('@', [{ cancel: 'a' }]), 'malformed')
  t.equal(decoded('@', [{ ...timer, at: -1 }]), 'malformed')
  t.equal(decoded('@', [{ ...timer, every: 'day' }]), 'malformed')
  t.equal(decoded('@', [{ timer: 'a', at: 5 }]), 'malformed')
  t.equal(decoded('@-', [{ cancel: '' }]), 'malformed')
})

await t.test(
  'generations order the settings of a timer, and each firing has its own id',
  async t => {
    t.ok(generationOf(7, 0) < generationOf(7, 1))
    t.ok(generationOf(7, 99) < generationOf(8, 0))
    t.equal(firingId(actor, generationOf(7, 3), 0), 'order/o1/7#3@0')
    t.equal(firingId(actor, generationOf(7, 3), 12), 'order/o1/7#3@12')
  },
)

await t.test('a repeated timer keeps its times, and skips missed ones', async t => {
  const timer: Timer = {
    actor,
    name: 'tick',
    generation: 100,
    occurrence: 3,
    at: 1_300,
    every: 100,
    type: 'expire',
    data: null,
    commitPosition: 1,
  }
  const at = (now: number) => {
    const { occurrence, at: due } = lastDueAt(timer, now)
    return [occurrence, due]
  }
  t.strictSame(at(1_300), [3, 1_300])
  t.strictSame(at(1_399), [3, 1_300])
  t.strictSame(at(1_400), [4, 1_400])
  t.strictSame(at(5_050), [40, 5_000])
  // A clock behind the one that has fired continues with the times due by that clock.
  t.strictSame(at(900), [3, 1_300])
  t.match(nextOccurrence(timer), { occurrence: 4, at: 1_400 })
  const { every: _, ...once } = timer
  t.strictSame(lastDueAt(once, 9_000), once)
  t.equal(nextOccurrence(once), undefined)
  t.equal(nextOccurrence({ ...timer, at: 253_402_300_799_999 }), undefined)
})

await t.test('a firing is valid only while its timer is unchanged', async t => {
  let effects: readonly Effect[] = []
  const log = new MemoryLog()
  const definition = orders(() => effects)
  const a = node({ on: log, actors: [definition] })
  const b = node({ on: log, actors: [definition], nodeId: 'b' })
  const place = (...list: Effect[]) => {
    effects = list
    return a.host.ask(actor, 'place', undefined)
  }
  const fire = (
    on: typeof a,
    name: string,
    version: number,
    index = 0,
    commitPosition = version,
  ) => {
    const generation = generationOf(version, index)
    return on.host.ask(actor, 'expire', undefined, {
      commandId: firingId(actor, generation, 0),
      redelivery: { sentAfter: commitPosition, firing: { name, generation } },
    })
  }
  const refused = { ok: false, rejection: { code: timerSuperseded } }

  await place(
    schedule('x', { after: 1 }, 'expire'),
    schedule('y', { after: 1 }, 'expire'),
  )
  t.match(await fire(a, 'x', 1), { ok: true, version: 2, duplicate: false })
  t.match(await fire(b, 'x', 1), { ok: true, version: 2, duplicate: true }, 'once')
  await place(schedule('x', { after: 9 }, 'expire'))
  t.match(await fire(a, 'x', 3), { ok: true, version: 4 }, 'the newer one')
  t.match(
    await fire(a, 'x', 1),
    { ok: true, duplicate: true },
    'a handled firing stays a duplicate',
  )
  t.match(await fire(b, 'y', 1, 1), { ok: true, version: 5 }, 'another name')

  await place(schedule('z', { after: 1 }, 'expire'))
  await place(cancel('z'))
  t.match(await fire(a, 'z', 6), refused, 'cancelled')
  t.match(await fire(b, 'z', 6), refused, 'on any node')
  await place(
    schedule('z', { after: 1 }, 'expire'),
    schedule('z', { after: 2 }, 'expire'),
  )
  t.match(await fire(a, 'z', 8, 0), refused, 'replaced in the same commit')
  t.match(await fire(a, 'z', 8, 1), { ok: true, version: 9 })

  await place(schedule('w', { every: 1 }, 'expire'))
  const [, at] = [await place(cancel('w')), log.records.length]
  t.match(
    await fire(a, 'w', 10, 0, at),
    refused,
    'cancelled by the commit looked back to',
  )
  t.equal((await a.host.state(actor)).version, 11, 'nothing is stored for a rejection')
})

await t.test(
  'a timer that is cancelled while its firing is decided takes no effect',
  async t => {
    let effects: readonly Effect[] = [schedule('x', { after: 1 }, 'expire')]
    const log = new MemoryLog()
    const definition = orders(() => effects)
    const a = node({ on: log, actors: [definition] })
    const b = node({ on: log, actors: [definition], nodeId: 'b' })
    await a.host.ask(actor, 'place', undefined)
    await b.host.state(actor)
    // Another node cancels right before this node's append.
    effects = [cancel('x')]
    let isCancelled = false
    b.store.before = async operation => {
      if (operation !== 'append' || isCancelled) return
      isCancelled = true
      await a.host.ask(actor, 'place', undefined)
    }
    const generation = generationOf(1, 0)
    const outcome = await b.host.ask(actor, 'expire', undefined, {
      commandId: firingId(actor, generation, 0),
      redelivery: { sentAfter: 1, firing: { name: 'x', generation } },
    })
    t.match(outcome, { ok: false, version: 2, rejection: { code: timerSuperseded } })
    t.equal(isCancelled, true)
  },
)
