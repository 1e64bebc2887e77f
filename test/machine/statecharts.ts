// Drawn statecharts beside plain XState.
//
// One machine and up to 60 events are drawn from a seed. After every event, what XState's own actor has reached is
// compared with the state that a durable actor has lived through, with the one that it has after it woke from a stored
// state before every event, and at the end with the one that it has when all its events are replayed.

import { isDeepStrictEqual } from 'node:util'

import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type StateValue,
} from 'xstate'

import { foldEvent, initialFoldedState } from '../../src/actor/fold.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { inDeclaredOrder, toState } from '../../src/machine/snapshot.js'
import { allTimers } from '../../src/machine/timers.js'
import type { MachineState } from '../../src/machine/types.js'
import { isCairnError } from '../../src/model/errors.js'
import type { Behavior } from '../../src/model/behavior.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { randomFrom } from '../actor/support.js'
import { carryOut, recorded, still } from './replaying.js'
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
  /** 1 if XState has started a child while the one before it under the same id was still running. */
  readonly twins: number
}

/** What is used here of XState's actors. */
interface Started {
  readonly id: string
  readonly _parent?: { readonly sessionId: string }
  readonly _processingStatus: number
}
const isRunning = 1

interface Ref {
  readonly id: string
  getSnapshot(): AnyMachineSnapshot
}

/** A snapshot, with its children, in a form that can be compared. References are named by what can be seen of them. */
function seen(snapshot: AnyMachineSnapshot): unknown {
  const { status, value, context, output } = toState(snapshot.machine, snapshot)
  const refs = (context as { readonly refs?: readonly Ref[] }).refs?.map(ref => {
    const { status: its, value: where } = ref.getSnapshot()
    // Named in docs/machines.md: XState's reference to a child that never started is active.
    const isHere = status === 'active' && snapshot.children[ref.id] === ref
    return [ref.id, its === 'active' && !isHere ? 'stopped' : its, where as unknown]
  })
  const children = Object.entries(snapshot.children as Readonly<Record<string, Ref>>)
    .map(([id, child]) => [id, child.getSnapshot()] as const)
    .filter(([, below]) => status === 'active' && below.status === 'active')
    .map(([id, below]) => [id, seen(below)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { status, value, context: { ...(context as object), refs }, output, children }
}

interface Stepping {
  transition(snapshot: AnyMachineSnapshot, ...rest: unknown[]): unknown
  readonly implementations: { readonly actors: Readonly<Record<string, Stepping>> }
}

/**
 * A machine that takes the transitions of parallel states in the order of their declaration, as XState does for a
 * restored snapshot. Named in docs/machines.md: an actor of XState takes them in the order in which it has entered them.
 */
function ordered(machine: AnyStateMachine): AnyStateMachine {
  const stepping = machine as unknown as Stepping
  const { transition, implementations } = stepping
  stepping.transition = (snapshot, ...rest) => {
    const own = snapshot as unknown as { _nodes: { order: number }[]; value: StateValue }
    own._nodes.sort((a, b) => a.order - b.order)
    own.value = inDeclaredOrder(machine.root, own.value)
    return transition.call(machine, snapshot, ...rest)
  }
  for (const child of Object.values(implementations.actors))
    ordered(child as unknown as AnyStateMachine)
  return machine
}

type Live = ReturnType<typeof createActor>

/** The machine of XState that a timer of Cairn belongs to, and the timer's event. */
function receiverOf(live: Live, timer: string) {
  const path = timer.split('#')
  const type = path.pop()!
  let actor = live as { getSnapshot(): AnyMachineSnapshot; send(event: object): void }
  for (const id of path) actor = actor.getSnapshot().children[id] as never
  return { actor, event: { type } }
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
  let hasTwins = false
  const running = new Map<string, Started>()
  const live = createActor(ordered(drawMachine(randomFrom(seed))), {
    id: 'one',
    clock: still,
    inspect({ type, actorRef, ...rest }) {
      if (type !== '@xstate.event') return
      const { event } = rest as { readonly event: { readonly type: string } }
      const started = actorRef as unknown as Started
      if (event.type !== 'xstate.init' || started._parent === undefined) return
      const key = `${started._parent.sessionId}/${started.id}`
      if (running.get(key)?._processingStatus === isRunning) hasTwins = true
      running.set(key, started)
    },
  })
  live.subscribe({ error() {} })
  live.start()
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
    const { actor, event } =
      timer === undefined ? { actor: live, event: { type } } : receiverOf(live, timer)
    const { status } = live.getSnapshot()
    const isTaken =
      timer !== undefined ||
      (status === 'active' &&
        (live.getSnapshot() as never as AnyMachineSnapshot).can(event))
    const incoming = timer === undefined ? { type } : { type, timer }
    const next = tryCarryOut(() => carryOut(definition, state, history.length, incoming))
    if (next === 'failed') {
      // Named in docs/machines.md: XState's machine ends with the error, and here the command fails.
      actor.send(event)
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
    actor.send(event)
    const from = history.length
    for (const [n, one] of next.events.entries())
      history.push(recorded('m', one, from + n + 1))
    state = next.state
    // Named in docs/machines.md: XState may have two children under one id.
    if (hasTwins) {
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
