// The same bad day for actors that remember hardly any command: who relied on their window
// instead of their log would carry commands out twice.

import t from 'tap'

import { badDay } from './bad-day.js'

t.setTimeout(300_000)

await t.test('each command acts once, whatever the window of its actor', t =>
  badDay(t, 'ledger', ['--actors', 'test/support/actors/ledger.mjs']),
)
