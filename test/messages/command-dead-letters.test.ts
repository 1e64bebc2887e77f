// Commands that fail for good become dead letters, delay no others, and take effect once when they are sent
// again, whether the courier, the inbox or a timer delivers them.

import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { schedule, send } from '../../src/actor/effects.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend, type Scene } from '../support/backends.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }
t.setTimeout(300_000)

/** A till that fails to count negative amounts until it is repaired. */
const state = { isRepaired: false }
const till = defineActor({
  type: 'till',
  initialState: 0,
  decide: {
    count: (_state, amount: number) => {
      if (amount < 0 && !state.isRepaired) throw new TypeError('less than nothing')
      return event('counted', amount)
    },
    remind: (_state, amount: number) => [
      event('reminded', amount),
      schedule('later', { after: 1 }, 'count', amount),
    ],
  },
  evolve: { counted: (sum, amount: number) => sum + amount, reminded: sum => sum },
})
const customer = defineActor({
  type: 'customer',
  initialState: 0,
  decide: {
    pay: (_state, amounts: readonly number[]) => [
      event('paid', amounts.length),
      ...amounts.map(amount => send(till, 'main', 'count', amount)),
    ],
  },
  evolve: { paid: (paid, count: number) => paid + count },
})

async function lettersOf(node: Node): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of node.deadLetters.list()) letters.push(letter)
  return letters
}

async function scene(t: Test, { start }: Scene) {
  state.isRepaired = false
  const node = await start({ actors: [till, customer] })
  const main = node.spawn(till, 'main')
  const sum = async () => (await main.state()).state
  return { node, main, sum, customer: node.spawn(customer, 'c1') }
}

/** Expects one dead letter; after repair and redrive it takes effect once. */
async function givenUpThenRedriven(
  t: Test,
  { node, sum }: Awaited<ReturnType<typeof scene>>,
  { by, without, whole }: { by: string; without: number; whole: number },
): Promise<void> {
  await until(async () => (await lettersOf(node)).length === 1, {
    describe: 'it is given up',
    ...patience,
  })
  const [letter] = await lettersOf(node)
  t.match(letter, {
    reactor: `commands:${by}`,
    reason: 'max-attempts-exhausted',
    attempts: 5,
    command: { actor: { type: 'till', id: 'main' }, type: 'count' },
    message: { data: -7, topic: 'cairn-commands' },
    redrives: 0,
  })
  t.match(letter!.error.message, /less than nothing/)
  await until(async () => (await sum()) === without, {
    describe: 'what stands behind it is carried out',
    ...patience,
  })

  await node.deadLetters.retry(letter!.position)
  await until(async () => (await lettersOf(node))[0]?.redrives === 1, {
    describe: 'it is given up again, and counts how often it was sent',
    ...patience,
  })
  state.isRepaired = true
  t.equal(await node.deadLetters.retryAll(), 1)
  await until(async () => (await sum()) === whole, {
    describe: 'it is carried out',
    ...patience,
  })
  t.strictSame(await lettersOf(node), [], 'nothing is left')
}

await onEachBackend(
  t,
  'the courier gives up a command that fails for good',
  async (t, on) => {
    const set = await scene(t, on(t))
    await set.customer.ask('pay', [1, -7, 20])
    await givenUpThenRedriven(t, set, { by: 'courier', without: 21, whole: 14 })
  },
)

await onEachBackend(
  t,
  'the inbox gives up a command that fails for good',
  async (t, on) => {
    const set = await scene(t, on(t))
    for (const amount of [1, -7, 20]) await set.main.send('count', amount)
    await givenUpThenRedriven(t, set, { by: 'inbox', without: 21, whole: 14 })
  },
)

await onEachBackend(
  t,
  'due timers give up a command that fails for good',
  async (t, on) => {
    const set = await scene(t, on(t))
    await set.main.ask('remind', -7)
    await set.main.ask('count', 20)
    await givenUpThenRedriven(t, set, { by: 'timers', without: 20, whole: 13 })
  },
)
