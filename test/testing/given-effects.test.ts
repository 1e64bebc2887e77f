// Specifications of what is said beside the events: messages, commands and timers.

import { AssertionError } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

import {
  cancel,
  defineActor,
  defineTopic,
  event,
  publish,
  schedule,
  send,
} from '../../src/index.js'
import { given } from '../../src/testing/index.js'

const failed = defineTopic('orders.failed', {
  schema: {
    '~standard': { version: 1, vendor: 'test', validate: value => ({ value }) },
  },
})

const stock = defineActor({
  type: 'stock',
  initialState: { left: 9 },
  decide: { putBack: (_state, count: number) => event('returned', count) },
  evolve: { returned: ({ left }, count: number) => ({ left: left + count }) },
})

const order = defineActor({
  type: 'order',
  publishes: [failed],
  initialState: { status: 'new', lines: [] as readonly { sku: string; count: number }[] },
  decide: {
    place: (_state, count: number, { now }) => [
      event('placed', count),
      schedule('unpaid', { after: 1_000 }, 'fail'),
      schedule('report', { at: now + 5_000, every: 60_000, late: 'skip' }, 'pay', 7),
    ],
    pay: (_state, cents: number) => event('paid', cents),
    fail: () => [
      event('failed'),
      cancel('unpaid'),
      send(stock, 'w', 'putBack', 3),
      publish(failed, { id: 'o' }),
    ],
    look: state => ({ reply: state.status }),
  },
  evolve: {
    placed: (_state, count: number) => ({
      status: 'placed',
      lines: [{ sku: 'w', count }],
    }),
    paid: (state, _cents: number) => ({ ...state, status: 'paid' }),
    failed: state => ({ ...state, status: 'failed' }),
  },
})

const said = [
  cancel('unpaid'),
  send(stock, 'w', 'putBack', 3),
  publish(failed, { id: 'o' }),
]

/** The message of the assertion that `work` fails with. */
function failureOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof AssertionError) return error.message
    throw error
  }
  throw new Error('nothing failed')
}

void t.test('what is said is named whole, after the events or before them', async t => {
  given(order, [event('placed', 3)])
    .when('fail')
    .thenEvents(event('failed'))
    .thenOutbox(...said)
    .thenState({ status: 'failed', lines: [{ sku: 'w', count: 3 }] })
  given(order, [event('placed', 3)])
    .when('fail')
    .thenOutbox(...said)
    .thenEvents(event('failed'))
  given(order, [], { now: 500 })
    .when('place', 2)
    .thenEvents(event('placed', 2))
    .thenOutbox(
      schedule('unpaid', { after: 1_000 }, 'fail'),
      schedule('report', { at: 5_500, every: 60_000, late: 'skip' }, 'pay', 7),
    )
  given(order).when('pay', 5).thenEvents(event('paid', 5)).thenOutbox()
  given(order).when('pay', 5).thenEvents(event('paid', 5)).thenReply(undefined)
  given(order).when('look').thenOutbox().thenReply('new')
  t.pass('nothing was thrown')
})

void t.test('effects are named with the events, too, and fail at once', async t => {
  const spec = () => given(order).when('fail')
  spec().thenEvents(event('failed'), ...said)
  spec().thenEvents(...said, event('failed'))
  t.match(
    failureOf(() => spec().thenEvents(event('failed'), said[0]!)),
    /other effects/,
    'all of them',
  )
  t.match(
    failureOf(() => given(order).when('pay', 5).thenEvents(event('paid', 5), said[0]!)),
    /other effects/,
    'and no others',
  )
})

