// perform(): asks for work that is done after the commit.

import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { OutboxPerform } from '../model/outbox.js'
import { freeze } from '../model/read-only.js'
import { show } from '../model/show.js'
import { detach } from './detach.js'
import { type Effect, effectOf } from './effects.js'
import {
  checkWork,
  checkWorkOptions,
  type FailedWork,
  type Work,
  type WorkOptions,
} from './work.js'

/** Who hears of the end of work, and how it is done where its definition does not say so. */
export interface PerformOptions<
  Done extends string = string,
  Failed extends string = string,
> extends WorkOptions {
  /** The actor's command that gets the result as its data. */
  readonly done: Done
  /** The actor's command that gets a {@link FailedWork} when the last attempt has failed. */
  readonly failed: Failed
  /** A name for this piece of work, so that `cancel(work, { name })` cancels it alone. Default: none. */
  readonly name?: string | undefined
}

const optionNames: OptionNames<PerformOptions> = {
  done: true,
  failed: true,
  name: true,
  retry: true,
  timeout: true,
}

/**
 * Has work done after the commit. It is stored with the events that `decide` returns with it; the actor's owner starts it,
 * and the next owner starts it again under the same key if that node dies. Its end is a command of the actor, which takes
 * effect once:
 *
 * ```ts
 * pay: (_state, { cents }: { cents: number }) => [
 *   event('paying', { cents }),
 *   perform(charge, { cents }, { done: 'charged', failed: 'notCharged', retry: { attempts: 3 } }),
 * ],
 * charged: (_state, { receipt }: { receipt: string }) => event('paid', { receipt }),
 * notCharged: (_state, { error }: FailedWork) => event('declined', { why: error.message }),
 * ```
 *
 * The function runs at least once, so the outside service can be called more than once; the key makes it one call there.
 * The definition must list the work in `performs`. Throws `invalid-definition`, `invalid-option` or `invalid-data`.
 */
export function perform<
  Name extends string,
  Input,
  Result,
  Done extends string,
  Failed extends string,
>(
  work: Work<Name, Input, Result>,
  input: NoInfer<Input>,
  options: PerformOptions<Done, Failed>,
): Effect<
  {
    [Command in Done | Failed]:
      | (Command extends Done ? Result : never)
      | (Command extends Failed ? FailedWork<Name, Input> : never)
  },
  Name
> {
  checkWork('perform', work)
  const what = `Work ${work.name}`
  checkOptions(what, options, optionNames)
  const { done, failed, name, retry = work.retry, timeout = work.timeout } = options
  for (const [option, text] of Object.entries({ done, failed }))
    if (typeof text !== 'string' || text === '')
      throw invalid(`${what} has ${option}: ${show(text)}: name a command of the actor.`)
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw invalid(`${what} has name: ${show(name)}: use a text that is not empty.`)
  checkWorkOptions(what, options)
  const entry: OutboxPerform = {
    kind: 'perform',
    work: work.name,
    ...(name !== undefined && { name }),
    data: freeze(detach(input, `input of work ${show(work.name)}`)),
    done,
    failed,
    ...(retry !== undefined && { retry: { ...retry } }),
    ...(timeout !== undefined && { timeout }),
  }
  return effectOf(entry)
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
