// The children of a machine while one of its steps is taken: who begins, who gets what, and what they
// say to it (tree G1 to G3).

import type { AnyMachineSnapshot, EventObject, ExecutableActionObject } from 'xstate'

import { isCairnError } from '../model/errors.js'
import { concerns } from './accepted.js'
import { plainError, snapshotOf } from './child-events.js'
import type {
  PendingAction,
  StepInput,
  ChildAnswer,
  SelfSentEvent,
  StepOrigin,
  MachineLocation,
  Run,
  Stepped,
} from './machine-input.js'
import { payloadOf } from './payload.js'
import { isDelayed } from './timers.js'
import type { MachineChild, MachineState } from './types.js'

/** What the fold of an event does for the machines in it. */
export interface Folding {
  readonly moment: StepOrigin
  run(place: MachineLocation, before: MachineState | undefined, happening: StepInput): Run
  count(place: MachineLocation): void
}

export class Family {
  readonly up: EventObject[] = []
  readonly #fold: Folding
  readonly #place: MachineLocation
  readonly #children: Record<string, MachineChild>
  readonly #refs: Refs
  readonly #refsBefore: Refs
  readonly #effects: PendingAction[] = []
  readonly #mail: SelfSentEvent[] = []

  constructor(
    fold: Folding,
    place: MachineLocation,
    children: Readonly<Record<string, MachineChild>> = {},
    snapshot?: AnyMachineSnapshot,
    before?: AnyMachineSnapshot,
  ) {
    this.#fold = fold
    this.#place = place
    this.#children = { ...children }
    this.#refs = (snapshot?.children ?? {}) as Refs
    this.#refsBefore = (before?.children ?? {}) as Refs
  }

  stepped(state: MachineState): Stepped {
    const { children: _children, timers, history, ...rest } = state
    const isThere = state.status === 'active' && Object.keys(this.#children).length > 0
    const grown = {
      ...rest,
      ...(isThere && { children: this.#children }),
      ...(timers !== undefined && { timers }),
      ...(history !== undefined && { history }),
    }
    return { state: grown, effects: this.#effects, mail: this.#mail, up: this.up }
  }

  /** Who it is that a machine sends something to, where that is a machine of its own family. */
  targetOf(to: unknown): { readonly child: string } | 'parent' | 'self' | undefined {
    const { level } = this.#place
    if (to === undefined || to === level.self) return 'self'
    if (level.parent !== undefined && to === level.parent) return 'parent'
    for (const refs of [this.#refs, this.#refsBefore])
      for (const [child, ref] of Object.entries(refs))
        if (ref === to) return level.child(srcOf(ref)) && { child }
    return undefined
  }

  /** What `assign` has spawned begins first: no action says so. */
  begin(actions: readonly ExecutableActionObject[]): void {
    const spawned = actions.filter(({ type }) => type === 'xstate.spawnChild')
    const told = new Set(spawned.map(({ params }) => (params as Params).actorRef))
    for (const [id, ref] of Object.entries(this.#refs))
      if (ref !== undefined && !told.has(ref)) this.#begin(id, inputOf(ref))
  }

  act(action: ExecutableActionObject): void {
    const { level, id, path } = this.#place
    const { type, params } = action
    const { actorRef, input, to, event } = (params ?? {}) as Params
    if (type === 'xstate.spawnChild') {
      const child = (actorRef as { readonly id?: string } | undefined)?.id ?? ''
      if (this.#refs[child] === actorRef) this.#begin(child, input)
      return
    }
    const isSent = type === 'xstate.sendTo' && !isDelayed(action)
    const target = isSent ? this.targetOf(to) : undefined
    if (target === 'parent') this.up.push(event!)
    else if (target === 'self' && path.length > 0)
      this.#mail.push({ type: event!.type, data: payloadOf(event!) })
    else if (typeof target === 'object') this.send(target.child, event!)
    else this.#effects.push({ action, level, id })
  }

  send(id: string, event: EventObject): void {
    const child = this.#children[id]
    // One that was stopped: XState drops what is sent to such.
    const below = child && this.#place.level.child(child.src)
    if (below === undefined || child?.state === undefined) return
    if (concerns(below.snapshotOf(child.state), event))
      this.give(id, { kind: 'event', event, path: [] })
    else this.#tell(id, child, { seen: child.state })
  }

  give(id: string, happening: StepInput): void {
    const { level, path } = this.#place
    const child = this.#children[id]
    const below = child && level.child(child.src)
    if (child === undefined || below === undefined) return
    if (child.state !== undefined && child.state.status !== 'active') return
    const place = { level: below, id, path: [...path, id] }
    this.#fold.count(place)
    const { state, effects, heard } = this.#run(place, child.state, happening)
    const { key } = child
    const { status, output, error } = state
    this.#children[id] = { ...child, state }
    this.#effects.push(...effects)
    for (const one of heard) this.#tell(id, child, one)
    const end = (kind: string, data: object) =>
      this.#mail.push({ type: `xstate.${kind}.actor.${id}`, data: { key, ...data } })
    if (status === 'done') end('done', output === undefined ? {} : { output })
    if (status === 'error') end('error', { error })
  }

  #tell(id: string, child: MachineChild, heard: ChildAnswer): void {
    if ('event' in heard) {
      const { event } = heard
      this.#mail.push({ type: event.type, data: payloadOf(event) })
    } else if (child.heard === true && heard.seen.status === 'active') {
      const { value } = heard.seen
      const snapshot = { ...snapshotOf(heard.seen), value }
      this.#mail.push({
        type: `xstate.snapshot.${id}`,
        data: { key: child.key, snapshot },
      })
    }
  }

  /** G3. */
  #run(
    place: MachineLocation,
    before: MachineState | undefined,
    happening: StepInput,
  ): Run {
    try {
      const run = this.#fold.run(place, before, happening)
      const { state } = run
      if (state.status !== 'error') return run
      return { ...run, state: { ...state, error: plainError(state.error) } }
    } catch (error) {
      if (isCairnError(error)) throw error
      const { children: _children, timers: _timers, ...rest } = before ?? blank
      const state = { ...rest, status: 'error' as const, error: plainError(error) }
      return { state, effects: [], heard: [] }
    }
  }

  #begin(id: string, input: unknown): void {
    if (this.#children[id]?.state === undefined) this.give(id, { kind: 'begin', input })
  }
}

function srcOf(ref: unknown): string {
  return String((ref as { readonly src?: unknown }).src)
}

/** XState keeps it in the actor that it has made. */
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
