// The steps of a machine's history: each leads from the state before an event to the state after it.

import { event } from '../actor/event.js'
import type { ActorAddress } from '../model/address.js'
import {
  eventId,
  type Metadata,
  type NewEvent,
  type RecordedEvent,
} from '../model/event.js'
import { advance, checkEventCount, incomingOf } from './fold.js'
import type { MachineNode } from './machine-node.js'
import type { Incoming, PendingAction, SelfSentEvent, StepInput } from './step-types.js'
import { findTimer, pathSeparator, type TimerOutcome } from './timers.js'
import type { MachineState } from './types.js'

/** The type of the first event of a history. */
export const init = 'xstate.init'
/** Metadata key of the definition's version; absent in events that version 1 stores. */
export const definitionMark = 'definition'

/** One step: the state before it, the event, and its results. */
export interface HistoryStep {
  readonly id: string
  /** When it was decided, ms since 1970; undefined for an actor without events. */
  readonly at: number | undefined
  readonly from: MachineState | undefined
  readonly event: NewEvent
  readonly to: MachineState
  readonly actions: readonly PendingAction[]
  readonly selfSent: readonly SelfSentEvent[]
  readonly firedTimer?: string | undefined
}

export class Steps {
  readonly #node: MachineNode
  readonly #version: number

  /** @param version of the definition; it is recorded in new events */
  constructor(node: MachineNode, version: number) {
    this.#node = node
    this.#version = version
  }

  newEvent(type: string, data: unknown, marks?: Metadata): NewEvent {
    if (this.#version === 1) return event(type, data, marks)
    return event(type, data, { ...marks, [definitionMark]: `${this.#version}` })
  }

  /** MACHINE-3 */
  first(actor: ActorAddress, input: unknown, at: number | undefined): HistoryStep {
    const id = eventId(actor, 1)
    const data = input === undefined ? undefined : { input }
    const stored = this.newEvent(init, data)
    return this.#step(actor, id, undefined, stored, { kind: 'begin', input }, at)
  }

  next(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    incoming: Incoming,
    at: number | undefined,
  ): HistoryStep {
    return this.#step(actor, id, from, stored, { kind: 'event', ...incoming }, at)
  }

  /** The step of a timer that ends without an event of the machine's own (MACHINE-TIMERS-2). */
  timer(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    { name: full, does }: TimerOutcome,
    at: number,
  ): HistoryStep {
    const { path, name } = findTimer(from, full) ?? { path: [], name: full }
    return this.#step(actor, id, from, stored, { kind: 'due', path, name, does }, at)
  }

  /** A step, and the steps of the events that the actor's machine gets from itself and its children by it (MACHINE-7). */
  withSelfSent(actor: ActorAddress, first: HistoryStep): HistoryStep[] {
    const steps = [first]
    const pending = [...first.selfSent]
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const { id: lastId, to, at } = steps.at(-1)!
      const incoming = incomingOf(this.#node, to, next.type, next.data)
      if (incoming === undefined) continue
      checkEventCount(steps.length, { actor })
      const id = eventId(actor, versionIn(lastId) + 1)
      const stored = this.newEvent(next.type, next.data)
      const step = this.next(actor, id, to, stored, incoming, at)
      steps.push(step)
      pending.push(...step.selfSent)
    }
    return steps
  }

  #step(
    actor: ActorAddress,
    id: string,
    from: MachineState | undefined,
    stored: NewEvent,
    stepInput: StepInput,
    at: number | undefined,
  ): HistoryStep {
    const folded = { actor, eventId: id, at }
    const result = advance(this.#node, from, stepInput, folded)
    const { state: to, actions, selfSent } = result
    const firedTimer = fullTimerName(stepInput)
    return { id, at, from, event: stored, to, actions, selfSent, firedTimer }
  }
}

/** The version of the definition that stored an event. */
export function definitionOf({ metadata }: RecordedEvent): number {
  return Number(metadata[definitionMark] ?? 1)
}

/** The full name of the timer that an event comes from. */
function fullTimerName(stepInput: StepInput): string | undefined {
  if (stepInput.kind === 'begin') return undefined
  const name = stepInput.kind === 'due' ? stepInput.name : stepInput.fired
  return name && [...stepInput.path, name].join(pathSeparator)
}

function versionIn(id: string): number {
  return Number(id.slice(id.lastIndexOf('/') + 1))
}
