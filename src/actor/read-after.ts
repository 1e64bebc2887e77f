// Reads a state that has reached a version: reads, waits for a notice, reads again.

import { CairnError, isCairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'
import { throwIfAborted, timerMax } from '../model/wait.js'
import type { StateReading } from './definition.js'
import { type CallOptions, callTimeoutDefault, checkWaitTimeout } from './call.js'
import type { VersionWait } from './version-waiters.js'

/** Milliseconds until the next read if no notice arrives. */
const rereadEvery = 500

/**
 * Throws `deadline-exceeded` with the wanted version and the one found, and the errors of `read`.
 *
 * @param name the actor's name
 * @param expect starts to wait for a notice of the version
 */
export async function readAfter(
  name: string,
  wanted: Version,
  { timeout = callTimeoutDefault, signal }: CallOptions,
  read: (bounds: CallOptions) => Promise<StateReading>,
  expect: () => VersionWait,
): Promise<StateReading> {
  checkWaitTimeout(timeout)
  const deadline = performance.now() + timeout
  const left = () => Math.ceil(deadline - performance.now())
  let found: Version | undefined
  const expectation = expect()
  try {
    for (;;) {
      throwIfAborted(signal, `reading the state of ${name}`)
      if (left() < 1) throw notReached(name, wanted, found, timeout)
      const reading = await read({
        timeout: Math.min(timerMax, Math.max(1, left())),
        signal,
      })
      if (reading.version >= wanted) return reading
      found = reading.version
      await expectation.wait(Math.max(1, Math.min(rereadEvery, left())), signal)
    }
  } catch (error) {
    // The last read ran out of time: the version of the read before it says more.
    if (found === undefined || !isCairnError(error, 'deadline-exceeded')) throw error
    throw notReached(name, wanted, found, timeout)
  } finally {
    expectation.end()
  }
}

/** The error of a read that exceeded its deadline. */
export function readTimedOut(doing: string, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `The ${doing} was not finished within ${Math.round(timeout)} ms: try again, or wait longer.`,
    { details: { timeout } },
  )
}

function notReached(
  actor: string,
  wanted: Version,
  found: Version | undefined,
  timeout: number,
): CairnError {
  const status = found === undefined ? 'could not be read' : `is at version ${found}`
  return new CairnError(
    'deadline-exceeded',
    `Version ${wanted} of ${actor} was not reached within ${Math.round(timeout)} ms; ${actor} ${status}. Wait longer, ` +
      'or read a version that was acknowledged.',
    { details: { actor, wanted, found, timeout } },
  )
}
