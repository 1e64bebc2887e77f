// Sets of topics, by names and by patterns.

import t from 'tap'

import { defineTopic } from '../../src/model/topic.js'
import { checkTopicPattern, TopicSelection } from '../../src/model/topic-selection.js'

await t.test('a pattern matches as a subject of NATS does', async t => {
  const cases: readonly (readonly [pattern: string, yes: string, no: string])[] = [
    ['*', 'orders', 'orders.placed'],
    ['>', 'orders,orders.placed,a.b.c.d.e.f.g', ''],
    ['orders.*', 'orders.placed,orders.a-b_9', 'orders,orders.eu.placed,order.placed'],
    ['orders.>', 'orders.placed,orders.eu.placed', 'orders,bills.placed,ordersX.placed'],
    ['*.placed', 'orders.placed', 'orders.eu.placed,orders.placedX'],
    ['a.*.c.>', 'a.b.c.d,a.b.c.d.e', 'a.b.c,a.b.x.d'],
  ]
  const list = (text: string) => text.split(',').filter(name => name !== '')
  for (const [pattern, yes, no] of cases) {
    const selection = new TopicSelection([checkTopicPattern('It', pattern)])
    for (const name of list(yes)) t.ok(selection.has(name), `${pattern} has ${name}`)
    for (const name of list(no)) t.notOk(selection.has(name), `${pattern} has no ${name}`)
  }
  const every = new TopicSelection(['>', '*'])
  // Targets in a commit that are no topics, and what only Cairn may use.
  for (const name of ['>', '@', '@-', '!', '!-', '', 'a..b', 'a b', 'cairn-events.order'])
    t.notOk(every.has(name), name)
  const both = new TopicSelection(['cairn-events.order', 'orders.*', 'orders.*'])
  t.ok(both.has('cairn-events.order'))
  t.ok(both.has('orders.placed'))
  t.strictSame([[...both.names], both.patterns], [['cairn-events.order'], ['orders.*']])
})

await t.test('what is no pattern is refused', async t => {
  for (const [pattern, says] of [
    ['orders.placed', /has no wildcard\. Pass a topic made by defineTopic/],
    ['', /has no wildcard/],
    ['orders.pl*', /use up to 7 names/],
    ['>.placed', /">" may be the last/],
    ['orders.>.x', /">" may be the last/],
    ['.*', /use up to 7 names/],
    ['orders..*', /use up to 7 names/],
    ['orders. *', /use up to 7 names/],
    ['a.b.c.d.e.f.g.*', /use up to 7 names/],
    [`${'x'.repeat(127)}.*`, /128 characters in all/],
    ['cairn-events.*', /reserved for Cairn\. Pass eventsOf/],
    ['cairn-*', /use up to 7 names/],
  ] as const)
    t.throws(() => checkTopicPattern('Reactor r', pattern), {
      code: 'invalid-definition',
      message: says,
    })
  t.throws(() => defineTopic('orders.*'), { code: 'invalid-definition' })
})
