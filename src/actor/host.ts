// The host: the actors awake on this node.
//
// Owns the residents, the node's share of commands, and their end.
// H1. At most `commandsMax` commands and readings are open at a time: `queue-full` beyond.
// H2. At most `wakesMax` actors are being read from the store at a time; the others wait.
// H3. Once closing, nothing is taken in (`node-closed`). What was accepted is finished, or,
//     when the time for that is over, answered; nothing begins after its answer.
// It knows nothing of placement: it serves whatever it is asked for, and the store judges.

import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { sanitizeCauses } from '../model/causes.js'
import { type Command, commandIdBytesMax } from '../model/behavior.js'
import { type Clock, systemClock } from '../model/clock.js'
import { withCauses } from './causes.js'
import { Deadlines } from '../model/deadlines.js'
import { CairnError, messageOf } from '../model/errors.js'
import { checkFreshness, sufficientVersion } from '../model/freshness.js'
import { newId } from '../model/id.js'
import type { AskOutcome, CommandSender, SendOptions } from '../model/command-sender.js'
import { noLog, type WriteLog } from '../model/log.js'
import { show } from '../model/show.js'
import { checkCount, type Position, type Version } from '../model/version.js'
import { bounded, type Deferred, deferred, pause } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { aboutCommand } from './about-command.js'
import { Actor, type ActorHome } from './actor.js'
import type { StateOptions, StateReading } from './definition.js'
import {
  Call,
  type CallOptions,
  CallPorts,
  type CallSubject,
  callTimeoutDefault,
  checkTimeout,
} from './call.js'
import type { FailedCommands } from './failed-commands.js'
import { detach } from './detach.js'
import { Semaphore } from '../model/semaphore.js'
import { type VersionWait, VersionWaiters } from './version-waiters.js'
import type { DirectiveState, Directives } from './directives.js'
import { actorPaused } from './parked.js'
import { readAfter, readTimedOut } from './read-after.js'
import { recoverAt } from './recovery.js'
import type { DefinitionRegistry } from './registry.js'
import { Residents } from './residents.js'
import { supervisorId } from './supervisor.js'

export interface ActorHostOptions {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly definitions: DefinitionRegistry
  /** As the store writes it into commits. */
  readonly nodeId: string
  /** Default: the system's. */
  readonly clock?: Clock
  /** Default: says nothing. */
  readonly log?: WriteLog
  /** Actors kept in memory, unless more are busy. Default 10,000. */
  readonly residentsMax?: number
  /** Bytes that they take, estimated, unless those that are busy take more. Default 256 MiB. */
  readonly residentBytesMax?: number
  /** Actors being woken at the same time. Default 64. */
  readonly wakesMax?: number
  /** Commands and readings open at the same time, on all actors together. Default 100,000. */
  readonly commandsMax?: number
  /** Times a command is decided before it ends in `contention`. Default 10. */
  readonly attemptsMax?: number
  /** Hears of every told command that failed after it was accepted. Default: the log does. */
  readonly onDeadCommand?: (error: unknown, info: FailedCommandInfo) => void
  /** What operators say about the actors. Default: nothing. */
  readonly directives?: Directives
  /** Counts the told commands that failed after they were accepted. */
  readonly failed?: FailedCommands
  /** Hears of every state that an actor here has come to. Default: nobody does. */
  readonly adopted?: ActorHome['adopted']
  /** Hears of failures of actors whose policy is `'escalate'`. Default: nobody does. */
  readonly onEscalation?: (escalation: Escalation) => void
}

/** An actor has failed, and its policy is to tell the node. */
export interface Escalation {
  readonly actor: ActorAddress
  /** `actor-parked`, with what failed. */
  readonly error: CairnError
}

/** A command that failed when nobody was waiting for its answer. */
export interface FailedCommandInfo {
  readonly actor: ActorAddress
  readonly commandType: string
  readonly commandId: string
}

/** A commit as its notice tells of it. */
export interface CommitNotice {
  readonly actor: ActorAddress
  readonly version: Version
  readonly position: Position
}

