// The promises of the systems that reactors are modelled on, on each backend.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { publish } from '../../../src/actor/effects.js'
import { backlogs } from '../../../src/delivery/backlog.js'
import type { MalformedRecord } from '../../../src/model/commit.js'
import type { RecordedEvent } from '../../../src/model/event.js'
import { defineTopic } from '../../../src/model/topic.js'
import {
  defineReactor,
  type ReactorMiddleware,
} from '../../../src/delivery/reactor/define-reactor.js'
import { healthOf } from '../../../src/delivery/health.js'
import type { Message } from '../../../src/delivery/messages/message.js'
import { ManualClock } from '../../../src/testing/manual-clock.js'
import { onEachBackend } from '../../support/backends.js'
import { takingLog } from '../../support/log.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }
t.setTimeout(300_000)

const completed = defineTopic('trips.completed')
const trip = defineActor({
  type: 'trip',
  publishes: [completed],
  initialState: { legs: 0 },
  decide: {
    complete: (_state, km: number) => [event('completed', km), publish(completed, km)],
  },
  evolve: { completed: state => ({ legs: state.legs + 1 }) },
})
/** Collects effects: it changes once for each message, however often the message is handled. */
const ledger = defineActor({
  type: 'ledger',
  initialState: 0,
  decide: { add: (_state, km: number) => event('added', km) },
  evolve: { added: (sum, km: number) => sum + km },
})
/** Queues of notifications: each command adds one. */
const notices = defineActor({
  type: 'notices',
  initialState: 0,
  decide: { queue: (_state, of: string) => event('queued', of) },
  evolve: { queued: (count, _of: string) => count + 1 },
})

async function eventsOf(ref: {
  events(): AsyncIterable<RecordedEvent | MalformedRecord>
}): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const record of ref.events())
    if (record.kind === 'event') events.push(record)
  return events
}

function listener(name: string, seen: Message[] = []) {
  const handle = (message: Message) => void seen.push(message)
  return { seen, reactor: defineReactor({ name, on: completed, handle }) }
}

await onEachBackend(
  t,
  'A0.2 A0.10 three reactors each get every message once, and processes of one share them',
  async (t, on) => {
    const { start } = on(t)
    const shared: Message[] = []
    const [pricing, pricingToo] = [
      listener('pricing', shared),
      listener('pricing', shared),
    ]
    const [audit, mails] = [listener('audit'), listener('mails')]
    const node = await start({
      actors: [trip],
      reactors: [pricing.reactor, audit.reactor, mails.reactor],
    })
    const second = await start({ reactors: [pricingToo.reactor] })
    const share = () => second.stats().reactors['pricing']!
    await until(() => share().partitions > 0, { describe: 'both take part', ...patience })
    for (let i = 0; i < 40; i++) await node.spawn(trip, `t${i}`).ask('complete', i)
    for (const { seen } of [pricing, audit, mails])
      await until(() => seen.length >= 40, { describe: 'all are handled', ...patience })
    for (const { seen } of [pricing, audit, mails])
      t.equal(new Set(seen.map(({ id }) => id)).size, 40, 'each message')
    t.equal(audit.seen.length, 40)
    t.equal(mails.seen.length, 40)
    t.ok(share().handled > 0, 'the second process has handled some')
  },
)

