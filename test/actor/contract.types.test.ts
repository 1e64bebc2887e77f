// Contracts: two actor types send to each other and compile, handlers take the types of their contract, and a
// reference to a contract sends commands. The compiler checks this file, which must compile.

import t from 'tap'

import { contract } from '../../src/actor/contract.js'
import { defineActor } from '../../src/actor/define-actor.js'
import type { CommandShape } from '../../src/actor/definition.js'
import type { OutcomeOf, StateOf } from '../../src/actor/definition-types.js'
import { schedule, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { memory } from '../../src/backend/memory.js'
import type { Rejection } from '../../src/model/behavior.js'
import type { AcceptedOutcome, RejectedOutcome } from '../../src/model/command-sender.js'
import {
  defineTopic,
  type MessageData,
  type MessageInput,
} from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

// The compiler calls two deferred conditional types identical only if their operands are.
type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

interface Ball {
  readonly to: string
  readonly left: number
}
type Busy = Rejection<'busy', undefined>
const Ping = contract<{ hit: Ball; rest: void }>('ping')
const Pong = contract<{
  hit: CommandShape<Ball, number, Busy>
  count: CommandShape<undefined, number, never>
}>('pong')

const ping = defineActor({
  implements: Ping,
  initialState: { hits: 0 },
  decide: {
    // The type of the data comes from the contract.
    hit: ({ hits }, { to, left }) => [
      event('hit', hits + 1),
      ...(left > 0 ? [send(Pong, to, 'hit', { to, left: left - 1 })] : []),
    ],
    rest: () => [
      event('hit', 0),
      schedule('again', { after: 1 }, 'remember', { why: 'rested' }),
    ],
    // A definition may have more commands than its contract.
    remember: (_state, { why }: { why: string }) => event('hit', why.length),
  },
  evolve: { hit: (_state, hits: number) => ({ hits }) },
})
const pong = defineActor({
  implements: Pong,
  initialState: 0,
  decide: {
    hit: (hits, { to, left }) =>
      hits > 5
        ? reject('busy')
        : {
            events: [
              event('hit'),
              ...(left > 0 ? [send(Ping, to, 'hit', { to, left: left - 1 })] : []),
            ],
            reply: hits + 1,
          },
    count: hits => ({ reply: hits }),
  },
  evolve: { hit: hits => hits + 1 },
})

same<Equal<StateOf<typeof ping>, { hits: number }>>()
same<
  Equal<OutcomeOf<typeof Pong, 'hit'>, AcceptedOutcome<number> | RejectedOutcome<Busy>>
>()
same<Equal<OutcomeOf<typeof Pong, 'count'>, AcceptedOutcome<number>>>()
// Without a name, it is that of any command.
same<OutcomeOf<typeof Pong, 'hit'> extends OutcomeOf<typeof Pong> ? true : false>()
same<Equal<Extract<OutcomeOf<typeof Pong>, { ok: false }>, RejectedOutcome<Busy>>>()
same<
  Equal<OutcomeOf<typeof pong, 'hit'>, AcceptedOutcome<number> | RejectedOutcome<Busy>>
>()

const confirmed = defineTopic<{ clientId: string }>('carts.confirmed')
same<Equal<MessageInput<typeof confirmed>, { clientId: string }>>()
same<Equal<MessageData<typeof confirmed>, { clientId: string }>>()

await t.test(
  'two types send to each other, and callers need only the contracts',
  async t => {
    await using node = await startNode({
      namespace: 'rally',
      store: memory(),
      actors: [ping, pong],
    })
    const outcome = await node.spawn(Pong, 'b').ask('hit', { to: 'b', left: 7 })
    if (outcome.ok) same<Equal<typeof outcome.reply, number>>()
    else same<Equal<typeof outcome.rejection.code, 'busy'>>()
    await until(async () => (await node.spawn(Pong, 'b').ask('count')).reply === 4, {
      timeout: 60_000,
    })
    await node.spawn(ping, 'b').until(({ hits }) => hits === 4, { timeout: 60_000 })
    t.strictSame(node.spawn(Ping, 'b').address, { type: 'ping', id: 'b' })
    t.notOk('state' in node.spawn(Ping, 'b'))
    await node.spawn(Ping, 'c').send('rest')
    await node
      .spawn(ping, 'c')
      .until(({ hits }) => hits === 'rested'.length, { timeout: 60_000 })
  },
)

await t.test('a contract that does not fit is refused', async t => {
  t.throws(() => contract('a b'), { code: 'invalid-actor-type' })
  const spec = { initialState: 0, decide: { hit: () => {}, rest: () => {} }, evolve: {} }
  const odd = { code: 'invalid-definition' }
  t.throws(() => defineActor({ ...spec, type: 'ping', implements: 'ping' as never }), {
    ...odd,
    message: /implements "ping": pass what contract/,
  })
  t.throws(() => defineActor({ ...spec, type: 'pang', implements: Ping }), {
    ...odd,
    message: /"pang" implements the contract of ping/,
  })
  t.equal(defineActor({ ...spec, type: 'ping', implements: Ping }).type, 'ping')
  t.throws(() => defineActor({ ...spec } as never), { code: 'invalid-actor-type' })
  await using node = await startNode({
    namespace: 'rally',
    store: memory(),
    actors: [ping],
  })
  t.throws(() => node.spawn(Ping, ''), { code: 'invalid-actor-id' })
  await t.rejects(node.spawn(Ping, 'a').ask('hitt' as never), {
    code: 'unknown-command',
    message: /Did you mean hit\?/,
  })
})
