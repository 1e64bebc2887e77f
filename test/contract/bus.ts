// The notice bus contract: one suite for every implementation of src/bus/bus.ts.
//
//     await testNoticeBus(t, 'memory', async () => ({ backend: memory() }))
//
// The notices come from the store that belongs to the bus, so the suite needs a whole backend.

import { setImmediate as turn } from 'node:timers/promises'

import type { Test } from 'tap'

import type { Backend, OpenNamespace } from '../../src/backend/backend.js'
import type { InterruptionReason, Subscription } from '../../src/bus/bus.js'
import type { CommitStored, EventStored } from '../../src/bus/notice.js'
import { formatAddress } from '../../src/model/address.js'
import { newId } from '../../src/model/id.js'
import { until } from '../support/wait.js'
import { account, actorOf, deposits, mustAppend, refuses, span } from './store/support.js'

export interface BusPlace {
  /** Empty and not shared with other tests. */
  readonly backend: Backend
  dispose?(): Promise<void>
}

interface Scene {
  readonly namespace: string
  /** Opens a node on the given namespace, by default the test's own. */
  open(namespace?: string): Promise<OpenNamespace>
}

type Suite = (title: string, body: (t: Test, scene: Scene) => Promise<void>) => void

/** Updates the store's cache with the notices, as `startNode` does. */
export function wireCache(
  { namespace, store, bus }: Pick<OpenNamespace, 'namespace' | 'store' | 'bus'>,
  received: InterruptionReason[] = [],
): Promise<Subscription> {
  return bus.subscribeToCommits(
    namespace,
    ({ actor, header, position, previousPosition }) => {
      const { firstVersion, lastVersion } = header
      const predecessor =
        previousPosition === undefined
          ? undefined
          : { version: firstVersion - 1, position: previousPosition }
      store.updateVersionCache(actor, lastVersion, position, predecessor)
    },
    {
      onInterrupted: reason => {
        received.push(reason)
        store.markCacheUnverified()
      },
    },
  )
}

const receivedAll = (list: readonly unknown[], count: number) =>
  until(() => list.length >= count, { describe: `${count} notices are received` })

const brief = ({ eventId, position }: EventStored) => `${eventId}@${position}`

export async function testNoticeBus(
  t: Test,
  name: string,
  make: () => Promise<BusPlace>,
): Promise<void> {
  await t.test(`the notice bus contract, implemented by ${name}`, async t => {
    let tests = 0
    const suite: Suite = (title, body) => {
      tests++
      void t.test(title, async t => {
        const place = await make()
        const opened: OpenNamespace[] = []
        const namespace = `t-${newId().slice(0, 13)}`
        const open = async (of = namespace) => {
          const nodeId = `node-${opened.length + 1}`
          const node = await place.backend.open({ namespace: of, nodeId })
          opened.push(node)
          return node
        }
        try {
          await body(t, { namespace, open })
        } finally {
          for (const node of opened) await node.close()
          await place.dispose?.()
        }
      })
    }
    testNotices(suite)
    testFilters(suite)
    testNamespaces(suite)
    testSubscriptions(suite)
    t.comment(`the notice bus contract ran against ${name}: ${tests} tests`)
  })
}

