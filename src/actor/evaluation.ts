// Evaluating a command on a state: whether it was handled before, whether its timer is still set, and what the behavior
// decides.

import type {
  AcceptedDecision,
  Command,
  Decision,
  RejectedDecision,
  RemoteBehavior,
} from '../model/behavior.js'
import type { AcceptedOutcome } from '../model/command-sender.js'
import { isCairnError } from '../model/errors.js'
import type { Redelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import type { TimerFiring } from '../model/timer.js'
import type { ActorSubject } from './actor-ports.js'
import type { OpenCall } from './call.js'
import type { DuplicateDetector, DuplicateSearch } from './duplicate-detector.js'
import type { FoldedState } from './fold.js'
import { conformCommand } from './schemas.js'
import { isTimerSuperseded, supersededDecision } from './superseded-timer.js'
import { decideRemotelyTraced, decideTraced } from './traced-decide.js'
import { storedEnd, workEndedBy } from './work-end.js'

/** The result of the duplicate search and the decision. */
export type Evaluation =
  | { readonly kind: 'duplicate'; readonly outcome: AcceptedOutcome }
  /** The history that was read ends before the version that is known. */
  | { readonly kind: 'lagging' }
  | {
      readonly kind: 'failed'
      readonly error: unknown
      /** The command's data was refused by its schema, whatever the state is: the behavior did not run. */
      readonly isRefused?: true
    }
  | { readonly kind: 'decided'; readonly decision: Decision }

/** A command, with what its evaluation needs to know. */
export interface Evaluated {
  readonly call: OpenCall
  readonly command: Command
  readonly redelivery: Redelivery | undefined
  /** The versions in which to search for a duplicate. */
  readonly search: DuplicateSearch
}

/** Searches for a duplicate where one is possible, and decides. */
export function evaluate(
  subject: ActorSubject,
  duplicates: DuplicateDetector,
  evaluated: Evaluated,
  folded: FoldedState,
  now: number,
): Evaluation | Promise<Evaluation> {
  const { call, command, search, redelivery } = evaluated
  // A timer's command needs a search of the log.
  return redelivery?.firing === undefined && duplicates.isKnownNew(search, folded)
    ? evaluateHereOrRemotely(subject, call, command, folded, now)
    : searchAndEvaluate(subject, duplicates, evaluated, folded, now)
}

function evaluateHereOrRemotely(
  subject: ActorSubject,
  call: OpenCall,
  command: Command,
  folded: FoldedState,
  now: number,
  firing?: TimerFiring,
): Evaluation | Promise<Evaluation> {
  const { remote } = subject.definition.behavior
  return remote === undefined
    ? evaluateNew(subject, command, folded, now, firing)
    : evaluateRemotely(subject, remote, call, command, folded, now, firing)
}

async function evaluateRemotely(
  { definition: { behavior }, address, ports }: ActorSubject,
  remote: RemoteBehavior,
  call: OpenCall,
  command: Command,
  folded: FoldedState,
  now: number,
  firing: TimerFiring | undefined,
): Promise<Evaluation> {
  const conflict = versionConflict(command, folded)
  if (conflict !== undefined) return { kind: 'decided', decision: conflict }
  let evaluation: Evaluation
  try {
    const { signal } = call
    const decision = await decideRemotelyTraced(
      ports,
      behavior,
      remote,
      address,
      folded,
      command,
      now,
      signal,
      firing,
    )
    evaluation = { kind: 'decided', decision }
  } catch (error) {
    evaluation = { kind: 'failed', error }
  }
  call.check()
  return evaluation
}

/** Decides a command that was not handled before, in this process. */
export function evaluateNew(
  { definition, address, ports }: ActorSubject,
  command: Command,
  folded: FoldedState,
  now: number,
  firing?: TimerFiring,
): Evaluation {
  const ended = workEndedBy(definition.behavior, address, command, folded)
  if (ended !== undefined && 'rejection' in ended)
    return { kind: 'decided', decision: ended }
  let checked: Command
  try {
    checked = conformCommand(definition.schemas, address, command)
  } catch (error) {
    return { kind: 'failed', error, isRefused: true }
  }
  const conflict = versionConflict(command, folded)
  if (conflict !== undefined) return { kind: 'decided', decision: conflict }
  try {
    const decision = decideTraced(
      ports,
      definition,
      address,
      folded,
      checked,
      now,
      firing,
    )
    if (ended === undefined) return { kind: 'decided', decision }
    return { kind: 'decided', decision: storedEnd(ended, command, decision) }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

async function searchAndEvaluate(
  subject: ActorSubject,
  duplicates: DuplicateDetector,
  { call, command, search, redelivery }: Evaluated,
  folded: FoldedState,
  now: number,
): Promise<Evaluation> {
  let found: Awaited<ReturnType<DuplicateDetector['find']>>
  let isSuperseded: boolean | 'lagging' = false
  try {
    found = await duplicates.find(search, folded, now, call)
    if (found === 'none' && redelivery?.firing !== undefined)
      isSuperseded = await isSupersededIn(
        subject,
        redelivery,
        redelivery.firing,
        folded,
        call,
      )
  } catch (error) {
    // The signal fires when the call is given up: throw that reason instead of "aborted".
    call.check()
    throw error
  }
  call.check()
  if (found === 'lagging' || isSuperseded === 'lagging') return { kind: 'lagging' }
  if (found !== 'none') return { kind: 'duplicate', outcome: found }
  if (isSuperseded)
    return { kind: 'decided', decision: supersededDecision(redelivery!.firing!) }
  const { firing } = redelivery ?? {}
  return evaluateHereOrRemotely(subject, call, command, folded, now, firing)
}

/** Whether the timer was replaced or cancelled (FIRING-1). */
function isSupersededIn(
  { address, name, ports }: ActorSubject,
  { sentAfter }: Redelivery,
  firing: TimerFiring,
  folded: FoldedState,
  { signal }: OpenCall,
): Promise<boolean | 'lagging'> {
  const { store } = ports
  return ports.withWakeSlot(
    () => isTimerSuperseded(store, address, firing, folded, sentAfter, signal),
    signal,
    `looking for what became of timer ${show(firing.name)} of ${name}`,
  )
}

/** The rejection of a command that expects another version; `undefined` for any other command. */
function versionConflict(
  { expectedVersion: expected }: Command,
  { version: actual }: FoldedState,
): RejectedDecision | undefined {
  if (expected === undefined || expected === actual) return undefined
  const message = `The actor is at version ${actual}, and the command expects version ${expected}.`
  return {
    ok: false,
    rejection: { code: 'version-conflict', message, details: { expected, actual } },
  }
}

/** Whether the answer would rest on the state in memory alone. */
export function storesNothing(evaluation: Evaluation): boolean {
  if (evaluation.kind === 'failed') return evaluation.isRefused !== true
  if (evaluation.kind !== 'decided') return false
  return !storesSomething(evaluation.decision)
}

export function storesSomething(decision: Decision): decision is AcceptedDecision {
  return decision.ok && decision.events.length > 0
}

/** Whether a behavior ran on the state in memory and threw. */
export function mayHaveChangedState(evaluation: Evaluation): boolean {
  return (
    evaluation.kind === 'failed' &&
    evaluation.isRefused !== true &&
    !isCairnError(evaluation.error, 'unknown-command')
  )
}
