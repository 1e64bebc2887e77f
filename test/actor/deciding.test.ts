// One host, one command at a time: the outcomes of commands.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { Behavior } from '../../src/model/behavior.js'
import { CairnError } from '../../src/model/errors.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { account, alice, node } from './support.js'

void t.test('a command is decided, stored and answered', async t => {
  const { host, store } = node({ clock: { now: () => 1234 } })
  const outcome = await host.ask(
    alice,
    'deposit',
    { amount: 5 },
    {
      commandId: 'c1',
      correlationId: 'corr',
      causationId: 'cause',
      traceparent: 'trace',
    },
  )
  t.strictSame(outcome, {
    ok: true,
    version: 1,
    position: 1,
    reply: 5,
    duplicate: false,
    commandId: 'c1',
    correlationId: 'corr',
  })
  const { last } = await store.head(alice)
  t.match(last, {
    kind: 'commit',
    at: 1234,
    nodeId: 'a',
    command: { id: 'c1', reply: 5 },
    correlationId: 'corr',
    causationId: 'cause',
    traceparent: 'trace',
    state: { behavior: 1, value: { balance: 5 } },
    events: [{ type: 'deposited', data: { amount: 5 }, commandId: 'c1' }],
  })
  t.strictSame(await host.state(alice), {
    state: { balance: 5 },
    version: 1,
    position: 1,
    exists: true,
  })
})

void t.test('several events of one decision are one commit', async t => {
  const { host, log, store } = node()
  const outcome = await host.ask(alice, 'split', [1, 2, 3])
  const { commandId } = outcome
  t.strictSame(outcome, {
    ok: true,
    version: 3,
    position: 1,
    reply: undefined,
    duplicate: false,
    commandId,
    correlationId: commandId,
  })
  t.match(
    (await store.head(alice)).last,
    { command: { id: commandId } },
    'an id is given',
  )
  t.equal(log.records.length, 1)
  t.match(await host.stateAt(alice, 2), {
    state: { balance: 3 },
    version: 2,
    exists: true,
  })
})

void t.test('a refused command stores nothing and returns the reason', async t => {
  const { host, log } = node()
  await host.ask(alice, 'deposit', { amount: 5 })
  const ids = { commandId: 'c2', correlationId: 'corr' }
  const outcome = await host.ask(alice, 'withdraw', { amount: 6 }, ids)
  t.strictSame(outcome, {
    ok: false,
    version: 1,
    rejection: {
      code: 'overdraft',
      message: 'The balance is 5.',
      details: { balance: 5 },
    },
    ...ids,
  })
  t.equal(log.records.length, 1)
})

void t.test('a command without events stores nothing and is answered', async t => {
  const { host, log } = node()
  t.strictSame(await host.ask(alice, 'balance', undefined, { commandId: 'c1' }), {
    ok: true,
    version: 0,
    position: 0,
    reply: 0,
    duplicate: false,
    commandId: 'c1',
    correlationId: 'c1',
  })
  await host.ask(alice, 'deposit', { amount: 5 })
  t.match(await host.ask(alice, 'idle', undefined), { version: 1, position: 1 })
  t.match(await host.ask(alice, 'split', []), { version: 1, reply: undefined })
  t.equal(log.records.length, 1)
})

void t.test('an unknown command is an error that names the known ones', async t => {
  const { host } = node()
  await t.rejects(host.ask(alice, 'borrow', {}), {
    code: 'unknown-command',
    message: /"borrow".*deposit, withdraw/,
  })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { ok: true })
})

void t.test('an unknown actor type is an error that names the known ones', async t => {
  const { host } = node()
  await t.rejects(host.ask({ type: 'acount', id: 'a' }, 'deposit', {}), {
    code: 'unknown-actor-type',
    message: /"acount"; it knows account/,
  })
  await t.rejects(host.state({ type: 'acount', id: 'a' }), { code: 'unknown-actor-type' })
})

void t.test('two definitions of one type are refused', async t => {
  t.throws(() => node({ actors: [account, account] }), {
    code: 'invalid-definition',
    message: /"account" is defined twice/,
  })
})

