// Drawn statecharts beside plain XState.
//
// One machine and up to 60 events are drawn from a seed. After every event, what XState's own actor has reached is
// compared with the state that a durable actor has lived through, with the one that it has after it woke from a stored
// state before every event, and at the end with the one that it has when all its events are replayed.

import { isDeepStrictEqual } from 'node:util'

import type { AnyMachineSnapshot } from 'xstate'

import { foldEvent, initialFoldedState } from '../../src/actor/fold.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { allTimers } from '../../src/machine/timers.js'
import type { MachineState } from '../../src/machine/types.js'
import { isCairnError } from '../../src/model/errors.js'
import type { Behavior } from '../../src/model/behavior.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { randomFrom } from '../actor/support.js'
import { seen, startBeside } from './beside.js'
import { carryOut, recorded } from './replaying.js'
import { drawEvent, drawMachine } from './statechart.js'

const eventsMax = 60

export interface Difference {
  readonly seed: number
  readonly what: string
  readonly found: unknown
  readonly wanted: unknown
}

export interface Compared {
  readonly difference?: Difference
  readonly accepted: number
  readonly rejected: number
  readonly delays: number
  readonly children: number
  readonly ended: number
  /** 1 if it was not compared to its end: a child had a twin, or was overtaken by its parent. */
  readonly twins: number
}

function tryCarryOut<Next>(carry: () => Next): Next | 'failed' | undefined {
  try {
    return carry()
  } catch (error) {
    if (!isCairnError(error)) throw error
    // Named in docs/machines.md: a type that the machine never handles is an error.
    if (error.code === 'unknown-command') return undefined
    if (error.code === 'decide-failed') return 'failed'
    throw error
  }
}

export function compareStatechart(seed: number): Compared {
  const random = randomFrom(seed)
  const machine = drawMachine(random)
  const definition = fromMachine(machine)
  const folding = {
    actor: { type: 'm', id: 'one' },
    behavior: definition.behavior as Behavior,
  }
  const { live, hasTwins, hasOvertaken, fire } = startBeside(seed)
  const counts = { accepted: 0, rejected: 0, delays: 0, children: 0, ended: 0, twins: 0 }
  const differing = (what: string, found: unknown, wanted: unknown): Compared => {
    live.stop()
    return { ...counts, difference: { seed, what, found, wanted } }
  }
  const folded = (state: unknown) => seen(definition.snapshot(state as never) as never)

  let state: unknown = initialFoldedState(folding).state
  let woken: unknown = state
  const started = seen(live.getSnapshot() as never)
  if (!isDeepStrictEqual(folded(state), started))
    return differing('at the start', folded(state), started)
  const history: RecordedEvent[] = []
  const length = 1 + Math.floor(random() ** 2 * eventsMax)
  for (let i = 0; i < length; i++) {
    const due = Object.keys(allTimers(state as MachineState))
    const timer =
      due.length > 0 && random() < 0.2
        ? due[Math.floor(random() * due.length)]!
        : undefined
    const type = timer ?? drawEvent(random)
    const what = `${type}, event ${i + 1}`
    const send = () => (timer === undefined ? live.send({ type }) : fire(timer))
    const { status } = live.getSnapshot()
    const isTaken =
      timer !== undefined ||
      (status === 'active' &&
        (live.getSnapshot() as never as AnyMachineSnapshot).can({ type }))
    const incoming = timer === undefined ? { type } : { type, timer }
    const next = tryCarryOut(() => carryOut(definition, state, history.length, incoming))
    if (next === 'failed') {
      // Named in docs/machines.md: XState's machine ends with the error, and here the command fails.
      send()
      const { status: after } = live.getSnapshot()
      if (after !== 'error') return differing(`${what}: failed`, 'failed', after)
      return counts
    }
    if ((next !== undefined) !== isTaken)
      return differing(`${what}: accepted`, next !== undefined, isTaken)
    if (next === undefined) {
      counts.rejected++
      continue
    }
    counts[timer === undefined ? 'accepted' : 'delays']++
    send()
    const from = history.length
    for (const [n, one] of next.events.entries())
      history.push(recorded('m', one, from + n + 1))
    state = next.state
    // Named in docs/machines.md: XState may have two children under one id, and a parent may overtake its child.
    if (hasTwins() || hasOvertaken()) {
      live.stop()
      return { ...counts, twins: 1 }
    }
    const wanted = seen(live.getSnapshot() as never)
    if (!isDeepStrictEqual(folded(state), wanted))
      return differing(`${what}: living`, folded(state), wanted)
    for (const one of history.slice(from))
      woken = foldEvent(folding, decode(encode(woken)), one)
    if (!isDeepStrictEqual(encode(woken), encode(state)))
      return differing(`${what}: woken`, decode(encode(woken)), decode(encode(state)))
    const { children, ended } = state as MachineState
    if (children !== undefined) counts.children++
    if (ended !== undefined) counts.ended++
  }
  let replayed: unknown = initialFoldedState(folding).state
  for (const event of history) replayed = foldEvent(folding, replayed, event)
  if (!isDeepStrictEqual(encode(replayed), encode(state)))
    return differing('replayed', decode(encode(replayed)), decode(encode(state)))
  live.stop()
  return counts
}