export interface ActorHostStats {
  /** Actors in memory, of which `busy` have a command waiting or running. */
  readonly residents: number
  readonly busy: number
  /** The memory that they take, estimated; it may be wrong by a factor of three. */
  readonly residentBytes: number
  readonly parked: number
  /** Actors in memory that wait to be read anew after a failure. */
  readonly restarting: number
  readonly evictions: number
  /** Actors let go because they were idle for long, or are another node's. */
  readonly dismissals: number
  /** Commands and readings open now. */
  readonly open: number
  /** Since the start: */
  readonly asks: number
  readonly tells: number
  /** Told commands that failed after they were accepted. */
  readonly deadCommands: number
  readonly wakes: number
  /** Appends that another writer was faster than. */
  readonly conflicts: number
  /** Commands decided again, after a conflict or on a state that was not the newest. */
  readonly retries: number
  /** Commands that had been carried out before, and got their first answer again. */
  readonly duplicates: number
}

/** What this node knows of actors without reading, for whoever reads for itself. */
export interface ResidentReader {
  /**
   * The state of a resident, from memory where that is at `enough` or further, else read;
   * `undefined` for an actor that is not awake here.
   */
  readResident(
    actor: ActorAddress,
    enough: Version,
    options: CallOptions,
  ): Promise<StateReading> | undefined
  /** Begins to listen for notices that the actor has reached a version. */
  awaitVersion(actor: ActorAddress, version: Version): VersionWait
}

export interface ActorHost extends CommandSender, ResidentReader {
  /**
   * The state, as a copy where it is plain data (else: read only); wakes the actor here. Throws
   * `deadline-exceeded` where a version that was asked for is not reached in time.
   */
  state(actor: ActorAddress, options?: StateOptions): Promise<StateReading>
  /** The state as it was at a version, folded from the history. Throws `unknown-version`. */
  stateAt(
    actor: ActorAddress,
    version: Version,
    options?: CallOptions,
  ): Promise<StateReading>
  /** A commit was stored, by whichever node: a resident that is behind looks before it answers. */
  onCommit(notice: CommitNotice): void
  /** Lets residents go that are not to be kept here, as soon as they are idle; their next command wakes them, wherever. */
  dismiss(isOurs: (actor: ActorAddress) => boolean): void
  /** Lets residents go that have been idle for their type's `idleAfter`; the host does so by itself every few seconds. */
  passivate(): void
  /** Notices may have been missed: every resident looks before its next answer. */
  markUnverified(): void
  stats(): ActorHostStats
  /**
   * Takes in nothing more and finishes what was accepted, for at most `timeout` ms (default
   * 10,000). What is unfinished then is answered: `node-closed`, or by the store where an
   * append is under way. Never throws; calling it again waits for the same end.
   */
  close(options?: { readonly timeout?: number }): Promise<void>
}

/** Throws `invalid-option`. */
export function createActorHost(options: ActorHostOptions): ActorHost {
  return new Host(options)
}

class Host implements ActorHost {
  readonly #options: ActorHostOptions
  readonly #log: WriteLog
  readonly #commandsMax: number
  readonly #residents: Residents
  readonly #versionWaiters: VersionWaiters
  readonly #passivation: NodeJS.Timeout
  readonly #home: ActorHome
  readonly #unstorableTypes = new Set<string>()
  readonly #calls = new CallPorts(new Deadlines(), () => void this.#open--)
  #open = 0
  #asks = 0
  #tells = 0
  #deadCommands = 0
  #closing: Promise<void> | undefined
  #drained: Deferred<void> | undefined

