// Reading a state that has reached a version: looks, waits for news, looks again.

import { CairnError, isCairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'
import { throwIfAborted } from '../model/wait.js'
import type { StateReading } from './definition.js'
import { type CallOptions, callTimeoutDefault, checkTimeout } from './call.js'
import type { VersionWait } from './version-waiters.js'

/** Milliseconds until a reader looks again although it has heard nothing. */
const rereadEvery = 500

/**
 * Throws `deadline-exceeded` with the version wanted and the one found, and what `read` does.
 *
 * @param name the actor's
 * @param expect begins to listen for news of the version
 */
export async function readAfter(
  name: string,
  wanted: Version,
  { timeout = callTimeoutDefault, signal }: CallOptions,
  read: (bounds: CallOptions) => Promise<StateReading>,
  expect: () => VersionWait,
): Promise<StateReading> {
  checkTimeout(timeout)
  const deadline = performance.now() + timeout
  const left = () => Math.ceil(deadline - performance.now())
  let found: Version | undefined
  const expectation = expect()
  try {
    for (;;) {
      throwIfAborted(signal, `reading the state of ${name}`)
      if (left() < 1) throw notReached(name, wanted, found, timeout)
      const reading = await read({ timeout: Math.max(1, left()), signal })
      if (reading.version >= wanted) return reading
      found = reading.version
      await expectation.wait(Math.max(1, Math.min(rereadEvery, left())), signal)
    }
  } catch (error) {
    // The last look came too late: what was found before it says more.
    if (found === undefined || !isCairnError(error, 'deadline-exceeded')) throw error
    throw notReached(name, wanted, found, timeout)
  } finally {
    expectation.end()
  }
}

/** The error for a read that took too long. */
export function readTimedOut(doing: string, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `The ${doing} was not finished within ${timeout} ms: try again, or wait longer.`,
    { details: { timeout } },
  )
}

function notReached(
  actor: string,
  wanted: Version,
  found: Version | undefined,
  timeout: number,
): CairnError {
  const stands = found === undefined ? 'could not be read' : `is at version ${found}`
  return new CairnError(
    'deadline-exceeded',
    `Version ${wanted} of ${actor} was wanted, and ${actor} ${stands}: it was not reached within ` +
      `${timeout} ms. Wait longer, or ask for a version that was acknowledged.`,
    { details: { actor, wanted, found, timeout } },
  )
}
