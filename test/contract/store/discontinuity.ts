// Contract: a commit that another program has stored past every check, with versions that do not continue.

import { createActorHost } from '../../../src/actor/host.js'
import { defineActor } from '../../../src/actor/define-actor.js'
import { DefinitionRegistry } from '../../../src/actor/registry.js'
import { event } from '../../../src/actor/event.js'
import { verifyHistory } from '../../../src/actor/verify.js'
import { encodeCommit } from '../../../src/codec/envelope.js'
import type { Behavior } from '../../../src/model/behavior.js'
import type { EventStore } from '../../../src/store/event-store/event-store.js'
import { account, deposits, type InjectedRecord, type Suite } from './support.js'

const definition = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: { deposit: (_state, amount: number) => event('deposited', { amount }) },
  evolve: {
    deposited: ({ balance }, { amount }: { amount: number }) => ({
      balance: balance + amount,
    }),
  },
})

function hostOn(store: EventStore) {
  const errors: string[] = []
  const host = createActorHost({
    store,
    nodeId: 'n',
    definitions: new DefinitionRegistry([definition]),
    log: (level, message) => void (level === 'error' && errors.push(message)),
  })
  return { host, errors, [Symbol.asyncDispose]: () => host.close({ timeout: 0 }) }
}

/** A commit of other events at versions of its own choosing. */
function injected(firstVersion: number, count = 1, state?: unknown): InjectedRecord {
  const { headers, body } = encodeCommit({
    id: `injected-${firstVersion}`,
    actor: account,
    firstVersion,
    events: deposits(...Array.from({ length: count }, () => 1_000)),
    at: 1,
    nodeId: 'elsewhere',
    ...(state !== undefined && { state: { behavior: 1, value: state } }),
  })
  return { headers: Object.fromEntries(headers), body }
}

const cases: readonly (readonly [string, InjectedRecord])[] = [
  ['the first version again', injected(1)],
  ['an earlier version again', injected(2)],
  ['the last version again', injected(3)],
  ['the last two versions again', injected(2, 2)],
  ['the last version again, and one more', injected(3, 2)],
  ['an earlier version again, with a state', injected(2, 1, { balance: 7 })],
  ['the last version again, unreadable', { ...injected(3), body: Buffer.from('x') }],
]

export function testDiscontinuity(test: Suite): void {
  for (const [what, record] of cases)
    test(`a foreign commit parks an actor that is in memory: ${what}`, async (t, place) => {
      const store = await place.open()
      await using at = hostOn(store)
      for (const amount of [1, 2, 3]) await at.host.ask(account, 'deposit', amount)
      const { position } = await store.head(account)
      await place.injectRecord(account, record)
      // As the notice of the record does.
      at.host.onDiscontinuity(account, 3, false)
      const parked = {
        code: 'actor-parked',
        message: /position \d+ has versions? .* was expected there/,
        details: { position: position + 1 },
      }
      await t.rejects(at.host.ask(account, 'deposit', 4), parked)
      await t.rejects(at.host.state(account), parked)
      t.equal(at.host.stats().parked, 1)
      t.equal(at.errors.length, 1, 'one line in the log')
      const { behavior } = definition
      const { signal } = new AbortController()
      const options = { store, actor: account, behavior: behavior as Behavior, signal }
      t.match(await verifyHistory(options), {
        kind: 'fails',
        error: { details: { position: position + 1 } },
      })
    })

  test('a foreign commit beyond the next version parks an actor that is suspected for it', async (t, place) => {
    const store = await place.open()
    await using at = hostOn(store)
    for (const amount of [1, 2, 3]) await at.host.ask(account, 'deposit', amount)
    // With a state of its own, the last record alone seems whole.
    await place.injectRecord(account, injected(7, 1, { balance: 7 }))
    at.host.onDiscontinuity(account, 3, false)
    await t.rejects(at.host.state(account), {
      code: 'actor-parked',
      message: /has version 7, and version 4 was expected/,
    })
    t.equal(at.host.stats().discontinuities, 1)
  })

  test('a suspected actor whose history is whole goes on', async (t, place) => {
    const store = await place.open()
    await using at = hostOn(store)
    await at.host.ask(account, 'deposit', 1)
    const other = await place.open()
    for (const amount of [2, 3]) await other.append(account, deposits(amount))
    at.host.onDiscontinuity(account, 1, false)
    t.match(await at.host.state(account), {
      state: { balance: 6 },
      version: 3,
      exists: true,
    })
    t.match(await at.host.ask(account, 'deposit', 4), { ok: true, version: 4 })
    t.match(at.host.stats(), { parked: 0, discontinuities: 0 })
  })
}
