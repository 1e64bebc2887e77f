// Middleware around commands, and guards: what runs in the owner before a command reaches its actor.
//
// Owns the commands that are in a middleware now.
// MIDDLEWARE-1. It runs once for each arrival of a command at an owner, in the order of the list, the guard of the
//     definition last: before the mailbox, the search for a duplicate and `decide`. A command that is decided again does
//     not pass it again; one that is sent again under its id does.
// MIDDLEWARE-2. The outcome of a command is that of `next`, whatever the middleware returns, or throws later. What it
//     throws without `next` refuses the command: nothing is stored.
// MIDDLEWARE-3. The command's deadline and signal hold: once they have passed, `next` refuses.
// MIDDLEWARE-4. At most `passingMax` commands are in a middleware; more fail with `queue-full`.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { checkPrincipal } from '../model/causes.js'
import { checkOptions } from '../model/check-options.js'
import { CairnError, isCairnError, messageOf, refusal } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { onAbort, offAbort } from '../model/on-abort.js'
import { freeze, handOut } from '../model/read-only.js'
import type { Redelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import { abortedError } from '../model/wait.js'
import { callTimeoutDefault, checkTimeout } from './call.js'
import type { AnyActorDefinition } from './definition.js'
import type {
  CommandMiddleware,
  CommandSource,
  Enrichment,
  GuardedCommand,
  GuardedOutcome,
  Next,
} from './guarded-command.js'

/** Throws `invalid-option`. */
export function checkMiddleware(list: readonly unknown[]): void {
  for (const one of list)
    if (typeof one !== 'function')
      throw new CairnError(
        'invalid-option',
        `middleware of startNode has ${show(one)}: pass functions (command, next) => ….`,
      )
}

/** How a command that passes came, and how long it may take. */
interface Passage {
  readonly source: CommandSource
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Sends the command on, with the milliseconds that are left. */
type Send<Outcome> = (command: Command, timeout: number) => Promise<Outcome>

const passingMax = 10_000

export class Middleware {
  readonly #list: readonly CommandMiddleware[]
  readonly #log: WriteLog
  readonly #passing = new Set<(reason: CairnError) => void>()

  constructor(list: readonly CommandMiddleware[], log: WriteLog) {
    this.#list = list
    this.#log = log
  }

  /** Whether anything is to run for commands of this type. */
  appliesTo(definition: AnyActorDefinition | undefined): boolean {
    return this.#list.length > 0 || definition?.options.guard !== undefined
  }

  /** Gives up the commands that have not passed yet. */
  stop(reason: CairnError): void {
    for (const giveUp of this.#passing) giveUp(reason)
  }

  /** Runs the middleware and the guard, and then `send` (MIDDLEWARE-1). Throws what refuses the command. */
  async run<Outcome extends GuardedOutcome>(
    definition: AnyActorDefinition | undefined,
    actor: ActorAddress,
    command: Command,
    { source, timeout = callTimeoutDefault, signal }: Passage,
    send: Send<Outcome>,
  ): Promise<Outcome> {
    checkTimeout(timeout)
    const doing = nameOf(actor, command)
    if (signal?.aborted) throw abortedError(signal, doing)
    if (this.#passing.size >= passingMax) throw tooManyPassing()
    const deadline = performance.now() + timeout
    const ended = new AbortController()
    let refuse!: (reason: CairnError) => void
    const refused = new Promise<never>((_, reject) => (refuse = reject))
    let sent: Promise<Outcome> | undefined
    let reason: CairnError | undefined
    const giveUp = (why: CairnError) => {
      reason ??= why
      ended.abort(why)
      refuse(why)
    }
    const late = () => giveUp(deadlineExceeded(doing, timeout))
    const timer = setTimeout(late, timeout)
    const abort = () => giveUp(abortedError(signal!, doing))
    onAbort(signal, abort)
    this.#passing.add(giveUp)
    const sendOn = (given: Command): Promise<Outcome> => {
      if (performance.now() >= deadline) late()
      if (reason !== undefined) return Promise.reject(reason) // MIDDLEWARE-3
      sent = send(given, Math.max(1, Math.ceil(deadline - performance.now())))
      return sent
    }
    const given = { actor, source, signal: ended.signal }
    const all = [...this.#list, ...guardsOf(definition)]
    try {
      return await Promise.race([this.#pass(all, 0, command, given, sendOn), refused])
    } catch (error) {
      // MIDDLEWARE-2: the command has its own deadline and signal, and its outcome is the answer.
      if (error === reason && sent !== undefined) return await sent
      throw error
    } finally {
      clearTimeout(timer)
      offAbort(signal, abort)
      this.#passing.delete(giveUp)
    }
  }

  async #pass<Outcome extends GuardedOutcome>(
    all: readonly CommandMiddleware[],
    index: number,
    command: Command,
    given: Pick<GuardedCommand, 'actor' | 'source' | 'signal'>,
    sendOn: (command: Command) => Promise<Outcome>,
  ): Promise<Outcome> {
    const middleware = all[index]
    if (middleware === undefined) return sendOn(command)
    const { actor } = given
    let inner: Promise<Outcome> | undefined
    // Without a wait: commands that pass without one keep their order.
    const next: Next = async enrichment => {
      if (inner !== undefined) throw calledTwice(middleware, actor, command)
      const passed = enrichment === undefined ? command : enriched(command, enrichment)
      inner = this.#pass(all, index + 1, passed, given, sendOn)
      inner.catch(() => {}) // The caller gets it below.
      return inner
    }
    try {
      await middleware(guardedCommand(command, given), next)
    } catch (error) {
      if (inner === undefined) throw refusedBy(middleware, actor, command, error)
      const outcome = await inner
      this.#log('warn', `A middleware failed after its command: ${messageOf(error)}`, {
        actor: formatAddress(actor),
        command: command.type,
        commandId: command.id,
        middleware: labelOf(middleware),
        err: error,
      })
      return outcome
    }
    if (inner === undefined) throw notPassed(middleware, actor, command)
    return inner
  }
}

/** How a command comes, by what its sender says. */
export function sourceOf(redelivery: Redelivery | undefined): CommandSource {
  if (redelivery === undefined) return 'call'
  const { firing, inbox, isChild } = redelivery
  if (firing !== undefined) return 'timer'
  if (isChild === true) return 'work'
  return inbox === undefined ? 'delivery' : 'send'
}

function guardsOf(definition: AnyActorDefinition | undefined): CommandMiddleware[] {
  const guard = definition?.options.guard
  if (guard === undefined) return []
  const check: CommandMiddleware = async (command, next) => {
    const allowed = await guard(command)
    if (allowed === true) return next()
    if (typeof allowed !== 'boolean' && typeof allowed !== 'string')
      throw answersNothing(command, allowed)
    throw forbidden(command, typeof allowed === 'string' ? allowed : undefined)
  }
  Object.defineProperty(check, 'name', { value: `guard of ${definition!.type}` })
  return [check]
}

function answersNothing({ actor, type, id }: GuardedCommand, allowed: unknown) {
  return new CairnError(
    'invalid-definition',
    `The guard of ${actor.type} returned ${show(allowed)} for command ${show(type)} to ${formatAddress(actor)}: return ` +
      'true, or false or a text that says why not. Nothing was stored.',
    { details: { actor: formatAddress(actor), command: type, commandId: id } },
  )
}

function guardedCommand(
  { id, type, data, expectedVersion, ...causes }: Command,
  given: Pick<GuardedCommand, 'actor' | 'source' | 'signal'>,
): GuardedCommand {
  const { correlationId, causationId, traceparent, principal } = causes
  return {
    ...given,
    id,
    type,
    data: handOut(freeze(data)),
    ...(expectedVersion !== undefined && { expectedVersion }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
    ...(principal !== undefined && { principal }),
  }
}

/** Throws `invalid-option`. */
function enriched(command: Command, enrichment: Enrichment): Command {
  checkOptions('next', enrichment, { metadata: true, principal: true })
  const { metadata, principal } = enrichment
  if (principal !== undefined) checkPrincipal(principal)
  return {
    ...command,
    ...(principal !== undefined && { principal }),
    ...(metadata !== undefined && { metadata: { ...command.metadata, ...metadata } }),
  }
}

function forbidden(
  { actor, type, id, principal }: GuardedCommand,
  why: string | undefined,
): CairnError {
  const who = principal === undefined ? 'A caller without a principal' : show(principal)
  const reason = why === undefined ? '' : `: ${why}`
  return new CairnError(
    'forbidden',
    `${who} may not send command ${show(type)} to ${formatAddress(actor)}${reason}. Nothing was stored.`,
    {
      details: {
        actor: formatAddress(actor),
        command: type,
        commandId: id,
        principal,
        ...(why !== undefined && { reason: why }),
      },
    },
  )
}

function refusedBy(
  middleware: CommandMiddleware,
  actor: ActorAddress,
  command: Command,
  cause: unknown,
): unknown {
  if (isCairnError(cause)) return cause
  const label = labelOf(middleware)
  return new CairnError(
    'middleware-failed',
    `${label} threw for ${nameOf(actor, command)}: ${messageOf(cause)}. Nothing was stored. To refuse a command, ` +
      "throw new CairnError('forbidden', …); otherwise correct it.",
    { cause, details: about(middleware, actor, command) },
  )
}

function notPassed(
  middleware: CommandMiddleware,
  actor: ActorAddress,
  command: Command,
): CairnError {
  return new CairnError(
    'middleware-failed',
    `${labelOf(middleware)} ended without next() for ${nameOf(actor, command)}. Nothing was stored. Let it call ` +
      'next(), or throw to refuse the command.',
    { details: about(middleware, actor, command) },
  )
}

function calledTwice(
  middleware: CommandMiddleware,
  actor: ActorAddress,
  command: Command,
): CairnError {
  return new CairnError(
    'middleware-failed',
    `${labelOf(middleware)} called next() twice for ${nameOf(actor, command)}: call it once. The first call counts.`,
    { details: about(middleware, actor, command) },
  )
}

function about(middleware: CommandMiddleware, actor: ActorAddress, command: Command) {
  return {
    middleware: labelOf(middleware),
    actor: formatAddress(actor),
    command: command.type,
    commandId: command.id,
  }
}

function labelOf({ name }: CommandMiddleware): string {
  if (name.startsWith('guard of ')) return `The ${name}`
  return name === '' ? 'A middleware' : `Middleware ${name}`
}

function nameOf(actor: ActorAddress, { type }: Command): string {
  return `command ${show(type)} to ${formatAddress(actor)}`
}

function deadlineExceeded(doing: string, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `The middleware has not let ${doing} pass within ${timeout} ms; nothing was stored.`,
    { details: { timeout } },
  )
}

function tooManyPassing(): CairnError {
  return refusal(
    'queue-full',
    `${passingMax} commands of this node are in their middleware, its limit. Send again later, or make it faster.`,
    { limit: passingMax },
  )
}
