// Waiting until the state of an actor is as wanted.

import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'
import { bounded } from '../model/wait.js'
import { type CallOptions, callTimeoutDefault, checkWaitTimeout } from './call.js'
import type { StateReading } from './definition.js'
import type { FoldContext } from './fold.js'
import { watchActor } from './watch.js'
import type { SkipsNow } from './watched-actor.js'
import type { Watches } from './watches.js'

/**
 * The first state, from the present one on, for which `isWanted` returns true: none is left out. Throws what it throws,
 * `deadline-exceeded` with the version that was seen last, `aborted`, `node-closed`, and the errors of watching.
 */
export async function untilState<State>(
  watches: Watches,
  context: FoldContext<State>,
  isWanted: (state: State) => unknown,
  { timeout = callTimeoutDefault, signal }: CallOptions,
  skipsNow: SkipsNow,
): Promise<StateReading<State>> {
  checkWaitTimeout(timeout)
  const name = formatAddress(context.actor)
  if (typeof isWanted !== 'function')
    throw new CairnError(
      'invalid-option',
      `until of ${name} got ${show(isWanted)}: pass a function of the state, until(({ balance }) => balance > 0).`,
    )
  const seen = { version: undefined as number | undefined }
  return bounded(
    async ended => {
      const steps = watchActor(watches, context, { signal: ended }, skipsNow)
      for await (const { state, version, position, exists } of steps) {
        seen.version = version
        if (isTrue(isWanted(state), name)) return { state, version, position, exists }
      }
      throw new CairnError(
        'node-closed',
        `The node closed while a caller waited for a state of ${name}: wait for it on another node.`,
        { details: { actor: name } },
      )
    },
    timeout,
    () => notReached(name, seen.version, timeout),
    signal,
    `waiting for a state of ${name}`,
  )
}

function isTrue(answer: unknown, name: string): boolean {
  if (!isIgnoredPromise(answer)) return Boolean(answer)
  throw new CairnError(
    'invalid-option',
    `until of ${name} got a function that returns a promise, which is always true: it must be synchronous.`,
  )
}

function notReached(
  actor: string,
  version: number | undefined,
  timeout: number,
): CairnError {
  const status =
    version === undefined ? 'it could not be read' : `it is at version ${version}`
  return new CairnError(
    'deadline-exceeded',
    `The state of ${actor} was not as wanted within ${Math.round(timeout)} ms; ${status}. Wait longer, or look at why it is not.`,
    { details: { actor, version, timeout } },
  )
}