void t.test('invalid input is refused before anything is done', async t => {
  const { host, store } = node()
  const wrong = [
    [() => host.ask({ type: 'account', id: '' }, 'deposit', {}), 'invalid-actor-id'],
    [() => host.ask(alice, '', {}), 'invalid-command'],
    [() => host.ask(alice, 'deposit', {}, { commandId: '' }), 'invalid-command'],
    [
      () => host.ask(alice, 'deposit', {}, { commandId: 'x'.repeat(1025) }),
      'invalid-command',
    ],
    [() => host.ask(alice, 'deposit', { amount: () => 1 }), 'invalid-data'],
    [() => host.ask(alice, 'deposit', {}, { timeout: 0 }), 'invalid-option'],
    [() => host.ask(alice, 'deposit', {}, { timeout: Infinity }), 'invalid-option'],
    [() => host.ask(alice, 'deposit', {}, { signal: AbortSignal.abort() }), 'aborted'],
    [() => host.stateAt(alice, -1), 'invalid-option'],
    [() => host.stateAt(alice, 1), 'unknown-version'],
  ] as const
  for (const [call, code] of wrong)
    await t.rejects(async () => void (await call()), { code }, code)
  t.equal(store.calls.append, 0)
  t.match(host.stats(), { open: 0, residents: 0 })
  for (const option of ['residentsMax', 'wakesMax', 'commandsMax'])
    t.throws(() => node({ [option]: 0 }), { code: 'invalid-option' }, option)
})

void t.test('a decide that throws fails its own command only', async t => {
  const { host } = node()
  await host.ask(alice, 'deposit', { amount: 5 })
  const error = await host
    .ask(alice, 'explode', undefined, { commandId: 'bang' })
    .catch((thrown: unknown) => thrown)
  t.match(error, {
    code: 'decide-failed',
    retryable: false,
    message: /"explode" to account\/alice threw: the fuse was lit/,
    cause: { message: 'the fuse was lit' },
    details: { actor: 'account/alice', command: 'explode', commandId: 'bang' },
  })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 2, reply: 6 })
})

void t.test(
  'a decide that is not synchronous and plain is an error that names the cause',
  async t => {
    const odd = defineActor({
      type: 'odd',
      initialState: 0,
      decide: {
        // @ts-expect-error -- a promise is no decision
        later: async () => event('added'),
        // @ts-expect-error -- a number is none either
        number: () => 5,
        // @ts-expect-error -- nor is an object of other keys
        typo: () => ({ event: event('added') }),
        badReply: () => ({ reply: new Map() }),
        latReply: () => ({ reply: () => Promise.resolve(1) }),
        throwingReply: () => ({
          events: event('added'),
          reply: () => {
            throw new Error('no words')
          },
        }),
        badDetails: () => reject('no', 'No.', new Set()),
        badEvent: () => event('bell\u0007'),
        badEventData: () => event('added', () => 1),
      },
      evolve: { added: state => state + 1, 'bell\u0007': state => state },
    })
    const handWritten: Behavior<number> = {
      version: 1,
      commandTypes: [],
      initialState: () => 0,
      // @ts-expect-error -- as JavaScript might
      decide: () => Promise.reject(new Error('nobody sees this')),
      evolve: state => state,
    }
    const { host, log } = node({
      actors: [odd, { type: 'hand', behavior: handWritten, options: {} }],
    })
    const one: ActorAddress = { type: 'odd', id: '1' }
    const expected = {
      later: 'invalid-definition',
      number: 'invalid-definition',
      typo: 'invalid-definition',
      badReply: 'invalid-data',
      latReply: 'invalid-data',
      throwingReply: 'decide-failed',
      badDetails: 'invalid-data',
      badEvent: 'invalid-event',
      badEventData: 'invalid-data',
    }
    for (const [command, code] of Object.entries(expected))
      await t.rejects(host.ask(one, command, undefined), { code }, command)
    await t.rejects(host.ask({ type: 'hand', id: '1' }, 'x', undefined), {
      code: 'invalid-definition',
      message: /returned a promise/,
    })
    t.equal(log.records.length, 0)
    t.strictSame(await host.state(one), {
      state: 0,
      version: 0,
      position: 0,
      exists: false,
    })
  },
)

void t.test(
  'an evolve that throws parks the actor, names the event and stores nothing',
  async t => {
    const { host, log, lines } = node()
    await host.ask(alice, 'deposit', { amount: 5 })
    const parked = {
      code: 'actor-parked',
      message: /account\/alice.*account\/alice\/2 of type "spoiled": this milk is sour/,
      details: { actor: 'account/alice', event: 'account/alice/2', eventType: 'spoiled' },
    }
    await t.rejects(host.ask(alice, 'spoil', undefined), parked)
    await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), parked)
    await t.rejects(host.state(alice), parked)
    t.equal(log.records.length, 1)
    t.equal(host.stats().parked, 1)
    t.equal(lines.filter(({ level }) => level === 'error').length, 1)
    t.match(await host.ask({ ...alice, id: 'bob' }, 'deposit', { amount: 1 }), {
      ok: true,
    })
  },
)

