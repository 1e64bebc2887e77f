// However a state was come by, it is the same one: lived through, replayed from the events, or
// woken from what a commit carried and gone on from there. And it is the one that XState's own
// running actor has.

import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { createActor, type AnyMachineSnapshot, type AnyStateMachine } from 'xstate'

import { decode, encode } from '../../src/codec/msgpack.js'
import { initialFoldedState, foldEvent } from '../../src/actor/fold.js'
import type { Behavior } from '../../src/model/behavior.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { toState } from '../../src/machine/snapshot.js'
import type { MachineState } from '../../src/machine/types.js'
import { randomFrom } from '../actor/support.js'
import { done, fixtures, ride } from './machines.js'
import { actor, carryOut, recorded, still } from './replaying.js'

/**
 * Keys and moments are Cairn's own, and XState keeps children that have ended until a state is
 * left.
 */
function comparable(state: unknown): object {
  const { children: _children, timers: _timers, ...rest } = state as MachineState
  return rest
}

/** Child machines are where XState's own actors are. */
function sameChildren(
  { children = {} }: MachineState,
  live: AnyMachineSnapshot,
  same: (found: unknown, wanted: unknown, what: string) => void,
): void {
  for (const [id, { state }] of Object.entries(children)) {
    if (state === undefined) continue
    const child = live.children[id]?.getSnapshot() as AnyMachineSnapshot
    const { status, value, context } = child ?? {}
    const found = { status: state.status, value: state.value, context: state.context }
    same(found, { status, value, context }, `child ${id}`)
    sameChildren(state, child, same)
  }
}

for (const { definition, input, draw } of fixtures)
  await t.test(`${definition.type}: lived, replayed and woken are one`, t => {
    const machine: AnyStateMachine = definition.machine
    let accepted = 0
    let refused = 0
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed)
      // One assertion each would be tens of thousands.
      const same = (found: unknown, wanted: unknown, what: string) => {
        if (!isDeepStrictEqual(found, wanted))
          t.strictSame(found, wanted, `seed ${seed}: ${what}`)
      }
      const folding = {
        actor: actor(definition.type),
        behavior: definition.behavior as Behavior,
      }
      const live = createActor(machine, { input, clock: still }).start()
      let state: unknown = initialFoldedState(folding).state
      let woken: unknown = state
      const history: RecordedEvent[] = []
      const states: unknown[] = []
      const lengths: number[] = []
      t.strictSame(state, toState(machine, live.getSnapshot()), 'before any event')
      for (let i = 0; i < 40; i++) {
        const event = draw(random, state as MachineState)
        const { status } = live.getSnapshot()
        const told = /^xstate\.\w+\.actor\.(\w+)$/.exec(event.type)?.[1]
        const { key, timer, ...rest } = event
        const isDue =
          timer === undefined
            ? undefined
            : Object.hasOwn((state as MachineState).timers ?? {}, timer as string)
        const incoming = told === undefined ? rest : { ...rest, actorId: told }
        // XState has no keys: whether it is that very child is for the state to know.
        const isMeant =
          isDue ??
          (told === undefined
            ? live.getSnapshot().can(incoming)
            : key !== undefined && (state as MachineState).children?.[told]?.key === key)
        const canLive = status === 'active' && isMeant
        const before = encode(state)
        const next = carryOut(definition, state, history.length, event)
        same(next !== undefined, canLive, `${event.type} is accepted`)
        same(encode(state), before, 'deciding changes no state')
        if (next === undefined) {
          refused++
          continue
        }
        accepted++
        live.send(incoming)
        const from = history.length
        for (const [n, one] of next.events.entries())
          history.push(recorded(definition.type, one, from + n + 1))
        state = next.state
        states.push(state)
        lengths.push(history.length)
        const seen = toState(machine, live.getSnapshot())
        same(comparable(state), comparable(seen), `as XState, after ${event.type}`)
        sameChildren(state as MachineState, live.getSnapshot(), same)
        // One that sleeps after every event, and wakes from what the commit carried.
        for (const one of history.slice(from))
          woken = foldEvent(folding, decode(encode(woken)), one)
        same(encode(woken), encode(state), `woken after ${event.type}`)
      }
      let replayed: unknown = initialFoldedState(folding).state
      for (const event of history) replayed = foldEvent(folding, replayed, event)
      t.strictSame(encode(replayed), encode(state), `seed ${seed}: replayed`)
      // From any place on the way: the state there and the events behind it.
      const place = Math.floor(random() * states.length)
      if (states.length === 0) continue
      let later = decode(encode(states[place]))
      for (const event of history.slice(lengths[place]))
        later = foldEvent(folding, later, event)
      t.strictSame(encode(later), encode(state), `seed ${seed}: from version ${place}`)
      live.stop()
    }
    t.ok(accepted > 200, `${accepted} events were accepted`)
    t.ok(refused > 100, `${refused} were refused`)
    t.end()
  })

await t.test('replaying runs no action, nor does deciding', t => {
  const folding = { actor: actor('ride'), behavior: ride.behavior as Behavior }
  let state: unknown = initialFoldedState(folding).state
  const decided = carryOut(ride, state, 0, { type: 'begin', rider: 'r' })!
  t.strictSame(
    decided.events.map(event => event.type),
    ['xstate.init', 'begin'],
    'an actor begins with an event of its own',
  )
  for (const [i, event] of decided.events.entries())
    state = foldEvent(folding, state, recorded('ride', event, i + 1))
  t.equal((state as MachineState).value, 'driving')
  t.strictSame(done, [])
  t.end()
})

await t.test(
  'an event that the machine no longer takes stops the fold, by its name',
  t => {
    const folding = { actor: actor('ride'), behavior: ride.behavior as Behavior }
    const { state } = initialFoldedState(folding)
    t.throws(() => foldEvent(folding, state, recorded('ride', { type: 'end' }, 2)), {
      code: 'actor-parked',
      message: /does not accept it in state "free".*the machine has changed/,
    })
    t.end()
  },
)
