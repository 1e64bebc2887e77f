// Commands that wait for one actor are stored as one commit, each as if it were stored alone.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { CairnError } from '../../src/model/errors.js'
import type { StoredCommit } from '../../src/model/commit.js'
import type { AskOutcome } from '../../src/model/command-sender.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import {
  account,
  alice,
  barrier,
  deposits,
  node,
  type ObservedStore,
  pushCommit,
  type TestNode,
  write,
} from './support.js'

const once = (commandId: string) => ({ commandId })

/** Holds the first append, so that commands sent after it wait; returns a function that releases it. */
async function busy({ host, store }: TestNode, commandId = 'first') {
  await host.ask(alice, 'deposit', { amount: 1 }) // Awake, and its window filled.
  store.forget()
  const held = barrier()
  store.before = async operation => {
    if (operation !== 'append') return
    store.before = () => {}
    await held.wait()
  }
  const first = host.ask(alice, 'deposit', { amount: 1 }, once(commandId))
  await held.reached
  return { first, letGo: held.letGo }
}

async function commitsOf(store: ObservedStore): Promise<StoredCommit[]> {
  const commits: StoredCommit[] = []
  for await (const record of store.commits(alice))
    if (record.kind === 'commit') commits.push(record)
  return commits
}

const known = ({ version, ...outcome }: AskOutcome) =>
  outcome.ok
    ? { version, reply: outcome.reply, position: outcome.position }
    : { version, code: outcome.rejection.code }

void t.test(
  'commands that wait are stored as one commit, and each is answered',
  async t => {
    const home = node()
    const { host, store } = home
    const { first, letGo } = await busy(home)
    const waiting = [
      host.ask(
        alice,
        'deposit',
        { amount: 10 },
        {
          commandId: 'a',
          correlationId: 'one',
          causationId: 'why',
          traceparent: 'trace',
        },
      ),
      host.ask(alice, 'withdraw', { amount: 1_000 }, once('refused')),
      host.ask(alice, 'split', [100, 1_000], once('b')),
      host.ask(alice, 'balance', undefined, once('nothing')),
      host.ask(alice, 'deposit', { amount: 10_000 }, { correlationId: 'two' }),
    ]
    letGo()
    t.same(known(await first), { version: 2, reply: 2, position: 2 })
    t.same((await Promise.all(waiting)).map(known), [
      { version: 3, reply: 12, position: 3 },
      { version: 3, code: 'overdraft' },
      { version: 5, reply: undefined, position: 3 },
      { version: 5, reply: 1_112, position: 3 },
      { version: 6, reply: 11_112, position: 3 },
    ])
    t.equal(
      store.calls.append,
      2,
      'the one that was under way, and one for all that waited',
    )
    const commits = await commitsOf(store)
    const packed = commits[2]!
    t.match(packed, {
      firstVersion: 3,
      lastVersion: 6,
      command: undefined,
      commands: [
        {
          id: 'a',
          events: 1,
          reply: 12,
          correlationId: 'one',
          causationId: 'why',
          traceparent: 'trace',
        },
        { id: 'b', events: 2 },
        { events: 1, reply: 11_112, correlationId: 'two' },
      ],
      state: { value: { balance: 11_112 } },
    })
    t.match(
      packed.events.map(({ commandId, correlationId, causationId }) => [
        commandId,
        correlationId,
        causationId,
      ]),
      [
        ['a', 'one', 'why'],
        ['b', undefined, undefined],
        ['b', undefined, undefined],
        [String, 'two', undefined],
      ],
    )
    t.equal(commits[1]!.command?.id, 'first', 'a single command has a commit of its own')
  },
)

void t.test('sent again, each takes effect once and gets its first answer', async t => {
  const home = node()
  const { host, store, log } = home
  const { first, letGo } = await busy(home)
  const ask = (on: TestNode['host'], id: string, amount: number, correlationId: string) =>
    on.ask(alice, 'deposit', { amount }, { ...once(id), correlationId })
  const waiting = [
    ask(host, 'a', 10, 'of a'),
    ask(host, 'b', 20, 'of b'),
    ask(host, 'a', 10, 'later'),
    ask(host, 'c', 30, 'of c'),
  ]
  letGo()
  await first
  const [a, b, again, c] = await Promise.all(waiting)
  t.match(again, { ...a, duplicate: true }, 'one that waited twice was stored once')
  t.match(c, { version: 5, reply: 62, commandId: 'c', correlationId: 'of c' })
  const elsewhere = node({ on: log, nodeId: 'b' })
  for (const on of [host, elsewhere.host, node({ on: log }).host])
    for (const [id, amount, was] of [
      ['a', 10, a],
      ['b', 20, b],
      ['c', 30, c],
    ] as const)
      t.strictSame(await ask(on, id, amount, 'later'), { ...was, duplicate: true }, id)
  t.equal((await commitsOf(store)).at(-1)?.lastVersion, 5)
})

