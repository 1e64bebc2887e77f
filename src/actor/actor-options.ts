// Options of actor types, with their defaults.

import type { OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { commandBatchMax } from './command-batch.js'
import { resolveCommandWindow } from './command-window.js'
import type { ActorOptions } from './definition.js'
import { snapshotEveryDefault } from './snapshot-source.js'
import { policyOf, type SupervisionOptions } from './supervision-policy.js'

/** The options of actor types, for checks of definitions. */
export const actorOptionNames: OptionNames<ActorOptions> = {
  mailboxLimit: true,
  stateBytesMax: true,
  stateEvery: true,
  snapshotEvery: true,
  commitCommandsMax: true,
  idleAfter: true,
  commandWindow: true,
  supervision: true,
  guard: true,
}

const mayBeZero = ['stateBytesMax', 'snapshotEvery']

/** Returns the options with their defaults. Throws `invalid-definition`. */
export function actorOptions(spec: ActorOptions): ActorOptions {
  const { mailboxLimit = 1000, stateBytesMax = 1024, stateEvery = 100 } = spec
  const { snapshotEvery = snapshotEveryDefault } = spec
  const { idleAfter = 600_000, commitCommandsMax = commandBatchMax } = spec
  for (const [name, value] of Object.entries({
    mailboxLimit,
    stateBytesMax,
    stateEvery,
    snapshotEvery,
    idleAfter,
    commitCommandsMax,
  }))
    if (!Number.isSafeInteger(value) || value < (mayBeZero.includes(name) ? 0 : 1))
      throw new CairnError(
        'invalid-definition',
        `${name} is ${show(value)}: use a positive whole number.`,
      )
  const { guard } = spec
  if (guard !== undefined && typeof guard !== 'function')
    throw new CairnError(
      'invalid-definition',
      `guard is ${show(guard)}: it must be a function of the command.`,
    )
  return {
    mailboxLimit,
    stateBytesMax,
    stateEvery,
    snapshotEvery,
    idleAfter,
    commitCommandsMax,
    commandWindow: resolveCommandWindow(spec.commandWindow),
    supervision: supervisionOf(spec),
    ...(guard !== undefined && { guard }),
  }
}

function supervisionOf({ supervision }: ActorOptions): SupervisionOptions {
  const { onFailure, ...backoff } = policyOf(supervision)
  return onFailure === 'restart' ? { onFailure, backoff } : { onFailure }
}
