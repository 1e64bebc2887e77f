// Random values in decisions: a command that is decided again draws the same.

import t from 'tap'

import { DecisionContext } from '../../src/actor/decision-context.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { memory } from '../../src/backend/memory.js'
import { startNode } from '../../src/runtime/start-node.js'
import { deferred } from '../../src/model/wait.js'

const uuidPattern = /^[\da-f]{8}-[\da-f]{4}-5[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

function drawsOf(type: string, id: string, commandId: string, version = 0): unknown[] {
  const { uuid, random } = new DecisionContext({ type, id }, version, commandId, version)
  return [uuid(), random(), uuid(), random()]
}

await t.test('draws depend on the actor, the command and their order alone', async t => {
  const draws = drawsOf('order', 'a', 'c')
  t.strictSame(
    drawsOf('order', 'a', 'c', 7),
    draws,
    'not on the version, nor on the time',
  )
  t.equal(new Set(draws).size, 4)
  const others = [
    drawsOf('order', 'b', 'c'),
    drawsOf('cart', 'a', 'c'),
    drawsOf('order', 'a', 'd'),
  ].flat()
  t.notOk(others.some(one => draws.includes(one)))
  for (const draw of [...draws, ...others])
    if (typeof draw === 'string') t.match(draw, uuidPattern)
    else t.ok((draw as number) >= 0 && (draw as number) < 1)
})

await t.test('numbers are spread evenly', async t => {
  const { random } = new DecisionContext({ type: 'die', id: 'x' }, 0, 'c', 0)
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 4_000; i++) counts[Math.floor(random() * 4)]!++
  for (const count of counts) t.ok(count > 850 && count < 1_150, String(counts))
})

await t.test('a command that loses to another writer draws the same again', async t => {
  const drawn: string[] = []
  const ticket = defineActor({
    type: 'ticket',
    initialState: '',
    decide: {
      draw: (_state, _data, { uuid, random }) => {
        const number = `${uuid()} ${random()}`
        drawn.push(number)
        return { events: event('drawn', number), reply: number }
      },
    },
    evolve: { drawn: (_state, number: string) => number },
  })
  await using node = await startNode({
    namespace: 'draws',
    store: memory(),
    actors: [ticket],
  })
  const actor = { type: 'ticket', id: 'x' }
  await node.spawn(ticket, 'x').ask('draw')
  drawn.length = 0
  // Another writer, of which this actor has not heard when it decides.
  const gate = deferred<void>()
  const foreign = gate.promise.then(() =>
    node.store.append(actor, [{ type: 'drawn', data: 'foreign' }], { expected: 'any' }),
  )
  const asked = node.spawn(ticket, 'x').ask('draw', undefined, { commandId: 'mine' })
  gate.resolve()
  await foreign
  const { reply } = await asked
  t.ok(drawn.length >= 1 && new Set(drawn).size === 1, String(drawn))
  t.equal(reply, drawn[0])
  await node.spawn(ticket, 'y').ask('draw', undefined, { commandId: 'mine' })
  t.not(drawn.at(-1), reply, 'another actor draws others')
})
