// Records outside the log: a record is read back unchanged; for a damaged, foreign or newer record, decoding returns
// the reason and does not throw.

import t from 'tap'

import {
  decodeDeadLetter,
  toDeadLetterError,
  encodeDeadLetter,
} from '../../src/codec/dead-letter.js'
import {
  decodeStoredCommand,
  encodeStoredCommand,
} from '../../src/codec/stored-command.js'
import {
  decodeStoredMessage,
  encodeStoredMessage,
  hasNewerWireVersion,
  readMessageKey,
} from '../../src/codec/stored-message.js'
import { decodeTimer, encodeTimer } from '../../src/codec/stored-timer.js'
import { encode } from '../../src/codec/msgpack.js'
import type { StoredCommand } from '../../src/model/stored-command.js'
import type { StoredDeadLetter } from '../../src/model/stored-dead-letter.js'
import type { StoredMessage } from '../../src/model/stored-message.js'
import type { Timer } from '../../src/model/timer.js'

const causes = {
  correlationId: 'order 7, ünï',
  causationId: 'account/alice/5',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
}
const message: StoredMessage = {
  id: 'm 1',
  topic: 'orders.placed',
  version: 2,
  data: { total: 3 },
  key: 'tenant 9',
  nodeId: 'n1',
  at: 1_767_225_600_000,
  ...causes,
}
const command: StoredCommand = {
  id: 'c 1',
  type: 'deposit',
  data: 5,
  nodeId: 'n1',
  at: 1_767_225_600_000,
  redrives: 2,
  sentAfter: 12,
  repeat: 'callers-id',
  ...causes,
}
const actor = { type: 'order', id: '7' }
const timer: Timer = {
  actor,
  name: 'unpaid',
  generation: 702,
  occurrence: 1,
  at: 1_767_225_600_000,
  every: 60_000,
  skipAfter: 1_000,
  type: 'expire',
  data: null,
  commitPosition: 4_711,
  ...causes,
}

interface Codec {
  readonly record: { readonly headers: [string, string][]; readonly body: Uint8Array }
  readonly value: unknown
  /** Required headers. */
  readonly needed: readonly string[]
  decode(headers: Record<string, string>, body: Uint8Array): unknown
  /** What foreign headers are read as. Default: kept as they are. */
  readonly foreign?: object
}

const codecs: Readonly<Record<string, Codec>> = {
  message: {
    record: encodeStoredMessage(message),
    value: message,
    needed: ['Cairn-Message', 'Cairn-Schema', 'Cairn-At'],
    decode: (headers, body) => decodeStoredMessage(message.topic, headers, body),
    foreign: { otherHeaders: { 'Cairn-Colour': 'red' }, headers: { 'X-Trace': 'a b' } },
  },
  command: {
    record: encodeStoredCommand(command),
    value: command,
    needed: ['Cairn-Command', 'Cairn-Type', 'Cairn-At'],
    decode: decodeStoredCommand,
  },
  timer: {
    record: encodeTimer(timer),
    value: timer,
    needed: [
      'Cairn-Generation',
      'Cairn-Occurrence',
      'Cairn-Said-At',
      'Cairn-Timer',
      'Cairn-Type',
      'Cairn-Due',
    ],
    decode: (headers, body) => decodeTimer(actor, headers, body),
  },
}

