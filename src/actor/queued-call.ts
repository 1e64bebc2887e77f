// The items of an actor's mailbox: calls, and the work that answers them.

import type { Command } from '../model/behavior.js'
import type { AskOutcome } from '../model/command-sender.js'
import { isCairnError } from '../model/errors.js'
import type { Redelivery } from '../model/redelivery.js'
import type { Call } from './call.js'
import type { DuplicateSearch } from './duplicate-detector.js'
import type { ProcessingResult } from './mailbox.js'

export interface QueuedCall<T = unknown> {
  readonly call: Call<T>
  readonly work: (queued: QueuedCall<T>) => Promise<T>
  /** Set for a command. */
  readonly pending?: PendingCommand
  /** Set once the call has been processed. */
  result: ProcessingResult | undefined
}

export interface PendingCommand {
  readonly command: Command
  /** Its id was created for this call, so it cannot be a duplicate. */
  readonly isNew: boolean
  readonly redelivery: Redelivery | undefined
  /** Present if a caller chose its id. */
  readonly digest: string | undefined
  /** The versions in which to search for a duplicate, once they are known. */
  search: DuplicateSearch | undefined
}

export type QueuedCommand = QueuedCall<AskOutcome> & { readonly pending: PendingCommand }

/** Whether somebody still waits for the answer. */
export function isAwaited({ call }: QueuedCall): boolean {
  return !call.hasEnded
}

/** Answers a call that has been processed. */
export function answer({ call, result }: QueuedCall): void {
  if (result?.ok === true) call.resolve(result.outcome)
  else call.fail(result?.error)
}

/** The result of a call whose command was in a batch that has failed with `error`. */
export function failureOf({ call }: QueuedCall, error: unknown): ProcessingResult {
  try {
    // Nothing was written: report the reason for giving up instead.
    if (!isCairnError(error, 'outcome-unknown')) call.check()
    return { ok: false, error }
  } catch (reason) {
    return { ok: false, error: reason }
  }
}