void t.test('what is not named fails, whatever follows', async t => {
  const begun = () => given(order).when('fail').thenEvents(event('failed'))
  const wrong: [string, () => unknown][] = [
    ['thenState', () => begun().thenState({ status: 'failed', lines: [] })],
    ['thenStateMatches', () => begun().thenStateMatches({ status: 'failed' })],
    ['thenReply', () => begun().thenReply(undefined)],
    ['thenEvents', () => begun().thenEvents(event('failed'))],
    ['thenThrows', () => begun().thenThrows('aborted')],
  ]
  for (const [name, work] of wrong) {
    const message = failureOf(work)
    t.match(message, /effects that are not named: name them in \.thenEvents/, name)
    for (const line of [
      'cancel unpaid',
      'send stock/w putBack { data: 3 }',
      'publish orders.failed',
    ])
      t.ok(message.includes(`+ ${line}`), `${message} has ${line}`)
  }
  t.equal(begun().result().ok, true, 'unless the outcome is looked at')
})

void t.test('a specification that ends with its events fails, too', async t => {
  const path = (to: string) => JSON.stringify(fileURLToPath(new URL(to, import.meta.url)))
  const program = `
    import { cancel, defineActor, event } from ${path('../../src/index.js')}
    import { given } from ${path('../../src/testing/index.js')}
    const order = defineActor({ type: 'order', initialState: 0,
      decide: { fail: () => [event('failed'), cancel('unpaid')] }, evolve: { failed: s => s } })
    given(order).when('fail').thenEvents(event('failed'))
    console.log('the chain has ended')`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program],
    { encoding: 'utf8' },
  )
  t.equal(stdout, 'the chain has ended\n')
  t.not(status, 0)
  t.match(stderr, /order\/example at version 0, when fail: effects that are not named/)
})

void t.test('other effects than named are shown side by side', async t => {
  const spec = () => given(order).when('fail').thenEvents(event('failed'))
  const cases: [() => unknown, ...string[]][] = [
    [() => spec().thenOutbox(), '- nothing is said', '+ cancel unpaid'],
    [
      () => spec().thenOutbox(...said.slice(1)),
      '+ cancel unpaid',
      '  send stock/w putBack',
    ],
    [() => spec().thenOutbox(...said, cancel('report')), '- cancel report'],
    [
      () => spec().thenOutbox(said[1]!, said[0]!, said[2]!),
      '- send stock/w',
      '+ send stock/w',
    ],
    [
      () => spec().thenOutbox(said[0]!, send(stock, 'w', 'putBack', 4), said[2]!),
      '- send stock/w putBack { data: 4 }',
      '+ send stock/w putBack { data: 3 }',
    ],
    [
      () =>
        given(order)
          .when('place', 1)
          .thenOutbox(schedule('unpaid', { after: 2 }, 'fail')),
      '- schedule unpaid fail { at: 2 }',
      '+ schedule unpaid fail { at: 1000 }',
      '+ schedule report pay { at: 5000, data: 7, every: 60000, skipAfter: 10000 }',
    ],
    [() => given(order).when('pay', 1).thenOutbox(said[0]!), '+ nothing is said'],
  ]
  for (const [work, ...lines] of cases) {
    const message = failureOf(work)
    for (const line of lines) t.ok(message.includes(line), `${message} has ${line}`)
  }
})

void t.test('a state is matched by the parts that are named', async t => {
  const placed = () => given(order).when('place', 2)
  placed()
    .thenStateMatches({ status: 'placed' })
    .thenStateMatches({ lines: [{ sku: 'w' }] })
    .thenStateMatches({})
  for (const parts of [{ status: 'paid' }, { lines: [] }, { lines: [{ count: 3 }] }])
    t.match(
      failureOf(() => placed().thenStateMatches(parts)),
      /another state/,
    )
  t.match(
    failureOf(() => placed().thenStateMatches({ status: 'paid' })),
    /- \{ status: 'paid' \}\n\+ \{ lines: \[ \{ count: 2, sku: 'w' \} \], status: 'placed' \}/,
  )
  // @ts-expect-error a field that the state does not have
  t.throws(() => placed().thenStateMatches({ state: 'placed' }))
  // @ts-expect-error a value of another type
  t.throws(() => placed().thenStateMatches({ status: 1 }))
  const scalar = defineActor({
    type: 'sum',
    initialState: 1,
    decide: { look: () => undefined },
    evolve: {},
  })
  given(scalar).when('look').thenStateMatches(1)
})
