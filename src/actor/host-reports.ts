// What the host reports to the application and the log: failed commands, escalations, states that
// cannot be stored, and changes of directives.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { callHook } from '../model/thenable.js'
import type { Version } from '../model/version.js'
import type { ActorHostOptions, Escalation, FailedCommandInfo } from './actor-host.js'
import type { DirectiveState } from './directives.js'

type HostHooks = Pick<ActorHostOptions, 'failed' | 'onDeadCommand' | 'onEscalation'>

export class HostReports {
  readonly #hooks: HostHooks
  readonly #log: WriteLog
  #deadCommands = 0

  constructor(hooks: HostHooks, log: WriteLog) {
    this.#hooks = hooks
    this.#log = log
  }

  /** Commands sent by `tell` that failed after they were accepted, since the start. */
  get deadCommands(): number {
    return this.#deadCommands
  }

  /** A command sent by `tell` failed after it was accepted. */
  commandFailed(error: unknown, info: FailedCommandInfo): void {
    this.#deadCommands++
    this.#hooks.failed?.count(error)
    const { onDeadCommand } = this.#hooks
    const details = { ...info, actor: formatAddress(info.actor) }
    if (onDeadCommand === undefined)
      return this.#log(
        'error',
        `A command sent by tell failed: ${messageOf(error)}`,
        details,
      )
    this.#call('onDeadCommand', details, () => onDeadCommand(error, info))
  }

  escalated(escalation: Escalation): void {
    const details = { actor: formatAddress(escalation.actor) }
    this.#call('onEscalation', details, () => this.#hooks.onEscalation?.(escalation))
  }

  /** Calls a hook of the application, which may throw or return a promise that is rejected. */
  #call(name: string, details: object, hook: () => unknown): void {
    callHook(hook, thrown =>
      this.#log('error', `${name} failed: ${messageOf(thrown)}`, details),
    )
  }

  directivesChanged(name: string, before: DirectiveState, after: DirectiveState): void {
    if (before.skips !== after.skips)
      this.#log('warn', `Folding of ${name} skips version ${String(after.skips)}`, {
        actor: name,
        skipped: after.skips?.ranges,
      })
    if (before.paused !== after.paused)
      this.#log(
        'info',
        `Actor ${name} is ${after.paused === undefined ? 'resumed' : 'paused'}`,
        { actor: name, ...after.paused },
      )
  }

  /** Reports the outcome of a read that a directive caused. */
  rereadAfterFailure(
    actor: ActorAddress,
    read: Promise<{ readonly version: Version }>,
  ): void {
    const name = formatAddress(actor)
    read.then(
      ({ version }) =>
        this.#log('info', `Actor ${name} was read again and continues`, {
          actor: name,
          version,
        }),
      (error: unknown) =>
        this.#log('warn', `Actor ${name} was read again: ${messageOf(error)}`, {
          actor: name,
        }),
    )
  }
}
