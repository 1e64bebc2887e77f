// Stored commands through a bad day of their nodes and their server. Their actors remember
// hardly any command: who relied on their window instead of their log would act twice.

import t from 'tap'

import { badDay } from './bad-day.js'

t.setTimeout(300_000)

await t.test('each command acts once and in order, come what may', t =>
  badDay(t, 'ledger', ['--actors', 'test/support/actors/ledger.mjs']),
)
