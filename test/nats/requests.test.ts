// Requests over one inbox (REQUESTS-1 to REQUESTS-6), against a real server.

import { getEventListeners } from 'node:events'

import { headers } from 'nats'
import t, { type Test } from 'tap'

import { isCairnError } from '../../src/model/errors.js'
import { Connection } from '../../src/nats/connection.js'
import type { Reply } from '../../src/nats/requests.js'
import { freshNamespace } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'
import { type Proxy, startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

await using server = await startNats({ jetstream: false })
const nothing = new Uint8Array()
const inFlightMax = 4_096

interface Scene {
  /** Unique to the test. */
  readonly subject: string
  readonly caller: Connection
  readonly proxy: Proxy
  readonly other: Connection
}

function scene(title: string, body: (t: Test, scene: Scene) => Promise<void>) {
  return t.test(title, async t => {
    const subject = freshNamespace()
    await using proxy = await startProxy(server.url)
    const open = (servers: string) =>
      Connection.open({ servers, ignoreClusterUpdates: true }, 'test', 'test')
    const [caller, other] = [await open(proxy.url), await open(server.url)]
    try {
      await body(t, { subject, proxy, caller, other })
    } finally {
      await caller.close()
      await other.close()
    }
  })
}

const textOf = (reply: Reply) =>
  reply.kind === 'message' ? reply.message.string() : reply.kind

await scene(
  'many requests in flight each get their own reply',
  async (t, { subject, caller, other }) => {
    await other.subscribe(subject, message => {
      message.respond(`re ${message.string()}`)
    })
    const numbers = Array.from({ length: 3_000 }, (_, i) => String(i))
    const replies = await Promise.all(
      numbers.map(i => caller.requests.request(subject, Buffer.from(i), 10_000)),
    )
    t.strictSame(
      replies.map(textOf),
      numbers.map(i => `re ${i}`),
    )
    t.equal(caller.requests.inFlight, 0)
  },
)

await scene(
  'a server is silent as well if it had answered something else after the request was sent',
  async (t, { subject, caller, other }) => {
    const { requests } = caller
    const unanswered = `$JS.${subject}`
    await other.subscribe(unanswered, () => {})
    await other.subscribe(subject, message => message.respond())
    const giveUp = new AbortController()
    const work = [
      requests.request(unanswered, nothing, 700),
      requests.request(unanswered, nothing, 60_000, { signal: giveUp.signal }),
    ] as const
    const before = Date.now()
    t.match(await requests.request(subject, nothing, 10_000), { kind: 'message' })
    t.equal(requests.silentSince, undefined, 'it has just answered')

    t.match(await work[0], { kind: 'timeout' })
    const since = requests.silentSince
    t.ok(since! >= before, 'since its last answer')
    giveUp.abort()
    t.match(await work[1], { kind: 'aborted' })
    t.equal(requests.silentSince, since, 'nothing is in flight, and it is still silent')
    t.match(await requests.request(subject, nothing, 10_000), { kind: 'message' })
    t.equal(requests.silentSince, undefined)
  },
)

await scene(
  'a subject without subscribers and a subscriber that does not answer are distinguished',
  async (t, { subject, caller, other }) => {
    const { requests } = caller
    t.match(await requests.request(subject, nothing, 10_000), { kind: 'no-responders' })
    await other.subscribe(subject, () => {})
    const [silent, absent] = await Promise.all([
      requests.request(subject, nothing, 50),
      requests.request(`${subject}.other`, nothing, 10_000),
    ])
    t.match(silent, { kind: 'timeout' })
    t.match(absent, { kind: 'no-responders' })
    t.equal(requests.inFlight, 0)
  },
)

await scene(
  'REQUESTS-1, REQUESTS-2: late, duplicate and forged replies settle nothing',
  async (t, { subject, caller, other }) => {
    const inboxes: string[] = []
    await other.subscribe(subject, message => {
      inboxes.push(message.reply!)
    })
    const { requests } = caller
    t.match(await requests.request(subject, nothing, 50), { kind: 'timeout' })
    const [late] = inboxes
    const next = requests.request(subject, nothing, 10_000)
    await until(() => inboxes.length === 2)
    const { nc } = other
    nc.publish(late!, 'late')
    const prefix = late!.slice(0, late!.lastIndexOf('.') + 1)
    for (const token of ['zzz', '-1', '__proto__', 'constructor'])
      nc.publish(prefix + token, 'forged')
    nc.publish(inboxes[1]!, 'first')
    nc.publish(inboxes[1]!, 'second')
    t.equal(textOf(await next), 'first')
    await nc.flush()
    await caller.nc.flush()
    t.equal(requests.inFlight, 0)
  },
)

await scene(
  'an answer with a status that is not "no responders" is an answer',
  async (t, { subject, caller, other }) => {
    await other.subscribe(subject, message => {
      const lines = headers(404, 'Message Not Found')
      message.respond('', { headers: lines })
    })
    const reply = await caller.requests.request(subject, nothing, 10_000)
    t.equal(reply.kind === 'message' && reply.message.headers?.code, 404)
  },
)

await scene(
  'REQUESTS-3: requests beyond the limit are queued and sent in order',
  async (t, { subject, caller, other }) => {
    const order: number[] = []
    let most = 0
    let open = false
    const held: (() => void)[] = []
    const { requests } = caller
    await other.subscribe(subject, message => {
      order.push(Number(message.string()))
      if (open) message.respond('x')
      else held.push(() => message.respond('x'))
    })
    const extra = 3_000
    let next = 0
    const send = async () => {
      const reply = await requests.request(subject, Buffer.from(String(next++)), 30_000)
      if (reply.kind !== 'message') t.fail(reply.kind)
      most = Math.max(most, requests.inFlight)
    }
    // Each sends a second request after its answer, which must be queued after the waiting ones.
    const again = async () => {
      await send()
      most = Math.max(most, requests.inFlight)
      await send()
    }
    const work = Array.from({ length: inFlightMax + extra }, again)
    await until(() => held.length === inFlightMax, { timeout: 30_000 })
    t.equal(requests.inFlight, inFlightMax)
    open = true
    for (const respond of held) respond()
    await Promise.all(work)
    t.equal(order.length, 2 * (inFlightMax + extra))
    t.ok(most <= inFlightMax, `${most} at most`)
    const first = order.slice(0, inFlightMax + extra)
    t.strictSame(
      first,
      first.map((_, i) => i),
      'queued requests are sent before second requests',
    )
  },
)

await scene(
  'REQUESTS-5: a request that is still queued at its timeout is not sent',
  async (t, { subject, caller, other }) => {
    let received = 0
    const held: (() => void)[] = []
    await other.subscribe(subject, message => {
      received++
      held.push(() => message.respond('x'))
    })
    const { requests } = caller
    const full = Array.from({ length: inFlightMax }, () =>
      requests.request(subject, nothing, 30_000),
    )
    await until(() => received === inFlightMax, { timeout: 30_000 })
    t.match(await requests.request(subject, nothing, 60), { kind: 'not-sent' })
    const waiting = requests.request(subject, nothing, 30_000)
    for (const respond of held.splice(0)) respond()
    await Promise.all(full)
    await until(() => held.length === 1)
    held[0]!()
    t.match(await waiting, { kind: 'message' })
    t.equal(received, inFlightMax + 1, 'the request that was not sent never arrived')
    t.equal(requests.inFlight, 0)
  },
)

await scene(
  'REQUESTS-4: a lost connection settles all open requests at once',
  async (t, { subject, caller, other, proxy }) => {
    let received = 0
    await other.subscribe(subject, () => {
      received++
    })
    const { requests } = caller
    const work = Array.from({ length: 100 }, () =>
      requests.request(subject, nothing, 60_000),
    )
    await until(() => received === 100)
    proxy.cut()
    const replies = await Promise.all(work)
    t.ok(replies.every(reply => reply.kind === 'disconnected'))
    t.equal(requests.inFlight, 0)
    await until(() => caller.connected)
    await other.subscribe(`${subject}.again`, message => {
      message.respond('again')
    })
    t.equal(textOf(await requests.request(`${subject}.again`, nothing, 10_000)), 'again')
  },
)

await scene(
  'REQUESTS-4: a request sent without a connection is settled by the next connection',
  async (t, { subject, caller, proxy }) => {
    proxy.refuse(true)
    proxy.cut()
    await until(() => !caller.connected)
    const work = caller.requests.request(subject, nothing, 60_000)
    proxy.refuse(false)
    const reply = await work
    t.ok(['disconnected', 'no-responders'].includes(reply.kind), reply.kind)
  },
)

await scene(
  'REQUESTS-1, REQUESTS-6: a signal ends its own requests only, with one listener',
  async (t, { subject, caller, other }) => {
    const received: string[] = []
    await other.subscribe(subject, message => {
      received.push(message.string())
      if (message.string() === 'other') message.respond('x')
    })
    const { requests } = caller
    const stop = new AbortController()
    const { signal } = stop
    const listeners = () => getEventListeners(signal, 'abort').length
    const body = (text: string) => Buffer.from(text)
    const ended = Array.from({ length: 100 }, () =>
      requests.request(subject, body('ended'), 60_000, { signal }),
    )
    await until(() => received.length === 100)
    t.equal(listeners(), 1)
    stop.abort()
    t.strictSame(
      new Set((await Promise.all(ended)).map(reply => reply.kind)),
      new Set(['aborted']),
    )
    t.equal(requests.inFlight, 0)
    t.match(await requests.request(subject, body('late'), 60_000, { signal }), {
      kind: 'not-sent',
    })
    t.equal(textOf(await requests.request(subject, body('other'), 60_000)), 'x')
    t.notOk(received.includes('late'))

    const again = new AbortController()
    const watched = { signal: again.signal }
    t.equal(textOf(await requests.request(subject, body('other'), 60_000, watched)), 'x')
    await until(() => getEventListeners(again.signal, 'abort').length === 0)
  },
)

await scene(
  'a queued request whose signal fires is never sent',
  async (t, { subject, caller, other }) => {
    const held: (() => void)[] = []
    await other.subscribe(subject, message => {
      held.push(() => message.respond('x'))
    })
    const { requests } = caller
    const stop = new AbortController()
    const full = Array.from({ length: inFlightMax }, () =>
      requests.request(subject, nothing, 60_000),
    )
    const leaving = requests.request(subject, nothing, 60_000, { signal: stop.signal })
    const staying = requests.request(subject, nothing, 60_000)
    stop.abort()
    t.match(await leaving, { kind: 'not-sent' })
    await until(() => held.length === inFlightMax, { timeout: 30_000 })
    for (const respond of held.splice(0)) respond()
    await Promise.all(full)
    await until(() => held.length === 1)
    held[0]!()
    t.match(await staying, { kind: 'message' })
    t.equal(requests.inFlight, 0)
  },
)

await scene(
  'closing settles all requests, including queued ones',
  async (t, { subject, caller, other }) => {
    await other.subscribe(subject, () => {})
    const { requests } = caller
    const work = Array.from({ length: inFlightMax + 10 }, () =>
      requests.request(subject, nothing, 60_000),
    )
    await until(() => requests.inFlight === inFlightMax)
    await caller.close()
    const kinds = (await Promise.all(work)).map(reply => reply.kind)
    t.strictSame(
      [kinds.slice(0, inFlightMax), kinds.slice(inFlightMax)].map(list => [
        ...new Set(list),
      ]),
      [['disconnected'], ['not-sent']],
    )
    t.match(await requests.request(subject, nothing, 100), { kind: 'not-sent' })
  },
)

await t.test(
  'a forbidden publish is reported at once, and other requests continue',
  async t => {
    const permissions = { publish: { allow: ['good'] }, subscribe: { allow: ['>'] } }
    await using strict = await startNats({
      jetstream: false,
      users: [{ user: 'ann', password: 'x', permissions }],
    })
    const login = { servers: strict.url, user: 'ann', password: 'x' }
    const caller = await Connection.open(login, 'test', 'test')
    const { requests } = caller
    const [bad, good] = await Promise.all([
      requests.request('bad', nothing, 60_000),
      requests.request('good', nothing, 60_000),
    ])
    t.strictSame(bad, { kind: 'forbidden', subject: 'bad' })
    t.match(good, { kind: 'no-responders' })
    await caller.close()
  },
)

await t.test(
  'a forbidden inbox or subscription is an error that names the subject',
  async t => {
    const permissions = {
      publish: { allow: ['>'] },
      subscribe: { allow: ['_INBOX_own.>'] },
    }
    await using strict = await startNats({
      jetstream: false,
      users: [{ user: 'ann', password: 'x', permissions }],
    })
    const login = { servers: strict.url, user: 'ann', password: 'x' }
    const refusedOf = (work: Promise<unknown>) => work.catch((error: unknown) => error)
    const other = await refusedOf(Connection.open(login, 'other', 'test'))
    if (!isCairnError(other, 'unauthorized')) throw other
    t.match(other.message, /_INBOX_other\..*namespace other/)
    const own = await Connection.open(login, 'own', 'test')
    const refused = await refusedOf(own.subscribe('secret', () => t.fail('received')))
    if (!isCairnError(refused, 'unauthorized')) throw refused
    t.match(refused.message, /secret/)
    t.ok(own.connected)
    await own.close()
  },
)
