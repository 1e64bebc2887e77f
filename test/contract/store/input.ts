// Contract: invalid input is refused by name, before anything is written.

import type { ActorAddress } from '../../../src/model/address.js'
import type { ErrorCode } from '../../../src/model/errors.js'
import type { NewEvent } from '../../../src/model/event.js'
import type {
  AppendOptions,
  ReadOptions,
} from '../../../src/store/event-store/event-store.js'
import { account, collect, deposits, refuses, span, type Suite } from './support.js'

const badActors: [string, ErrorCode, unknown][] = [
  ['a type with a dot', 'invalid-actor-type', { type: 'a.b', id: 'x' }],
  ['a type that is a wildcard', 'invalid-actor-type', { type: '>', id: 'x' }],
  ['a type of 64 characters', 'invalid-actor-type', { type: 'a'.repeat(64), id: 'x' }],
  ['an empty type', 'invalid-actor-type', { type: '', id: 'x' }],
  ['a missing type', 'invalid-actor-type', { id: 'x' }],
  ['an empty id', 'invalid-actor-id', { type: 'account', id: '' }],
  ['an id of 257 bytes', 'invalid-actor-id', { type: 'account', id: 'x'.repeat(257) }],
  [
    'an id of 129 characters and 258 bytes',
    'invalid-actor-id',
    { type: 'account', id: 'ä'.repeat(129) },
  ],
  ['half a surrogate pair', 'invalid-actor-id', { type: 'account', id: 'x\ud83d' }],
  ['a number for an id', 'invalid-actor-id', { type: 'account', id: 7 }],
  ['no address', 'invalid-actor-id', null],
]

const badEvents: [string, ErrorCode, unknown][] = [
  ['no events', 'invalid-event', []],
  ['events that are no array', 'invalid-event', { length: 1 }],
  ['an event without a type', 'invalid-event', [{ data: 1 }]],
  ['an event with an empty type', 'invalid-event', [{ type: '' }]],
  ['an event type that is a number', 'invalid-event', [{ type: 1 }]],
  ['an event type with a line end', 'invalid-event', [{ type: 'a\nb' }]],
  ['an event type of 257 bytes', 'invalid-event', [{ type: 'e'.repeat(257) }]],
  ['an event that is null', 'invalid-event', [null]],
  [
    'metadata that is not a string',
    'invalid-event',
    [{ type: 'deposited', metadata: { n: 1 } }],
  ],
  [
    'metadata with half a surrogate pair',
    'invalid-event',
    [{ type: 'deposited', metadata: { text: '\ud800' } }],
  ],
  [
    'a metadata key __proto__',
    'invalid-event',
    [{ type: 'deposited', metadata: JSON.parse('{"__proto__":"x"}') }],
  ],
  [
    'an invalid event after valid ones',
    'invalid-event',
    [...deposits(1, 2), { type: undefined }],
  ],
  ['1,001 events', 'commit-too-large', deposits(...span(1, 1001))],
]

const badAppendOptions: [string, unknown][] = [
  ['a negative expected version', { expected: -1 }],
  ['a fractional expected version', { expected: 1.5 }],
  ['an expected version that is not a number', { expected: NaN }],
  ['an unknown expectation', { expected: 'sometimes' }],
  ['a number as text', { expected: '1' }],
  ['a clock that is not a number', { at: NaN }],
  ['a clock at infinity', { at: Infinity }],
  ['a negative timeout', { timeout: -1 }],
  ['a timeout that is not a number', { timeout: NaN }],
  ['a timeout beyond what timers know', { timeout: 2 ** 31 }],
  ['a behavior version of 0', { behaviorVersion: 0 }],
  ['a behavior version that is no whole number', { behaviorVersion: 1.5 }],
  ['a command id that is no text', { command: { id: 7 } }],
  ['a command id with half a surrogate pair', { command: { id: 'x\ud800' } }],
  ['a correlation id with half a surrogate pair', { correlationId: '\udc00' }],
  ['a causation id that is no text', { causationId: {} }],
  ['a traceparent that is no text', { traceparent: null }],
  ["a state with 'any'", { expected: 'any', state: { behavior: 1, value: 0 } }],
  ['a state without an expectation', { state: { behavior: 1, value: 0 } }],
  ["a state with 'exists'", { expected: 'exists', state: { behavior: 1, value: 0 } }],
]

