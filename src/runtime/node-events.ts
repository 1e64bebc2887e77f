// What a node tells the application while it runs: node.on(…).
//
// Owns the listeners.
// NODE-EVENTS-1. A listener that throws or returns a rejected promise is logged and affects nothing else.

import type { DeadLetterError } from '../model/stored-dead-letter.js'
import type { DeadLetterReason } from '../delivery/dead-letters/dead-letters.js'
import type { ActorAddress } from '../model/address.js'
import { CairnError, messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { show } from '../model/show.js'
import { callHook } from '../model/thenable.js'

/** By the name of the event, what a listener is given. */
export interface NodeEvents {
  /** This node gave up a message or a command, and its dead letter is stored. */
  readonly 'dead-letter': {
    /** As in the dead letter: the name of the reactor, `consumer:<name>` or `commands:<group>`. */
    readonly reactor: string
    readonly messageId: string
    readonly topic: string
    readonly reason: DeadLetterReason
    readonly attempts: number
    readonly error: DeadLetterError
  }
  /** An actor of this node is parked: it fails every command until the cause is corrected. */
  readonly parked: { readonly actor: ActorAddress; readonly error: CairnError }
  /** The connection to NATS is lost; it is being made again. */
  readonly disconnected: { readonly server: string }
  /** The connection to NATS is made again. */
  readonly reconnected: { readonly server: string }
  /** The checkpoint of a group's partition cannot be read: the partition starts again from the first record. */
  readonly 'checkpoint-damaged': { readonly group: string; readonly partition: number }
}

const names = [
  'dead-letter',
  'parked',
  'disconnected',
  'reconnected',
  'checkpoint-damaged',
] as const satisfies readonly (keyof NodeEvents)[]

/** The name of an event: a list of names, so that the compiler shows them in an error. */
export type NodeEventName = (typeof names)[number]
export type NodeEventListener<Name extends NodeEventName> = (
  event: NodeEvents[Name],
) => void

export class NodeEventListeners {
  readonly #listeners = new Map<NodeEventName, Set<(event: never) => void>>()
  readonly #log: WriteLog

  constructor(log: WriteLog) {
    this.#log = log
  }

  /** Returns a function that removes the listener. Throws `invalid-option`. */
  on<Name extends NodeEventName>(
    name: Name,
    listener: NodeEventListener<Name>,
  ): () => void {
    if (!names.includes(name))
      throw new CairnError(
        'invalid-option',
        `A node has no event ${show(name)}: it has ${names.join(', ')}.`,
      )
    if (typeof listener !== 'function')
      throw new CairnError(
        'invalid-option',
        `The listener of ${show(name)} is ${show(listener)}: pass a function.`,
      )
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Calls the listeners. Never throws (NODE-EVENTS-1). */
  emit<Name extends NodeEventName>(name: Name, event: NodeEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? [])
      callHook(
        () => (listener as NodeEventListener<Name>)(event),
        error =>
          this.#log('error', `A listener of ${name} failed: ${messageOf(error)}`, {}),
      )
  }
}