void t.test('an evolve that breaks its contract parks the actor', async t => {
  const breaks: Record<string, (state: number, event: RecordedEvent) => unknown> = {
    nothing: () => undefined,
    promise: () => Promise.reject(new Error('nobody sees this')),
    position: (state, { position }) => state + position,
    commitId: (state, { commitId }) => state + commitId.length,
  }
  for (const [name, evolve] of Object.entries(breaks)) {
    const behavior = {
      version: 1,
      commandTypes: ['go'],
      initialState: () => 0,
      decide: () => ({ ok: true, events: [{ type: 'went' }], reply: () => 0 }),
      evolve,
    } as unknown as Behavior<number>
    const { host, log } = node({ actors: [{ type: 'odd', behavior, options: {} }] })
    const go = host.ask({ type: 'odd', id: name }, 'go', undefined)
    await t.rejects(
      go,
      { code: 'actor-parked', message: /odd\/\w+\/1 of type "went"/ },
      name,
    )
    t.equal(log.records.length, 0)
  }
})

void t.test('an initialState that throws parks the actor', async t => {
  const odd = defineActor({
    type: 'odd',
    initialState: (id: string) => {
      if (id === 'bad') throw new Error('bad seed')
      return 0
    },
    decide: { read: state => ({ reply: state }) },
    evolve: { never: state => state },
  })
  const { host } = node({ actors: [odd] })
  await t.rejects(host.ask({ type: 'odd', id: 'bad' }, 'read', undefined), {
    code: 'actor-parked',
    message: /initialState failed: bad seed/,
  })
  t.match(await host.ask({ type: 'odd', id: 'good' }, 'read', undefined), { reply: 0 })
})

void t.test('evolve gets the same events live as recorded', async t => {
  const see = (event: RecordedEvent) => {
    const { kind, id, actor, type, data, metadata, version, at, nodeId } = event
    const { commandId, correlationId, causationId } = event
    const causes = { commandId, correlationId, causationId }
    return { kind, id, actor, type, data, metadata, version, at, nodeId, ...causes }
  }
  const live: unknown[] = []
  const diary = defineActor({
    type: 'diary',
    initialState: 0,
    decide: {
      write: () => [event('written', { page: 1 }, { mood: 'calm' }), event('closed')],
    },
    evolve: {
      written: (_state, _data, stored) => live.push(see(stored)),
      closed: (_state, _data, stored) => live.push(see(stored)),
    },
  })
  const { host, store } = node({ actors: [diary] })
  const d: ActorAddress = { type: 'diary', id: 'd' }
  await host.ask(d, 'write', undefined, { correlationId: 'outside' })
  await host.ask(d, 'write', undefined, { causationId: 'inside' })
  const recorded: unknown[] = []
  for await (const item of store.read(d))
    if (item.kind === 'event') recorded.push(see(item))
  t.strictSame(live, recorded)
  t.equal(live.length, 4)
})

void t.test('actor and callers share no objects', async t => {
  const list = defineActor({
    type: 'list',
    initialState: { items: [] as { name: string }[] },
    decide: {
      add: (_state, item: { name: string }) => ({
        events: event('added', item),
        reply: after => after.items,
      }),
      all: state => ({ reply: state.items }),
      full: state => reject('full', 'Full.', state.items),
    },
    evolve: {
      added: (state, item: { name: string }) => ({ items: [...state.items, item] }),
    },
  })
  const { host } = node({ actors: [list] })
  const l: ActorAddress = { type: 'list', id: 'l' }
  const item = { name: 'milk' }
  const added = await host.ask(l, 'add', item)
  item.name = 'changed by the caller'
  const spoil = (value: unknown) => {
    ;(value as { name: string }[])[0]!.name = 'changed by the caller'
  }
  if (added.ok) spoil(added.reply)
  const all = await host.ask(l, 'all', undefined)
  if (all.ok) spoil(all.reply)
  const full = await host.ask(l, 'full', undefined)
  if (!full.ok) spoil(full.rejection.details)
  spoil(((await host.state(l)).state as { items: unknown }).items)
  t.match(await host.ask(l, 'all', undefined), { reply: [{ name: 'milk' }] })
})

