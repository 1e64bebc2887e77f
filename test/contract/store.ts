// The event store contract: one suite for every implementation of src/store/event-store/event-store.ts.
//
//     testEventStore(t, 'memory', async () => fixture)
//
// It uses only the fixture of an implementation, and its title names the implementation.

import type { Test } from 'tap'

import { testAppending } from './store/appending.js'
import { testClosing } from './store/closing.js'
import { testData } from './store/data.js'
import { testFollowing } from './store/following.js'
import { testHead } from './store/head.js'
import { testInput } from './store/input.js'
import { testDiscontinuity } from './store/discontinuity.js'
import { testMalformed } from './store/malformed.js'
import { testNames } from './store/names.js'
import { testRaces } from './store/races.js'
import { testReading } from './store/reading.js'
import { testReadingAll } from './store/reading-all.js'
import type { StoreFixture, Suite } from './store/support.js'
import { testTransactions } from './store/transactions.js'
import { testVersionCache } from './store/version-cache.js'

export type { InjectedRecord, OpenOptions, StoreFixture } from './store/support.js'

const parts = [
  testAppending,
  testInput,
  testReading,
  testHead,
  testReadingAll,
  testFollowing,
  testNames,
  testData,
  testMalformed,
  testDiscontinuity,
  testVersionCache,
  testRaces,
  testTransactions,
  testClosing,
]

/**
 * Holds an implementation to the port. `make` is called once per test and gives a place
 * for data that is empty and its own.
 */
export async function testEventStore(
  t: Test,
  name: string,
  make: (t: Test) => Promise<StoreFixture>,
): Promise<void> {
  await t.test(`the event store contract: ${name}`, async t => {
    let tests = 0
    const suite: Suite = (title, body) => {
      tests++
      void t.test(title, async t => {
        const fixture = await make(t)
        try {
          await body(t, fixture)
        } finally {
          await fixture[Symbol.asyncDispose]()
        }
      })
    }
    for (const part of parts) part(suite)
    t.comment(`the event store contract ran against ${name}: ${tests} tests`)
  })
}
