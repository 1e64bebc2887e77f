// Work: a function of an actor's definition that does something outside, such as a call over HTTP. `decide` asks for it
// with `perform`; it runs on the actor's owner, after the commit.

import type { ActorAddress } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { defined } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import { retryPolicy } from '../model/retry-policy.js'
import { show } from '../model/show.js'
import type { WorkRetry } from '../model/work.js'

/** What the function of a work gets beside its input. */
export interface WorkContext {
  /**
   * The same in every attempt, on every node: `order/o-1/3#0`. Pass it to the service that is called, so that it does once
   * what it is asked for twice.
   */
  readonly key: string
  /** The actor whose work it is. */
  readonly actor: ActorAddress
  /** From 1. A node that takes over begins again at 1. */
  readonly attempt: number
  /** Whether a failure of this attempt is the end. */
  readonly isLastAttempt: boolean
  /**
   * Fires when the time for the attempt is over, when the work is cancelled, and when this node leaves or does not own the
   * actor any more; in the last two cases the next owner starts it again. Pass it to `fetch`.
   */
  readonly signal: AbortSignal
}

/** How a work is done, unless `perform` says otherwise. */
export interface WorkOptions {
  /**
   * Attempts, and the delays between them, as of a reactor: `{ attempts, kind, first, factor, max, jitter }`. Default: five
   * attempts, 1 s apart at first, then twice as long each time, up to 30 s. `attempts` may be `Infinity`.
   */
  readonly retry?: WorkRetry | undefined
  /** Milliseconds for an attempt, below 2^31, or `Infinity`. Default 30,000. */
  readonly timeout?: number | undefined
}

const optionNames: OptionNames<WorkOptions> = { retry: true, timeout: true }

/** Work that `decide` can ask for; made by {@link defineWork}. */
export interface Work<
  Name extends string = string,
  Input = never,
  Result = unknown,
> extends WorkOptions {
  readonly name: Name
  readonly run: (input: Input, context: WorkContext) => Result | Promise<Result>
}

export type AnyWork = Work

/** What the command for a failure gets. */
export interface FailedWork<Name extends string = string, Input = unknown> {
  readonly work: Name
  readonly key: string
  /** What it was performed with. */
  readonly input: Input
  /** What the last attempt threw: its name, message, and code where it has one. */
  readonly error: WorkError
  /** The attempts of the node that gave up. */
  readonly attempts: number
  /** `terminal`: a TerminalError. `invalid-result`: what it returned cannot be stored, or `done` does not take it. */
  readonly reason: 'terminal' | 'max-attempts-exhausted' | 'invalid-result'
}

export interface WorkError {
  readonly name: string
  readonly message: string
  readonly code?: string | number
}

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/

/**
 * Defines work that takes time or may fail, for {@link perform}. The actor's definition lists it in `performs`.
 *
 * ```ts
 * const charge = defineWork('charge', async ({ cents }: { cents: number }, { key, signal }) => {
 *   const answer = await fetch(url, { method: 'POST', headers: { 'idempotency-key': key }, body: `${cents}`, signal })
 *   return { receipt: await answer.text() }
 * })
 * ```
 *
 * A third argument, `{ retry, timeout }`, says how it is done where {@link perform} does not. The name is stored: it is the same in later versions of the program. What the function returns is the data of a command:
 * plain data. It is called at least once; an attempt that throws is followed by others, unless it throws a `TerminalError`.
 * Throws `invalid-definition` or `invalid-option`.
 */
export function defineWork<const Name extends string, Input, Result>(
  name: Name,
  run: (input: Input, context: WorkContext) => Result | Promise<Result>,
  options: WorkOptions = {},
): Work<Name, Input, Result> {
  if (typeof name !== 'string' || !namePattern.test(name))
    throw new CairnError(
      'invalid-definition',
      `${show(name)} is not a name of work: use a letter, then up to 62 of A-Z, a-z, 0-9, "_" and "-".`,
    )
  if (typeof run !== 'function')
    throw new CairnError(
      'invalid-definition',
      `Work ${name} has ${show(run)}: pass the function that does it, (input, { key, signal }) => result.`,
      { details: { work: name } },
    )
  const what = `Work ${name}`
  checkOptions(what, options, optionNames)
  checkWorkOptions(what, options)
  return Object.freeze({ name, run, ...defined({ ...options }) })
}

/** Throws `invalid-option` for a retry policy or a timeout that cannot be used, or not be stored. */
export function checkWorkOptions(what: string, { retry, timeout }: WorkOptions): void {
  if (timeout !== undefined && !isTimeout(timeout))
    throw new CairnError(
      'invalid-option',
      `${what} has timeout: ${show(timeout)}: use milliseconds from 1 to 2^31 - 1, or Infinity.`,
    )
  if (retry === undefined) return
  if (typeof retry === 'object' && retry !== null && 'when' in retry)
    throw new CairnError(
      'invalid-option',
      `retry of ${what} has when, and a function cannot be stored: throw a TerminalError instead.`,
    )
  retryPolicy(retry, what)
}

function isTimeout(timeout: unknown): boolean {
  if (typeof timeout !== 'number') return false
  return timeout === Infinity || (timeout >= 1 && timeout < 2 ** 31)
}

/** Throws `invalid-definition` for a value that {@link defineWork} did not make, such as a work's name. */
export function checkWork(where: string, work: AnyWork): void {
  if (typeof work?.name === 'string' && typeof work.run === 'function') return
  throw new CairnError(
    'invalid-definition',
    `${where} has ${show(work)} as work: pass what defineWork returns.`,
  )
}

/** Throws `invalid-definition` for a value that is not a list of work, and for two of one name. */
export function checkWorks(where: string, works: readonly AnyWork[]): void {
  if (!Array.isArray(works))
    throw new CairnError(
      'invalid-definition',
      `${where} is ${show(works)}: pass a list of what defineWork returns.`,
    )
  const names = new Set<string>()
  for (const work of works) {
    checkWork(where, work)
    if (names.has(work.name))
      throw new CairnError(
        'invalid-definition',
        `${where} has work ${work.name} twice: list each once, and give another function another name.`,
        { details: { work: work.name } },
      )
    names.add(work.name)
  }
}
