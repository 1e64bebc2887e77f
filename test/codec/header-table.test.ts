// The table of headers: every field of a record is read back as it was written, values that nobody writes are refused,
// and headers that a build does not know pass through it.

import t from 'tap'

import { decodeHeaders, headerOf } from '../../src/codec/commit-headers.js'
import {
  decodeWith,
  encodeHeaders,
  type HeaderTable,
} from '../../src/codec/header-row.js'
import {
  commandHeaders,
  commitHeaders,
  deadLetterHeaders,
  messageHeaders,
  redrivenHeaders,
  timerHeaders,
} from '../../src/codec/header-table.js'
import {
  decodeStoredCommand,
  encodeStoredCommand,
} from '../../src/codec/stored-command.js'
import { decodeTimer, encodeTimer } from '../../src/codec/stored-timer.js'
import {
  type CommitExtras,
  type CommitHeader,
  copyExtras,
  type NewCommit,
} from '../../src/model/commit.js'
import type { StoredCommandHeader } from '../../src/model/stored-command.js'
import type {
  DeadLetterHeader,
  RedrivenHeader,
} from '../../src/model/stored-dead-letter.js'
import type { StoredMessageHeader } from '../../src/model/stored-message.js'
import { nextOccurrence, type Timer, type TimerHeader } from '../../src/model/timer.js'

/** Every field, so that a new one without a value here does not compile. */
type Whole<Header> = Required<Omit<Header, 'otherHeaders'>>

const causes = {
  correlationId: 'ü 1',
  causationId: 'a/b/5',
  traceparent: '00-ab-cd-01',
  principal: 'Zoë O.',
}
const extras: Whole<CommitExtras> = {
  behaviorVersion: 3,
  transactionId: 't 1',
  inboxPosition: 118,
  ...causes,
}
const single: Omit<Whole<CommitHeader>, 'commandIds' | 'correlationIds'> = {
  commitId: 'c%1',
  firstVersion: 4,
  lastVersion: 6,
  eventTypes: ['deposited', 'deposited', 'a,b*2'],
  nodeId: 'n 1',
  at: 1_767_225_600_000.5,
  outboxTargets: ['trips.ended', '>', '@', '@-', '!', '!-'],
  hasWork: true,
  commandId: 'command 1',
  ...extras,
}
const { commandId: _, ...shared } = single
const several: Omit<Whole<CommitHeader>, 'commandId'> = {
  ...shared,
  commandIds: ['a', 'a', 'b'],
  correlationIds: ['x', 'x', ''],
}
const answers = { refused: 'assignRefused', replied: 'zugesagt ✓', deadLetter: true }
const command: Whole<StoredCommandHeader> = {
  id: 'c 1',
  type: 'deposit',
  nodeId: 'n1',
  at: 5,
  redrives: 2,
  sentAfter: 12,
  repeat: 'callers-id',
  from: { type: 'order', id: 'o 1/ä' },
  ...answers,
  ...causes,
}
const message: Whole<StoredMessageHeader> = {
  id: 'm 1',
  version: 2,
  key: 'k',
  nodeId: 'n1',
  at: 5,
  logPosition: 7,
  ...causes,
}
const timer: Whole<TimerHeader> = {
  name: 'unpaid',
  generation: 702,
  occurrence: 1,
  at: 1_767_225_600_000,
  every: 60_000,
  skipAfter: 0,
  type: 'expire',
  commitPosition: 4_711,
  ...answers,
  ...causes,
}
const letter: Whole<DeadLetterHeader> = {
  id: 'm 1',
  topic: 'orders.placed',
  reason: 'terminal',
  errorName: 'TypeError',
  attempts: 3,
  markedAt: 5,
  correlationId: 'ü',
}
const redriven: Whole<RedrivenHeader> = { id: 'm 1' }

function readerOf(headers: Readonly<Record<string, string>>) {
  return (name: string) => headers[name]
}

function roundTrip<Header extends object>(table: HeaderTable<Header>, from: Header) {
  const headers = encodeHeaders(table, from)
  return { headers, read: decodeWith(table, readerOf(Object.fromEntries(headers))) }
}

await t.test('every field of every record is one header, read back equal', async t => {
  const check = <Header extends object>(table: HeaderTable<Header>, from: Header) => {
    const { headers, read } = roundTrip(table, from)
    t.strictSame(read, from)
    const names = table.map(({ name }) => name)
    t.strictSame([...new Set(names)], names, 'a name has one row')
    return headers.map(([name]) => name)
  }
  const ofSingle = check<CommitHeader>(commitHeaders, single)
  const ofSeveral = check<CommitHeader>(commitHeaders, several)
  const all = commitHeaders.map(({ name }) => name)
  t.strictSame(
    all.filter(name => ofSingle.includes(name) || ofSeveral.includes(name)),
    all,
  )
  t.strictSame(
    check<StoredCommandHeader>(commandHeaders, command),
    commandHeaders.map(({ name }) => name),
  )
  t.strictSame(
    check<StoredMessageHeader>(messageHeaders, message),
    messageHeaders.map(({ name }) => name),
  )
  t.strictSame(
    check<TimerHeader>(timerHeaders, timer),
    timerHeaders.map(({ name }) => name),
  )
  t.strictSame(
    check<DeadLetterHeader>(deadLetterHeaders, letter),
    deadLetterHeaders.map(({ name }) => name),
  )
  t.strictSame(
    check<RedrivenHeader>(redrivenHeaders, redriven),
    redrivenHeaders.map(({ name }) => name),
  )
})

