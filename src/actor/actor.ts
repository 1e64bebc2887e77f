// An actor in memory on this node.
//
// Owns the mailbox. Its state belongs to its life (life.ts), and its commands are processed by its command loop
// (command-loop.ts).
// ACTOR-1. One command or read at a time, in the order of arrival (MAILBOX-1).
// ACTOR-2. A read that names a sufficient version accepts any state in memory from that version on. Every other read
//     returns the newest state (LIFE-3).

import { digestOf } from './command-digest.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import type { AskOutcome } from '../model/command-sender.js'
import type { CairnError } from '../model/errors.js'
import { handOut } from '../model/read-only.js'
import type { Redelivery } from '../model/redelivery.js'
import type { Version } from '../model/version.js'
import type { ActorPorts, ActorSubject } from './actor-ports.js'
import type { Call } from './call.js'
import { CommandLoop } from './command-loop.js'
import type { AnyActorDefinition, StateReading } from './definition.js'
import { detachPlain } from './detach.js'
import type { DirectiveState } from './directives.js'
import { DuplicateDetector } from './duplicate-detector.js'
import { Life } from './life.js'
import { type ProcessingResult, Mailbox } from './mailbox.js'
import {
  answer,
  failureOf,
  type PendingCommand,
  type QueuedCall,
  type QueuedCommand,
} from './queued-call.js'

const idleAfterDefault = 600_000
/** Memory of an actor without its state, measured. */
const actorBytes = 1_400

export class Actor {
  readonly #subject: ActorSubject
  readonly #life: Life
  readonly #mailbox: Mailbox<QueuedCall>
  readonly #duplicates: DuplicateDetector
  readonly #loop: CommandLoop

  /** @param onIdle called when no call is waiting or running any more */
  constructor(
    address: ActorAddress,
    definition: AnyActorDefinition,
    ports: ActorPorts,
    onIdle: (actor: Actor) => void,
  ) {
    const { mailboxLimit = 1000, commandWindow } = definition.options
    const subject = { address, name: formatAddress(address), definition, ports }
    this.#subject = subject
    this.#duplicates = new DuplicateDetector(address, ports, commandWindow)
    this.#life = new Life(subject, head =>
      this.#duplicates.onHead(head, ports.clock.now()),
    )
    this.#mailbox = new Mailbox(address, mailboxLimit, {
      process: queued => this.#process(queued),
      recordResult: (queued, result) => this.#recordResult(queued, result),
      answer,
      onIdle: () => onIdle(this),
    })
    this.#loop = new CommandLoop(subject, this.#life, this.#duplicates, this.#mailbox)
  }

  get address(): ActorAddress {
    return this.#subject.address
  }

  get name(): string {
    return this.#subject.name
  }

  get phase(): Life['phase'] {
    return this.#life.phase
  }

  get parkedBy(): CairnError | undefined {
    return this.#life.parkedBy
  }

  /** The behavior version that the history needs, as far as it is known. */
  get neededVersion(): number {
    return this.#life.guard.written
  }

  /** How many milliseconds the actor may stay in memory while idle. */
  get idleAfter(): number {
    return this.#subject.definition.options.idleAfter ?? idleAfterDefault
  }

  /** Estimated memory of the actor. */
  get bytes(): number {
    return actorBytes + this.#duplicates.bytes + this.#life.stateBytes
  }

  /** How many calls are waiting or running. */
  get openCalls(): number {
    return this.#mailbox.waiting + (this.#mailbox.isIdle ? 0 : 1)
  }

  get isIdle(): boolean {
    return this.#mailbox.isIdle
  }

  /**
   * Adds a command to the mailbox; throws `mailbox-full`. The call gets the answer.
   * @param isNew the id was created for this call, so the command cannot be a duplicate
   * @param waitingMax how many may wait, if that is less than its type allows
   */
  enqueueCommand(
    call: Call<AskOutcome>,
    command: Command,
    isNew: boolean,
    redelivery?: Redelivery,
    waitingMax = Infinity,
  ): void {
    // Before the digest is computed.
    this.#mailbox.check(waitingMax)
    const digest = digestOf(command, isNew, redelivery)
    const pending = { command, isNew, redelivery, digest, search: undefined }
    this.#post(call, this.#processCommand, pending)
  }

  /**
   * Adds a read of the newest state to the mailbox; throws `mailbox-full`.
   * @param sufficientVersion a state in memory at this version or a later one is returned without a read
   */
  enqueueRead(call: Call<StateReading>, sufficientVersion: Version = Infinity): void {
    const life = this.#life
    // It would wait after a command that waits for the restart.
    const { restartError } = life
    if (restartError !== undefined && !this.isIdle) return call.fail(restartError)
    this.#post(call, async () => {
      let { running } = life
      if (running === undefined || running.folded.version < sufficientVersion) {
        await life.directives.known(call)
        running = await life.ensureNewest(call)
      }
      const { state, version, position } = running.folded
      const plain = detachPlain(handOut(state))
      return { state: plain, version, position, exists: version > 0 }
    })
  }

  /** Reads what the next command needs: the state, and the commits in which it may have been handled before. */
  enqueueWarming(call: Call<void>): void {
    const life = this.#life
    if (life.restartError !== undefined) return call.fail(life.restartError)
    this.#post(call, async () => {
      await life.directives.known(call)
      const { folded } = life.current ?? (await life.ensureRunning(call))
      await this.#duplicates.warm(folded, this.#subject.ports.clock.now(), call)
    })
  }

  /** Handles a notice: some node has stored a commit of this actor. */
  onCommit(version: Version): void {
    this.#life.onCommit(version)
  }

  /** Handles a new directive. Returns whether the actor had failed and must be read again. */
  onDirective(before: DirectiveState, after: DirectiveState): boolean {
    return this.#life.onDirective(before, after)
  }

  /** Gives up every call that has no answer yet, and accepts no more. */
  stop(reason: CairnError): void {
    this.#life.stop()
    this.#duplicates.stop()
    this.#loop.stop(reason)
    for (const { call } of this.#mailbox.items) call.giveUp(reason)
  }

  readonly #processCommand = (queued: QueuedCall<AskOutcome>) =>
    this.#loop.handle(queued as QueuedCommand)

  #post<T>(call: Call<T>, work: QueuedCall<T>['work'], pending?: PendingCommand): void {
    const queued: QueuedCall<T> =
      pending === undefined
        ? { call, work, result: undefined }
        : { call, work, pending, result: undefined }
    this.#mailbox.post(queued as QueuedCall)
    if (!call.hasEnded) call.onEnded(() => this.#mailbox.withdraw(queued as QueuedCall))
  }

  #process(queued: QueuedCall): Promise<unknown> {
    const { call } = queued
    // Where others wait, it may have waited, too.
    if (this.#mailbox.waiting > 0) call.checkDeadline()
    call.check()
    return queued.work(queued)
  }

  #recordResult(queued: QueuedCall, result: ProcessingResult): void {
    queued.result = result
    if (result.ok) this.#life.onSuccess()
    else
      for (const other of this.#mailbox.claimed)
        other.result ??= failureOf(other, result.error)
  }
}
