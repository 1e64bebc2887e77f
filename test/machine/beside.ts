// XState's own actor of a drawn statechart, beside a durable one.

import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type StateValue,
} from 'xstate'

import { inDeclaredOrder, toState } from '../../src/machine/snapshot.js'
import { randomFrom } from '../actor/support.js'
import { still } from './replaying.js'
import { drawMachine } from './statechart.js'

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
export function seen(snapshot: AnyMachineSnapshot): unknown {
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
 * A machine that is in all states that its value says, and takes the transitions of parallel states in the order of their
 * declaration, as XState is and does from a restored snapshot. Named in docs/machines.md: a living actor of XState takes
 * them in the order in which it has entered them, and may have lost a region.
 */
function ordered(machine: AnyStateMachine): AnyStateMachine {
  const stepping = machine as unknown as Stepping
  const { transition, implementations } = stepping
  stepping.transition = (snapshot, ...rest) => {
    const own = snapshot as unknown as { _nodes: { order: number }[]; value: StateValue }
    own.value = inDeclaredOrder(machine.root, own.value)
    const resolved = machine.resolveState({ value: own.value, context: {} })
    const { _nodes: all } = resolved as unknown as { _nodes: { order: number }[] }
    own._nodes = all.toSorted((a, b) => a.order - b.order)
    return transition.call(machine, snapshot, ...rest)
  }
  for (const child of Object.values(implementations.actors))
    ordered(child as unknown as AnyStateMachine)
  return machine
}

export type Live = ReturnType<typeof createActor>

/** The machine of XState that a timer of Cairn belongs to, and the timer's event. */
function receiverOf(live: Live, timer: string) {
  const path = timer.split('#')
  const type = path.pop()!
  let actor = live as { getSnapshot(): AnyMachineSnapshot; send(event: object): void }
  for (const id of path) actor = actor.getSnapshot().children[id] as never
  return { actor, event: { type } }
}

/** Starts XState's own actor of the machine that a seed draws. */
export function startBeside(seed: number) {
  let hasTwins = false
  /** The child whose delay is over, while it takes the event. */
  let acting: unknown
  const sent = { toParent: false, toItself: false }
  const running = new Map<string, Started>()
  const live: Live = createActor(ordered(drawMachine(randomFrom(seed))), {
    id: 'one',
    clock: still,
    inspect({ type, actorRef, ...rest }) {
      if (type !== '@xstate.event') return
      const { event, sourceRef } = rest as {
        readonly event: { readonly type: string }
        readonly sourceRef?: unknown
      }
      const started = actorRef as unknown as Started
      if (acting !== undefined && sourceRef === acting)
        sent[(started as unknown) === acting ? 'toItself' : 'toParent'] = true
      if (event.type !== 'xstate.init' || started._parent === undefined) return
      const key = `${started._parent.sessionId}/${started.id}`
      if (running.get(key)?._processingStatus === isRunning) hasTwins = true
      running.set(key, started)
    },
  })
  live.subscribe({ error() {} })
  live.start()
  return {
    live,
    /** Whether XState has started a child while the one before it under the same id was still running. */
    hasTwins: () => hasTwins,
    /** Sends the event of a timer of Cairn to the machine that the timer belongs to. */
    fire(timer: string): void {
      const { actor, event } = receiverOf(live, timer)
      if ((actor as unknown) !== live) acting = actor
      actor.send(event)
      acting = undefined
    },
    /**
     * Whether a child, by its own delay, has sent something to its parent and to itself. Named in docs/machines.md: in
     * XState the parent reacts before the child takes its own event.
     */
    hasOvertaken: () => sent.toParent && sent.toItself,
  }
}
