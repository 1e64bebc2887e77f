// The host: the actors that are in this node's memory.
//
// Owns the residents, the commands that are open on this node, and their graceful shutdown.
// HOST-1. At most `commandsMax` commands and state reads are open at a time; more are rejected with
//         `queue-full`.
// HOST-2. At most `wakesMax` actors are read from the store at a time; the others wait.
// HOST-3. Once closing, it accepts nothing (`node-closed`). Accepted calls are finished or, when the
//         time for that has passed, answered; no command starts after its caller got an answer.
// It knows nothing of placement: it serves every actor that it is asked for, and the store decides.

import { type ActorAddress, formatAddress, isReservedType } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { systemClock } from '../model/clock.js'
import type { AskOutcome, RedeliveryOptions } from '../model/command-sender.js'
import { defined } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import { noLog } from '../model/log.js'
import { carryOn, type CommandTrace, commandTraces, trace } from '../model/trace.js'
import { Semaphore } from '../model/semaphore.js'
import { checkCount, type Version } from '../model/version.js'
import { type Deferred, deferred, pause } from '../model/wait.js'
import type { Actor } from './actor.js'
import type { ActorPorts } from './actor-ports.js'
import type {
  ActorHost,
  ActorHostOptions,
  ActorHostStats,
  CommitNotice,
  ParkedActor,
} from './actor-host.js'
import { Admission, nodeClosed } from './admission.js'
import type { Call, CallOptions } from './call.js'
import { CommandSubject, ReadSubject } from './call-subjects.js'
import type { StateOptions, StateReading } from './definition.js'
import type { DirectiveState } from './directives.js'
import { Suspects } from './continuity.js'
import { HostReports } from './host-reports.js'
import { toCommand } from './incoming-command.js'
import { Middleware, sourceOf } from './middleware.js'
import { actorPaused } from './parked.js'
import { posting, ResidentCalls } from './resident-calls.js'
import { FailedActors } from './failed-actors.js'
import { Residents } from './residents.js'
import { type ActorSchemas, checkCommandData, conformCommand } from './schemas.js'
import { StateReads } from './state-reads.js'
import { supervisorId } from './supervisor.js'
import { LongTails } from './long-tails.js'
import { RefoldChecks } from './refold-checks.js'
import { UnstorableTypes } from './unstorable-types.js'
import { isRedirect } from './version-guard.js'
import { type VersionWait, VersionWaiters } from './version-waiters.js'

/** Creates the host of a node. Throws `invalid-option` if a limit is not a whole number from 1. */
export function createActorHost(options: ActorHostOptions): ActorHost {
  return new Host(options)
}

const noSnapshots = { written: 0, failed: 0, used: 0 }

/** Milliseconds between checks for residents that were idle for too long. */
const passivateEvery = 5_000

class Host implements ActorHost {
  readonly #options: ActorHostOptions
  readonly #admission: Admission
  readonly #residents: Residents
  readonly #failed: FailedActors
  readonly #calls: ResidentCalls
  readonly #reads: StateReads
  readonly #reports: HostReports
  readonly #versionWaiters: VersionWaiters
  readonly #passivation: NodeJS.Timeout
  readonly #actorPorts: ActorPorts
  readonly #middleware: Middleware
  #asks = 0
  #tells = 0
  #closing: Promise<void> | undefined
  #drained: Deferred<void> | undefined