void t.test('after a conflict all are decided again, each once', async t => {
  const home = node()
  const { host, store, log } = home
  const { first, letGo } = await busy(home)
  const ids = ['a', 'b', 'c', 'd']
  const waiting = ids.map(id => host.ask(alice, 'deposit', { amount: 10 }, once(id)))
  // The first append has a conflict, and so has the second, of the batch.
  let intrusions = 0
  const intrude = async () => {
    intrusions++
    await write(log, alice, deposits(1, 5))
  }
  await intrude()
  store.before = async operation => {
    if (operation === 'append' && intrusions < 3) await intrude()
  }
  letGo()
  const outcomes = await Promise.all([first, ...waiting])
  const commits = await commitsOf(store)
  const events = commits.flatMap(commit => commit.events)
  t.strictSame(
    events.map(({ version }) => version),
    events.map((_, i) => i + 1),
  )
  for (const [i, id] of ['first', ...ids].entries()) {
    const own = events.filter(({ commandId }) => commandId === id)
    t.equal(own.length, 1, id)
    t.match(outcomes[i], {
      ok: true,
      version: own[0]!.version,
      position: own[0]!.position,
      duplicate: false,
    })
  }
  t.match(await host.state(alice), { state: { balance: 1 + 1 + 40 + 5 * intrusions } })
})

void t.test(
  'when the outcome is unknown, each can be sent again under its id',
  async t => {
    const home = node()
    const { host, store } = home
    const { first, letGo } = await busy(home)
    const ids = ['a', 'b', 'c']
    const waiting = ids.map(id => host.ask(alice, 'deposit', { amount: 10 }, once(id)))
    letGo()
    store.after = () => {
      if (store.calls.append < 2) return
      store.after = () => {}
      throw new CairnError('outcome-unknown', 'The answer was lost.')
    }
    await first
    for (const [i, asked] of waiting.entries())
      await t.rejects(asked, {
        code: 'outcome-unknown',
        details: { commandId: ids[i] },
        message: new RegExp(`commandId "${ids[i]}"`),
      })
    for (const [i, id] of ids.entries())
      t.match(await host.ask(alice, 'deposit', { amount: 10 }, once(id)), {
        version: 3 + i,
        reply: 12 + 10 * i,
        duplicate: true,
      })
  },
)

void t.test('a command that fails does not affect the others', async t => {
  for (const [command, data, code] of [
    ['explode', undefined, 'decide-failed'],
    ['spoil', undefined, 'actor-parked'],
    ['juggle', undefined, 'unknown-command'],
    ['clutter', undefined, 'invalid-data'],
  ] as const) {
    const log = new MemoryLog()
    const cluttering = defineActor({
      type: 'account',
      initialState: { balance: 0 },
      decide: {
        deposit: (_state, { amount }: { amount: number }) => ({
          events: [event('deposited', { amount })],
          reply: (after: { balance: number }) => after.balance,
        }),
        explode() {
          if (Date.now() > 0) throw new Error('the fuse was lit')
        },
        spoil: () => event('spoiled'),
        clutter: () => event('cluttered', new Map()),
      },
      evolve: {
        deposited: (state, { amount }: { amount: number }) => ({
          balance: state.balance + amount,
        }),
        spoiled(): { balance: number } {
          throw new Error('this milk is sour')
        },
        cluttered: (state, _data: unknown) => state,
      },
    })
    const home = node({ on: log, actors: [cluttering] })
    const { host, store } = home
    const { first, letGo } = await busy(home)
    const before = host.ask(alice, 'deposit', { amount: 10 })
    const failing = host.ask(alice, command, data)
    const after = host.ask(alice, 'deposit', { amount: 20 })
    after.catch(() => {}) // It may have failed before it is looked at.
    letGo()
    await first
    t.match(await before, { version: 3, reply: 12 }, `${command}: the one before it`)
    await t.rejects(failing, { code }, command)
    if (code === 'actor-parked')
      await t.rejects(after, { code }, 'parked for all commands')
    else t.match(await after, { version: 4, reply: 32 }, `${command}: the one after it`)
    t.equal((await commitsOf(store)).at(-1)?.lastVersion, code === 'actor-parked' ? 3 : 4)
  }
})

void t.test('a call given up during the append does not affect the others', async t => {
  const home = node()
  const { host, store } = home
  const { first, letGo } = await busy(home)
  const [waits, leaves] = [new AbortController(), new AbortController()]
  const options = (id: string, { signal }: AbortController) => ({ commandId: id, signal })
  const stays = host.ask(alice, 'deposit', { amount: 10 }, once('stays'))
  const left = host.ask(alice, 'deposit', { amount: 20 }, options('left', leaves))
  const abandoned = host.ask(alice, 'deposit', { amount: 40 }, options('gone', waits))
  waits.abort()
  await t.rejects(abandoned, { code: 'aborted' }, 'it waited, so it is not stored')
  const stored = barrier()
  store.before = operation => (operation === 'append' ? stored.wait() : undefined)
  letGo()
  await first
  await stored.reached
  leaves.abort()
  await t.rejects(left, { code: 'outcome-unknown', details: { commandId: 'left' } })
  stored.letGo()
  t.match(await stays, { version: 3, reply: 12 })
  t.match(await host.ask(alice, 'deposit', { amount: 20 }, once('left')), {
    version: 4,
    reply: 32,
    duplicate: true,
  })
  t.match(await host.state(alice), { version: 4 })
})

