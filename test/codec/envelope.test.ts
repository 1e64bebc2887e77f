import t from 'tap'

import { decodeHeaders } from '../../src/codec/commit-headers.js'
import {
  commitHeaderBytesMax,
  decodeRecord,
  encodeCommit,
  type EncodedRecord,
  renumber,
} from '../../src/codec/envelope.js'
import { encode } from '../../src/codec/msgpack.js'
import {
  commitEventsMax,
  type LogRecord,
  type MalformedRecord,
  type NewCommit,
} from '../../src/model/commit.js'
import { account, deposits, span } from '../contract/store/support.js'

const commit: NewCommit = {
  id: 'commit-1',
  actor: account,
  firstVersion: 4,
  events: [
    { type: 'deposited', data: { amount: 5 }, metadata: { source: 'desk' } },
    { type: 'deposited', data: { amount: 6 } },
    { type: 'closed' },
  ],
  at: 1_767_225_600_000,
  nodeId: 'node-1',
  command: { id: 'command-1', reply: { balance: 11 } },
  state: { behavior: 2, value: { balance: 11 } },
  correlationId: 'correlation-1',
  causationId: 'causation-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}

function decodeAt(
  headers: Record<string, string>,
  body: Uint8Array,
  actor: typeof account | undefined = account,
): LogRecord {
  return decodeRecord({
    position: 17,
    source: 'here',
    actor,
    body,
    header: name => headers[name],
    headers: () => ({ ...headers }),
  })
}

function headersOf({ headers }: EncodedRecord): Record<string, string> {
  return Object.fromEntries(headers)
}

await t.test('the headers match the wire format', async t => {
  t.strictSame(encodeCommit(commit).headers, [
    ['Cairn-Wire', '1'],
    ['Cairn-Commit', 'commit-1'],
    ['Cairn-Versions', '4-6'],
    ['Cairn-Events', 'deposited*2,closed'],
    ['Cairn-Node', 'node-1'],
    ['Cairn-At', '1767225600000'],
    ['Cairn-Command', 'command-1'],
    ['Cairn-Correlation', 'correlation-1'],
    ['Cairn-Causation', 'causation-1'],
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  ])
})

await t.test(
  'a commit of several commands has its own headers and wire version',
  async t => {
    const {
      command: _,
      correlationId: _c,
      causationId: _d,
      traceparent: _t,
      ...rest
    } = commit
    const envelope = encodeCommit({
      ...rest,
      commands: [
        { id: 'one', events: 2, correlationId: 'x' },
        { id: 'two', events: 1, reply: 7 },
      ],
    })
    const headers = headersOf(envelope)
    t.match(headers, {
      'Cairn-Wire': '2',
      'Cairn-Commands': 'one*2,two',
      'Cairn-Correlations': 'x*2,',
      'Cairn-Command': undefined,
      'Cairn-Correlation': undefined,
    })
    t.match(decodeAt(headers, envelope.body), {
      kind: 'commit',
      command: undefined,
      commands: [
        { id: 'one', events: 2, correlationId: 'x' },
        { id: 'two', events: 1, reply: 7, correlationId: undefined },
      ],
    })
    for (const [broken, reason] of [
      [{ 'Cairn-Commands': 'one*2' }, /one command per version/],
      [{ 'Cairn-Commands': undefined }, /one command per version/],
      [{ 'Cairn-Commands': 'one*2,' }, /one command per version/],
      [{ 'Cairn-Correlations': 'x' }, /one id per version/],
      [{ 'Cairn-Commands': 'one*3' }, /entry for each of the 1 commands/],
    ] as const) {
      const wrong = Object.fromEntries(
        Object.entries({ ...headers, ...broken }).filter(
          ([, value]) => value !== undefined,
        ),
      ) as Record<string, string>
      t.match(decodeAt(wrong, envelope.body), { kind: 'malformed', reason })
    }
  },
)

await t.test('the behavior version is in the headers unless the state has it', t => {
  const written = (behaviorVersion: number, behavior?: number) => {
    const { state: _state, ...bare } = commit
    const state = behavior === undefined ? {} : { state: { behavior, value: 1 } }
    const envelope = encodeCommit({ ...bare, ...state, behaviorVersion })
    const headers = headersOf(envelope)
    const read = decodeAt(headers, envelope.body)
    const { behaviorVersion: found } = read as { behaviorVersion?: number }
    return [headers['Cairn-Behavior'], found]
  }
  t.strictSame(written(1), [undefined, undefined])
  t.strictSame(written(2), ['2', 2])
  t.strictSame(written(2, 2), [undefined, undefined])
  t.strictSame(written(2, 1), ['2', 2], 'a later version has written before')
  const { headers, body } = encodeCommit(commit)
  for (const odd of ['two', '1.5', '-3', '1']) {
    const record = decodeAt(
      { ...Object.fromEntries(headers), 'Cairn-Behavior': odd },
      body,
    )
    t.match(record, { kind: 'commit', behaviorVersion: undefined }, odd)
  }
  t.end()
})

await t.test('a commit is read back unchanged', async t => {
  const envelope = encodeCommit(commit)
  const common = {
    kind: 'event',
    actor: account,
    position: 17,
    commitId: 'commit-1',
    at: 1_767_225_600_000,
    nodeId: 'node-1',
    commandId: 'command-1',
    correlationId: 'correlation-1',
    causationId: 'causation-1',
  }
  const { id, actor, at, nodeId, command, state } = commit
  const { correlationId, causationId, traceparent } = commit
  t.strictSame(decodeAt(headersOf(envelope), envelope.body), {
    kind: 'commit',
    id,
    position: 17,
    actor,
    firstVersion: 4,
    lastVersion: 6,
    events: [
      {
        ...common,
        id: 'account/alice/4',
        type: 'deposited',
        data: { amount: 5 },
        metadata: { source: 'desk' },
        version: 4,
      },
      {
        ...common,
        id: 'account/alice/5',
        type: 'deposited',
        data: { amount: 6 },
        metadata: {},
        version: 5,
      },
      {
        ...common,
        id: 'account/alice/6',
        type: 'closed',
        data: undefined,
        metadata: {},
        version: 6,
      },
    ],
    at,
    nodeId,
    command,
    state,
    correlationId,
    causationId,
    traceparent,
  })
})

await t.test('the headers hold everything except the data', async t => {
  const headers = headersOf(encodeCommit(commit))
  t.strictSame(
    decodeHeaders(name => headers[name]),
    {
      commitId: 'commit-1',
      firstVersion: 4,
      lastVersion: 6,
      eventTypes: ['deposited', 'deposited', 'closed'],
      nodeId: 'node-1',
      at: 1_767_225_600_000,
      commandId: 'command-1',
      correlationId: 'correlation-1',
      causationId: 'causation-1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  )
})

await t.test('renumber changes the versions of a commit and nothing else', async t => {
  const moved = renumber(encodeCommit(commit), 90, 3)
  const wanted = encodeCommit({ ...commit, firstVersion: 90 })
  t.strictSame(moved.headers, wanted.headers)
  t.ok(Buffer.from(moved.body).equals(wanted.body))
})

const good = encodeCommit({
  id: 'c',
  actor: account,
  firstVersion: 2,
  events: deposits(1, 2),
  at: 1,
  nodeId: 'n',
})

const badHeaders: [string, Record<string, string | undefined>, RegExp][] = [
  ['no wire version', { 'Cairn-Wire': undefined }, /no Cairn-Wire header/],
  [
    'a newer wire version without versions',
    { 'Cairn-Wire': '4', 'Cairn-Versions': 'all' },
    /wire version is "4".*reads 1 and 2 and 3/,
  ],
  ['an odd wire version', { 'Cairn-Wire': '1.0' }, /wire version/],
  ['no commit id', { 'Cairn-Commit': undefined }, /no Cairn-Commit header/],
  ['an empty commit id', { 'Cairn-Commit': '' }, /no Cairn-Commit header/],
  ['a commit id that does not decode', { 'Cairn-Commit': '%zz' }, /not decodable/],
  ['no versions', { 'Cairn-Versions': undefined }, /no Cairn-Versions header/],
  ['a version of 0', { 'Cairn-Versions': '0-1' }, /Cairn-Versions header is "0-1"/],
  ['versions backwards', { 'Cairn-Versions': '3-2' }, /Cairn-Versions/],
  ['one version', { 'Cairn-Versions': '2' }, /Cairn-Versions/],
  ['three versions', { 'Cairn-Versions': '2-3-4' }, /Cairn-Versions/],
  ['a negative version', { 'Cairn-Versions': '-2-3' }, /Cairn-Versions/],
  ['a fraction', { 'Cairn-Versions': '2-3.0' }, /Cairn-Versions/],
  ['an exponent', { 'Cairn-Versions': '2e0-3' }, /Cairn-Versions/],
  ['a space', { 'Cairn-Versions': '2- 3' }, /Cairn-Versions/],
  ['too many versions', { 'Cairn-Versions': '2-1002' }, /Cairn-Versions/],
  [
    'versions beyond the safe integers',
    { 'Cairn-Versions': '9007199254740993-9007199254740993' },
    /Cairn-Versions/,
  ],
  ['no event types', { 'Cairn-Events': undefined }, /one type per version/],
  ['too few event types', { 'Cairn-Events': 'deposited' }, /one type per version/],
  ['too many event types', { 'Cairn-Events': 'deposited*3' }, /one type per version/],
  ['event types that do not decode', { 'Cairn-Events': '%,%' }, /not decodable/],
  ['no time', { 'Cairn-At': undefined }, /Cairn-At/],
  ['an empty time', { 'Cairn-At': '' }, /Cairn-At/],
  ['a time that is not a number', { 'Cairn-At': 'noon' }, /Cairn-At/],
  ['a command id that does not decode', { 'Cairn-Command': '%' }, /not decodable/],
]

await t.test(
  'a record with invalid headers is malformed and occupies no version',
  async t => {
    for (const [what, changes, reason] of badHeaders) {
      const headers: Record<string, string> = {}
      for (const [name, value] of Object.entries({ ...headersOf(good), ...changes }))
        if (value !== undefined) headers[name] = value
      const record = decodeAt(headers, good.body) as MalformedRecord
      t.equal(record.kind, 'malformed', what)
      t.match(record.reason, reason, `${what}: ${record.reason}`)
      t.notOk('versions' in record, 'it occupies no version')
      t.strictSame(
        [record.position, record.source, record.actor, record.raw, record.headers],
        [17, 'here', account, good.body, headers],
      )
    }
  },
)

const badBodies: [string, Uint8Array, RegExp][] = [
  ['no bytes', new Uint8Array(0), /not decodable/],
  ['garbage', Buffer.from('garbage'), /not decodable/],
  ['half a body', good.body.subarray(0, 9), /not decodable/],
  ['more than a body', Buffer.concat([good.body, good.body]), /not decodable/],
  ['null', encode(null), /no list of events/],
  ['a text', encode('x'), /no list of events/],
  ['no events', encode({}), /no list of events/],
  ['events that are not a list', encode({ events: 2 }), /no list of events/],
  ['an empty list', encode({ events: [] }), /has 0 events.*list 2/],
  ['one event', encode({ events: deposits(1) }), /has 1 events.*list 2/],
  ['three events', encode({ events: deposits(1, 2, 3) }), /has 3 events.*list 2/],
  [
    'another type',
    encode({ events: [...deposits(1), { type: 'x' }] }),
    /event 2 of its body has another type/,
  ],
  ['null for an event', encode({ events: [null, null] }), /event 1 .* another type/],
  [
    'metadata that is not an object',
    encode({ events: deposits(1, 2).map(event => ({ ...event, meta: 5 })) }),
    /metadata of event 1/,
  ],
  [
    'a state that is not an object',
    encode({ events: deposits(1, 2), state: 5 }),
    /state/,
  ],
]

await t.test(
  'a record whose body does not match its headers occupies its versions',
  async t => {
    for (const [what, body, reason] of badBodies) {
      const record = decodeAt(headersOf(good), body) as MalformedRecord
      t.equal(record.kind, 'malformed', what)
      t.match(record.reason, reason, `${what}: ${record.reason}`)
      t.strictSame(record.versions, { first: 2, last: 3 })
      t.strictSame(record.raw, body)
    }
  },
)

await t.test(
  'a valid commit without an actor is malformed and occupies no version',
  async t => {
    const record = decodeRecord({
      position: 1,
      source: 'elsewhere',
      actor: undefined,
      body: good.body,
      header: name => headersOf(good)[name],
      headers: () => headersOf(good),
    }) as MalformedRecord
    t.equal(record.kind, 'malformed')
    t.match(record.reason, /does not name an actor/)
    t.notOk('actor' in record)
    t.notOk('versions' in record)
  },
)

await t.test('unknown keys in a body are ignored', async t => {
  const events = deposits(1, 2).map(event => ({ ...event, colour: 'red' }))
  const record = decodeAt(headersOf(good), encode({ events, mood: 'fine' }))
  t.equal(record.kind, 'commit')
})

await t.test(
  'a commit beyond a limit is refused with the limit and the actual size',
  async t => {
    const many = deposits(...span(1, commitEventsMax + 1))
    t.throws(() => encodeCommit({ ...commit, events: many }), {
      code: 'commit-too-large',
      details: { limit: commitEventsMax, actual: commitEventsMax + 1 },
    })
    // Distinct types are not combined into runs, so the headers grow.
    const wide = span(1, 200).map(i => ({ type: `${i}-${'x'.repeat(200)}` }))
    t.throws(() => encodeCommit({ ...commit, events: wide }), {
      code: 'commit-too-large',
      details: { limit: commitHeaderBytesMax },
    })
    t.throws(() => encodeCommit({ ...commit, events: [] }), { code: 'invalid-event' })
  },
)