function testNotices(test: Suite): void {
  test("A3.1 node B's cache reaches the version of node A's append without a read by B", async (t, {
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    await wireCache(b)
    const before = b.store.cacheStats()
    for (const i of span(1, 20)) await mustAppend(a.store, account, deposits(i, i))
    await until(() => b.store.cachedVersion(account) === 40)
    const after = b.store.cacheStats()
    t.equal(after.raises - before.raises, 20, 'each commit raised it')
    const { hits, misses, heals } = before
    t.match(after, { hits, misses, heals }, 'nothing was read')
    const next = await mustAppend(b.store, account, deposits(1), { expected: 40 })
    t.equal(next.version, 41)
  })

  test('A3.2 a notice is a complete, typed EventStored', async (t, {
    namespace,
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    const notices: EventStored[] = []
    await b.bus.subscribeToEventStored(namespace, notice => notices.push(notice))
    const at = 1_767_225_600_000
    const actor = actorOf('Zoë/a.b *>')
    const result = await mustAppend(a.store, actor, deposits(1, 2), {
      at,
      command: { id: 'command-1', reply: 'secret' },
      correlationId: 'correlation-1',
    })
    await receivedAll(notices, 2)
    const both = (version: number): EventStored => ({
      schema: 1,
      namespace,
      actor,
      actorId: 'account/Zoë/a.b *>',
      eventId: `account/Zoë/a.b *>/${version}`,
      eventType: 'deposited',
      version,
      position: result.position,
      commitId: result.commitId,
      nodeId: 'node-1',
      timestamp: at,
      commandId: 'command-1',
      correlationId: 'correlation-1',
    })
    t.strictSame(notices, [both(1), both(2)])
    const plain = await mustAppend(a.store, account, deposits(1), { at })
    await receivedAll(notices, 3)
    t.strictSame(notices[2], {
      schema: 1,
      namespace,
      actor: account,
      actorId: 'account/alice',
      eventId: 'account/alice/1',
      eventType: 'deposited',
      version: 1,
      position: plain.position,
      commitId: plain.commitId,
      nodeId: 'node-1',
      timestamp: at,
    })
  })

  test('BUS-1 A3.3 a notice follows the durable event, and a conflict has none', async (t, {
    namespace,
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    const notices: EventStored[] = []
    const looks: Promise<number>[] = []
    await b.bus.subscribeToEventStored(namespace, notice => {
      notices.push(notice)
      looks.push(b.store.head(notice.actor).then(head => head.version))
    })
    for (const i of span(1, 10)) {
      await mustAppend(a.store, account, deposits(i), { expected: i - 1 })
      const lost = await b.store.append(account, deposits(99), { expected: i - 1 })
      if (lost.ok) t.fail('the second one must meet a conflict')
    }
    // A last commit: a notice of a conflict would arrive before it.
    await mustAppend(a.store, actorOf('last'), deposits(1))
    await receivedAll(notices, 11)
    await turn()
    t.strictSame(
      notices.map(notice => notice.eventId),
      [...span(1, 10).map(i => `account/alice/${i}`), 'account/last/1'],
    )
    const seen = await Promise.all(looks)
    t.ok(
      notices.every((notice, i) => seen[i]! >= notice.version),
      'an event can be read once its notice arrives',
    )
  })

  test('A3.3 one notice per event, in order per actor, under concurrent writers', async (t, {
    namespace,
    open,
  }) => {
    const nodes = [await open(), await open(), await open()]
    const listener = await open()
    const notices: EventStored[] = []
    const commits: CommitStored[] = []
    await listener.bus.subscribeToEventStored(namespace, one => notices.push(one))
    await listener.bus.subscribeToCommits(namespace, one => commits.push(one))
    let events = 0
    await Promise.all(
      nodes.map(async ({ store }, n) => {
        for (const i of span(0, 39)) {
          const size = (i % 3) + 1
          events += size
          await mustAppend(store, actorOf(`a${(i + n) % 4}`), deposits(...span(1, size)))
        }
      }),
    )
    await receivedAll(notices, events)
    await receivedAll(commits, 120)
    t.equal(notices.length, events)
    t.equal(commits.length, 120)
    const versions = new Map<string, number>()
    for (const { actor, version } of notices) {
      const before = versions.get(formatAddress(actor)) ?? 0
      if (version !== before + 1) t.fail(`${version} after ${before}`)
      versions.set(formatAddress(actor), version)
    }
    t.strictSame(
      commits.map(commit => commit.position),
      span(1, 120),
    )
  })
}

function testFilters(test: Suite): void {
  test('BUS-6 a subscription gets the notices of one type or one actor, and no others', async (t, {
    namespace,
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    const odd = actorOf('Zoë/a.b *>')
    const received: Record<string, string[]> = {}
    const interrupted: string[] = []
    const subscriptions: Subscription[] = []
    for (const [name, filter] of Object.entries({
      all: {},
      type: { type: 'account' },
      actor: { actor: odd },
      both: { type: 'other', actor: actorOf('x', 'other') },
      none: { type: 'nobody' },
    })) {
      const list: string[] = (received[name] = [])
      const options = { ...filter, onInterrupted: (why: string) => interrupted.push(why) }
      subscriptions.push(
        await b.bus.subscribeToEventStored(
          namespace,
          ({ actorId, version }) => list.push(`${actorId} ${version}`),
          options,
        ),
      )
      const ofAll: string[] = (received[`${name} of all namespaces`] = [])
      await b.bus.subscribeAcrossNamespaces(one => {
        if (one.namespace === namespace) ofAll.push(`${one.actorId} ${one.version}`)
      }, options)
    }
    const commits: number[] = []
    await b.bus.subscribeToCommits(namespace, ({ position }) => commits.push(position), {
      actor: account,
    })
    const actors = [account, actorOf('x', 'other'), odd, actorOf('alice', 'accounts')]
    for (const i of span(1, 3))
      for (const { store } of [a, b])
        for (const actor of actors) await mustAppend(store, actor, deposits(i, i))
    const expected = (wanted: (id: string) => boolean) =>
      span(1, 6).flatMap(i =>
        ['account/alice', 'other/x', 'account/Zoë/a.b *>', 'accounts/alice']
          .filter(wanted)
          .flatMap(id => [`${id} ${2 * i - 1}`, `${id} ${2 * i}`]),
      )
    const all = expected(() => true)
    await receivedAll(received['all']!, all.length)
    await receivedAll(received['all of all namespaces']!, all.length)
    await receivedAll(commits, 6)
    await turn()
    const wanted = {
      all,
      type: expected(id => id.startsWith('account/')),
      actor: expected(id => id.startsWith('account/Z')),
      both: expected(id => id === 'other/x'),
      none: [],
    }
    for (const [name, list] of Object.entries(wanted)) {
      await receivedAll(received[name]!, list.length)
      await receivedAll(received[`${name} of all namespaces`]!, list.length)
      t.strictSame(received[name], list, name)
      t.strictSame(received[`${name} of all namespaces`], list, `${name} of all`)
    }
    t.strictSame(interrupted, [], 'what is not wanted is not missed')
    t.strictSame(
      subscriptions.map(one => one.stats().commits),
      [24, 12, 6, 6, 0],
    )
  })

  test('BUS-6 a filter that is none is refused', async (t, { namespace, open }) => {
    const { bus } = await open()
    const handler = () => t.fail('never')
    const cases = [
      ['invalid-actor-type', { type: '*' }],
      ['invalid-actor-type', { type: 'a.>' }],
      ['invalid-actor-type', { actor: { type: '>', id: 'x' } }],
      ['invalid-actor-id', { actor: { type: 'account', id: '' } }],
      ['invalid-option', { type: 'other', actor: account }],
    ] as const
    for (const [code, filter] of cases) {
      const what = JSON.stringify(filter)
      await refuses(
        t,
        code,
        () => bus.subscribeToEventStored(namespace, handler, filter),
        what,
      )
      await refuses(t, code, () => bus.subscribeAcrossNamespaces(handler, filter), what)
    }
  })
}

function testNamespaces(test: Suite): void {
  test('BUS-5 A3.5 a subscriber receives no notice of another namespace', async (t, {
    open,
  }) => {
    const salt = newId().slice(0, 8)
    const names = ['a', 'a-b', 'ab', 'a-', 'b'].map(part => `${salt}-${part}`)
    const nodes: OpenNamespace[] = []
    const received = new Map<string, string[]>()
    for (const name of names) {
      const node = await open(name)
      nodes.push(node)
      received.set(name, [])
      await node.bus.subscribeToEventStored(name, ({ namespace, actor }) =>
        received.get(name)!.push(`${namespace} ${actor.id}`),
      )
    }
    // The same actor in each namespace, and one of its own at the end.
    for (const { store } of nodes) await mustAppend(store, account, deposits(1))
    for (const { store, namespace } of nodes)
      await mustAppend(store, actorOf(namespace), deposits(1))
    await until(() => [...received.values()].every(list => list.length >= 2))
    await turn()
    t.strictSame(
      [...received.values()],
      names.map(name => [`${name} alice`, `${name} ${name}`]),
    )
    for (const { store, namespace } of nodes)
      t.equal((await store.head(account)).position, 1, `${namespace} has its own history`)
  })

  test('A3.6 subscribing across namespaces is a separate method and receives all notices', async (t, {
    namespace,
    open,
  }) => {
    const one = await open()
    const two = await open(`${namespace}-two`)
    await mustAppend(one.store, account, deposits(1))
    const notices: EventStored[] = []
    await two.bus.subscribeAcrossNamespaces(notice => {
      if (notice.namespace.startsWith(namespace)) notices.push(notice)
    })
    const three = await open(`${namespace}-three`)
    await mustAppend(one.store, account, deposits(2))
    await mustAppend(two.store, account, deposits(3))
    await mustAppend(three.store, account, deposits(4))
    await receivedAll(notices, 3)
    t.strictSame(
      notices.map(notice => `${notice.namespace} ${brief(notice)}`).sort(),
      [
        `${namespace} account/alice/2@2`,
        `${namespace}-three account/alice/1@1`,
        `${namespace}-two account/alice/1@1`,
      ].sort(),
    )
  })

  test('A3.6 a wildcard is not accepted as a namespace', async (t, { open }) => {
    const { bus } = await open()
    const names = ['*', '>', 'tenant-*', 'a.b', 'a.>', '', 'A', '-a', 'a b', 'a\r\nPING']
    for (const name of names)
      for (const subscribe of ['subscribeToEventStored', 'subscribeToCommits'] as const)
        await refuses(
          t,
          'invalid-namespace',
          () => bus[subscribe](name, () => {}),
          `${subscribe}(${JSON.stringify(name)})`,
        )
  })
}

function testSubscriptions(test: Suite): void {
  test('BUS-4 a handler that throws is counted and reported, and others still receive the notice', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const errors: unknown[] = []
    const calls: number[] = []
    const others: number[] = []
    const failing = await bus.subscribeToEventStored(
      namespace,
      ({ version }) => {
        calls.push(version)
        throw new Error(`no ${version}`)
      },
      { onHandlerError: error => errors.push((error as Error).message) },
    )
    const worse = await bus.subscribeToCommits(
      namespace,
      () => {
        throw new Error('the handler')
      },
      {
        onHandlerError: () => {
          throw new Error('the reporter')
        },
      },
    )
    // The types allow a handler that returns a promise.
    const rejecting = () => Promise.reject(new Error('a promise')) as unknown as undefined
    const silent = await bus.subscribeToEventStored(namespace, rejecting)
    await bus.subscribeToEventStored(namespace, ({ version }) => others.push(version))
    await mustAppend(store, account, deposits(1, 2, 3))
    await mustAppend(store, account, deposits(4))
    const failures = () => [failing, worse, silent].map(one => one.stats().handlerErrors)
    await until(() => others.length === 4 && failures().every(count => count >= 4))
    t.strictSame(others, [1, 2, 3, 4])
    t.strictSame(calls, [1, 2, 3, 4], 'including the rest of the commit')
    t.strictSame(errors, ['no 1', 'no 2', 'no 3', 'no 4'])
    t.match(failing.stats(), { commits: 2, handlerErrors: 4, malformed: 0 })
    t.match(worse.stats(), { commits: 2, handlerErrors: 4 })
  })

  test('no notice arrives after unsubscribing, and unsubscribing again is a no-op', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const [first, second]: EventStored[][] = [[], []]
    const subscription = await bus.subscribeToEventStored(namespace, n => first!.push(n))
    await bus.subscribeToEventStored(namespace, n => second!.push(n))
    await mustAppend(store, account, deposits(1))
    await until(() => first!.length === 1 && second!.length === 1)
    await subscription.unsubscribe()
    await mustAppend(store, account, deposits(2))
    await receivedAll(second!, 2)
    await turn()
    t.equal(first!.length, 1)
    await subscription.unsubscribe()
    t.equal(subscription.stats().commits, 1)
  })

  test('a handler may unsubscribe, also in the middle of a commit', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const received: number[] = []
    const all: number[] = []
    const subscription = await bus.subscribeToEventStored(namespace, ({ version }) => {
      received.push(version)
      if (version === 2) void subscription.unsubscribe()
    })
    await bus.subscribeToEventStored(namespace, ({ version }) => all.push(version))
    await mustAppend(store, account, deposits(1, 2, 3))
    await mustAppend(store, account, deposits(4))
    await receivedAll(all, 4)
    await turn()
    t.strictSame(received, [1, 2])
  })

  test('a signal ends a subscription, and an aborted signal prevents one', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const stop = new AbortController()
    const { signal } = stop
    const received: EventStored[] = []
    const all: EventStored[] = []
    await bus.subscribeToEventStored(namespace, one => received.push(one), { signal })
    await bus.subscribeToEventStored(namespace, one => all.push(one))
    await mustAppend(store, account, deposits(1))
    await receivedAll(received, 1)
    // Another one is still starting when the signal fires.
    const late = bus.subscribeToCommits(namespace, () => t.fail('late'), { signal })
    const refused = refuses(t, 'aborted', () => late, 'a subscription that is starting')
    stop.abort()
    await refused
    await mustAppend(store, account, deposits(2))
    await receivedAll(all, 2)
    await turn()
    t.equal(received.length, 1)
    const handler = () => t.fail('never')
    const works: [string, () => unknown][] = [
      ['events', () => bus.subscribeToEventStored(namespace, handler, { signal })],
      ['commits', () => bus.subscribeToCommits(namespace, handler, { signal })],
      ['all namespaces', () => bus.subscribeAcrossNamespaces(handler, { signal })],
    ]
    for (const [what, work] of works) await refuses(t, 'aborted', work, what)
  })

  test('BUS-2 commits stored after subscribing have notices', async (t, {
    namespace,
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    for (const round of span(1, 25)) {
      const received: EventStored[] = []
      const subscription = await b.bus.subscribeToEventStored(namespace, one =>
        received.push(one),
      )
      await mustAppend(a.store, account, deposits(round))
      await receivedAll(received, 1)
      if (received[0]!.version !== round)
        t.fail(`${received[0]!.version} in round ${round}`)
      await subscription.unsubscribe()
    }
    t.equal((await b.store.head(account)).version, 25)
  })

  test('closing the node ends its subscriptions', async (t, { namespace, open }) => {
    const [a, b] = [await open(), await open()]
    const [received, mine]: EventStored[][] = [[], []]
    await a.bus.subscribeToEventStored(namespace, one => received!.push(one))
    await b.bus.subscribeToEventStored(namespace, one => mine!.push(one))
    await a.close()
    await mustAppend(b.store, account, deposits(1))
    await receivedAll(mine!, 1)
    await turn()
    t.equal(received!.length, 0)
  })
}
