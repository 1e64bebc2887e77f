// What nodes have still to do of what is stored, and the wait until that is nothing.

import { CairnError } from '../model/errors.js'
import { checkOptions } from '../model/check-options.js'
import { pause, throwIfAborted } from '../model/wait.js'

/** What a node has still to do, when it was looked at. */
export interface NodeActivity {
  /**
   * This node's share of what is stored and has not acted yet, in words; empty when all has. What waits for a later moment
   * of the node's clock is not among it: timers that are not due, and where a test moves the clock, retries as well.
   */
  readonly unsettled: readonly string[]
  /** The last positions of the log, the topics, the inbox, the due timers and the dead letters. */
  readonly ends: readonly number[]
  /** When the next of what waits for the clock is due, ms since 1970, as far as that is known; else `undefined`. */
  readonly nextDueAt: number | undefined
  /** Whether a command waits until a clock that a test moves restarts its actor. */
  readonly awaitsRestart: boolean
}

export interface SettledOptions {
  /** Milliseconds. Default 10,000; `Infinity` waits until the signal fires or the node closes. */
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What has an activity: a node. */
export interface Active {
  activity(options?: { readonly signal?: AbortSignal }): Promise<NodeActivity>
}

const timeoutDefault = 10_000
/** Looks that follow each other at once; then each waits longer than the one before, up to `waitMax` ms. */
const looksAtOnce = 50
const waitMax = 20
/** Looks without a change after which only the restart of an actor can be what is waited for. */
const stillLooks = 60

/**
 * Resolves when all that is stored has acted, as far as it is for these nodes to do. Throws `deadline-exceeded`, which
 * says what has not, `aborted` or `invalid-option`.
 */
export async function settled(
  nodes: Active | readonly Active[],
  options: SettledOptions = {},
): Promise<void> {
  await settle(Array.isArray(nodes) ? nodes : [nodes as Active], options)
}

/** As {@link settled}; resolves with what the nodes were like then. */
export async function settle(
  nodes: readonly Active[],
  options: SettledOptions = {},
): Promise<readonly NodeActivity[]> {
  checkOptions('settled', options, { timeout: true, signal: true })
  const { timeout = timeoutDefault, signal } = options
  const deadline = performance.now() + timeout
  let seen = ''
  let still = 0
  for (let look = 0; ; look++) {
    throwIfAborted(signal, 'waiting until all that is stored has acted')
    const found: NodeActivity[] = []
    for (const node of nodes) found.push(await node.activity(signal && { signal }))
    const unsettled = found.flatMap(one => one.unsettled)
    // Nothing was stored from the first look to the last: no node has given another one new work.
    const ends = new Set(found.map(one => one.ends.join()))
    if (unsettled.length === 0 && ends.size <= 1) return found
    const now = [...unsettled, ...ends].join()
    still = now === seen ? still + 1 : 0
    seen = now
    if (still >= stillLooks && found.some(one => one.awaitsRestart)) return found
    const left = deadline - performance.now()
    if (left <= 0) throw late(timeout, unsettled)
    if (look < looksAtOnce) await new Promise(resolve => setImmediate(resolve))
    else await pause(Math.min(left, waitMax, look - looksAtOnce + 1), signal)
  }
}

/** Reasons that the error of a wait names at most. */
const namedMax = 10

function late(timeout: number, unsettled: readonly string[]): CairnError {
  const named = unsettled.slice(0, namedMax)
  if (unsettled.length > namedMax) named.push(`… and ${unsettled.length - namedMax} more`)
  const what = named.join('; ') || 'the nodes store more and more'
  return new CairnError(
    'deadline-exceeded',
    `Not all that is stored has acted after ${Math.round(timeout)} ms: ${what}. Wait longer with timeout, or wait for what ` +
      'the test needs alone, such as a state of an actor.',
    { details: { unsettled } },
  )
}
