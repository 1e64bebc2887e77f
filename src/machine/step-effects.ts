// The effects of one step on the machines around it: which children start, which get events, and what they send back
// (MACHINE-FOLD-1 to MACHINE-FOLD-3).

import type { AnyMachineSnapshot, EventObject, ExecutableActionObject } from 'xstate'

import { isCairnError } from '../model/errors.js'
import { acceptsOrFails } from './accepts.js'
import { plainError, snapshotOf } from './child-events.js'
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
import { isDelayed } from './timers.js'
import type { MachineChild, MachineState } from './types.js'

/** The parts of the fold that effects need. */
export interface EventFold {
  readonly origin: FoldedEvent
  run(
    location: MachineLocation,
    before: MachineState | undefined,
    stepInput: StepInput,
  ): ChildRun
  count(location: MachineLocation): void
}

export class StepEffects {
  readonly toParent: EventObject[] = []
  readonly #fold: EventFold
  readonly #location: MachineLocation
  readonly #children: Record<string, MachineChild>
  readonly #refs: Refs
  readonly #refsBefore: Refs
  readonly #actions: PendingAction[] = []
  readonly #selfSent: SelfSentEvent[] = []

  constructor(
    fold: EventFold,
    location: MachineLocation,
    children: Readonly<Record<string, MachineChild>> = {},
    snapshot?: AnyMachineSnapshot,
    before?: AnyMachineSnapshot,
  ) {
    this.#fold = fold
    this.#location = location
    this.#children = { ...children }
    this.#refs = (snapshot?.children ?? {}) as Refs
    this.#refsBefore = (before?.children ?? {}) as Refs
  }

  result(state: MachineState): MachineStepResult {
    const { children: _children, timers, history, ...rest } = state
    const hasChildren =
      state.status === 'active' && Object.keys(this.#children).length > 0
    const next = {
      ...rest,
      ...(hasChildren && { children: this.#children }),
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

  /** The machine that a target of `sendTo` is: this one, its parent or a child; `undefined` for any other target. */
  targetOf(to: unknown): { readonly child: string } | 'parent' | 'self' | undefined {
    const { node } = this.#location
    if (to === undefined || to === node.self) return 'self'
    if (node.parent !== undefined && to === node.parent) return 'parent'
    for (const refs of [this.#refs, this.#refsBefore])
      for (const [child, ref] of Object.entries(refs))
        if (ref === to) return node.child(srcOf(ref)) && { child }
    return undefined
  }

  /** Starts what `assign` has spawned: XState makes no action for it, and it starts first. */
  startSpawned(actions: readonly ExecutableActionObject[]): void {
    const spawned = actions.filter(({ type }) => type === 'xstate.spawnChild')
    const withAction = new Set(spawned.map(({ params }) => (params as Params).actorRef))
    for (const [id, ref] of Object.entries(this.#refs))
      if (ref !== undefined && !withAction.has(ref)) this.#start(id, inputOf(ref))
  }

  apply(action: ExecutableActionObject): void {
    const { node, id, path } = this.#location
    const { type, params } = action
    const { actorRef, input, to, event } = (params ?? {}) as Params
    if (type === 'xstate.spawnChild') {
      const child = (actorRef as { readonly id?: string } | undefined)?.id ?? ''
      if (this.#refs[child] === actorRef) this.#start(child, input)
      return
    }
    const isSent = type === 'xstate.sendTo' && !isDelayed(action)
    const target = isSent ? this.targetOf(to) : undefined
    if (target === 'parent') this.toParent.push(event!)
    else if (target === 'self' && path.length > 0)
      this.#selfSent.push({ type: event!.type, data: payloadOf(event!) })
    else if (typeof target === 'object') this.send(target.child, event!)
    else this.#actions.push({ action, node, id })
  }

  send(id: string, event: EventObject): void {
    const child = this.#children[id]
    // As in XState, an event to a stopped child is dropped.
    const below = child && this.#location.node.child(child.src)
    if (below === undefined || child?.state === undefined) return
    if (acceptsOrFails(below.snapshotOf(child.state), event))
      this.deliver(id, { kind: 'event', event, path: [] })
    else this.#signalParent(id, child, { seen: child.state })
  }

  deliver(id: string, stepInput: StepInput): void {
    const { node, path } = this.#location
    const child = this.#children[id]
    const below = child && node.child(child.src)
    if (child === undefined || below === undefined) return
    if (child.state !== undefined && child.state.status !== 'active') return
    const location = { node: below, id, path: [...path, id] }
    this.#fold.count(location)
    const { state, actions, signals } = this.#runChild(location, child.state, stepInput)
    const { key } = child
    const { status, output, error } = state
    this.#children[id] = { ...child, state }
    this.#actions.push(...actions)
    for (const one of signals) this.#signalParent(id, child, one)
    const end = (kind: string, data: object) =>
      this.#selfSent.push({ type: `xstate.${kind}.actor.${id}`, data: { key, ...data } })
    if (status === 'done') end('done', output === undefined ? {} : { output })
    if (status === 'error') end('error', { error })
  }

  #signalParent(id: string, child: MachineChild, signal: ChildSignal): void {
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
  ): ChildRun {
    try {
      const run = this.#fold.run(location, before, stepInput)
      const { state } = run
      if (state.status !== 'error') return run
      return { ...run, state: { ...state, error: plainError(state.error) } }
    } catch (error) {
      if (isCairnError(error)) throw error
      const { children: _children, timers: _timers, ...rest } = before ?? blank
      const state = { ...rest, status: 'error' as const, error: plainError(error) }
      return { state, actions: [], signals: [] }
    }
  }

  #start(id: string, input: unknown): void {
    if (this.#children[id]?.state === undefined)
      this.deliver(id, { kind: 'begin', input })
  }
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
