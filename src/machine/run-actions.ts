// A machine's own actions, run once their step is stored: in order, by the node that stored it.

import type { ActionArgs, AnyActorRef, EventObject } from 'xstate'

import type { AfterCommitContext } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import { eventId } from '../model/event.js'
import type { PendingAction } from './machine-input.js'

/** The actions of one stored event. */
export interface ActionsOf {
  readonly effects: readonly PendingAction[]
  /** Of the event among those that were stored together, from 0. */
  readonly index: number
}

/** Whether there is anything to run. */
export function isLive({ action: { type, exec } }: PendingAction): boolean {
  return exec !== undefined && (type === 'xstate.log' || !type.startsWith('xstate.'))
}

/** Runs them; one that fails is told, and the others run. */
export function runActions(
  steps: readonly ActionsOf[],
  stored: AfterCommitContext,
): void {
  const { actor, firstVersion, failed } = stored
  for (const { effects, index } of steps) {
    for (const { action, id } of effects.filter(isLive)) {
      const { type, info, params, exec } = action
      const self = selfOf(id, eventId(actor, firstVersion + index))
      const failing = (error: unknown) => failed(`action ${type}`, error)
      try {
        if (type === 'xstate.log') log(params)
        else watch(exec?.({ ...info, self } as AnyArgs, params), failing)
      } catch (error) {
        failing(error)
      }
    }
  }
}

type AnyArgs = ActionArgs<Record<string, unknown>, EventObject, EventObject>

function log(params: unknown): void {
  const { label, value } = params as { readonly label?: string; readonly value: unknown }
  // oxlint-disable-next-line no-console -- XState's log() writes there, unless told otherwise
  console.log(...(label === undefined ? [value] : [label, value]))
}

/** An action may return a promise, although nobody waits for it. */
function watch(result: unknown, failing: (error: unknown) => void): void {
  if (result instanceof Promise) result.catch(failing)
}

/** What an action knows as its actor: names, and nothing that could be lost. */
function selfOf(id: string, sessionId: string): AnyActorRef {
  const refuse = (): never => {
    throw new CairnError(
      'invalid-definition',
      'An action used self to send or to look at the actor: what it sent would be lost with this ' +
        'process. Use raise(…) or sendTo(({ self }) => self, …) instead.',
    )
  }
  const self = { id, sessionId, send: refuse, getSnapshot: refuse, subscribe: refuse }
  return self as unknown as AnyActorRef
}