const badReadOptions: [string, ReadOptions][] = [
  ['a negative from', { from: -1 }],
  ['a fractional from', { from: 1.5 }],
  ['a negative to', { to: -1 }],
  ['a negative limit', { limit: -1 }],
  ['a limit that is not a number', { limit: NaN }],
  ['from behind to', { from: 3, to: 2 }],
]

export function testInput(test: Suite): void {
  test('an address outside the grammar is refused by every call', async (t, place) => {
    const store = await place.open()
    for (const [what, code, bad] of badActors) {
      const actor = bad as ActorAddress
      await refuses(t, code, () => store.append(actor, deposits(1)), `append, ${what}`)
      await refuses(t, code, () => store.head(actor), `head, ${what}`)
      await refuses(t, code, () => collect(store.read(actor)), `read, ${what}`)
      await refuses(t, code, () => collect(store.commits(actor)), `commits, ${what}`)
      await refuses(
        t,
        code,
        () => store.updateVersionCache(actor, 1, 1),
        `cache, ${what}`,
      )
    }
    t.equal(await store.lastPosition(), 0)
  })

  test('invalid events are refused, and nothing is stored', async (t, place) => {
    const store = await place.open()
    for (const [what, code, events] of badEvents)
      await refuses(t, code, () => store.append(account, events as NewEvent[]), what)
    t.equal(await store.lastPosition(), 0)
  })

  test('invalid expected versions are refused, and nothing is stored', async (t, place) => {
    const store = await place.open()
    for (const [what, options] of badAppendOptions)
      await refuses(
        t,
        'invalid-option',
        () => store.append(account, deposits(1), options as AppendOptions),
        what,
      )
    t.equal(await store.lastPosition(), 0)
  })

  test('invalid ranges are refused', async (t, place) => {
    const store = await place.open()
    for (const [what, options] of badReadOptions)
      await refuses(
        t,
        'invalid-option',
        () => collect(store.read(account, options)),
        what,
      )
    const ranges: [string, () => unknown][] = [
      ['commits from -1', () => collect(store.commits(account, { from: -1 }))],
      ['commits to version 1.5', () => collect(store.commits(account, { to: 1.5 }))],
      ['commits with hint -1', () => collect(store.commits(account, { hint: -1 }))],
      ['readAll after -1', () => collect(store.readAll({ after: -1 }))],
      ['readAll after 0.5', () => collect(store.readAll({ after: 0.5 }))],
      ['readAll limit -1', () => collect(store.readAll({ limit: -1 }))],
      ['follow after -1', () => collect(store.follow({ after: -1 }))],
      ['a cached version of -1', () => store.updateVersionCache(account, -1, 1)],
      ['a cached position of 0.5', () => store.updateVersionCache(account, 1, 0.5)],
    ]
    for (const [what, work] of ranges) await refuses(t, 'invalid-option', work, what)
  })

  test('actor types to filter by are checked against the grammar', async (t, place) => {
    const store = await place.open()
    for (const bad of ['', '>', '*', 'a.b', 'ä']) {
      const types = ['account', bad]
      const code = 'invalid-actor-type'
      await refuses(t, code, () => collect(store.actors({ type: bad })), 'actors')
      await refuses(t, code, () => collect(store.readAll({ types })), 'readAll')
      await refuses(t, code, () => collect(store.follow({ types })), 'follow')
    }
  })

  test('an aborted signal fails with aborted, before anything is written', async (t, place) => {
    const store = await place.open()
    await store.append(account, deposits(1, 2))
    const position = await store.lastPosition()
    const signal = AbortSignal.abort()
    const works: [string, () => unknown][] = [
      ['append', () => store.append(account, deposits(3), { signal })],
      ['head', () => store.head(account, { signal })],
      ['lastPosition', () => store.lastPosition({ signal })],
      ['read', () => collect(store.read(account, { signal }))],
      ['commits', () => collect(store.commits(account, { signal }))],
      ['readAll', () => collect(store.readAll({ signal }))],
      ['actors', () => collect(store.actors({ signal }))],
    ]
    for (const [what, work] of works) await refuses(t, 'aborted', work, what)
    t.equal(await store.lastPosition(), position, 'nothing was stored')
    t.equal((await store.head(account)).version, 2)
  })
}