  constructor(options: ActorHostOptions) {
    const { store, nodeId, clock = systemClock, log = noLog } = options
    const { residentsMax = 10_000, residentBytesMax = 256 * 1024 * 1024 } = options
    const { wakesMax = 64 } = options
    const { commandsMax = 100_000, attemptsMax = 10 } = options
    checkPositive({ residentsMax, residentBytesMax, wakesMax, commandsMax, attemptsMax })
    this.#options = options
    this.#log = log
    this.#commandsMax = commandsMax
    this.#residents = new Residents(residentsMax, residentBytesMax)
    this.#versionWaiters = new VersionWaiters(commandsMax)
    this.#passivation = setInterval(() => this.passivate(), passivateEvery)
    this.#passivation.unref()
    const gate = new Semaphore(wakesMax)
    this.#home = {
      store,
      nodeId,
      clock,
      log,
      attemptsMax,
      ticks: { now: 0, suspectBefore: 0 },
      counters: { conflicts: 0, retries: 0, wakes: 0, duplicates: 0 },
      wake: (work, signal, doing) => gate.run(work, signal, doing),
      directives: options.directives,
      escalate: (actor, error) => this.#escalate({ actor, error }),
      unstorable: (type, error) => this.#noteUnstorable(type, error),
      ...(options.adopted !== undefined && { adopted: options.adopted }),
      idle: actor => this.#release(actor),
    }
    options.directives?.onChange((actor, before, after) =>
      this.#onDirectives(actor, before, after),
    )
  }

  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: SendOptions = {},
  ): Promise<AskOutcome> {
    try {
      const command = toCommand(actor, commandType, data, options)
      const { promise } = this.#send(actor, command, options)
      this.#asks++
      return promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: SendOptions = {},
  ): Promise<void> {
    const command = toCommand(actor, commandType, data, options)
    this.#refuseWhilePaused(actor)
    const call = this.#send(actor, command, options)
    this.#tells++
    const { type, id } = actor
    const info = { actor: { type, id }, commandType, commandId: command.id }
    call.promise.catch((error: unknown) => this.#giveUpCommand(error, info))
  }

  async state(
    actor: ActorAddress,
    { freshness = 'latest', ...options }: StateOptions = {},
  ): Promise<StateReading> {
    const name = formatAddress(checkAddress(actor))
    const enough = sufficientVersion(checkFreshness(freshness))
    const read = (bounds: CallOptions) => this.#read(actor, enough, bounds)
    return typeof freshness === 'string'
      ? read(options)
      : readAfter(name, freshness.after, options, read, () =>
          this.awaitVersion(actor, freshness.after),
        )
  }

  readResident(
    actor: ActorAddress,
    enough: Version,
    options: CallOptions,
  ): Promise<StateReading> | undefined {
    const isHere = this.#residents.find(formatAddress(actor)) !== undefined
    return isHere ? this.#read(actor, enough, options) : undefined
  }

  awaitVersion(actor: ActorAddress, version: Version): VersionWait {
    return this.#versionWaiters.expect(formatAddress(actor), version)
  }

  async #read(
    actor: ActorAddress,
    enough: Version | undefined,
    options: CallOptions,
  ): Promise<StateReading> {
    const { call, resident } = this.#admit<StateReading>(
      actor,
      new ReadSubject(actor),
      options,
    )
    posting(call, () => resident.reading(call, enough))
    return call.promise
  }

  async stateAt(
    actor: ActorAddress,
    version: Version,
    { timeout = callTimeoutDefault, signal }: CallOptions = {},
  ): Promise<StateReading> {
    checkAddress(actor)
    checkCount('version', version)
    checkTimeout(timeout)
    if (this.#closing !== undefined) throw nodeClosed()
    const { behavior } = this.#options.definitions.get(actor.type)
    const doing = `reading version ${version} of ${formatAddress(actor)}`
    const read = async (until: AbortSignal) => {
      const order = await this.#options.directives?.now(actor, until)
      const folding = { actor, behavior, skips: order?.skips }
      return recoverAt(this.#home.store, folding, version, until)
    }
    const late = () => readTimedOut(doing, timeout)
    const at = await bounded(read, timeout, late, signal, doing)
    return { state: at.state, version: at.version }
  }

  onCommit({ actor, version }: CommitNotice): void {
    const name = formatAddress(actor)
    this.#residents.find(name)?.noticed(version)
    this.#versionWaiters.noticed(name, version)
  }

  dismiss(isOurs: (actor: ActorAddress) => boolean): void {
    this.#residents.dismissAll(({ address }) => !isOurs(address))
  }

  passivate(): void {
    const now = this.#home.clock.now()
    this.#residents.dismiss((actor, since) => now - since >= actor.idleAfter)
  }

  markUnverified(): void {
    const { ticks } = this.#home
    ticks.suspectBefore = ++ticks.now
  }

  stats(): ActorHostStats {
    let parked = 0
    let restarting = 0
    for (const { phase } of this.#residents.all()) {
      if (phase === 'parked') parked++
      if (phase === 'restarting') restarting++
    }
    const { conflicts, retries, wakes, duplicates } = this.#home.counters
    return {
      residents: this.#residents.size,
      busy: this.#residents.busy,
      residentBytes: this.#residents.bytes,
      parked,
      restarting,
      evictions: this.#residents.evictions,
      dismissals: this.#residents.dismissals,
      open: this.#open,
      asks: this.#asks,
      tells: this.#tells,
      deadCommands: this.#deadCommands,
      wakes,
      conflicts,
      retries,
      duplicates,
    }
  }

  close({ timeout = 10_000 }: { readonly timeout?: number } = {}): Promise<void> {
    this.#closing ??= this.#drain(timeout)
    return this.#closing
  }

  /** H3. */
  async #drain(timeout: number): Promise<void> {
    this.#versionWaiters.over()
    if (this.#residents.busy > 0) {
      this.#drained = deferred<void>()
      const over = new AbortController()
      const inTime = this.#drained.promise.then(() => over.abort())
      await Promise.race([inTime, pause(timeout, over.signal)])
    }
    clearInterval(this.#passivation)
    for (const actor of this.#residents.all()) actor.stop(nodeClosed())
    this.#residents.clear()
  }

  #send(actor: ActorAddress, command: Command, options: SendOptions): Call<AskOutcome> {
    const subject = new CommandSubject(actor, command)
    const { call, resident } = this.#admit<AskOutcome>(actor, subject, options)
    // Nobody but this call knows an id that was made for it.
    const isNew = options.commandId === undefined
    posting(call, () => resident.command(call, command, isNew, options))
    return call
  }

  /** Takes a call in: throws before it is accepted, and answers it in any case after. */
  #admit<T>(
    actor: ActorAddress,
    subject: CallSubject,
    options: CallOptions,
  ): { readonly call: Call<T>; readonly resident: Actor } {
    if (this.#closing !== undefined) throw nodeClosed()
    if (this.#open >= this.#commandsMax) throw queueFull(this.#commandsMax)
    const definition = this.#options.definitions.get(actor.type)
    const call = new Call<T>(subject, ++this.#home.ticks.now, options, this.#calls)
    this.#open++
    const name = formatAddress(actor)
    const resident =
      this.#residents.engaged(name) ??
      this.#residents.engage(
        new Actor({ type: actor.type, id: actor.id }, definition, this.#home),
      )
    return { call, resident }
  }

  #release(actor: Actor): void {
    this.#residents.release(actor, this.#home.clock.now())
    if (this.#residents.busy === 0) this.#drained?.resolve()
  }

  /** Whoever tells hears of a pause only before the command is accepted. */
  #refuseWhilePaused(actor: ActorAddress): void {
    const { directives } = this.#options
    const id = supervisorId(formatAddress(actor))
    if (directives === undefined || directives.pending(id) !== undefined) return
    const { paused } = directives.of(id)
    if (paused !== undefined) throw actorPaused(actor, paused)
  }

  /** An operator has spoken: residents obey, and what had failed is read anew now. */
  #onDirectives(actor: ActorAddress, before: DirectiveState, after: DirectiveState): void {
    const name = formatAddress(actor)
    if (before.skips !== after.skips)
      this.#log('warn', `Folding of ${name} passes over version ${String(after.skips)}`, {
        actor: name,
        skipped: after.skips?.ranges,
      })
    if (before.paused !== after.paused)
      this.#log(
        'info',
        `Actor ${name} is ${after.paused === undefined ? 'resumed' : 'paused'}`,
        { actor: name, ...after.paused },
      )
    const hadFailed = this.#residents.find(name)?.ordered(before, after) === true
    if (!hadFailed || this.#closing !== undefined) return
    this.state(actor).then(
      ({ version }) =>
        this.#log('info', `Actor ${name} has been read anew and goes on`, {
          actor: name,
          version,
        }),
      (error: unknown) =>
        this.#log('warn', `Actor ${name} was read anew: ${messageOf(error)}`, {
          actor: name,
        }),
    )
  }

  #escalate(escalation: Escalation): void {
    try {
      this.#options.onEscalation?.(escalation)
    } catch (thrown) {
      const actor = formatAddress(escalation.actor)
      this.#log('error', `onEscalation threw: ${messageOf(thrown)}`, { actor })
    }
  }

  #giveUpCommand(error: unknown, info: FailedCommandInfo): void {
    this.#deadCommands++
    this.#options.failed?.count(error)
    const { onDeadCommand } = this.#options
    const details = { ...info, actor: formatAddress(info.actor) }
    if (onDeadCommand === undefined)
      return this.#log('error', `A told command failed: ${messageOf(error)}`, details)
    try {
      onDeadCommand(error, info)
    } catch (thrown) {
      this.#log('error', `onDeadCommand threw: ${messageOf(thrown)}`, details)
    }
  }

  #noteUnstorable(type: string, error: unknown): void {
    if (this.#unstorableTypes.has(type)) return
    this.#unstorableTypes.add(type)
    const message =
      `States of actor type ${type} cannot be stored, so waking one reads its history: ` +
      messageOf(error)
    this.#log('warn', message, { type })
  }
}

