// The logic of children, found by the name that a state keeps.

import type { AnyActorLogic, AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'

/** XState's name for logic that is written inline in an `invoke`. */
const inlineLogicName = /^xstate\.invoke\.(\d+)\.(.*)$/s

interface Invoking {
  readonly src: unknown
}

export function logicOf(
  machine: AnyStateMachine,
  src: string,
): AnyActorLogic | undefined {
  const [, index, nodeId] = inlineLogicName.exec(src) ?? []
  const { actors } = machine.implementations as {
    readonly actors: Readonly<Record<string, AnyActorLogic>>
  }
  if (nodeId === undefined) return Object.hasOwn(actors, src) ? actors[src] : undefined
  const { invoke } = machine.getStateNodeById(nodeId).config as {
    readonly invoke?: Invoking | readonly Invoking[]
  }
  const all = [invoke].flat() as readonly (Invoking | undefined)[]
  return all[Number(index)]?.src as AnyActorLogic | undefined
}

export function isMachine(logic: AnyActorLogic): logic is AnyStateMachine {
  return 'root' in logic
}

/** Throws `invalid-definition` for logic that cannot run beside a durable machine. */
export function checkLogic(
  { id: machine }: AnyStateMachine,
  logic: AnyActorLogic | undefined,
  child: string,
): asserts logic is AnyActorLogic {
  const why =
    logic === undefined
      ? 'there is no logic of that name. Add it to setup({ actors }).'
      : !isMachine(logic) && logic.start === undefined
        ? 'fromTransition makes logic that does nothing by itself. Use assign.'
        : undefined
  if (why === undefined) return
  throw new CairnError(
    'invalid-definition',
    `Machine ${machine}, child ${child}: ${why}`,
    {
      details: { machine, child },
    },
  )
}

/**
 * Whether logic runs until its promise is settled (`fromPromise`). Such logic has no mark: it is told by what it makes of
 * the event that its promise is fulfilled with, which is a pure function.
 */
export function isPromiseLogic(logic: AnyActorLogic): boolean {
  try {
    const active = logic.getInitialSnapshot(noScope, undefined)
    const fulfilled = { type: 'xstate.promise.resolve', data: undefined }
    const { status } = logic.transition(active, fulfilled, noScope) as { status: string }
    return status === 'done'
  } catch {
    return false
  }
}

/** Logic of a promise uses no scope for this. */
const noScope = {} as never