await onEachBackend(
  t,
  'A0.3 conflicting reactors are rejected with a remedy, and nothing of them runs',
  async (t, on) => {
    const { start } = on(t)
    const node = await start({ actors: [trip] })
    await node.spawn(trip, 't').ask('complete', 1)
    const [one, other] = [listener('pricing'), listener('pricing')]
    await t.rejects(start({ reactors: [one.reactor, other.reactor] }), {
      code: 'invalid-definition',
      message: /Two reactors are named pricing.*another name, or handle both in one/,
    })
    const again = defineTopic('trips.completed')
    const elsewhere = defineReactor({ name: 'elsewhere', on: again, handle() {} })
    await t.rejects(start({ reactors: [one.reactor, elsewhere] }), {
      code: 'invalid-definition',
      message: /trips\.completed.*is defined twice\. Define it once/,
    })
    t.throws(
      () => defineReactor({ name: 'pricing', on: [completed, completed], handle() {} }),
      {
        code: 'invalid-definition',
        message: /names a topic twice.*name each topic once/,
      },
    )
    const { seen, reactor } = listener('pricing')
    await start({ reactors: [reactor] })
    await until(() => seen.length === 1, { describe: 'one of them alone', ...patience })
    t.strictSame([...one.seen, ...other.seen], [], 'no refused one has had a message')
    t.strictSame(
      seen.map(({ data }) => data),
      [1],
    )
  },
)

await onEachBackend(
  t,
  'A0.4 A2.6 a message that is handled again after a failure or a restart takes effect once',
  async (t, on) => {
    const { start } = on(t)
    let attempts = 0
    const reactor = defineReactor({
      name: 'sums',
      on: completed,
      retry: { attempts: 5, first: 10 },
      async handle({ data }, { spawn }) {
        await spawn(ledger, 'all').ask('add', data as number)
        // The effect is stored, and then the handler fails.
        if (++attempts % 3 !== 0) throw new Error('the mail server is away')
      },
    })
    const node = await start({ actors: [trip, ledger], reactors: [reactor] })
    const sum = async () => (await node.spawn(ledger, 'all').state()).state
    for (let i = 1; i <= 4; i++) await node.spawn(trip, `t${i}`).ask('complete', i)
    // The same business key, published twice.
    for (let i = 0; i < 2; i++) await node.publish(completed, 100, { id: 'trip-9-done' })
    const counted = () => node.stats().reactors['sums']!
    await until(() => counted().handled >= 5 && counted().failing === 0, patience)
    t.equal(await sum(), 110)
    t.ok(attempts > 5, `${attempts} attempts`)
    await node.close()
    const again = await start({ actors: [trip, ledger], reactors: [reactor] })
    await again.spawn(trip, 't5').ask('complete', 5)
    const after = async () => (await again.spawn(ledger, 'all').state()).state
    await until(async () => (await after()) >= 115, patience)
    t.equal(await after(), 115)
  },
)

await onEachBackend(
  t,
  'A0.6 A2.9 a reactor that was stopped catches up, and no command waits for it',
  async (t, on) => {
    const { start } = on(t)
    const [audit, mails] = [listener('audit'), listener('mails')]
    const node = await start({ actors: [trip], reactors: [audit.reactor] })
    const away = await start({ reactors: [mails.reactor] })
    await node.spawn(trip, 't0').ask('complete', 0)
    await until(() => mails.seen.length === 1 && audit.seen.length === 1, patience)
    await away.close()
    for (let i = 1; i <= 10; i++) {
      // The reply arrives when the event is stored, whatever happens to its messages.
      const { version } = await node.spawn(trip, 't0').ask('complete', i)
      t.equal(version, i + 1)
    }
    await until(() => audit.seen.length === 11, {
      describe: 'the others go on',
      ...patience,
    })
    t.equal(mails.seen.length, 1)
    await start({ reactors: [mails.reactor] })
    await until(() => mails.seen.length >= 11, { describe: 'it catches up', ...patience })
    t.strictSame(
      mails.seen.map(({ data }) => data),
      Array.from({ length: 11 }, (_, i) => i),
      'in order',
    )
  },
)

