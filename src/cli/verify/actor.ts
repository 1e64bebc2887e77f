// Verification of one actor: its history, the state that a node would continue from, and the timers of a machine.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { Directives } from '../../actor/directives.js'
import { type VerifiedState, verifyHistory } from '../../actor/verify.js'
import type { OpenNamespace } from '../../backend/backend.js'
import { type TimerFault, verifyTimers } from '../../delivery/commands/verify-timers.js'
import { stateFaults } from '../../machine/state-faults.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { Version } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import { type Problem, timersText, verdictText } from './problem.js'

const readsMax = 3
/** Milliseconds between two reads. */
const readPause = 500

export interface ActorOptions {
  readonly open: Pick<OpenNamespace, 'store' | 'timers' | 'documents' | 'partitions'>
  readonly directives: Directives
  readonly definition: AnyActorDefinition
  /** Ids of states of machines that are meant to be ends. */
  readonly ends: ReadonlySet<string>
  readonly signal: AbortSignal
}

/** The problems of an actor. Throws the errors of reading. */
export async function verifyActor(
  options: ActorOptions,
  actor: ActorAddress,
): Promise<Problem[]> {
  for (let read = 1; ; read++) {
    const { problems, at } = await replay(options, actor)
    if (at === undefined) return problems
    const faults = await timerFaults(options, actor, at)
    if (faults.length === 0) return problems
    if (read === readsMax) {
      const message = timersText(faults)
      const { version } = at
      return [
        ...problems,
        { actor: formatAddress(actor), version, problem: 'timers', message },
      ]
    }
    // Timers are set after the commits that set them: a fault counts only if later reads find it, too.
    await pause(readPause, options.signal)
  }
}

async function replay(
  { open, directives, definition, ends, signal }: ActorOptions,
  actor: ActorAddress,
): Promise<{ readonly problems: Problem[]; readonly at: VerifiedState | undefined }> {
  const problems: Problem[] = []
  const found = (problem: Problem['problem'], version: Version, message: string) => {
    problems.push({ actor: formatAddress(actor), version, problem, message })
  }
  const look = (state: unknown, version: Version) => {
    for (const { kind, text } of stateFaults(definition, state, ends))
      found(kind, version, text)
  }
  const { skips } = await directives.now(actor, signal)
  let at: VerifiedState | undefined
  const verdict = await verifyHistory({
    store: open.store,
    actor,
    behavior: definition.behavior,
    skips,
    signal,
    folded: last => void (at = last),
    woken: look,
    unreadable: (version, error) => found('event', version, error.message),
  })
  if (at !== undefined) look(at.state, at.version)
  if (verdict.kind !== 'folds')
    problems.unshift({
      actor: formatAddress(actor),
      version: verdict.version,
      problem: verdict.kind,
      message: verdictText(verdict),
    })
  return { problems, at }
}

async function timerFaults(
  { open, definition, signal }: ActorOptions,
  actor: ActorAddress,
  at: VerifiedState,
): Promise<TimerFault[]> {
  const { timers, documents, partitions } = open
  const { behavior } = definition
  const where = { timers, documents, partitions, actor, behavior, at, signal }
  return verifyTimers({ ...where, now: Date.now() })
}
