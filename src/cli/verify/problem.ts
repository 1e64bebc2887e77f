// A problem that verification has found, as it is printed.

import type { VerifyResult } from '../../actor/verify.js'
import type { SnapshotFault } from '../../actor/verify-snapshot.js'
import type { TimerFault } from '../../delivery/commands/verify-timers.js'
import type { StateFault } from '../../machine/state-faults.js'
import { isoTime } from '../../runtime/views/iso-time.js'

export interface Problem {
  /** The actor, `TYPE/ID`. */
  readonly actor: string
  /** The version that it was found at; absent where it is of no version. */
  readonly version?: number
  readonly problem:
    | 'fails'
    | 'differs'
    | 'migration'
    | 'event'
    | 'snapshot'
    | 'timers'
    | StateFault['kind']
  readonly message: string
}

/** What is wrong with a history, without a place. */
export function verdictText(verdict: Exclude<VerifyResult, { kind: 'folds' }>): string {
  if (verdict.kind === 'fails') return verdict.error.message
  const stored = verdict.isSnapshot ? 'in its snapshot' : 'stored with it'
  if (verdict.kind === 'differs')
    return (
      `it folds to another state than the one that is ${stored}, by the same version of the ` +
      'definition: raise that version, or make the fold pure.'
    )
  return (
    verdict.error?.message ??
    `migrateState makes another state of the one that is ${stored} than the events fold to: correct it, ` +
      'or return undefined to fold it again.'
  )
}

export function snapshotText({ reason }: SnapshotFault): string {
  return `its snapshot is not used: ${reason}. Its history is folded, and a later snapshot replaces it.`
}

export function timersText(faults: readonly TimerFault[]): string {
  return `${faults.map(timerText).join('; ')}.`
}

function timerText({ name, wanted, set }: TimerFault): string {
  const timer = `timer ${JSON.stringify(name)}`
  if (set === undefined)
    return `it waits for ${timer}, due ${isoTime(wanted!)}, which is not set`
  if (wanted === undefined)
    return `${timer} is set, due ${isoTime(set)}, and it does not wait for it`
  return `${timer} is set for ${isoTime(set)}, and it waits for ${isoTime(wanted)}`
}