await t.test('what a writer says of a commit is copied as a whole', async t => {
  const copy: CommitExtras = {}
  copyExtras(extras, copy)
  t.strictSame(copy, extras)
  const none = Object.fromEntries(Object.keys(extras).map(name => [name, undefined]))
  const target: CommitExtras = {}
  copyExtras(none, target)
  t.strictSame(target, {}, 'undefined is absent')
  const commit: NewCommit = {
    id: 'c',
    actor: { type: 'account', id: 'alice' },
    firstVersion: 1,
    events: [{ type: 'opened' }],
    at: 1,
    nodeId: 'n',
    ...extras,
  }
  const header = headerOf(commit)
  t.match(header, extras)
  const lines = Object.fromEntries(encodeHeaders(commitHeaders, header))
  t.strictSame(decodeHeaders(readerOf(lines)), header, 'as in the notice')
})

/** No writer of the format writes these where a whole number belongs. */
const oddCounts = [
  '',
  ' 5',
  '5 ',
  '0x5',
  '5e0',
  '5.0',
  '+5',
  '-5',
  '9007199254740993',
  'NaN',
  '1'.repeat(99),
]
const oddTimes = [
  '',
  ' 5',
  '0x5',
  '+5',
  'Infinity',
  '1e999',
  '5e',
  '1'.repeat(99),
  '1_000',
]

await t.test('a value that no writer writes is refused, and named', async t => {
  const refuses = <Header extends object>(
    table: HeaderTable<Header>,
    from: Header,
    name: string,
    odd: readonly string[],
  ) => {
    const valid = Object.fromEntries(encodeHeaders(table, from))
    for (const value of odd) {
      const read = decodeWith(table, readerOf({ ...valid, [name]: value }))
      t.equal(typeof read, 'string', `${name}: ${value}`)
      t.match(read, name)
    }
  }
  refuses<CommitHeader>(commitHeaders, single, 'Cairn-At', oddTimes)
  refuses<StoredCommandHeader>(commandHeaders, command, 'Cairn-At', oddTimes)
  refuses<StoredCommandHeader>(commandHeaders, command, 'Cairn-Log', oddCounts)
  refuses<StoredCommandHeader>(commandHeaders, command, 'Cairn-Redrives', oddCounts)
  refuses<StoredMessageHeader>(messageHeaders, message, 'Cairn-Schema', oddCounts)
  for (const name of [
    'Cairn-Generation',
    'Cairn-Occurrence',
    'Cairn-Due',
    'Cairn-Every',
    'Cairn-Said-At',
  ])
    refuses<TimerHeader>(timerHeaders, timer, name, oddCounts)
  const long = 'x'.repeat(1_025)
  refuses<StoredCommandHeader>(commandHeaders, command, 'Cairn-Command', ['', long, '%'])
  refuses<StoredMessageHeader>(messageHeaders, message, 'Cairn-Message', [
    '',
    long,
    '%ff',
  ])
  refuses<StoredMessageHeader>(messageHeaders, message, 'Cairn-Key', [long])
  refuses<TimerHeader>(timerHeaders, timer, 'Cairn-Timer', ['', 'x'.repeat(257)])
  refuses<CommitHeader>(commitHeaders, single, 'Cairn-Says', [
    'a*101',
    'a*0',
    'a*x',
    `${'a,'.repeat(100)}a`,
  ])
  for (const name of [
    'Cairn-Correlation',
    'Cairn-Causation',
    'traceparent',
    'Cairn-Principal',
  ])
    refuses<CommitHeader>(commitHeaders, single, name, ['%zz', '%c3'])
})

await t.test(
  'a header that only saves work counts as missing when it is odd',
  async t => {
    const valid = Object.fromEntries(encodeHeaders<CommitHeader>(commitHeaders, single))
    for (const value of [...oddCounts, '0']) {
      const odd = { ...valid, 'Cairn-Inbox': value, 'Cairn-Behavior': value }
      const { inboxPosition: _i, behaviorVersion: _b, ...rest } = single
      t.strictSame(decodeHeaders(readerOf(odd)), rest, value)
    }
  },
)

await t.test('headers of a newer build pass through this one', async t => {
  const others = { 'Cairn-Colour': 'red', 'X-Trace': 'a%20b' }
  const stored = encodeStoredCommand({ ...command, data: 5 })
  const read = decodeStoredCommand(
    { ...Object.fromEntries(stored.headers), ...others },
    stored.body,
  )
  if (typeof read === 'string') return t.fail(read)
  const again = encodeStoredCommand({ ...read, redrives: 3 })
  t.match(Object.fromEntries(again.headers), { ...others, 'Cairn-Redrives': '3' })

  const first = encodeTimer({ ...timer, actor: { type: 'order', id: '7' }, data: null })
  const waiting = decodeTimer(
    { type: 'order', id: '7' },
    { ...Object.fromEntries(first.headers), ...others, 'Nats-Schedule': '@at x' },
    first.body,
  )
  const next = encodeTimer(nextOccurrence(waiting as Timer)!)
  const lines = Object.fromEntries(next.headers)
  t.match(lines, { ...others, 'Cairn-Occurrence': '2' })
  t.notOk('Nats-Schedule' in lines, 'the headers of the server are its own')
})

await t.test('a kept header replaces none, and is no other line', async t => {
  const otherHeaders: Record<string, string> = {
    'Cairn-Type': 'other',
    'Nats-Msg-Id': 'x',
    'Bad Name': 'x',
    'Bad-Value': 'x\r\nCairn-Type: y',
    'Bad:Name': 'x',
    Good: 'x',
  }
  const { headers } = encodeStoredCommand({ ...command, data: 5, otherHeaders })
  t.strictSame(
    headers.slice(commandHeaders.length),
    [['Good', 'x']],
    'only what is a header and is not known',
  )
})
