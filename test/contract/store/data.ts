// Contract: data is read as it was stored, or is refused.

import * as fc from 'fast-check'

import { isCairnError } from '../../../src/model/errors.js'
import type { AppendOptions } from '../../../src/store/event-store/event-store.js'
import { findDifference, refusedValues, seed, storable } from '../../support/values.js'
import {
  account,
  asCommit,
  collect,
  deposits,
  mustAppend,
  refuses,
  type Suite,
} from './support.js'

const values: [string, unknown][] = [
  ['null', null],
  ['undefined', undefined],
  ['an empty object', {}],
  ['an empty array', []],
  ['an empty text', ''],
  ['text', 'größer 🪨 \0 \r\n "'],
  ['booleans', [true, false]],
  ['numbers', [0, -1, 1.5, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53)]],
  ['extreme numbers', [Number.MAX_VALUE, Number.MIN_VALUE, Infinity, -Infinity, NaN]],
  ['bigints', [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n]],
  ['dates', [new Date(0), new Date(1_700_000_000_123), new Date(-1), new Date(8.64e15)]],
  ['an object with an undefined value', { a: undefined, b: 1 }],
  ['an array with undefined in it', [undefined, 1]],
  ['nesting', { a: [{ b: { c: [[{ d: null }]] } }] }],
  ['keys that look like others', { '': 1, '1': 2, constructor: 3, a: { toString: 4 } }],
]

