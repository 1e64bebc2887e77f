import t from 'tap'

import { checkNewEvent, eventId, type NewEvent } from '../../src/model/event.js'

await t.test('valid events are returned unchanged', async t => {
  const good: NewEvent[] = [
    { type: 'deposited' },
    { type: 'a b,c*', data: 1, metadata: {} },
    { type: '🪨'.repeat(64), metadata: { 'any key': '', ünusual: 'ü' } },
    { type: 'e'.repeat(256) },
  ]
  for (const event of good) t.equal(checkNewEvent(event), event)
})

await t.test('invalid events are errors', async t => {
  const bad: unknown[] = [
    null,
    undefined,
    'deposited',
    {},
    { type: '' },
    { type: 7 },
    { type: 'a\nb' },
    { type: 'a\0' },
    { type: '\u007f' },
    { type: '\ud800' },
    { type: 'e'.repeat(257) },
    { type: '🪨'.repeat(65) },
    { type: 'a', metadata: null },
    { type: 'a', metadata: 'x' },
    { type: 'a', metadata: { n: 1 } },
    { type: 'a', metadata: { n: undefined } },
    { type: 'a', metadata: { text: '\udc00' } },
    { type: 'a', metadata: { '\udc00': 'x' } },
    { type: 'a', metadata: JSON.parse('{"__proto__":"x"}') },
  ]
  for (const event of bad)
    t.throws(() => checkNewEvent(event as NewEvent), { code: 'invalid-event' })
})

await t.test('an event’s id is its actor’s address and its version', async t => {
  t.equal(eventId({ type: 'account', id: 'a/b' }, 7), 'account/a/b/7')
})
