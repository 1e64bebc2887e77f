// How late timers are: from the moment of each to the notice of the commit that its command has led
// to. Against schedules that are given to the server by hand, from the moment of each to the notice of the
// message that the server publishes then. Everything reads the clock of this machine.
import { defineActor, event, schedule, startNode } from 'cairn-es'
import { queuedSubjects, queueSubject, timerSubject } from 'cairn-es/bench'
import { verify } from '../benchmark.mjs'
import { drive } from '../drive.mjs'
import { interleave, p50 } from '../interleave.mjs'
import {
  backendAt,
  freshNamespace,
  inFreshNamespace,
  removeNamespace,
} from '../place.mjs'
import { RawClient } from '../raw.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const timers = 300
/** Milliseconds over which they are spread, and within which they are set before the first is due. */
const spread = 2_000
const ahead = 1_500

const reminder = defineActor({
  type: 'reminder',
  initialState: {},
  decide: {
    set: (_state, /** @type {{ at: number }} */ { at }) => [
      event('set'),
      schedule('due', { at }, 'ring'),
    ],
    ring: () => event('rung'),
  },
  evolve: { set: state => state, rung: state => state },
})

/** @type {import('../benchmark.mjs').Benchmark} */
export const timerDrift = {
  name: 'timer-drift',
  unit: 'ms',
  extra: true,
  about: `from a timer's moment to the commit of its command, p50, of ${timers} timers within ${spread} ms; baseline: messages that the server itself publishes at such moments, p50`,
  run: context =>
    interleave(
      context,
      { baseline: () => byHand(context), subject: () => throughNode(context) },
      p50,
    ),
}

const now = () => performance.timeOrigin + performance.now()

/** When each is due, in whole milliseconds. */
const moments = () => {
  const first = Math.ceil(now()) + ahead
  return Array.from(
    { length: timers },
    (_, i) => first + Math.floor((i * spread) / timers),
  )
}

/** @param {Context} context */
const throughNode = async context => {
  const namespace = freshNamespace()
  const node = await startNode({
    namespace,
    store: backendAt(context),
    actors: [reminder],
  })
  try {
    /** @type {Map<string, number>} */
    const rung = new Map()
    await node.subscribeToEventStored(({ actor, eventType }) => {
      if (eventType === 'rung') rung.set(actor.id, now())
    })
    const due = moments()
    await drive({
      workers: 16,
      turns: Math.ceil(timers / 16),
      step: async (worker, turn) => {
        const at = due[turn * 16 + worker]
        if (at !== undefined)
          await node.spawn(reminder, String(turn * 16 + worker)).ask('set', { at })
      },
    })
    await until(`${timers} timers have fired`, () => rung.size === timers)
    let events = 0
    for await (const record of node.store.readAll({ types: ['reminder'] }))
      if (record.kind === 'commit') events += record.events.length
    verify(events === 2 * timers, () => `${timers} timers led to ${events} events`)
    return outcome(due.map((at, i) => (rung.get(String(i)) ?? NaN) - at))
  } finally {
    await node.close()
    await removeNamespace(context, namespace)
  }
}

/**
 * On the streams of a namespace in which nobody takes part.
 *
 * @param {Context} context
 */
const byHand = context =>
  inFreshNamespace(context, async ({ namespace }) => {
    const client = await RawClient.open(context.servers)
    try {
      /** @type {Map<string, number>} */
      const heard = new Map()
      await client.subscribe(queuedSubjects(namespace, 'due'), ({ subject }) => {
        heard.set(subject.split('.').at(-1) ?? '', now())
      })
      const due = moments()
      await Promise.all(due.map((at, i) => schedulingOne(client, namespace, at, `t${i}`)))
      await until(`${timers} messages are published`, () => heard.size === timers)
      return outcome(due.map((at, i) => (heard.get(`t${i}`) ?? NaN) - at))
    } finally {
      await client.close()
    }
  })

/**
 * @param {RawClient} client
 * @param {string} namespace
 * @param {number} at
 * @param {string} id
 * @returns {Promise<void>}
 */
const schedulingOne = (client, namespace, at, id) =>
  new Promise((resolve, reject) => {
    const target = queueSubject(namespace, 'due', ['0', 'reminder', id])
    const headers = Buffer.from(
      `NATS/1.0\r\nNats-Schedule: @at ${new Date(at).toISOString()}\r\n` +
        `Nats-Schedule-Target: ${target}\r\n\r\n`,
    )
    const subject = timerSubject(namespace, ['0', 'reminder', id, 'due'])
    client.request(subject, new Uint8Array(64), headers, message => {
      if (/"seq":/.test(message.string())) resolve()
      else reject(new Error(`not scheduled: ${message.string()}`))
    })
  })

/** @param {readonly number[]} latencies */
const outcome = latencies => ({
  done: latencies.length,
  rate: latencies.length / (spread / 1_000),
  latencies,
  verified: latencies.length,
})
