// P4: a command that is sent again, after any failure, takes effect once and gets the first
// answer again. On the reference store and on the embedded one.

import t, { type Test } from 'tap'

import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import type { CommandWindowOptions } from '../../src/actor/command-window.js'
import { commitSlicesOf } from '../../src/model/commit.js'
import { CairnError } from '../../src/model/errors.js'
import { deferred } from '../../src/model/wait.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { LmdbLog } from '../support/lmdb-log.js'
import {
  account,
  alice,
  barrier,
  deposits,
  node as nodeOn,
  pushCommit,
  pushForeign,
  randomFrom,
  type TestLog,
  type TestNodeOptions,
  write,
} from './support.js'

/** A clock that moves only when it is set. */
function manualClock(time = 1_000_000) {
  return { time, now: () => time, set: (to: number) => void (time = to) }
}

function withWindow(commandWindow: CommandWindowOptions): AnyActorDefinition {
  return { ...account, options: { ...account.options, commandWindow } }
}

const once = (commandId: string) => ({ commandId })

const kinds: readonly [string, () => Promise<TestLog>][] = [
  ['memory', async () => new MemoryLog()],
  ['embedded', () => LmdbLog.make()],
]

for (const [kind, make] of kinds) void t.test(kind, t => provesOnce(t, make))

