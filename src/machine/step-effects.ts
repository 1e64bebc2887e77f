// The effects of one step on the machines around it: which children start, which get events, and what they send back
// (MACHINE-FOLD-1 to MACHINE-FOLD-3).
//
// STEP-EFFECTS-1. A child that stops in the step still gets what was sent to it before, as in XState.
// STEP-EFFECTS-2. A machine's first step starts all of its children before its first effect. In every later step, a child
//     starts at its place among the effects; what is sent to it before waits until it has started.

import type {
  AnyActorRef,
  AnyMachineSnapshot,
  EventObject,
  ExecutableActionObject,
} from 'xstate'

import { isCairnError } from '../model/errors.js'
import { acceptsOrFails } from './accepts.js'
import { plainError, snapshotOf } from './child-events.js'
import { endedBehind, endedChild } from './ended-children.js'
import type {
  PendingAction,
  StepInput,
  ChildSignal,
  SelfSentEvent,
  FoldedEvent,
  MachineLocation,
  ChildRun,
  MachineStepResult,
} from './step-types.js'
import { payloadOf } from './payload.js'
import { toState } from './snapshot.js'
import type { Step } from './step.js'
import { childName, endedName, type RefName, relativeName } from './refs.js'
import { isDelayed, type MachineTarget } from './timers.js'
import { EndlessTransitions } from './transition-limit.js'
import type { EndedChild, MachineChild, MachineState } from './types.js'

/** The parts of the fold that effects need. */
export interface EventFold {
  readonly origin: FoldedEvent
  run(
    location: MachineLocation,
    before: MachineState | undefined,
    stepInput: StepInput,
    waiting: readonly SelfSentEvent[],
  ): ChildRun
  count(location: MachineLocation): void
}

/** A machine that has taken a step. */
export interface Stepped {
  /** After the step, as XState has it. */
  readonly snapshot?: AnyMachineSnapshot
  readonly before?:
    { readonly snapshot: AnyMachineSnapshot; readonly state: MachineState } | undefined
  /** The end of the child whose event it was. */
  readonly end?: ChildEnd | undefined
}

interface ChildEnd extends Pick<EndedChild, 'status' | 'output' | 'error'> {
  readonly id: string
}

/** A child during the step. */
interface Slot {
  readonly id: string
  child: MachineChild
  hasStopped: boolean
  /** What was sent to it before it has started. */
  waiting: SelfSentEvent[]
}

export class StepEffects {
  readonly toParent: EventObject[] = []
  readonly #fold: EventFold
  readonly #location: MachineLocation
  /** The children after the step, by id. */
  readonly #children = new Map<string, Slot>()
  /** The children that stop in the step, by reference. */
  readonly #stopping = new Map<unknown, Slot>()
  readonly #refs: Refs
  readonly #stepped: Stepped
  readonly #actions: PendingAction[] = []
  readonly #selfSent: SelfSentEvent[] = []
  /** Children that have ended and that the context refers to, by key. */
  readonly #ended = new Map<string, EndedChild>()

  /** @param children after the step, as far as they were there before */
  constructor(
    fold: EventFold,
    location: MachineLocation,
    children: Readonly<Record<string, MachineChild>> = {},
    stepped: Stepped = {},
  ) {
    this.#fold = fold
    this.#location = location
    this.#stepped = stepped
    const { snapshot, before, end } = stepped
    this.#refs = (snapshot?.children ?? {}) as Refs
    for (const [id, child] of Object.entries(children))
      this.#children.set(id, { id, child, hasStopped: false, waiting: [] })
    for (const [id, child] of Object.entries(before?.state.children ?? {})) {
      const isHere = children[id]?.key === child.key
      if (isHere || id === end?.id) continue
      const ref = (before!.snapshot.children as Refs)[id]
      this.#stopping.set(ref, { id, child, hasStopped: false, waiting: [] })
    }
  }

