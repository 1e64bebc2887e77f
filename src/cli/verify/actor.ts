// Verification of one actor: its history, the state that a node would continue from, its snapshot, and the timers of a machine.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { Directives } from '../../actor/directives.js'
import { type VerifiedState, verifyHistory } from '../../actor/verify.js'
import { type SnapshotFault, SnapshotToVerify } from '../../actor/verify-snapshot.js'
import type { OpenNamespace } from '../../backend/backend.js'
import { type TimerFault, verifyTimers } from '../../delivery/commands/verify-timers.js'
import { stateFaults } from '../../machine/state-faults.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { Version } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Snapshots } from '../../store/snapshots/snapshots.js'
import type { ByteBudget } from './byte-budget.js'
import { type Problem, snapshotText, timersText, verdictText } from './problem.js'

const readsMax = 3
/** Milliseconds between two reads. */
const readPause = 500

export interface ActorOptions {
  readonly open: Pick<OpenNamespace, 'store' | 'timers' | 'documents' | 'partitions'>
  readonly directives: Directives
  readonly snapshots: Snapshots
  /** Of the snapshots that are in memory. */
  readonly budget: ByteBudget
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

interface Replayed {
  readonly problems: Problem[]
  readonly at: VerifiedState | undefined
}

async function replay(options: ActorOptions, actor: ActorAddress): Promise<Replayed> {
  const { snapshots, budget, signal } = options
  const found = await SnapshotToVerify.of(snapshots, actor, signal)
  if (!(found instanceof SnapshotToVerify)) return replayWith(options, actor, found)
  const doing = `verifying ${formatAddress(actor)}`
  const giveBack = await budget.take(found.bytes, signal, doing)
  try {
    return await replayWith(options, actor, found)
  } finally {
    giveBack()
  }
}

async function replayWith(
  { open, directives, definition, ends, signal }: ActorOptions,
  actor: ActorAddress,
  snapshot: SnapshotToVerify | SnapshotFault | undefined,
): Promise<Replayed> {
  const problems: Problem[] = []
  const found = (
    problem: Problem['problem'],
    version: Version | undefined,
    message: string,
  ) => {
    const at = version === undefined ? {} : { version }
    problems.push({ actor: formatAddress(actor), ...at, problem, message })
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
    ...(snapshot instanceof SnapshotToVerify && { snapshot }),
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
  const fault = snapshot instanceof SnapshotToVerify ? snapshot.fault() : snapshot
  if (fault !== undefined) found('snapshot', fault.version, snapshotText(fault))
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
