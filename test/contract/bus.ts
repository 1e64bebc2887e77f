// The notice bus contract: one suite for every implementation of src/bus/bus.ts.
//
//     await testNoticeBus(t, 'memory', async () => ({ backend: memory() }))
//
// The notices come from the store that belongs to the bus, so it takes a whole backend.

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
  /** Empty, and nobody else's. Namespaces that are opened on it share it. */
  readonly backend: Backend
  dispose?(): Promise<void>
}

interface Scene {
  readonly namespace: string
  /** A node on the namespace given, by default the test's own. */
  open(namespace?: string): Promise<OpenNamespace>
}

type Suite = (title: string, body: (t: Test, scene: Scene) => Promise<void>) => void

/** What a node does with what it hears, see `startNode`. */
export function wireCache(
  { namespace, store, bus }: Pick<OpenNamespace, 'namespace' | 'store' | 'bus'>,
  heard: InterruptionReason[] = [],
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
        heard.push(reason)
        store.markCacheUnverified()
      },
    },
  )
}

const heardAll = (list: readonly unknown[], count: number) =>
  until(() => list.length >= count, { describe: `${count} notices are heard` })

const brief = ({ eventId, position }: EventStored) => `${eventId}@${position}`

export async function testNoticeBus(
  t: Test,
  name: string,
  make: () => Promise<BusPlace>,
): Promise<void> {
  await t.test(`the notice bus contract, kept by ${name}`, async t => {
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
    t.match(after, { hits, misses, heals }, 'nobody asked, nothing was read')
    const next = await mustAppend(b.store, account, deposits(1), { expected: 40 })
    t.equal(next.version, 41)
  })

  test('A3.2 a notice is EventStored, whole and typed', async (t, {
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
    await heardAll(notices, 2)
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
    await heardAll(notices, 3)
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

  test('A3.3 a notice comes after its event is durable, and none on a conflict', async (t, {
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
    // A last commit: what a conflict might have sent would be heard before it.
    await mustAppend(a.store, actorOf('last'), deposits(1))
    await heardAll(notices, 11)
    await turn()
    t.strictSame(
      notices.map(notice => notice.eventId),
      [...span(1, 10).map(i => `account/alice/${i}`), 'account/last/1'],
    )
    const seen = await Promise.all(looks)
    t.ok(
      notices.every((notice, i) => seen[i]! >= notice.version),
      'whoever hears of an event can read it',
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
    await heardAll(notices, events)
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

function testNamespaces(test: Suite): void {
  test('A3.5 a subscriber in one namespace hears nothing of another', async (t, {
    open,
  }) => {
    const salt = newId().slice(0, 8)
    const names = ['a', 'a-b', 'ab', 'a-', 'b'].map(part => `${salt}-${part}`)
    const nodes: OpenNamespace[] = []
    const heard = new Map<string, string[]>()
    for (const name of names) {
      const node = await open(name)
      nodes.push(node)
      heard.set(name, [])
      await node.bus.subscribeToEventStored(name, ({ namespace, actor }) =>
        heard.get(name)!.push(`${namespace} ${actor.id}`),
      )
    }
    // The same actor everywhere, and one of its own at the end.
    for (const { store } of nodes) await mustAppend(store, account, deposits(1))
    for (const { store, namespace } of nodes)
      await mustAppend(store, actorOf(namespace), deposits(1))
    await until(() => [...heard.values()].every(list => list.length >= 2))
    await turn()
    t.strictSame(
      [...heard.values()],
      names.map(name => [`${name} alice`, `${name} ${name}`]),
    )
    for (const { store, namespace } of nodes)
      t.equal((await store.head(account)).position, 1, `${namespace} has its own history`)
  })

  test('A3.6 hearing across namespaces is a method of its own, and hears all', async (t, {
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
    await heardAll(notices, 3)
    t.strictSame(
      notices.map(notice => `${notice.namespace} ${brief(notice)}`).sort(),
      [
        `${namespace} account/alice/2@2`,
        `${namespace}-three account/alice/1@1`,
        `${namespace}-two account/alice/1@1`,
      ].sort(),
    )
  })

  test('A3.6 no ordinary subscription takes a wildcard', async (t, { open }) => {
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
  test('B4 a handler that throws is counted and reported, and costs nobody a notice', async (t, {
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
    // Types let a handler return a promise, and somebody will.
    const rejecting = () => Promise.reject(new Error('a promise')) as unknown as undefined
    const silent = await bus.subscribeToEventStored(namespace, rejecting)
    await bus.subscribeToEventStored(namespace, ({ version }) => others.push(version))
    await mustAppend(store, account, deposits(1, 2, 3))
    await mustAppend(store, account, deposits(4))
    await until(() => others.length === 4 && silent.stats().handlerErrors === 4)
    t.strictSame(others, [1, 2, 3, 4])
    t.strictSame(calls, [1, 2, 3, 4], 'also the rest of a commit')
    t.strictSame(errors, ['no 1', 'no 2', 'no 3', 'no 4'])
    t.match(failing.stats(), { commits: 2, handlerErrors: 4, malformed: 0 })
    t.match(worse.stats(), { commits: 2, handlerErrors: 4 })
  })

  test('nothing is heard after unsubscribing, and doing it again is no error', async (t, {
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
    await heardAll(second!, 2)
    await turn()
    t.equal(first!.length, 1)
    await subscription.unsubscribe()
    t.equal(subscription.stats().commits, 1)
  })

  test('a handler may unsubscribe from inside, also in the middle of a commit', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const heard: number[] = []
    const all: number[] = []
    const subscription = await bus.subscribeToEventStored(namespace, ({ version }) => {
      heard.push(version)
      if (version === 2) void subscription.unsubscribe()
    })
    await bus.subscribeToEventStored(namespace, ({ version }) => all.push(version))
    await mustAppend(store, account, deposits(1, 2, 3))
    await mustAppend(store, account, deposits(4))
    await heardAll(all, 4)
    await turn()
    t.strictSame(heard, [1, 2])
  })

  test('a signal ends a subscription, and an aborted one begins none', async (t, {
    namespace,
    open,
  }) => {
    const { store, bus } = await open()
    const stop = new AbortController()
    const { signal } = stop
    const heard: EventStored[] = []
    const all: EventStored[] = []
    await bus.subscribeToEventStored(namespace, one => heard.push(one), { signal })
    await bus.subscribeToEventStored(namespace, one => all.push(one))
    await mustAppend(store, account, deposits(1))
    await heardAll(heard, 1)
    // One more is still being made when the signal fires.
    const late = bus.subscribeToCommits(namespace, () => t.fail('late'), { signal })
    const refused = refuses(t, 'aborted', () => late, 'one that is being made')
    stop.abort()
    await refused
    await mustAppend(store, account, deposits(2))
    await heardAll(all, 2)
    await turn()
    t.equal(heard.length, 1)
    const handler = () => t.fail('never')
    const works: [string, () => unknown][] = [
      ['events', () => bus.subscribeToEventStored(namespace, handler, { signal })],
      ['commits', () => bus.subscribeToCommits(namespace, handler, { signal })],
      ['all namespaces', () => bus.subscribeAcrossNamespaces(handler, { signal })],
    ]
    for (const [what, work] of works) await refuses(t, 'aborted', work, what)
  })

  test('what is stored once a subscription is made is heard, round after round', async (t, {
    namespace,
    open,
  }) => {
    const [a, b] = [await open(), await open()]
    for (const round of span(1, 25)) {
      const heard: EventStored[] = []
      const subscription = await b.bus.subscribeToEventStored(namespace, one =>
        heard.push(one),
      )
      await mustAppend(a.store, account, deposits(round))
      await heardAll(heard, 1)
      if (heard[0]!.version !== round) t.fail(`${heard[0]!.version} in round ${round}`)
      await subscription.unsubscribe()
    }
    t.equal((await b.store.head(account)).version, 25)
  })

  test('closing the node ends its subscriptions', async (t, { namespace, open }) => {
    const [a, b] = [await open(), await open()]
    const [heard, mine]: EventStored[][] = [[], []]
    await a.bus.subscribeToEventStored(namespace, one => heard!.push(one))
    await b.bus.subscribeToEventStored(namespace, one => mine!.push(one))
    await a.close()
    await mustAppend(b.store, account, deposits(1))
    await heardAll(mine!, 1)
    await turn()
    t.equal(heard!.length, 0)
  })
}