/** A call that could not be posted was never accepted: its caller hears of it from here. */
function posting(call: Pick<Call<unknown>, 'withdraw'>, post: () => void): void {
  try {
    post()
  } catch (error) {
    call.withdraw()
    throw error
  }
}

class CommandSubject implements CallSubject {
  readonly #actor: ActorAddress
  readonly #command: Command

  constructor(actor: ActorAddress, command: Command) {
    this.#actor = actor
    this.#command = command
  }

  describe(): string {
    return `command ${show(this.#command.type)} to ${formatAddress(this.#actor)}`
  }

  explain(error: unknown): unknown {
    return aboutCommand(error, this.#command.id)
  }
}

class ReadSubject implements CallSubject {
  readonly #actor: ActorAddress

  constructor(actor: ActorAddress) {
    this.#actor = actor
  }

  describe(): string {
    return `reading of the state of ${formatAddress(this.#actor)}`
  }

  explain(error: unknown): unknown {
    return error
  }
}

function toCommand(
  actor: ActorAddress,
  type: string,
  data: unknown,
  options: SendOptions,
): Command {
  checkAddress(actor)
  const { commandId: id = newId() } = options
  checkText('command type', type, textBytesMax)
  checkText('command id', id, commandIdBytesMax)
  const copy = detach(
    data,
    () => `data of command ${show(type)} to ${formatAddress(actor)}`,
  )
  return withCauses({ id, type, data: copy }, sanitizeCauses(options))
}

const textBytesMax = 256
/** Milliseconds between looks for residents that have been idle for too long. */
const passivateEvery = 5_000

function checkText(what: string, text: unknown, bytesMax: number): void {
  if (typeof text === 'string' && text !== '' && text.isWellFormed())
    // A unit of UTF-16 is at most three bytes: most texts need no count.
    if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return
  throw new CairnError(
    'invalid-command',
    `${show(text)} is not a ${what}: use 1 to ${bytesMax} bytes of well-formed text.`,
  )
}

function checkPositive(counts: Record<string, number>): void {
  for (const [name, value] of Object.entries(counts))
    if (checkCount(name, value) === 0)
      throw new CairnError('invalid-option', `${name} is 0: use a whole number from 1.`)
}

function nodeClosed(): CairnError {
  return new CairnError(
    'node-closed',
    'This node is closing and takes no more commands: send to another one.',
  )
}

function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `${limit} commands are open on this node, its limit: send again later, or send slower.`,
    { details: { limit } },
  )
}