void t.test('all plain data is returned unchanged', async t => {
  const echo = defineActor({
    type: 'echo',
    initialState: (): object => ({}),
    decide: {
      echo: (_state, data: object) => ({ reply: data }),
      keep: (_state, data: object) => event('kept', data),
    },
    evolve: { kept: (_state, data: object) => data },
  })
  const { host, log } = node({ actors: [echo] })
  const e: ActorAddress = { type: 'echo', id: 'e' }
  const data = {
    text: 'ä',
    none: null,
    list: [1, -0.5, [true]],
    date: new Date(5),
    bytes: Uint8Array.of(1, 2),
    big: 2n ** 60n,
    nested: { deep: { er: [] } },
  }
  const outcome = await host.ask(e, 'echo', data)
  t.strictSame(outcome.ok && outcome.reply, data)
  await host.ask(e, 'keep', data)
  t.same((await host.state(e)).state, data)
  t.same((await node({ on: log, actors: [echo] }).host.state(e)).state, data)
})

void t.test(
  'a state that cannot be stored is never in a commit, and is logged once',
  async t => {
    const tags = defineActor({
      type: 'tags',
      initialState: () => new Map<string, number>(),
      decide: { tag: (_state, name: string) => event('tagged', name) },
      evolve: {
        tagged: (state, name: string) =>
          new Map(state).set(name, (state.get(name) ?? 0) + 1),
      },
    })
    const { host, store, lines, log } = node({ actors: [tags] })
    for (const id of ['x', 'y'])
      for (const name of ['a', 'b', 'a'])
        await host.ask({ type: 'tags', id }, 'tag', name)
    t.match(lines, [{ level: 'warn', message: /actor type tags cannot be stored.*Map/ }])
    t.equal(lines.length, 1)
    for await (const record of store.readAll())
      t.notOk(record.kind === 'commit' && record.state)
    const again = node({ on: log, actors: [tags] })
    const expected = new Map([
      ['a', 2],
      ['b', 1],
    ])
    t.same((await again.host.state({ type: 'tags', id: 'x' })).state, expected)
  },
)

void t.test(
  'after an append with an unknown outcome the next command reads the history',
  async t => {
    const { host, store } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    store.after = () => {
      throw new CairnError('outcome-unknown', 'The answer got lost.')
    }
    await t.rejects(host.ask(alice, 'deposit', { amount: 10 }), {
      code: 'outcome-unknown',
      retryable: true,
    })
    store.after = () => {}
    t.match(await host.ask(alice, 'balance', undefined), { version: 2, reply: 11 })
    t.match(await host.ask(alice, 'deposit', { amount: 100 }), { version: 3, reply: 111 })
  },
)

void t.test(
  'a commit that is too large with its inline state is stored without it',
  async t => {
    const { host, store } = node()
    let refused = 0
    const append = store.append.bind(store)
    store.append = async (actor, events, options) => {
      if (options?.state === undefined) return append(actor, events, options)
      refused++
      throw new CairnError('commit-too-large', 'That is too much.')
    }
    t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 1, reply: 1 })
    t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 2, reply: 2 })
    t.equal(refused, 2)
    t.match(await store.head(alice), { version: 2, last: { state: undefined } })
  },
)

void t.test('commits carry the state by its size', async t => {
  const text = defineActor({
    type: 'text',
    stateBytesMax: 100,
    stateEvery: 4,
    initialState: '',
    decide: { set: (_state, value: string) => event('set', value) },
    evolve: { set: (_state, value: string) => value },
  })
  const carried = async (values: readonly string[]) => {
    const { host, log, store } = node({ actors: [text] })
    for (const value of values) await host.ask({ type: 'text', id: 'x' }, 'set', value)
    const versions: number[] = []
    for await (const record of store.readAll())
      if (record.kind === 'commit' && record.state !== undefined)
        versions.push(record.lastVersion)
    t.match(
      await node({ on: log, actors: [text] }).host.state({ type: 'text', id: 'x' }),
      { state: values.at(-1), version: values.length, exists: true },
    )
    return versions
  }
  const large = 'x'.repeat(200)
  const huge = 'x'.repeat(300 * 1024)
  t.strictSame(await carried(['a', 'b', 'c']), [1, 2, 3], 'small: always')
  t.strictSame(await carried(Array(9).fill(large)), [4, 8], 'larger: every fourth commit')
  t.strictSame(await carried(Array(9).fill(huge)), [], 'huge: never')
  const mixed = ['a', large, large, large, large, large, 'b', 'c', 'd']
  t.strictSame(
    await carried(mixed),
    [1, 5, 9],
    'one that has shrunk is measured when due',
  )
})

void t.test('a host that is opened later reads the same log', async t => {
  const log = new MemoryLog()
  const first = node({ on: log })
  await first.host.ask(alice, 'deposit', { amount: 5 })
  await first.host.close()
  t.match(await node({ on: log }).host.ask(alice, 'balance', undefined), { reply: 5 })
})