async function provesOnce(t: Test, make: () => Promise<TestLog>): Promise<void> {
  const logs: TestLog[] = []
  const newLog = async () => {
    const log = await make()
    logs.push(log)
    return log
  }
  const test = (title: string, body: (t: Test) => Promise<void>) =>
    t.test(title, async t => {
      await body(t)
      for (const log of logs.splice(0))
        if (log instanceof LmdbLog) await log[Symbol.asyncDispose]()
    })
  const node = async (options: TestNodeOptions<TestLog> = {}) =>
    nodeOn({ on: options.on ?? (await newLog()), ...options })
  /** Two hosts on one log; the second gets no notices of the first. */
  const pair = async (options: TestNodeOptions<TestLog> = {}) => {
    const log = await newLog()
    const a = await node({ ...options, on: log, nodeId: 'a' })
    const b = await node({ ...options, on: log, nodeId: 'b' })
    return { log, a, b }
  }

  void test('a command sent again gets the first answer, and stores nothing', async t => {
    const { host, log, store } = await node()
    const first = await host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    t.strictSame(first, {
      ok: true,
      version: 1,
      position: 1,
      reply: 5,
      duplicate: false,
      commandId: 'c1',
      correlationId: 'c1',
    })
    await host.ask(alice, 'deposit', { amount: 100 })
    store.forget()
    const again = await host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    t.strictSame(again, { ...first, duplicate: true })
    t.equal(store.calls.append, 0)
    t.equal(log.records.length, 2)
    t.equal(host.stats().duplicates, 1)
    t.match(await host.state(alice), { state: { balance: 105 } })
  })

  void test('the answer to several events has the last version, also without a reply', async t => {
    const { a, b } = await pair()
    const first = await a.host.ask(alice, 'split', [1, 2, 3], once('c1'))
    t.strictSame(first, {
      ok: true,
      version: 3,
      position: 1,
      reply: undefined,
      duplicate: false,
      commandId: 'c1',
      correlationId: 'c1',
    })
    for (const { host } of [a, b])
      t.strictSame(await host.ask(alice, 'split', [1, 2, 3], once('c1')), {
        ...first,
        duplicate: true,
      })
  })

  void test('a repeated answer is unchanged, and shares no objects with other callers', async t => {
    const list = defineActor({
      type: 'list',
      initialState: { items: [] as { at: Date; raw: Uint8Array; big: bigint }[] },
      decide: {
        add: () => ({
          events: event('added', {
            at: new Date(5),
            raw: Uint8Array.of(1, 2),
            big: 2n ** 60n,
          }),
          reply: after => after.items,
        }),
      },
      evolve: {
        added: (state, item: { at: Date; raw: Uint8Array; big: bigint }) => ({
          items: [...state.items, item],
        }),
      },
    })
    const { host } = await node({ actors: [list] })
    const ask = () => host.ask({ type: 'list', id: 'l' }, 'add', undefined, once('c1'))
    const first = await ask()
    const second = await ask()
    t.same(second, { ...first, duplicate: true })
    if (second.ok) (second.reply as { at: Date }[])[0]!.at = new Date(0)
    t.same(await ask(), { ...first, duplicate: true })
  })

  void test('under a known id, other data and another command are refused', async t => {
    const { host, log } = await node()
    const first = await host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    const again = { ...first, duplicate: true }
    t.strictSame(await host.ask(alice, 'deposit', { amount: 5 }, once('c1')), again)
    const others: [string, unknown][] = [
      ['deposit', { amount: 9 }],
      ['withdraw', { amount: 500 }],
      ['explode', undefined],
      ['unheard of', undefined],
    ]
    for (const [command, data] of others)
      await t.rejects(host.ask(alice, command, data, once('c1')), {
        code: 'command-id-reused',
      })
    t.equal(log.records.length, 1)
  })

  void test('an id belongs to one actor and does not affect others', async t => {
    const { host } = await node()
    await host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    const bob = { type: 'account', id: 'bob' }
    t.match(await host.ask(bob, 'deposit', { amount: 5 }, once('c1')), {
      version: 1,
      duplicate: false,
    })
  })

  void test('a command that stored nothing is decided again', async t => {
    const { host } = await node()
    t.match(await host.ask(alice, 'withdraw', { amount: 5 }, once('w')), { ok: false })
    t.match(await host.ask(alice, 'balance', undefined, once('b')), {
      reply: 0,
      duplicate: false,
    })
    await host.ask(alice, 'deposit', { amount: 5 })
    t.match(await host.ask(alice, 'balance', undefined, once('b')), {
      reply: 5,
      duplicate: false,
    })
    t.match(await host.ask(alice, 'withdraw', { amount: 5 }, once('w')), {
      version: 2,
      duplicate: false,
    })
    t.match(await host.ask(alice, 'withdraw', { amount: 5 }, once('w')), {
      version: 2,
      duplicate: true,
    })
  })

  void test('a command sent twice with tell takes effect once', async t => {
    const { host, log } = await node()
    await host.tell(alice, 'deposit', { amount: 5 }, once('c1'))
    await host.tell(alice, 'deposit', { amount: 5 }, once('c1'))
    t.match(await host.ask(alice, 'balance', undefined), { reply: 5 })
    t.equal(log.records.length, 1)
  })

  // The cost.

  void test('a command without a given id costs one append', async t => {
    const { host, store } = await node()
    await host.ask(alice, 'deposit', { amount: 1 })
    for (const warmUp of ['nothing', 'a given id'] as const) {
      if (warmUp === 'a given id')
        await host.ask(alice, 'deposit', { amount: 1 }, once('given'))
      store.forget()
      for (let i = 0; i < 300; i++) await host.ask(alice, 'deposit', { amount: 1 })
      t.strictSame(store.calls, { head: 0, commits: 0, append: 300 }, `after ${warmUp}`)
    }
  })

  void test('a given id is searched for in memory once the actor is awake', async t => {
    const { host, store } = await node()
    const ask = (id: string) => host.ask(alice, 'deposit', { amount: 1 }, once(id))
    await ask('first')
    t.strictSame(
      store.calls,
      { head: 1, commits: 0, append: 1 },
      'a new actor: no search',
    )
    store.forget()
    for (let i = 0; i < 300; i++) t.match(await ask(`c${i}`), { duplicate: false })
    t.strictSame(store.calls, { head: 0, commits: 0, append: 300 })
    store.forget()
    for (const i of [299, 250, 172]) t.match(await ask(`c${i}`), { duplicate: true })
    t.strictSame(store.calls, { head: 0, commits: 3, append: 0 })
    t.equal(store.commitsRead, 1 + 50 + 128, 'read backwards as far as the commit')
  })

  void test('after waking, the history is searched once, and only as far as the window', async t => {
    const clock = manualClock()
    const { a, b } = await pair({ clock })
    for (let i = 0; i < 1100; i++) await a.host.ask(alice, 'deposit', { amount: 1 })
    const ask = (id: string) => b.host.ask(alice, 'deposit', { amount: 1 }, once(id))
    await ask('x1')
    t.strictSame(b.store.calls, { head: 1, commits: 1, append: 1 })
    t.equal(b.store.commitsRead, 1024)
    b.store.forget()
    await ask('x2')
    t.strictSame(b.store.calls, { head: 0, commits: 0, append: 1 })
  })

  for (const isRepeat of [false, true])
    void test(`DUPLICATES-8: a search that outlasts its caller serves the next one, of ${isRepeat ? 'a duplicate' : 'a new command'}`, async t => {
      const { a, b } = await pair()
      for (let i = 0; i < 50; i++)
        await a.host.ask(alice, 'deposit', { amount: 1 }, once(`c${i}`))
      const gate = deferred<void>()
      b.store.before = operation => (operation === 'commits' ? gate.promise : undefined)
      const id = isRepeat ? 'c3' : 'x'
      const ask = (timeout: number) =>
        b.host.ask(alice, 'deposit', { amount: 1 }, { commandId: id, timeout })
      await t.rejects(ask(20), { code: 'deadline-exceeded' })
      gate.resolve()
      t.match(await ask(30_000), { duplicate: isRepeat, version: isRepeat ? 4 : 51 })
      t.equal(b.store.calls.commits, 1, 'read once')
      t.equal(b.store.calls.append, isRepeat ? 0 : 1)
    })

  void test('the history of an actor that was idle for long is not searched', async t => {
    const clock = manualClock()
    const { a, b } = await pair({ clock })
    for (let i = 0; i < 200; i++) await a.host.ask(alice, 'deposit', { amount: 1 })
    clock.set(clock.now() + 20 * 60_000)
    await b.host.ask(alice, 'deposit', { amount: 1 }, once('x'))
    t.strictSame(b.store.calls, { head: 1, commits: 0, append: 1 })
  })

  void test('the search ends at the first commit that is too old', async t => {
    const clock = manualClock()
    const { a, b } = await pair({ clock })
    const start = clock.now()
    for (let i = 0; i < 20; i++) {
      clock.set(start + i * 60_000)
      await a.host.ask(alice, 'deposit', { amount: 1 }, once(`c${i}`))
    }
    clock.set(start + 35 * 60_000)
    const ask = (id: string) => b.host.ask(alice, 'deposit', { amount: 1 }, once(id))
    t.match(await ask('c19'), { duplicate: false }, 'sixteen minutes old')
    // Minutes 19 to 16 lie within twice the window, and minute 15 is the first that does not.
    t.equal(b.store.commitsRead, 5)
  })

  // The window's edges.

  const awake = 'where the actor is awake'
  const cold = 'where the actor is cold'

  for (const where of [awake, cold])
    void test(`a duplicate is recognised within the number of commits of the window, ${where}`, async t => {
      const actors = [withWindow({ commands: 3 })]
      const run = async (later: number) => {
        const { a, b } = await pair({ actors })
        await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
        for (let i = 0; i < later; i++) await a.host.ask(alice, 'deposit', { amount: 1 })
        const { host } = where === awake ? a : b
        const { version, ...rest } = await host.ask(
          alice,
          'deposit',
          { amount: 1 },
          once('c1'),
        )
        return { version, duplicate: 'duplicate' in rest && rest.duplicate }
      }
      t.strictSame(await run(0), { version: 1, duplicate: true })
      t.strictSame(await run(2), { version: 1, duplicate: true }, 'two later ones')
      t.strictSame(await run(3), { version: 5, duplicate: false }, 'three later ones')
    })

  for (const where of [awake, cold])
    void test(`a duplicate is recognised within the age of the window, ${where}`, async t => {
      const run = async (age: number, actors: AnyActorDefinition[]) => {
        const clock = manualClock()
        const { a, b } = await pair({ clock, actors })
        await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
        clock.set(clock.now() + age)
        const { host } = where === awake ? a : b
        const { version, ...rest } = await host.ask(
          alice,
          'deposit',
          { amount: 1 },
          once('c1'),
        )
        return { version, duplicate: 'duplicate' in rest && rest.duplicate }
      }
      const short = [withWindow({ ms: 1000 })]
      t.strictSame(await run(999, short), { version: 1, duplicate: true })
      t.strictSame(await run(1000, short), { version: 2, duplicate: false })
      t.strictSame(await run(2000, short), { version: 2, duplicate: false })
      t.strictSame(
        await run(-5000, short),
        { version: 1, duplicate: true },
        'a fast clock',
      )
      const tenMinutes = 10 * 60_000
      t.strictSame(await run(tenMinutes - 1, [account]), { version: 1, duplicate: true })
      t.strictSame(await run(tenMinutes, [account]), { version: 2, duplicate: false })
    })

  void test('each commit counts once, however many events it has', async t => {
    const { host } = await node({ actors: [withWindow({ commands: 2 })] })
    await host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    await host.ask(alice, 'split', [1, 2, 3, 4, 5])
    t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      duplicate: true,
    })
  })

  void test('of two commits under one id, the later one is the answer', async t => {
    const clock = manualClock()
    const { a, b } = await pair({ clock, actors: [withWindow({ ms: 1000 })] })
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    clock.set(clock.now() + 1500)
    t.match(await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1')), { version: 2 })
    for (const { host } of [a, b])
      t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
        version: 2,
        reply: 2,
        duplicate: true,
      })
  })

  void test('a commit by a clock that is behind hides no others', async t => {
    const clock = manualClock()
    const log = await newLog()
    const a = await node({ on: log, clock })
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    const late = { now: () => clock.now() - 15 * 60_000 }
    const other = await node({ on: log, clock: late, nodeId: 'late' })
    await other.host.ask(alice, 'deposit', { amount: 1 })
    const b = await node({ on: log, clock, nodeId: 'b' })
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      version: 1,
      duplicate: true,
    })
  })

  void test('an invalid window is refused', async t => {
    const wrong = [
      { commands: 0 },
      { commands: 10_001 },
      { commands: 1.5 },
      { ms: 0 },
      { ms: Infinity },
      { ms: '5' as unknown as number },
    ]
    for (const commandWindow of wrong)
      t.throws(
        () =>
          defineActor({
            type: 'odd',
            commandWindow,
            initialState: 0,
            decide: {},
            evolve: {},
          }),
        { code: 'invalid-definition', message: /commandWindow/ },
        JSON.stringify(commandWindow),
      )
    const { options } = defineActor({
      type: 'even',
      commandWindow: { commands: 10_000 },
      initialState: 0,
      decide: {},
      evolve: {},
    })
    t.strictSame(options.commandWindow, { commands: 10_000, ms: 600_000 })
  })

  // Commits of other hosts.

  void test('a duplicate is recognised after another host has handled the command, without a notice', async t => {
    const { a, b } = await pair()
    // Both are awake, and have searched the history.
    await b.host.ask(alice, 'deposit', { amount: 1 }, once('b1'))
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('a1'))
    const first = await a.host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    b.store.forget()
    const again = await b.host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    t.strictSame(again, { ...first, duplicate: true })
    t.equal(b.store.calls.append, 1, 'the store reported a conflict, and so it searched')
    t.match(b.host.stats(), { conflicts: 1, duplicates: 1 })
  })

  void test('a duplicate is not refused, even if its command would be refused now', async t => {
    const { a, b } = await pair()
    await b.host.ask(alice, 'deposit', { amount: 5 }, once('b1'))
    const first = await a.host.ask(alice, 'withdraw', { amount: 5 }, once('c1'))
    await a.host.ask(alice, 'deposit', { amount: 1 })
    await b.host.ask(alice, 'balance', undefined)
    const again = await b.host.ask(alice, 'withdraw', { amount: 5 }, once('c1'))
    t.strictSame(again, { ...first, duplicate: true }, 'although the balance is 1')
  })

  void test('a duplicate that would be refused or fail on an old state gets its answer', async t => {
    const picky = defineActor({
      type: 'picky',
      initialState: 0,
      decide: {
        add: () => ({ events: event('added'), reply: state => state }),
        act(state, _data: undefined) {
          if (state === 0) throw new Error('too early')
          return { events: event('added'), reply: after => after }
        },
        look: state => ({ reply: state }),
      },
      evolve: { added: state => state + 1 },
    })
    const p = { type: 'picky', id: 'p' }
    const { a, b } = await pair({ actors: [picky] })
    await b.host.ask(p, 'look', undefined, once('look'))
    await a.host.ask(p, 'add', undefined)
    const first = await a.host.ask(p, 'act', undefined, once('c1'))
    const again = await b.host.ask(p, 'act', undefined, once('c1'))
    t.strictSame(
      again,
      { ...first, duplicate: true },
      'it would have thrown on the old state',
    )
  })

  void test('commits that catching up did not read are searched', async t => {
    for (const missed of [1, 2, 50, 200]) {
      const { a, b } = await pair()
      await b.host.ask(alice, 'deposit', { amount: 1 }, once('b1'))
      const ids = Array.from({ length: missed }, (_, i) => `a${i}`)
      for (const id of ids) await a.host.ask(alice, 'deposit', { amount: 1 }, once(id))
      b.host.onCommit({ actor: alice, version: missed + 1, position: missed + 1 })
      b.store.forget()
      const recent = ids.slice(-1024)
      t.match(
        await b.host.ask(alice, 'deposit', { amount: 1 }, once(recent[0]!)),
        { duplicate: true },
        `${missed} missed`,
      )
      t.equal(b.store.calls.append, 0)
      t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('new')), {
        version: missed + 2,
        duplicate: false,
      })
    }
  })

  void test('one missed commit is added from the read of the head', async t => {
    const { a, b } = await pair()
    await b.host.ask(alice, 'deposit', { amount: 1 }, once('b1'))
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('a1'))
    b.host.onCommit({ actor: alice, version: 2, position: 2 })
    b.store.forget()
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('b2')), { version: 3 })
    t.strictSame(b.store.calls, { head: 1, commits: 0, append: 1 })
  })

  void test('several missed commits are read once, and added to the window', async t => {
    const { a, b } = await pair()
    for (let i = 0; i < 20; i++)
      await b.host.ask(alice, 'deposit', { amount: 1 }, once(`b${i}`))
    for (let i = 0; i < 7; i++) await a.host.ask(alice, 'deposit', { amount: 1 })
    b.host.onCommit({ actor: alice, version: 27, position: 27 })
    b.store.forget()
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('new')), {
      version: 28,
    })
    t.strictSame(b.store.calls, { head: 1, commits: 1, append: 1 })
    t.equal(b.store.commitsRead, 8, 'the seven missed commits, and the one before them')
    b.store.forget()
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('b0')), { version: 1 })
  })

  void test('a conflict of a new id costs no read but that of the head', async t => {
    for (const missed of [1, 3]) {
      const { a, b } = await pair()
      await b.host.ask(alice, 'deposit', { amount: 1 })
      for (let i = 0; i < missed; i++) await a.host.ask(alice, 'deposit', { amount: 1 })
      b.store.forget()
      await b.host.ask(alice, 'deposit', { amount: 1 })
      const commits = missed === 1 ? 0 : 1
      t.strictSame(b.store.calls, { head: 1, commits, append: 2 }, `${missed} missed`)
      t.equal(b.store.commitsRead, missed === 1 ? 0 : missed, 'only the missed commits')
    }
  })

  void test('the same id at two hosts at once takes effect once', async t => {
    const { a, b, log } = await pair()
    for (let i = 0; i < 200; i++) {
      const asks = [a, b, a, b].map(({ host }) =>
        host.ask(alice, 'deposit', { amount: 1 }, once(`c${i}`)),
      )
      const outcomes = await Promise.all(asks)
      const answers = new Set(
        outcomes.map(outcome => JSON.stringify({ ...outcome, duplicate: undefined })),
      )
      t.equal(answers.size, 1, 'all get the same answer')
      const first = outcomes.filter(outcome => outcome.ok && !outcome.duplicate)
      t.equal(first.length, 1, 'one of them stored it')
    }
    t.equal(log.records.length, 200)
  })

  void test('the same id at one host at once takes effect once', async t => {
    const { host, store } = await node()
    const held = barrier()
    store.before = operation => (operation === 'append' ? held.wait() : undefined)
    const asks = Array.from({ length: 5 }, () =>
      host.ask(alice, 'deposit', { amount: 1 }, once('c1')),
    )
    await held.reached
    held.letGo()
    const outcomes = await Promise.all(asks)
    t.strictSame(
      outcomes.map(outcome => outcome.ok && outcome.duplicate),
      [false, true, true, true, true],
    )
    t.equal(store.calls.append, 1)
  })

  void test('a new id that was sent again elsewhere finds itself after a conflict', async t => {
    const log = await newLog()
    const a = await node({ on: log, nodeId: 'a' })
    const b = await node({ on: log, nodeId: 'b' })
    await a.host.ask(alice, 'deposit', { amount: 1 })
    const append = a.store.append.bind(a.store)
    // During the append, another host stores the same command.
    a.store.append = async (actor, events, options) => {
      a.store.append = append
      await b.host.ask(alice, 'deposit', { amount: 5 }, once(options!.command!.id))
      await b.host.ask(alice, 'deposit', { amount: 7 })
      return append(actor, events, options)
    }
    t.match(await a.host.ask(alice, 'deposit', { amount: 5 }), {
      version: 2,
      reply: 6,
      duplicate: true,
    })
    t.equal(log.records.length, 3)
  })

  void test('commits before a conflict are searched, however wrong the clock of their node is', async t => {
    const clock = manualClock()
    const log = await newLog()
    const a = await node({ on: log, nodeId: 'a', clock })
    const late = { now: () => clock.now() - 24 * 60 * 60_000 }
    const b = await node({ on: log, nodeId: 'b', clock: late })
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('a1'))
    const append = a.store.append.bind(a.store)
    a.store.append = async (actor, events, options) => {
      a.store.append = append
      await b.host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
      return append(actor, events, options)
    }
    t.match(await a.host.ask(alice, 'deposit', { amount: 5 }, once('c1')), {
      version: 2,
      duplicate: true,
    })
  })

  // Failures.

  for (const isStored of [true, false])
    void test(`after outcome-unknown the same id gets its answer (stored: ${isStored})`, async t => {
      const { a, b, log } = await pair()
      await a.host.ask(alice, 'deposit', { amount: 1 })
      const lost = new CairnError('outcome-unknown', 'The answer got lost.', {
        details: { commitId: 'x' },
      })
      const trouble = () => {
        throw lost
      }
      if (isStored) a.store.after = trouble
      else a.store.before = operation => (operation === 'append' ? trouble() : undefined)
      const error = await a.host
        .ask(alice, 'deposit', { amount: 10 })
        .catch((thrown: unknown) => thrown as CairnError)
      t.ok(error instanceof CairnError)
      if (!(error instanceof CairnError)) return
      const { commandId } = error.details
      t.match(error, { code: 'outcome-unknown', retryable: true })
      t.match(error.details, { commitId: 'x', commandId: /^.{36}$/ })
      t.ok(error.message.includes(String(commandId)), 'the message contains the id')
      a.store.after = () => {}
      a.store.before = () => {}
      const again = once(String(commandId))
      for (const { host } of [a, b, a])
        t.match(await host.ask(alice, 'deposit', { amount: 10 }, again), {
          version: 2,
          reply: 11,
        })
      t.equal(log.records.length, 2)
    })

  void test('every error of an accepted command contains its id', async t => {
    const { host, store } = await node()
    const errorWith = (code: string, commandId: string | RegExp) => ({
      code,
      details: { commandId },
    })
    await t.rejects(
      host.ask(alice, 'explode', undefined),
      errorWith('decide-failed', /^.{36}$/),
    )
    await t.rejects(
      host.ask(alice, 'unheard of', undefined, once('c1')),
      errorWith('unknown-command', 'c1'),
    )
    const held = barrier()
    store.before = () => held.wait()
    const running = host.ask(alice, 'deposit', { amount: 1 })
    await held.reached
    const late = host.ask(
      alice,
      'deposit',
      { amount: 1 },
      { timeout: 5, commandId: 'c2' },
    )
    await t.rejects(late, errorWith('deadline-exceeded', 'c2'))
    held.letGo()
    await running
    const unreachable = new CairnError('store-unreachable', 'No store for a moment.')
    store.before = () => {
      throw unreachable
    }
    const error = await host
      .ask(alice, 'deposit', { amount: 1 }, once('c3'))
      .catch((thrown: unknown) => thrown as CairnError)
    t.match(error, { stack: unreachable.stack, ...errorWith('store-unreachable', 'c3') })
    t.strictSame(unreachable.details, {}, 'the error itself is unchanged')
    store.before = () => {
      throw new TypeError('a mistake')
    }
    await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), new TypeError('a mistake'))
  })

  void test('a search that fails stores nothing, and is made again', async t => {
    const { a, b } = await pair()
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('c2'))
    b.store.before = operation => {
      if (operation === 'commits')
        throw new CairnError('store-unreachable', 'No store for a moment.')
    }
    await t.rejects(b.host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      code: 'store-unreachable',
    })
    t.equal(b.store.calls.append, 0)
    b.store.before = () => {}
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      version: 1,
      duplicate: true,
    })
  })

  void test('a command given up during its search stores nothing', async t => {
    const { a, b } = await pair()
    await a.host.ask(alice, 'deposit', { amount: 1 })
    await a.host.ask(alice, 'deposit', { amount: 1 })
    const held = barrier()
    b.store.before = operation => (operation === 'commits' ? held.wait() : undefined)
    const cancel = new AbortController()
    const options = { commandId: 'c1', signal: cancel.signal }
    const call = b.host.ask(alice, 'deposit', { amount: 1 }, options)
    await held.reached
    cancel.abort()
    await t.rejects(call, { code: 'aborted', details: { commandId: 'c1' } })
    held.letGo()
    t.match(await b.host.ask(alice, 'balance', undefined), { reply: 2 })
    t.equal(b.store.calls.append, 0)
  })

  void test('a search that ends before the known version is made again', async t => {
    const { a, b } = await pair()
    for (const id of ['c1', 'c2', 'c3'])
      await a.host.ask(alice, 'deposit', { amount: 1 }, once(id))
    const commits = b.store.commits.bind(b.store)
    let lagging = 2
    b.store.commits = async function* (actor, options) {
      const isLagging = lagging-- > 0
      for await (const record of commits(actor, options))
        if (!isLagging || record.position < 3) yield record
    }
    t.match(await b.host.ask(alice, 'deposit', { amount: 1 }, once('c3')), {
      version: 3,
      duplicate: true,
    })
    t.ok(lagging <= 0)
    t.equal(b.store.calls.append, 0)
  })

  void test('an evicted actor that is woken again recognises a duplicate', async t => {
    const { host, store } = await node({ residentsMax: 1 })
    const first = await host.ask(alice, 'deposit', { amount: 5 }, once('c1'))
    await host.ask({ ...alice, id: 'bob' }, 'deposit', { amount: 1 })
    t.equal(host.stats().evictions, 1)
    store.forget()
    t.strictSame(await host.ask(alice, 'deposit', { amount: 5 }, once('c1')), {
      ...first,
      duplicate: true,
    })
    t.equal(store.calls.append, 0)
  })

  // Records that are not commits.

  void test('foreign records are ignored, and do not count', async t => {
    const { a, b, log } = await pair({ actors: [withWindow({ commands: 2 })] })
    await a.host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    pushForeign(log, alice)
    pushForeign(log, alice)
    await a.host.ask(alice, 'deposit', { amount: 1 })
    pushForeign(log, alice)
    for (const { host } of [b, a])
      t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
        version: 1,
        duplicate: true,
      })
  })

  void test('an actor with nothing but foreign records is new', async t => {
    const { host, log } = await node()
    pushForeign(log, alice)
    t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      version: 1,
      duplicate: false,
    })
  })

  void test('a malformed commit counts, and its command is not handled again', async t => {
    const log = await newLog()
    const pushed = { actor: alice, at: Date.now() }
    pushCommit(log, { ...pushed, firstVersion: 1, command: { id: 'c1', reply: 1 } })
    pushCommit(
      log,
      { ...pushed, firstVersion: 2, command: { id: 'c2', reply: 2 } },
      false,
    )
    // A later commit has an inline state, so the actor is not parked.
    const state = { behavior: 1, value: { balance: 3 } }
    pushCommit(log, {
      ...pushed,
      firstVersion: 3,
      command: { id: 'c3', reply: 3 },
      state,
    })
    const again = (host: ReturnType<typeof nodeOn>['host'], id: string) =>
      host.ask(alice, 'deposit', { amount: 1 }, once(id))
    const { host, store } = await node({ on: log })
    t.match(await again(host, 'c1'), { version: 1, duplicate: true })
    await t.rejects(again(host, 'c2'), {
      code: 'storage-failed',
      message: /"c2" to account\/alice was handled before.*position 2/,
      details: { commandId: 'c2', position: 2 },
    })
    t.match(await again(host, 'c3'), { version: 3, reply: 3, duplicate: true })
    t.equal(store.calls.append, 0)
    t.match(await again(host, 'c4'), { version: 4, duplicate: false })

    const narrow = await node({ on: log, actors: [withWindow({ commands: 2 })] })
    t.match(await again(narrow.host, 'c2'), { version: 5, duplicate: false }, 'it counts')
  })

  void test('missing versions before an inline state do no harm', async t => {
    const log = await newLog()
    const pushed = { actor: alice, at: Date.now() }
    pushCommit(log, { ...pushed, firstVersion: 1, command: { id: 'c1', reply: 1 } })
    const state = { behavior: 1, value: { balance: 3 } }
    pushCommit(log, {
      ...pushed,
      firstVersion: 5,
      command: { id: 'c5', reply: 3 },
      state,
    })
    const { host } = await node({ on: log })
    const ask = (id: string) => host.ask(alice, 'deposit', { amount: 1 }, once(id))
    t.match(await ask('new'), { version: 6, duplicate: false })
    t.match(await ask('c5'), { version: 5, duplicate: true })
    t.match(await ask('c1'), { version: 1, duplicate: true })
  })

  void test('commits without a command count, and match no id', async t => {
    const { host, log } = await node({ actors: [withWindow({ commands: 2 })] })
    await host.ask(alice, 'deposit', { amount: 1 }, once('c1'))
    await write(log, alice, deposits(1))
    t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      duplicate: true,
    })
    await write(log, alice, deposits(1))
    t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
      version: 4,
      duplicate: false,
    })
  })

  // All of it, with random schedules.

  const given = process.env['SEED']
  const seeds =
    given === undefined ? [1, 2, Math.floor(Math.random() * 2 ** 32)] : [Number(given)]

  for (const seed of seeds)
    void test(`a command sent until it is answered takes effect once (seed ${seed})`, async t => {
      const random = randomFrom(seed)
      const log = await newLog()
      // Windows that are large enough for the number of callers, and small enough to matter.
      const actors = [withWindow({ commands: 40 })]
      const nodes = ['a', 'b', 'c'].map(nodeId =>
        nodeOn({ on: log, nodeId, actors, residentsMax: 2 }),
      )
      for (const { store } of nodes) {
        store.before = async operation => {
          while (random() < 0.3) await new Promise(resolve => setImmediate(resolve))
          if (random() < 0.05)
            throw new CairnError('store-unreachable', `No ${operation} for a moment.`)
        }
        store.after = () => {
          if (random() < 0.2)
            throw new CairnError('outcome-unknown', 'The answer of an append got lost.')
        }
      }
      const answers = new Map<string, Set<string>>()
      const caller = async (name: number) => {
        for (let i = 0; i < 60; i++) {
          const commandId = `${name}-${i}`
          const actor = { type: 'account', id: `x${Math.floor(random() * 3)}` }
          const answersOfCommand = new Set<string>()
          answers.set(commandId, answersOfCommand)
          // Sent once more after the answer: another client may have missed it.
          for (let answered = 0; answered < 2;) {
            const { host } = nodes[Math.floor(random() * nodes.length)]!
            try {
              const outcome = await host.ask(
                actor,
                'deposit',
                { amount: 1 },
                { commandId, timeout: 60_000 },
              )
              if (!outcome.ok) throw new Error('a deposit is never refused')
              const { version, position, reply } = outcome
              answersOfCommand.add(JSON.stringify([actor.id, version, position, reply]))
              answered++
            } catch (error) {
              if (!(error instanceof CairnError) || !error.retryable) throw error
            }
          }
        }
      }
      await Promise.all([1, 2, 3, 4].map(caller))
      const stored = new Map<string, string[]>()
      for await (const record of nodes[0]!.store.readAll()) {
        if (record.kind !== 'commit') continue
        const { actor, position } = record
        for (const { lastVersion, command } of commitSlicesOf(record)) {
          const line = JSON.stringify([actor.id, lastVersion, position, command!.reply])
          stored.set(command!.id, [...(stored.get(command!.id) ?? []), line])
        }
      }
      const wrong = [...answers].filter(
        ([id, given]) => JSON.stringify([...given]) !== JSON.stringify(stored.get(id)),
      )
      t.strictSame(wrong, [], 'each id is in the log once, and has the same answers')
      t.equal(stored.size, 240)
    })
}

