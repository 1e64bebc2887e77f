// Background work: what nobody waits for, such as a probe or a scan of a folder.
//
// BACKGROUND-1. An error of it never ends the process. The work itself handles the errors that it expects, such as no answer,
//     a full queue, or too many open files; any other one is a warning of the process.

import { callHook } from './thenable.js'
import { messageOf } from './thrown.js'

/**
 * Starts background work.
 * @param what names it in a warning: `probing node b`
 */
export function inBackground(what: string, work: () => Promise<unknown>): void {
  callHook(work, error =>
    process.emitWarning(
      `Cairn failed at ${what}: ${messageOf(error)}. It goes on without it; if this repeats, ` +
        'report it with this text.',
      { type: 'CairnWarning', code: 'background-work-failed' },
    ),
  )
}
