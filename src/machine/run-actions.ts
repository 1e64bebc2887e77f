// Runs a machine's own actions after the commit of their step: in order, on the node that stored it.

import type { ActionArgs, AnyActorRef, EventObject } from 'xstate'

import type { AfterCommitContext } from '../model/behavior.js'
import { CairnError, messageOf } from '../model/errors.js'
import { eventId } from '../model/event.js'
import { freeze, handOut } from '../model/read-only.js'
import { isRefusedChange } from '../model/refused-change.js'
import type { PendingAction } from './step-types.js'

/** The actions of one stored event. */
export interface ActionsOf {
  readonly actions: readonly PendingAction[]
  /** Index of the event within its commit, from 0. */
  readonly index: number
}

/** Whether an action has code to run. */
export function runsLive({ action: { type, exec } }: PendingAction): boolean {
  return exec !== undefined && (type === 'xstate.log' || !type.startsWith('xstate.'))
}

/** Runs the actions. A failure is reported to `failed`, and the other actions still run. */
export function runActions(
  steps: readonly ActionsOf[],
  stored: AfterCommitContext,
): void {
  const { actor, firstVersion, failed } = stored
  for (const { actions, index } of steps) {
    for (const { action, id } of actions.filter(runsLive)) {
      const { type, info, params, exec } = action
      const self = selfOf(id, eventId(actor, firstVersion + index))
      const failing = (error: unknown) =>
        failed(`action ${type}`, isRefusedChange(error) ? changedByAction(error) : error)
      try {
        if (type === 'xstate.log') log(params)
        else {
          const context = handOut(freeze(info.context))
          catchRejection(exec?.({ ...info, context, self } as AnyArgs, params), failing)
        }
      } catch (error) {
        failing(error)
      }
    }
  }
}

function changedByAction(cause: unknown): CairnError {
  return new CairnError(
    'invalid-definition',
    `it changed the machine's context or its event (${messageOf(cause)}), which it must only read: change the context ` +
      'with assign(…).',
    { cause },
  )
}

type AnyArgs = ActionArgs<Record<string, unknown>, EventObject, EventObject>

function log(params: unknown): void {
  const { label, value } = params as { readonly label?: string; readonly value: unknown }
  // oxlint-disable-next-line no-console -- XState's log() writes there, unless told otherwise
  console.log(...(label === undefined ? [value] : [label, value]))
}

/** An action may return a promise; nothing awaits it, so its rejection is reported here. */
function catchRejection(result: unknown, failing: (error: unknown) => void): void {
  if (result instanceof Promise) result.catch(failing)
}

/** `self` as an action sees it: names only, because an event sent by it would be lost with the process. */
function selfOf(id: string, sessionId: string): AnyActorRef {
  const refuse = (): never => {
    throw new CairnError(
      'invalid-definition',
      'An action used self to send an event or to read the actor. An event sent so would be lost with this ' +
        'process: use raise(…) or sendTo(({ self }) => self, …) instead.',
    )
  }
  const self = { id, sessionId, send: refuse, getSnapshot: refuse, subscribe: refuse }
  return self as unknown as AnyActorRef
}