await onEachBackend(
  t,
  'A2.1 A2.6 one definition has a topic, retries, a dead letter and two effects, and each effect is queued once',
  async (t, on) => {
    const { start } = on(t)
    const attempts: Record<string, number> = {}
    let isPhoneKnown = false
    const notify = defineReactor({
      name: 'notify',
      on: completed,
      retry: { attempts: 2, first: 10 },
      async handle({ actor, data, id }, { spawn }) {
        const trip = actor!.id
        attempts[trip] = (attempts[trip] ?? 0) + 1
        await spawn(notices, 'mails').send('queue', id)
        // Between the two effects: once, or until somebody looks after it.
        if (trip === 'flaky' && attempts[trip] === 1) throw new Error('the line is busy')
        if (data === -1 && !isPhoneKnown) throw new Error('no such phone')
        await spawn(notices, 'pushes').send('queue', id)
      },
    })
    const node = await start({ actors: [trip, notices], reactors: [notify] })
    const queued = async (of: string) => {
      const events = await eventsOf(node.spawn(notices, of))
      return events.map(({ data }) => String(data)).toSorted()
    }
    const messageOf = (id: string) => `trip/${id}/1#0`
    const complete = (id: string, km: number) =>
      node.spawn(trip, id).ask('complete', km, { commandId: `complete ${id}` })
    await complete('good', 1)
    await complete('flaky', 1)
    await complete('bad', -1)
    await until(() => node.stats().reactors['notify']!.handled === 3, patience)
    await until(async () => (await queued('pushes')).length === 2, patience)
    t.strictSame(attempts, { good: 1, flaky: 2, bad: 2 })
    await until(async () => (await queued('mails')).length >= 3, patience)

    const letters = async () => {
      const found = []
      for await (const { position, reason, message } of node.deadLetters.list())
        found.push({ position, reason, id: message.id })
      return found
    }
    const [letter, ...others] = await letters()
    t.match(letter, { reason: 'max-attempts-exhausted', id: messageOf('bad') })
    t.strictSame(others, [])
    // A replayed completion is the same fact; so is a message that is sent again.
    t.match(await complete('good', 1), { duplicate: true })
    isPhoneKnown = true
    await node.deadLetters.retry(letter!.position)
    await until(async () => (await queued('pushes')).length >= 3, patience)
    // Whatever was queued before this one is there when this one is.
    await complete('last', 1)
    const all = ['good', 'flaky', 'bad', 'last'].map(messageOf).toSorted()
    for (const of of ['mails', 'pushes'])
      await until(async () => (await queued(of)).includes(messageOf('last')), patience)
    t.strictSame(await queued('mails'), all, 'exactly one mail for each')
    t.strictSame(await queued('pushes'), all, 'exactly one push for each')
    t.strictSame(await letters(), [])
  },
)

await onEachBackend(
  t,
  'A2.4 the ids in the caller’s answer are those of the event, the attempt log, the notification and the dead letter',
  async (t, on) => {
    const attempts: Record<string, unknown>[] = []
    const take = (details: Record<string, unknown>) => void attempts.push(details)
    const log = takingLog({ debug: take, info: take, warn: take, error: take })
    const notify = defineReactor({
      name: 'notify',
      on: completed,
      retry: { attempts: 2, first: 1 },
      async handle({ actor, data }, { spawn }) {
        await spawn(ledger, actor!.id).send('add', data as number)
        throw new Error('no such phone')
      },
    })
    const node = await on(t).start({ actors: [trip, ledger], reactors: [notify], log })
    const letterOf = async (messageId: string) => {
      for await (const letter of node.deadLetters.list())
        if (letter.message.id === messageId) return letter
      return undefined
    }
    /** The correlation id that the caller is told, after it was found everywhere. */
    const trace = async (id: string, correlationId: string) => {
      const commandId = `complete ${id}`
      const answer = await node
        .spawn(trip, id)
        .ask('complete', 1, { commandId, correlationId })
      const told = answer.correlationId
      t.equal(answer.commandId, commandId)
      const same = { commandId, correlationId: told }
      const [stored] = await eventsOf(node.spawn(trip, id))
      t.match(stored, same, 'the event')
      const letter = await until(() => letterOf(`trip/${id}/1#0`), patience)
      t.match(
        letter,
        { message: { correlationId: told, causationId: commandId } },
        'the dead letter',
      )
      const notified = () => eventsOf(node.spawn(ledger, id))
      const [notification] = await until(async () => {
        const events = await notified()
        return events.length > 0 && events
      }, patience)
      t.equal(notification!.correlationId, told, 'the notification')
      const lines = await until(() => {
        const own = attempts.filter(({ messageId }) => messageId === `trip/${id}/1#0`)
        return own.length === 3 && own
      }, patience)
      t.strictSame(
        lines.map(line => [line['event'], line['correlationId']]),
        [
          ['reactor.attempt', told],
          ['reactor.attempt', told],
          ['reactor.final', told],
        ],
      )
      return told
    }
    t.equal(await trace('a', 'request-7'), 'request-7')
    const bad = await trace('b', 'bad\r\nheader')
    t.match(bad, /^corr-[0-9a-f]{24}$/)
    t.equal(await trace('c', 'bad\r\nheader'), bad, 'always the same')
  },
)

