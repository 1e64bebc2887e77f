// What becomes of a machine in one step of it, and what comes of that: the words of tree.ts.

import type { EventObject, ExecutableActionObject } from 'xstate'

import type { ActorAddress } from '../model/address.js'
import type { Level } from './level.js'
import type { Due } from './timers.js'
import type { MachineState } from './types.js'

/** An event as a machine gets it. */
export interface Incoming {
  readonly event: EventObject
  /** The child machine that gets it: ids, from the actor's machine down. Empty: that one itself. */
  readonly path: readonly string[]
  /** The child whose end it is. */
  readonly ended?: string | undefined
  /** The timer that it comes from. */
  readonly fired?: string | undefined
}

/** What becomes of a machine. */
export type StepInput =
  | { readonly kind: 'begin'; readonly input: unknown }
  | ({ readonly kind: 'event' } & Incoming)
  | ({ readonly kind: 'due' } & Due)

/** An event for a machine from one of its children, as it is stored. */
export interface SelfSentEvent {
  readonly type: string
  readonly data: unknown
}

/** Something to be done in the world. */
export interface PendingAction {
  readonly action: ExecutableActionObject
  /** Whose it is. */
  readonly level: Level
  /** The id of the actor, or of the child. */
  readonly id: string
}

/** The event that is folded. */
export interface StepOrigin {
  readonly actor: ActorAddress
  readonly eventId: string
  /** Of its decision; absent where nothing was decided yet, so that no delay can begin. */
  readonly at: number | undefined
}

export interface Progress {
  readonly state: MachineState
  readonly effects: readonly PendingAction[]
  /** From its children to it (tree G2). */
  readonly mail: readonly SelfSentEvent[]
}

/** A machine in the tree: the actor's own, or a child. */
export interface MachineLocation {
  readonly level: Level
  readonly id: string
  readonly path: readonly string[]
}

export interface Stepped extends Progress {
  /** What it has sent to its parent. */
  readonly up: readonly EventObject[]
}

/** What a parent hears of a child: an event that it has sent, or a state that it has come to. */
export type ChildAnswer =
  { readonly event: EventObject } | { readonly seen: MachineState }

export interface Run extends Pick<Stepped, 'state' | 'effects'> {
  readonly heard: readonly ChildAnswer[]
}