  constructor(options: ActorHostOptions) {
    const { store, definitions, nodeId, namespace = '', directives } = options
    const { clock = systemClock, log = noLog } = options
    const { residentsMax = 10_000, residentBytesMax = 256 * 1024 * 1024 } = options
    const { wakesMax = 64, commandsMax = 100_000 } = options
    checkPositive({ residentsMax, residentBytesMax, wakesMax, commandsMax })
    const wakes = new Semaphore(wakesMax) // HOST-2
    const unstorable = new UnstorableTypes(log)
    this.#options = options
    this.#middleware = new Middleware(options.middleware ?? [], log)
    this.#residents = new Residents(residentsMax, residentBytesMax)
    this.#failed = new FailedActors(name => this.#residents.find(name)?.phase)
    this.#admission = new Admission(commandsMax, {
      busy: () => this.#residents.busy,
      openOf: actor => this.#residents.find(formatAddress(actor))?.openCalls ?? 0,
    })
    this.#reports = new HostReports(options, log)
    this.#versionWaiters = new VersionWaiters(commandsMax)
    this.#passivation = setInterval(() => this.passivate(), passivateEvery)
    this.#passivation.unref()
    this.#actorPorts = {
      store,
      nodeId,
      namespace,
      clock,
      log,
      logicalClock: { now: 0, unverifiedBefore: 0 },
      counters: {
        conflicts: 0,
        retries: 0,
        wakes: 0,
        duplicates: 0,
        discontinuities: 0,
        rejectedEnds: 0,
        restartWaits: 0,
      },
      suspects: new Suspects(),
      withWakeSlot: (work, signal, doing) => wakes.run(work, signal, doing),
      directives,
      versions: options.versions,
      failed: this.#failed,
      parked: (actor, error) => options.onParked?.({ actor, error }),
      escalate: (actor, error) => this.#reports.escalated({ actor, error }),
      refoldChecks: new RefoldChecks(log),
      longTails: new LongTails(log),
      snapshots: options.snapshots,
      onUnstorableState: (type, error) => unstorable.report(type, error),
      ...(options.onStoredState !== undefined && {
        onStoredState: options.onStoredState,
      }),
    }
    this.#calls = new ResidentCalls(
      this.#admission,
      definitions,
      this.#residents,
      this.#actorPorts,
      actor => this.#release(actor),
    )
    this.#reads = new StateReads({
      store,
      definitions,
      directives,
      admission: this.#admission,
      calls: this.#calls,
      residents: this.#residents,
      versions: options.versions,
      versionWaiters: this.#versionWaiters,
    })
    directives?.onChange((actor, before, after) =>
      this.#onDirectives(actor, before, after),
    )
  }

  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: RedeliveryOptions = {},
  ): Promise<AskOutcome> {
    try {
      this.#checkAdmission(actor, options)
      const sent = toCommand(actor, commandType, data, options)
      // One that is sent again may be answered as before, whatever its schema is by now: decided, it is checked.
      const isNew = options.commandId === undefined
      const command = isNew ? conformCommand(this.#schemasOf(actor), actor, sent) : sent
      if (this.#isWrapped(actor))
        return this.#sendWrapped(actor, command, options, () => this.#asks++)
      const { promise } = this.#send(actor, command, options)
      this.#asks++
      return promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  get mayRefuse(): boolean {
    return this.#admission.mayRefuse
  }

  refusal(
    actor: ActorAddress,
    { timeout, redelivery }: RedeliveryOptions = {},
  ): CairnError | undefined {
    const isAsked = this.#admission.mayRefuse && redelivery === undefined
    return isAsked ? this.#admission.refusal({ actor, timeout }) : undefined
  }

  async tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: RedeliveryOptions = {},
  ): Promise<void> {
    this.#checkAdmission(actor, options)
    const command = toCommand(actor, commandType, data, options)
    // Nobody waits for the outcome. The data stays as it was sent: another node may get the command.
    checkCommandData(this.#schemasOf(actor), actor, commandType, command.data)
    this.#checkNotPaused(actor)
    const outcome = this.#isWrapped(actor)
      ? await this.#tellWrapped(actor, command, options)
      : this.#send(actor, command, options)
    this.#tells++
    const { type, id } = actor
    const info = { actor: { type, id }, commandType, commandId: command.id }
    outcome.promise
      .catch((error: unknown) => this.#redirectTold(error, actor, command, options))
      .catch((error: unknown) => this.#reports.commandFailed(error, info))
  }

  state(actor: ActorAddress, options?: StateOptions): Promise<StateReading> {
    return this.#reads.state(actor, options)
  }

  stateAt(
    actor: ActorAddress,
    version: Version,
    options?: CallOptions,
  ): Promise<StateReading> {
    return this.#reads.stateAt(actor, version, options)
  }

  readResident(
    actor: ActorAddress,
    enough: Version,
    options: CallOptions,
  ): Promise<StateReading> | undefined {
    return this.#reads.readResident(actor, enough, options)
  }

  awaitVersion(actor: ActorAddress, version: Version): VersionWait {
    return this.#reads.awaitVersion(actor, version)
  }

  async warm(
    actors: readonly ActorAddress[],
    options: CallOptions = {},
  ): Promise<number> {
    const { definitions } = this.#options
    const hosted = actors.filter(({ type }) => definitions.types.includes(type))
    const results = await Promise.allSettled(
      hosted.map(async actor => {
        const subject = new ReadSubject(actor)
        const { call, resident } = this.#calls.open<void>(actor, subject, options)
        posting(call, () => resident.enqueueWarming(call))
        await call.promise
      }),
    )
    return results.filter(({ status }) => status === 'fulfilled').length
  }

  recentActors(max: number): readonly ActorAddress[] {
    return this.#residents.recent(max).map(({ address }) => address)
  }

  onCommit({ actor, version }: CommitNotice): void {
    const name = formatAddress(actor)
    this.#residents.find(name)?.onCommit(version)
    this.#versionWaiters.onVersion(name, version)
  }

  onDiscontinuity(actor: ActorAddress, known: Version, isOwned: boolean): void {
    const name = formatAddress(actor)
    this.#actorPorts.suspects.add(name, known)
    const isHere = isOwned || this.#residents.find(name) !== undefined
    if (!isHere || this.#admission.isClosed) return
    // The read logs what it finds; one that fails for another reason is made again with the next command.
    this.state(actor).catch(() => {})
  }

  dismiss(isOurs: (actor: ActorAddress, neededVersion: number) => boolean): void {
    this.#residents.dismissAll(
      ({ address, neededVersion }) => !isOurs(address, neededVersion),
    )
  }

  passivate(): void {
    const now = this.#actorPorts.clock.now()
    this.#residents.dismiss((actor, since) => now - since >= actor.idleAfter)
  }

  markUnverified(): void {
    const { logicalClock } = this.#actorPorts
    logicalClock.unverifiedBefore = ++logicalClock.now
  }

  parked(): readonly ParkedActor[] {
    const found: ParkedActor[] = []
    for (const { address, parkedBy } of this.#residents.all())
      if (parkedBy !== undefined) found.push({ actor: address, error: parkedBy })
    return found
  }

  stats(): ActorHostStats {
    const { parked, restarting } = this.#failed.counts()
    const { conflicts, retries, wakes, duplicates, discontinuities, restartWaits } =
      this.#actorPorts.counters
    const { rejectedEnds } = this.#actorPorts.counters
    return {
      residents: this.#residents.size,
      busy: this.#residents.busy,
      residentBytes: this.#residents.bytes,
      parked,
      restarting,
      restartWaits,
      evictions: this.#residents.evictions,
      dismissals: this.#residents.dismissals,
      open: this.#admission.open,
      refused: this.#admission.refused,
      asks: this.#asks,
      tells: this.#tells,
      deadCommands: this.#reports.deadCommands,
      wakes,
      conflicts,
      retries,
      duplicates,
      discontinuities,
      rejectedEnds,
      longTails: this.#actorPorts.longTails.count,
      latency: this.#admission.latency(),
      snapshots: this.#actorPorts.snapshots?.stats() ?? noSnapshots,
    }
  }

  close({ timeout = 10_000 }: { readonly timeout?: number } = {}): Promise<void> {
    this.#admission.close()
    this.#closing ??= this.#drain(timeout)
    return this.#closing
  }

  /** HOST-3. */
  async #drain(timeout: number): Promise<void> {
    this.#versionWaiters.close()
    if (this.#residents.busy > 0) {
      this.#drained = deferred<void>()
      const ended = new AbortController()
      const inTime = this.#drained.promise.then(() => ended.abort())
      await Promise.race([inTime, pause(timeout, ended.signal)])
    }
    this.#middleware.stop(nodeClosed())
    clearInterval(this.#passivation)
    for (const actor of this.#residents.all()) actor.stop(nodeClosed())
    this.#residents.clear()
  }

  /** ADMISSION-1. */
  #checkAdmission(
    actor: ActorAddress,
    { timeout, redelivery }: RedeliveryOptions = {},
  ): void {
    this.#admission.check({ actor, timeout, isReserved: redelivery !== undefined })
  }

  #schemasOf({ type }: ActorAddress): ActorSchemas | undefined {
    return this.#options.definitions.find(type)?.schemas
  }

  /** After {@link Host.#checkAdmission}. */
  #send(
    actor: ActorAddress,
    command: Command,
    options: RedeliveryOptions,
  ): Call<AskOutcome> {
    const subject = new CommandSubject(actor, command)
    const { timeout, redelivery } = options
    const { call, resident } = this.#calls.open<AskOutcome>(actor, subject, options, true)
    // An id that was created for this call cannot have been used before.
    const isNew = options.commandId === undefined
    const max = redelivery === undefined ? this.#admission.mailboxMax(timeout) : Infinity
    posting(call, () => resident.enqueueCommand(call, command, isNew, redelivery, max))
    return call
  }

  /** Whether more happens to its commands than that they reach the mailbox. */
  #isWrapped({ type }: ActorAddress): boolean {
    if (commandTraces.hasSubscribers) return true
    return this.#middleware.appliesTo(this.#options.definitions.find(type))
  }

  /** @param onAccepted called once the command is in the mailbox */
  #sendWrapped(
    actor: ActorAddress,
    command: Command,
    options: RedeliveryOptions,
    onAccepted: () => void,
  ): Promise<AskOutcome> {
    if (!commandTraces.hasSubscribers)
      return this.#sendThrough(actor, command, options, onAccepted)
    const { nodeId, namespace } = this.#actorPorts
    const { type, id: commandId, correlationId, traceparent } = command
    const context: CommandTrace = {
      namespace,
      nodeId,
      actor,
      command: type,
      commandId,
      correlationId,
      traceparent,
    }
    return trace(commandTraces, context, own =>
      this.#sendThrough(actor, carryOn(command, own), options, onAccepted),
    )
  }

  /** MIDDLEWARE-1. */
  async #sendThrough(
    actor: ActorAddress,
    command: Command,
    options: RedeliveryOptions,
    onAccepted: () => void,
  ): Promise<AskOutcome> {
    const definition = this.#options.definitions.find(actor.type)
    const send = (passed: Command, timeout = options.timeout) => {
      const { promise } = this.#send(actor, passed, {
        ...options,
        ...defined({ timeout }),
      })
      onAccepted()
      return promise
    }
    if (isReservedType(actor.type) || !this.#middleware.appliesTo(definition))
      return send(command)
    const source = sourceOf(options.redelivery)
    const { timeout, signal } = options
    const passage = { source, timeout, signal }
    return this.#middleware.run(definition, actor, command, passage, async (...args) =>
      send(...args),
    )
  }

  /** Throws if the command is not accepted. */
  async #tellWrapped(
    actor: ActorAddress,
    command: Command,
    options: RedeliveryOptions,
  ): Promise<{ readonly promise: Promise<AskOutcome> }> {
    const accepted = deferred<void>()
    const promise = this.#sendWrapped(actor, command, options, accepted.resolve)
    await Promise.race([accepted.promise, promise])
    return { promise }
  }

  /** Nobody waits for the outcome: what the caller of an `ask` would do is done here. */
  async #redirectTold(
    error: unknown,
    actor: ActorAddress,
    { id: commandId, type, data }: Command,
    options: RedeliveryOptions,
  ): Promise<void> {
    const { redirectTold } = this.#options
    if (redirectTold === undefined || !isRedirect(error)) throw error
    await redirectTold(actor, type, data, { ...options, commandId })
  }

  #release(actor: Actor): void {
    this.#residents.markIdle(actor, this.#actorPorts.clock.now())
    if (this.#residents.busy === 0) this.#drained?.resolve()
  }

  /** The caller of `tell` gets the error of a pause only before the command is accepted. */
  #checkNotPaused(actor: ActorAddress): void {
    const { directives } = this.#options
    const id = supervisorId(formatAddress(actor))
    if (directives === undefined || directives.pending(id) !== undefined) return
    const { paused } = directives.of(id)
    if (paused !== undefined) throw actorPaused(actor, paused)
  }

  /** Applies directives to a resident; if it had failed, it is read again at once. */
  #onDirectives(
    actor: ActorAddress,
    before: DirectiveState,
    after: DirectiveState,
  ): void {
    const name = formatAddress(actor)
    this.#reports.directivesChanged(name, before, after)
    const hadFailed = this.#residents.find(name)?.onDirective(before, after) === true
    if (!hadFailed || this.#admission.isClosed) return
    this.#reports.rereadAfterFailure(actor, this.state(actor))
  }
}

function checkPositive(counts: Record<string, number>): void {
  for (const [name, value] of Object.entries(counts))
    if (checkCount(name, value) === 0)
      throw new CairnError('invalid-option', `${name} is 0: use a whole number from 1.`)
}