export function testData(test: Suite): void {
  test('plain data is read as it was stored', async (t, place) => {
    const store = await place.open()
    for (const [what, data] of values) {
      const { version } = await mustAppend(store, account, [{ type: what, data }])
      const [event] = await collect(store.read(account, { from: version }))
      t.strictSame(event?.kind === 'event' && event.data, data, what)
    }
  })

  test('work, its cancellation and what is pending are read as they were stored', async (t, place) => {
    const store = await place.open()
    const input = { at: new Date(7), amount: 2n ** 60n, none: undefined, list: [-0] }
    const terms = { work: 'charge', data: input, done: 'charged', failed: 'notCharged' }
    const retry = { attempts: Infinity, first: 5, kind: 'fixed' } as const
    const works = [{ ...terms, key: 'account/alice/1#0', name: 'a', retry, timeout: 1.5 }]
    const outbox = [
      { kind: 'perform', ...terms },
      { kind: 'perform', ...terms, name: 'b', retry, timeout: Infinity },
      { kind: 'stop', work: 'charge' },
      { kind: 'stop', work: 'charge', name: 'a' },
    ] as const
    await mustAppend(store, account, deposits(1), {
      expected: 'none',
      outbox,
      command: { id: 'first' },
      state: { behavior: 1, value: 0, works },
    })
    const first = asCommit((await store.head(account)).last)
    t.strictSame(first.outbox, outbox)
    t.strictSame(first.state, { behavior: 1, value: 0, works })
    // Work that is pending after several commands: both kinds of commits in one.
    await mustAppend(store, account, deposits(1, 2), {
      expected: 1,
      commands: [
        { id: 'one', events: 1 },
        { id: 'two', events: 1, reply: 2 },
      ],
      state: { behavior: 1, value: 0, works },
    })
    const several = asCommit((await store.head(account)).last)
    t.strictSame(several.commands, [
      { id: 'one', events: 1 },
      { id: 'two', events: 1, reply: 2 },
    ])
    t.strictSame(several.state, { behavior: 1, value: 0, works })
    // A reader that ignored the work would lose it.
    const state = { behavior: 1, value: 0 }
    await mustAppend(store, account, deposits(1), { expected: 3, state })
    t.equal(asCommit((await store.head(account)).last).state?.works, undefined)
  })

  test('data in replies and states is read as it was stored', async (t, place) => {
    const store = await place.open()
    for (const [what, value] of values) {
      if (value === undefined) continue
      const { version } = await store.head(account)
      await mustAppend(store, account, deposits(1), {
        expected: version,
        command: { id: what, reply: value },
        state: { behavior: 1, value },
      })
      const last = asCommit((await store.head(account)).last)
      t.strictSame(last.command?.reply, value, `reply: ${what}`)
      t.strictSame(last.state?.value, value, `state: ${what}`)
    }
  })

  test('the data of an event without data is undefined', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, [{ type: 'closed' }])
    const [event] = await collect(store.read(account))
    t.ok(event?.kind === 'event' && 'data' in event && event.data === undefined)
  })

  test('bytes are read as they were stored, long and short', async (t, place) => {
    const store = await place.open()
    for (const length of [0, 1, 255, 256, 70_000, 500_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 256)
      const { version } = await mustAppend(store, account, [
        { type: 'sealed', data: { bytes } },
      ])
      const [event] = await collect(store.read(account, { from: version }))
      const data =
        event?.kind === 'event' ? (event.data as { bytes: unknown }) : undefined
      t.ok(data?.bytes instanceof Uint8Array && Buffer.compare(data.bytes, bytes) === 0)
    }
  })

  test('changing a value that was read or appended does not change what is stored', async (t, place) => {
    const store = await place.open()
    const bytes = Buffer.from('as it was')
    const data = { list: [1], bytes }
    await mustAppend(store, account, [{ type: 'sealed', data }])
    data.list.push(2)
    bytes.fill(0)
    const read = async () => {
      const [event] = await collect(store.read(account))
      return (event?.kind === 'event' ? event.data : undefined) as typeof data
    }
    for (const found of [await read(), await read()]) {
      t.strictSame(found.list, [1])
      t.equal(Buffer.from(found.bytes).toString(), 'as it was')
      found.list.push(3)
      found.bytes.fill(0)
    }
  })

  test('a value that was read is not changed by later reads and writes', async (t, place) => {
    const store = await place.open()
    const bytes = Buffer.alloc(200, 'first')
    await mustAppend(store, account, [{ type: 'sealed', data: bytes }])
    const [event] = await collect(store.read(account))
    for (let i = 0; i < 20; i++) {
      await mustAppend(store, account, [{ type: 'sealed', data: Buffer.alloc(200, 'x') }])
      await store.head(account)
      await collect(store.readAll())
    }
    t.ok(event?.kind === 'event' && bytes.equals(event.data as Uint8Array))
  })

  test('event types, metadata and ids may be any text', async (t, place) => {
    const store = await place.open({ nodeId: 'node, *with* 100% ünusual name' })
    const types = [
      'a,b',
      'a*2',
      'a*2',
      '100%',
      'ümlaut',
      '🪨',
      ' x ',
      'a b',
      '%2C',
      '*',
      ',',
    ]
    const metadata = { ключ: 'значение', 'a,b': '', '': 'empty' }
    await mustAppend(
      store,
      account,
      types.map(type => ({ type, metadata })),
      {
        command: { id: 'a b,c*%\u00e9' },
        correlationId: ' edge ',
        causationId: 'line\nend',
      },
    )
    const commit = asCommit((await store.head(account)).last)
    t.strictSame(
      commit.events.map(event => event.type),
      types,
    )
    t.ok(
      commit.events.every(
        event => JSON.stringify(event.metadata) === JSON.stringify(metadata),
      ),
    )
    t.equal(commit.nodeId, 'node, *with* 100% ünusual name')
    t.equal(commit.command?.id, 'a b,c*%\u00e9')
    t.equal(commit.correlationId, ' edge ')
    t.equal(commit.causationId, 'line\nend')
  })

  test('several commands of one commit keep their ids, causes and replies', async (t, place) => {
    const store = await place.open()
    const commands = [
      { id: 'a b,c*%\u00e9', events: 2, reply: { n: 1n }, correlationId: ' ,* ' },
      { id: 'b', events: 1, causationId: 'line\nend', traceparent: 'tr%ce' },
      { id: 'c', events: 1, reply: [new Date(0)], correlationId: 'second' },
    ]
    const events = deposits(1, 2, 3, 4)
    await mustAppend(store, account, events, { commands })
    const commit = asCommit((await store.head(account)).last)
    t.strictSame(commit.commands, commands)
    t.equal(commit.command, undefined)
    t.strictSame(
      commit.events.map(event => [
        event.commandId,
        event.correlationId,
        event.causationId,
      ]),
      [
        ['a b,c*%\u00e9', ' ,* ', undefined],
        ['a b,c*%\u00e9', ' ,* ', undefined],
        ['b', undefined, 'line\nend'],
        ['c', 'second', undefined],
      ],
    )
    const one = { id: 'd', events: 4 }
    const wrong: AppendOptions[] = [
      { commands: [{ id: 'd', events: 3 }] },
      { commands: [{ id: 'd', events: 5 }] },
      { commands: [{ id: 'd', events: 0 }, one] },
      {
        commands: [
          { id: 'd', events: 2 },
          { id: 'd', events: 2 },
        ],
      },
      { commands: [{ id: '', events: 4 }] },
      { commands: [one], command: { id: 'e' } },
      { commands: [one], correlationId: 'x' },
    ]
    for (const options of wrong)
      await t.rejects(store.append(account, events, options), { code: 'invalid-option' })
    t.equal((await store.head(account)).version, 4, 'none of these was stored')
  })

  test('any value is read as it was stored, in data, reply and state', async (t, place) => {
    const store = await place.open()
    const values = fc.sample(storable, { seed, numRuns: 300 })
    for (let i = 0; i < values.length; i += 50) {
      const some = values.slice(i, i + 50)
      const { version } = await store.head(account)
      await mustAppend(
        store,
        account,
        some.map(data => ({ type: 'kept', data })),
        {
          expected: version,
          command: { id: `c${i}`, reply: some },
          state: { behavior: 1, value: { some } },
        },
      )
      const commit = asCommit((await store.head(account)).last)
      const stored = commit.events.map(({ data }) => data)
      t.equal(findDifference(some, stored), undefined, `data, seed ${seed}`)
      t.equal(findDifference(some, commit.command?.reply), undefined, 'reply')
      t.equal(findDifference({ some }, commit.state?.value), undefined, 'state')
    }
  })

  test('objects of any number of keys and long texts are read as they were', async (t, place) => {
    const store = await place.open()
    const wide = (keys: number) =>
      Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, i % 7]))
    for (const data of [wide(15), wide(16), wide(66_000), 'ä€𝄞'.repeat(40_000)]) {
      const { version } = await mustAppend(store, account, [{ type: 'wide', data }])
      const [event] = await collect(store.read(account, { from: version }))
      t.equal(findDifference(data, event?.kind === 'event' && event.data), undefined)
    }
  })

  test('a value that would not be read as it was is refused, with its path', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    for (const [what, data, path, why] of refusedValues) {
      const events = [...deposits(1), { type: 'bad', data }, ...deposits(2)]
      const found = await store.append(account, events).catch((error: unknown) => error)
      const refusal = isCairnError(found) ? found : undefined
      t.equal(refusal?.code, 'invalid-data', what)
      const text = refusal?.message ?? String(found)
      t.ok(text.includes(`: ${path === '' ? 'the value itself' : path}`), text)
      t.ok(text.includes(why), text)
      t.match(text, 'data of event "bad"', 'the event is named')
      const command = { id: 'c', reply: data }
      const append = () => store.append(account, deposits(1), { command })
      await refuses(t, 'invalid-data', append, `${what} as a reply`)
      const state = { behavior: 1, value: data }
      const appendState = () => store.append(account, deposits(1), { expected: 1, state })
      await refuses(t, 'invalid-data', appendState, `${what} as a state`)
    }
    t.equal((await store.head(account)).version, 1, 'nothing was half-written')
    t.equal((await collect(store.readAll())).length, 1)
    t.equal((await mustAppend(store, account, deposits(2))).version, 2, 'and it goes on')
  })
}
