// The inputs and results of one step of a machine (fold.ts).

import type { EventObject, ExecutableActionObject } from 'xstate'

import type { ActorAddress } from '../model/address.js'
import type { MachineNode } from './machine-node.js'
import type { TimerEnd } from './timers.js'
import type { MachineState } from './types.js'

/** An event, addressed to the actor's machine or to one of its child machines. */
export interface Incoming {
  readonly event: EventObject
  /** The ids of children from the actor's machine to the receiver; empty for the actor's machine. */
  readonly path: readonly string[]
  /** The child that ended by it. */
  readonly ended?: string | undefined
  /** The timer that it comes from. */
  readonly fired?: string | undefined
}

/** The input of one step. */
export type StepInput =
  | { readonly kind: 'begin'; readonly input: unknown }
  | ({ readonly kind: 'event' } & Incoming)
  | ({ readonly kind: 'due' } & TimerEnd)

/** An event that a machine sends to itself, or that one of its children sends to it. */
export interface SelfSentEvent {
  readonly type: string
  readonly data: unknown
}

/** An action to run after the commit. */
export interface PendingAction {
  readonly action: ExecutableActionObject
  /** The machine whose action it is. */
  readonly node: MachineNode
  /** The id of the actor, or of the child. */
  readonly id: string
}

/** The stored event that is being folded. */
export interface FoldedEvent {
  readonly actor: ActorAddress
  readonly eventId: string
  /** When it was decided, ms since 1970; undefined for an actor without events: no delay starts then. */
  readonly at: number | undefined
}

export interface StepResult {
  readonly state: MachineState
  readonly actions: readonly PendingAction[]
  /** Events that its children send to it (MACHINE-FOLD-2). */
  readonly selfSent: readonly SelfSentEvent[]
}

/** A machine in the tree of machines: the actor's own, or a child. */
export interface MachineLocation {
  readonly node: MachineNode
  readonly id: string
  readonly path: readonly string[]
}

export interface MachineStepResult extends StepResult {
  /** Events that it sends to its parent. */
  readonly toParent: readonly EventObject[]
}

/** What a child signals to its parent: an event that it sent, or the state that it reached. */
export type ChildSignal =
  { readonly event: EventObject } | { readonly seen: MachineState }

export interface ChildRun extends Pick<MachineStepResult, 'state' | 'actions'> {
  readonly signals: readonly ChildSignal[]
}
