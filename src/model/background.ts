// Background work: what nobody waits for, such as a probe or a scan of a folder.
//
// BACKGROUND-1. Whatever it throws, the process lives: it handles what can be expected (no answer, a full queue, too many
//     open files) where it knows what to do next, and the rest is shown as a warning of the process, which loses nothing
//     else.

import { messageOf } from './thrown.js'

/**
 * Starts background work.
 * @param what names it in a warning: `probing node b`
 */
export function inBackground(what: string, work: () => Promise<unknown>): void {
  const failed = (error: unknown) =>
    process.emitWarning(
      `Cairn failed at ${what}: ${messageOf(error)}. It goes on without it; if this repeats, ` +
        'report it with this text.',
      { type: 'CairnWarning', code: 'background-work-failed' },
    )
  try {
    work().catch(failed)
  } catch (error) {
    failed(error)
  }
}