for (const [name, { record, value, needed, decode, foreign: read }] of Object.entries(
  codecs,
))
  void t.test(
    `a ${name} is read back unchanged, and an invalid one gives a reason`,
    async t => {
      const headers = Object.fromEntries(record.headers)
      t.strictSame(decode(headers, record.body), value, 'is read back unchanged')
      for (const header of needed) {
        const { [header]: _, ...others } = headers
        t.equal(decode(others, record.body), `it has no ${header} header`)
      }
      const others = { 'X-Trace': 'a%20b', 'Cairn-Colour': 'red' }
      const foreign = { ...headers, ...others, 'Nats-Msg-Id': 'x', 'nats-x': 'y' }
      t.strictSame(
        decode(foreign, record.body),
        { ...(value as object), ...(read ?? { otherHeaders: others }) },
        'headers that this build does not know are kept, except those of the server',
      )
      const newer = { ...headers, 'Cairn-Wire': '9' }
      t.match(decode(newer, record.body), /wire version is '?"?9.*reads 1/)
      t.match(decode({}, record.body), /it has no Cairn-Wire header/)
      const broken = { ...headers, 'Cairn-Correlation': '%C3%28' }
      t.match(decode(broken, record.body), /not decodable/, 'a header that is not text')
      t.match(decode(headers, Uint8Array.of()), /not decodable/, 'an empty body')
    },
  )

void t.test('a message without key and causes is read back without them', async t => {
  const { key: _, correlationId, causationId, traceparent, ...plain } = message
  t.ok(correlationId && causationId && traceparent)
  const { headers, body } = encodeStoredMessage(plain)
  const read = Object.fromEntries(headers)
  t.strictSame(decodeStoredMessage(message.topic, read, body), plain)
  t.equal(readMessageKey(read), undefined)
  t.equal(
    readMessageKey({ 'Cairn-Key': '%zz' }),
    undefined,
    'a key that is not decodable is ignored',
  )
  t.equal(readMessageKey({ 'Cairn-Key': 'a%20b' }), 'a b')
  t.notOk(hasNewerWireVersion(read))
  t.notOk(hasNewerWireVersion({}))
  t.ok(hasNewerWireVersion({ 'Cairn-Wire': '9' }))
})

void t.test('ids, keys and types that are not well-formed text are refused', async t => {
  for (const id of ['', '\ud800', 'x'.repeat(1_025), 7 as never]) {
    const refused = {
      code: 'invalid-message',
      message: /is not a message id: use 1 to/,
    }
    t.throws(() => encodeStoredMessage({ ...message, id }), refused)
  }
  t.throws(() => encodeStoredMessage({ ...message, key: '' }), {
    code: 'invalid-message',
    message: /is not a key/,
  })
  for (const type of ['', '\ud800', 'x'.repeat(257), 7 as never])
    t.throws(() => encodeStoredCommand({ ...command, type }), {
      code: 'invalid-command',
      message: /is not a command type: use 1 to 256 bytes/,
    })
  t.match(
    decodeStoredCommand(
      {
        ...Object.fromEntries(encodeStoredCommand(command).headers),
        'Cairn-Redrives': '-1',
      },
      encodeStoredCommand(command).body,
    ),
    /Cairn-Redrives/,
  )
})

void t.test(
  'a dead letter is read back unchanged, and an invalid one is told by its reason',
  async t => {
    const letter = {
      message: { id: 'm1', topic: 'orders.placed' },
      error: { name: 'TypeError', message: 'no' },
      reason: 'terminal',
      attempts: 3,
      redrives: 0,
      markedAt: 1,
    } as unknown as StoredDeadLetter<{ id: string; topic: string }>
    const { headers, body } = encodeDeadLetter(letter)
    const read = Object.fromEntries(headers)
    t.strictSame(decodeDeadLetter(read, body), letter)
    const cases: [Record<string, string>, Uint8Array, RegExp][] = [
      [{ ...read, 'Cairn-Wire': '9' }, body, /its wire version/],
      [{ ...read, 'Cairn-Message': 'another' }, body, /incomplete/],
      [read, Uint8Array.of(), /not decodable/],
      [read, encodeDeadLetter({ ...letter, attempts: -1 }).body, /incomplete/],
    ]
    for (const [wrongHeaders, wrongBody, message] of cases)
      t.match(decodeDeadLetter(wrongHeaders, wrongBody), message)
    const thrown: [unknown, object][] = [
      [Object.assign(new Error('a'), { name: 7, stack: 8 }), { name: 'Error' }],
      [Object.assign(new Error('b'), { name: undefined }), { name: 'Error' }],
      [
        Object.assign(new Error('c'), { message: { no: 'text' } }),
        { message: "{ no: 'text' }" },
      ],
      [Object.create(null), { name: 'Error', message: '[Object: null prototype] {}' }],
      [Symbol('s'), { message: 'Symbol(s)' }],
      [
        Object.defineProperty(new Error('d'), 'name', {
          get() {
            throw new Error('not this either')
          },
        }),
        { name: 'Error', message: 'd' },
      ],
    ]
    for (const [value, wanted] of thrown) {
      const error = toDeadLetterError(value)
      t.match(error, wanted)
      const odd = { ...letter, error } as typeof letter
      const record = encodeDeadLetter(odd)
      t.strictSame(decodeDeadLetter(Object.fromEntries(record.headers), record.body), odd)
    }
    const stored = encodeDeadLetter({ ...letter, error: { name: 'x', message: 'm' } })
    const old = encode({ ...letter, error: { name: 5, message: 'm' } })
    t.match(
      decodeDeadLetter(Object.fromEntries(stored.headers), old),
      { error: { name: 'Error', message: 'm' } },
      'of an older build, with a name that is not text',
    )
  },
)