  /** @param state without its children, and with references in its context */
  result(state: MachineState): MachineStepResult {
    const { timers, history, ...rest } = state
    const isStepped = this.#stepped.snapshot !== undefined
    const { node } = this.#location
    const context = isStepped
      ? node.serialize(state.context as unknown, ref => this.#nameOf(ref, state))
      : state.context
    const { children: _children, ended = fromSorted(this.#ended), ...own } = rest
    const children = state.status === 'active' ? this.#childrenNow() : undefined
    const next: MachineState = {
      ...own,
      context,
      ...(children !== undefined && { children }),
      ...(ended !== undefined && { ended }),
      ...(timers !== undefined && { timers }),
      ...(history !== undefined && { history }),
    }
    return {
      state: next,
      actions: this.#actions,
      selfSent: this.#selfSent,
      toParent: this.toParent,
    }
  }

  /** The machine of this actor that a target of `sendTo` is; `undefined` for any other target. */
  targetOf(to: unknown): MachineTarget | undefined {
    const { node } = this.#location
    if (to === undefined || to === node.self) return 'self'
    if (node.parent !== undefined && to === node.parent) return 'parent'
    const slot = this.#slotOf(to)
    if (slot !== undefined)
      return this.#stopping.has(to)
        ? 'ended'
        : node.child(slot.child.src) && { child: slot.id }
    return this.#isOwn(to) ? 'ended' : undefined
  }

  /** Starts all children, in the order in which the machine has them (STEP-EFFECTS-2). */
  startAll(): void {
    for (const [id, ref] of Object.entries(this.#refs)) {
      // XState starts one that was done or has failed at once at its place among the effects.
      const { status } = (ref as AnyActorRef).getSnapshot() as { readonly status: string }
      if (status === 'active') this.#start(id, inputOf(ref))
    }
  }

  applyAll({ actions, spawned }: Pick<Step, 'actions' | 'spawned'>): void {
    let next = 0
    const startSpawned = (after: number) => {
      for (; spawned[next] !== undefined && spawned[next]!.after <= after; next++) {
        const { ref } = spawned[next]!
        if (this.#refs[ref.id] === ref) this.#start(ref.id, inputOf(ref))
      }
    }
    for (const [index, action] of actions.entries()) {
      startSpawned(index)
      this.#apply(action)
    }
    startSpawned(actions.length)
  }

  #apply(action: ExecutableActionObject): void {
    const { node, id } = this.#location
    const { type, params } = action
    if (type === 'xstate.stopChild') {
      const slot = this.#stopping.get(params)
      if (slot !== undefined) slot.hasStopped = true
      return
    }
    const { actorRef, input, to, event } = (params ?? {}) as Params
    if (type === 'xstate.spawnChild') {
      const child = (actorRef as { readonly id?: string } | undefined)?.id ?? ''
      if (this.#refs[child] === actorRef) this.#start(child, input)
      return
    }
    const isSent = type === 'xstate.sendTo' && !isDelayed(action)
    const target = isSent ? this.targetOf(to) : undefined
    const stopping = isSent ? this.#stopping.get(to) : undefined
    if (target === 'parent') this.toParent.push(event!)
    else if (target === 'self')
      this.#selfSent.push({ type: event!.type, data: payloadOf(event!) })
    else if (typeof target === 'object') this.send(target.child, event!)
    else if (stopping !== undefined) this.#send(stopping, event!)
    else if (target !== 'ended') this.#actions.push({ action, node, id })
  }

  send(id: string, event: EventObject): void {
    const slot = this.#children.get(id)
    if (slot !== undefined) this.#send(slot, event)
  }

  deliver(id: string, stepInput: StepInput): void {
    const slot = this.#children.get(id)
    if (slot !== undefined) this.#deliver(slot, stepInput)
  }

  #send(slot: Slot, event: EventObject): void {
    const { child } = slot
    const below = this.#location.node.child(child.src)
    // As in XState, an event to a stopped child is dropped.
    if (below === undefined || slot.hasStopped) return
    if (child.state === undefined) {
      slot.waiting.push({ type: event.type, data: payloadOf(event) })
      return
    }
    if (acceptsOrFails(below.snapshotOf(child.state), event))
      this.#deliver(slot, { kind: 'event', event, path: [] })
    else this.#signalParent(slot, { seen: child.state })
  }

  #deliver(
    slot: Slot,
    stepInput: StepInput,
    waiting: readonly SelfSentEvent[] = [],
  ): void {
    const { node, path } = this.#location
    const { id, child } = slot
    const below = node.child(child.src)
    if (below === undefined) return
    if (child.state !== undefined && child.state.status !== 'active') return
    const location = { node: below, id, path: [...path, id] }
    this.#fold.count(location)
    const { state, actions, signals } = this.#runChild(
      location,
      child.state,
      stepInput,
      waiting,
    )
    const { key } = child
    const { status, output, error } = state
    slot.child = { ...child, state }
    this.#actions.push(...actions)
    for (const one of signals) this.#signalParent(slot, one)
    const end = (kind: string, data: object) =>
      this.#selfSent.push({ type: `xstate.${kind}.actor.${id}`, data: { key, ...data } })
    if (status === 'done') end('done', output === undefined ? {} : { output })
    if (status === 'error') end('error', { error })
  }

  #signalParent({ id, child }: Slot, signal: ChildSignal): void {
    if ('event' in signal) {
      const { event } = signal
      this.#selfSent.push({ type: event.type, data: payloadOf(event) })
    } else if (child.heard === true && signal.seen.status === 'active') {
      const { value } = signal.seen
      const snapshot = { ...snapshotOf(signal.seen), value }
      this.#selfSent.push({
        type: `xstate.snapshot.${id}`,
        data: { key: child.key, snapshot },
      })
    }
  }

  /** Steps a child; an exception makes it fail (MACHINE-FOLD-3). */
  #runChild(
    location: MachineLocation,
    before: MachineState | undefined,
    stepInput: StepInput,
    waiting: readonly SelfSentEvent[],
  ): ChildRun {
    try {
      const run = this.#fold.run(location, before, stepInput, waiting)
      const { state } = run
      if (state.status !== 'error') return run
      return { ...run, state: { ...state, error: plainError(state.error) } }
    } catch (error) {
      if (isCairnError(error) || error instanceof EndlessTransitions) throw error
      const { children: _children, timers: _timers, ...rest } = before ?? blank
      const state = { ...rest, status: 'error' as const, error: plainError(error) }
      return { state, actions: [], signals: [] }
    }
  }

  #start(id: string, input: unknown): void {
    const slot = this.#children.get(id)
    if (slot === undefined || slot.child.state !== undefined) return
    const { waiting } = slot
    slot.waiting = []
    this.#deliver(slot, { kind: 'begin', input }, waiting)
  }

  #slotOf(ref: unknown): Slot | undefined {
    const stopping = this.#stopping.get(ref)
    if (stopping !== undefined) return stopping
    const id = idOf(ref)
    return id !== undefined && this.#refs[id] === ref ? this.#children.get(id) : undefined
  }

  /** Whether a reference is to a child of this machine, also when it has ended. */
  #isOwn(ref: unknown): boolean {
    if (endedBehind(ref) !== undefined) return true
    const isRef = typeof ref === 'object' && ref !== null && '_parent' in ref
    return isRef && ref._parent === this.#location.node.self
  }

  #childrenNow(): Readonly<Record<string, MachineChild>> | undefined {
    if (this.#children.size === 0) return undefined
    return Object.fromEntries([...this.#children].map(([id, { child }]) => [id, child]))
  }

  #nameOf(ref: AnyActorRef, { status }: MachineState): RefName {
    const { node } = this.#location
    if (ref === node.self) return relativeName('self')
    if (ref === node.parent) return relativeName('parent')
    const isHere = status === 'active' && !this.#stopping.has(ref)
    if (isHere && this.#slotOf(ref) !== undefined) return childName(ref.id)
    const ended = endedBehind(ref) ?? this.#endedNow(ref)
    if (ended === undefined) return childName(ref.id)
    this.#ended.set(ended.key, ended.child)
    return endedName(ended.key)
  }

  /** The child of this machine that has ended or was stopped in the step. */
  #endedNow(ref: AnyActorRef): { key: string; child: EndedChild } | undefined {
    const { id } = ref
    const stopping = this.#stopping.get(ref)
    if (stopping !== undefined) {
      const { child } = stopping
      return { key: child.key, child: endedChild(id, child, { status: 'stopped' }) }
    }
    const { before, end } = this.#stepped
    const child = before?.state.children?.[id]
    const wasChild = (before?.snapshot.children as Refs | undefined)?.[id] === ref
    if (child !== undefined && wasChild && end?.id === id) {
      const { id: _id, ...how } = end
      return { key: child.key, child: endedChild(id, child, how) }
    }
    if (!this.#isOwn(ref)) return undefined
    return this.#neverStarted(ref)
  }

  /** A child that was spawned and stopped in the step, with the state in which it would have started. */
  #neverStarted(ref: AnyActorRef): { key: string; child: EndedChild } {
    const { origin } = this.#fold
    const { node, path } = this.#location
    const { id } = ref
    const key = `${origin.eventId}#${[...path, id].join('/')}~${this.#ended.size}`
    const src = srcOf(ref)
    const stopped = { id, src, status: 'stopped' as const }
    const below = node.child(src)
    const snapshot = ref.getSnapshot() as AnyMachineSnapshot
    if (below === undefined || snapshot.status === 'error') return { key, child: stopped }
    const state = toState(below.machine, snapshot)
    const context = below.serialize(state.context as unknown, ({ id: of }) =>
      childName(of),
    )
    return { key, child: { ...stopped, state: { ...state, context } } }
  }
}

function fromSorted(
  ended: ReadonlyMap<string, EndedChild>,
): Readonly<Record<string, EndedChild>> | undefined {
  if (ended.size === 0) return undefined
  return Object.fromEntries([...ended].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function idOf(ref: unknown): string | undefined {
  const isRef = typeof ref === 'object' && ref !== null && 'id' in ref
  return isRef && typeof ref.id === 'string' ? ref.id : undefined
}

function srcOf(ref: unknown): string {
  return String((ref as { readonly src?: unknown }).src)
}

/** XState keeps the input in the actor that it creates. */
function inputOf(ref: unknown): unknown {
  return (ref as { readonly options?: { readonly input?: unknown } }).options?.input
}

type Refs = Readonly<Record<string, unknown>>

interface Params {
  readonly actorRef?: unknown
  readonly input?: unknown
  readonly to?: unknown
  readonly event?: EventObject
}

const blank: MachineState = { status: 'active', value: {}, context: {}, tags: [] }