await onEachBackend(
  t,
  'A2.7 a test injects failures and advances the clock without sleeping',
  async (t, on) => {
    const clock = new ManualClock(1_700_000_000_000)
    const hour = 3_600_000
    const attempts: [number, number][] = []
    const failTwice: ReactorMiddleware = async (_message, { attempt }, next) => {
      attempts.push([attempt, clock.now() - 1_700_000_000_000])
      if (attempt < 3) throw new Error('injected')
      await next()
    }
    const handled: unknown[] = []
    const notify = defineReactor({
      name: 'notify',
      on: completed,
      retry: { attempts: 5, first: hour, max: 2 * hour },
      use: [failTwice],
      handle: ({ data }) => void handled.push(data),
    })
    const node = await on(t).start({ actors: [trip], reactors: [notify], clock })
    await node.spawn(trip, 't').ask('complete', 7)
    const failures = () => node.stats().reactors['notify']!.failures
    await until(() => failures() === 1, patience)
    clock.advance(hour - 1)
    clock.advance(1)
    await until(() => failures() === 2, patience)
    clock.advance(2 * hour)
    await until(() => handled.length === 1, patience)
    t.strictSame(attempts, [
      [1, 0],
      [2, hour],
      [3, 3 * hour],
    ])
  },
)

await onEachBackend(
  t,
  'A2.8 the backlog reports depth, failures, dead letters, lag and health',
  async (t, on) => {
    const { start, backend, namespace } = on(t)
    const reactor = defineReactor({
      name: 'notify',
      on: completed,
      retry: { attempts: 2, first: 10 },
      handle({ data }) {
        if (data === -1) throw new Error('no such phone')
      },
    })
    const node = await start({ actors: [trip], reactors: [reactor] })
    await node.spawn(trip, 'good').ask('complete', 1)
    await until(() => node.stats().reactors['notify']!.handled === 1, patience)
    const open = await backend.open({ namespace, nodeId: 'looker' })
    t.teardown(() => open.close())
    const told = async () => {
      for await (const backlog of backlogs(open))
        if (backlog.source === 'log') return backlog
      throw new Error('no reactor has begun to read')
    }
    await until(async () => (await told()).waiting === 0, patience)
    t.equal(healthOf(await told()), 'good')
    await node.spawn(trip, 'bad').ask('complete', -1)
    await until(async () => (await told()).dead === 1, patience)
    t.equal(healthOf(await told()), 'watch')
    const none = { waiting: 0, failing: [], dead: 0 }
    t.equal(healthOf({ ...none, waiting: 999 }), 'good')
    t.equal(healthOf({ ...none, waiting: 1_000 }), 'watch')
    t.equal(healthOf({ ...none, waiting: 10_000 }), 'critical')
    t.equal(healthOf({ ...none, dead: 100 }), 'critical')
  },
)