void t.test(
  'when all calls are given up, the store is told to stop and reports the outcome',
  async t => {
    const home = node()
    const { host, store } = home
    const { first, letGo } = await busy(home)
    const leave = new AbortController()
    const { signal } = leave
    const waiting = ['a', 'b'].map(commandId =>
      host.ask(alice, 'deposit', { amount: 10 }, { commandId, signal }),
    )
    const stored = barrier()
    store.after = () => stored.wait()
    store.before = operation => {
      if (operation === 'append') store.before = () => {}
    }
    letGo()
    stored.letGo()
    await first
    const again = barrier()
    store.after = async () => {
      await again.wait()
      throw new CairnError('outcome-unknown', 'The signal fired.')
    }
    await again.reached
    leave.abort()
    await t.rejects(waiting[0]!, { code: 'outcome-unknown' })
    again.letGo()
    await t.rejects(waiting[1]!, { code: 'outcome-unknown', message: /The signal fired/ })
  },
)

void t.test('when the node closes, the store reports the outcome for all', async t => {
  for (const isStored of [true, false]) {
    const home = node()
    const { host, store } = home
    const { first, letGo } = await busy(home)
    const waiting = ['a', 'b'].map(id =>
      host.ask(alice, 'deposit', { amount: 10 }, once(id)),
    )
    const held = barrier()
    const hold = () => held.wait()
    // The store can be told to stop before it stores, not after.
    if (isStored) {
      const { append } = store
      store.append = async (...args) => {
        const result = await append(...args)
        await held.wait()
        return result
      }
    } else store.before = operation => (operation === 'append' ? hold() : undefined)
    letGo()
    await first
    await held.reached
    const closing = host.close({ timeout: 5 })
    await closing
    held.letGo()
    const outcomes = await Promise.allSettled(waiting)
    for (const [i, outcome] of outcomes.entries())
      if (isStored) t.match(outcome, { value: { version: 3 + i, duplicate: false } })
      else t.match(outcome, { reason: { code: 'node-closed' } })
    t.equal((await commitsOf(store)).at(-1)?.lastVersion, isStored ? 4 : 2)
  }
})

void t.test('a batch is limited by the type, and a read keeps its turn', async t => {
  const limited = { ...account, options: { ...account.options, commitCommandsMax: 3 } }
  const home = node({ actors: [limited] })
  const { host, store } = home
  const { first, letGo } = await busy(home)
  const waiting = Array.from({ length: 5 }, () =>
    host.ask(alice, 'deposit', { amount: 1 }),
  )
  const reading = host.state(alice)
  const next = host.ask(alice, 'deposit', { amount: 1 })
  letGo()
  await first
  t.match(
    (await Promise.all(waiting)).map(outcome => outcome.ok && outcome.position),
    [3, 3, 3, 4, 4],
  )
  t.match(await reading, { version: 7 }, 'after those before it')
  t.match(await next, { version: 8 })
  t.equal(store.calls.append, 4)
  t.throws(() => defineActor({ ...spec, commitCommandsMax: 0 }), {
    code: 'invalid-definition',
  })
})

const spec = {
  type: 'odd',
  initialState: 0,
  decide: { go: () => event('gone', 'x'.repeat(200_000)) },
  evolve: { gone: (count: number) => count + 1 },
}

void t.test('large data is stored as several commits', async t => {
  const home = node({ actors: [defineActor(spec)] })
  const odd = { type: 'odd', id: 'one' }
  await home.host.ask(odd, 'go', undefined)
  const asks = Array.from({ length: 6 }, () => home.host.ask(odd, 'go', undefined))
  t.strictSame(
    (await Promise.all(asks)).map(({ version }) => version),
    [2, 3, 4, 5, 6, 7],
  )
  t.ok(home.store.calls.append >= 6, 'none has room for a second command')
})

void t.test('a duplicate whose commit cannot be read is an error', async t => {
  const log = new MemoryLog()
  pushCommit(
    log,
    {
      actor: alice,
      firstVersion: 1,
      events: [...deposits(1)[0]!, ...deposits(1)[0]!],
      commands: [
        { id: 'a', events: 1 },
        { id: 'b', events: 1 },
      ],
    },
    false,
  )
  const { host } = node({ on: log })
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }, once('b')), {
    code: /storage-failed|actor-parked/,
  })
  t.equal(log.records.length, 1)
})