// Only the reference log can be truncated without its stores noticing.

void t.test(
  'a command stored by another host in a restored log is found after the conflict',
  async t => {
    const log = new MemoryLog()
    const a = nodeOn({ on: log, nodeId: 'a' })
    const b = nodeOn({ on: log, nodeId: 'b' })
    for (const id of ['c1', 'c2', 'c3'])
      await a.host.ask(alice, 'deposit', { amount: 1 }, once(id))
    log.records.length = 1
    Object.assign(log.actors.get('account/alice')!, { version: 1, positions: [1] })
    await b.host.ask(alice, 'deposit', { amount: 1 }, once('n'))
    t.match(await a.host.ask(alice, 'deposit', { amount: 1 }, once('n')), {
      version: 2,
      duplicate: true,
    })
  },
)

void t.test('a log that was restored to an earlier state is searched again', async t => {
  const { host, log } = nodeOn()
  for (const id of ['c1', 'c2', 'c3'])
    await host.ask(alice, 'deposit', { amount: 1 }, once(id))
  log.records.length = 1
  Object.assign(log.actors.get('account/alice')!, { version: 1, positions: [1] })
  t.match(await host.ask(alice, 'balance', undefined), { version: 1, reply: 1 })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c1')), {
    duplicate: true,
  })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c2')), {
    version: 2,
    duplicate: false,
  })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }, once('c2')), {
    duplicate: true,
  })
})
