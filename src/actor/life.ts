// The life of an actor on this node: asleep, running with a state in memory, restarting after a failure, or parked.
//
// Owns the state in memory, and reads the history when it is missing or may be old.
// LIFE-1. The state in memory is the state at its version, folded from stored commits only. A tentative fold is
//     adopted when its append is acknowledged, and not before.
// LIFE-2. After an append without an acknowledgement, for any reason, the state in memory is not trusted: the commit may
//     be stored, and code that threw may have changed what cannot be frozen (READ-ONLY-4). The next step reads the history
//     again.
// LIFE-3. A state that is asked for as the newest is confirmed by a read or an own append that began after the call
//     arrived.
// LIFE-4. Reports from outside (notices, "unverified") only make the next call read the history. They never change the
//     state, and a wrong report costs one read.
// LIFE-5. A state is used only if it was folded with the skips of the operators' directives (SKIPS-1).
// LIFE-6. After a failure the supervision policy of the type decides. A parked actor answers with the reason. A
//     restarting actor keeps its current command, and the others wait after it.

import type { Command } from '../model/behavior.js'
import type { MalformedRecord } from '../model/commit.js'
import { type CairnError, isCairnError } from '../model/errors.js'
import { isReservedType } from '../model/address.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { Head } from '../store/event-store/event-store.js'
import type { ActorSubject } from './actor-ports.js'
import type { OpenCall } from './call.js'
import type { DirectiveState } from './directives.js'
import type { FoldContext, FoldedState } from './fold.js'
import type { InlineStatePlan } from './inline-state.js'
import { OwnDirectives } from './own-directives.js'
import { actorRestarting, actorStillParked, isVersionsBroken } from './parked.js'
import { recover, recoverSuspected, refresh } from './recovery.js'
import type { Skips } from './skips.js'
import { estimateStateBytes, stateBytesOfEncoded } from './state-size.js'
import { delayAfter, type SupervisionPolicy, policyOf } from './supervision-policy.js'
import { foldTentatively, type TentativeEvents } from './tentative.js'
import { VersionGuard } from './version-guard.js'

export interface Running {
  readonly phase: 'running'
  readonly folded: FoldedState
  /** The tick at which the read or append that confirmed the state began. */
  readonly confirmedAt: number
  /** The version from which the state is measured again. */
  readonly measureFrom: Version
  /** The versions that were skipped in the fold (LIFE-5). */
  readonly skips: Skips | undefined
}

interface Parked {
  readonly phase: 'parked'
  readonly error: CairnError
}

/** Failed. The history is read again at the time `due`, or earlier when `interrupt` fires. */
interface Restarting {
  readonly phase: 'restarting'
  readonly error: CairnError
  readonly delay: number
  readonly due: number
  readonly interrupt: AbortController
}

type Lifecycle =
  | { readonly phase: 'asleep' }
  | { readonly phase: 'recovering' }
  /** An append is pending, or was not acknowledged (LIFE-2). */
  | { readonly phase: 'untrusted' }
  | Running
  | Parked
  | Restarting
  | { readonly phase: 'stopped' }

const asleep: Lifecycle = { phase: 'asleep' }
const recovering: Lifecycle = { phase: 'recovering' }
const untrusted: Lifecycle = { phase: 'untrusted' }
const stopped: Lifecycle = { phase: 'stopped' }

/** Estimated bytes from which a state counts as large. */
const largeStateBytes = 1_400

export class Life {
  readonly directives: OwnDirectives
  readonly guard: VersionGuard
  readonly #subject: ActorSubject
  readonly #policy: SupervisionPolicy
  #foldContext: FoldContext
  #lifecycle: Lifecycle = asleep
  /** The highest version that a notice has reported (LIFE-4). */
  #reportedVersion: Version = 0
  /** Failures since the last success (LIFE-6). */
  #failures = 0
  /** Estimated memory of the state; undefined while unknown. */
  #stateBytes: number | undefined

  /** @param onHead called for every head that is read */
  constructor(subject: ActorSubject, onHead: (head: Head) => void) {
    const { address, definition, ports } = subject
    this.#subject = subject
    this.#policy = policyOf(definition.options.supervision)
    const isSupervised = !isReservedType(address.type)
    this.directives = new OwnDirectives(
      address,
      isSupervised ? ports.directives : undefined,
    )
    this.guard = new VersionGuard(address, definition.behavior.version, ports.versions)
    this.#foldContext = {
      actor: address,
      behavior: definition.behavior,
      snapshots: ports.snapshots,
      onMalformed: record => this.#reportMalformed(record),
      onHead: head => {
        this.guard.onHead(head)
        onHead(head)
      },
    }
  }

  get phase(): Lifecycle['phase'] {
    return this.#lifecycle.phase
  }

  /** Why it is parked; undefined while it is not. */
  get parkedBy(): CairnError | undefined {
    return this.#lifecycle.phase === 'parked' ? this.#lifecycle.error : undefined
  }

  /** Estimated memory of the state. */
  get stateBytes(): number {
    const lifecycle = this.#lifecycle
    if (lifecycle.phase === 'running')
      this.#stateBytes ??= estimateStateBytes(lifecycle.folded.state)
    return this.#stateBytes ?? 0
  }

  /** The state in memory; undefined while there is none, or while it is not trusted. */
  get running(): Running | undefined {
    return this.#lifecycle.phase === 'running' ? this.#lifecycle : undefined
  }

  /** The same, unless something indicates that the state is old. */
  get current(): Running | undefined {
    const { running } = this
    if (running === undefined || running.skips !== this.directives.current?.skips)
      return undefined
    const isBehind = this.#reportedVersion > running.folded.version
    const { logicalClock, suspects } = this.#subject.ports
    const isOld = isBehind || running.confirmedAt < logicalClock.unverifiedBefore
    return isOld || suspects.has(this.#subject.name) ? undefined : running
  }

  /** The error of a call that cannot wait for a restart; undefined while the actor is not restarting. */
  get restartError(): CairnError | undefined {
    const lifecycle = this.#lifecycle
    return lifecycle.phase === 'restarting'
      ? actorRestarting(this.#subject.address, lifecycle.delay, lifecycle.error)
      : undefined
  }

  /** Handles a notice: some node has stored a commit of this actor (LIFE-4). */
  onCommit(version: Version): void {
    if (version <= this.#reportedVersion) return
    this.#reportedVersion = version
    // The new commit may end the failure: it may carry the state, folded by another node's behavior.
    this.#retryNow()
  }

  /** Handles a new directive. Returns whether the actor had failed and must be read again. */
  onDirective(before: DirectiveState, after: DirectiveState): boolean {
    if (before.skips !== after.skips || before.retries !== after.retries)
      return this.#retryNow()
    // The command that waits for the restart checks the directives.
    if (this.#lifecycle.phase === 'restarting') this.#lifecycle.interrupt.abort()
    return false
  }

  /** A call succeeded: the next failure counts as the first (LIFE-6). */
  onSuccess(): void {
    this.#failures = 0
  }

  stop(): void {
    this.#lifecycle = stopped
  }

  /** LIFE-2. */
  distrust(): void {
    this.#lifecycle = untrusted
  }

  /**
   * Takes over the state after an append that was acknowledged (LIFE-1).
   * @param startedAt the tick at which the append began
   * @param before the actor before the append
   */
  adopt(
    folded: FoldedState,
    startedAt: number,
    before: Running,
    { state, bytes, measureFrom }: InlineStatePlan,
  ): void {
    const { skips } = before
    this.#lifecycle = {
      phase: 'running',
      folded,
      confirmedAt: startedAt,
      measureFrom,
      skips,
    }
    const wasLarge = state !== undefined && this.#stateBytes! > largeStateBytes
    if (bytes !== undefined) this.#stateBytes = stateBytesOfEncoded(bytes)
    else if (measureFrom !== before.measureFrom || wasLarge) this.#stateBytes = undefined
  }

  /** The state after events that are not stored yet. The actor fails when they cannot be folded. */
  foldTentatively(running: Running, command: Command, events: TentativeEvents): unknown {
    try {
      return this.foldOnto(running, running.folded, command, events)
    } catch (error) {
      if (!isCairnError(error, 'actor-parked')) throw error
      this.#applyFailurePolicy(error)
      throw this.restartError ?? error
    }
  }

  /** The same, onto a tentative state, without a consequence for the actor. */
  foldOnto(
    { skips }: Running,
    from: FoldedState,
    command: Command,
    events: TentativeEvents,
  ): unknown {
    return foldTentatively(this.#foldContextFor(skips), from, command, events)
  }

  /**
   * Wakes the actor, or catches up when a newer version was reported.
   * @param isCommand a command waits for a restart and is refused during a pause; a read does neither
   */
  async ensureRunning(call: OpenCall, isCommand = false): Promise<Running> {
    const ready = this.current
    if (ready !== undefined) return ready
    const lifecycle = this.#lifecycle
    if (lifecycle.phase === 'parked') {
      this.guard.redirectToLater('its history')
      throw actorStillParked(this.#subject.address, lifecycle.error)
    }
    const isFoldedWithSameSkips =
      lifecycle.phase === 'running' && lifecycle.skips === this.directives.current?.skips
    return this.readHistory(
      call,
      isFoldedWithSameSkips ? lifecycle : undefined,
      isCommand,
    )
  }

  /** The running actor with every commit that was stored before the call arrived (LIFE-3). */
  async ensureNewest(call: OpenCall, isCommand = false): Promise<Running> {
    const running = await this.ensureRunning(call, isCommand)
    return running.confirmedAt >= call.arrivedAt
      ? running
      : this.readHistory(call, running, isCommand)
  }

  /** Reads the history, again after each failure for which the type's policy is a restart (LIFE-6). */
  async readHistory(
    call: OpenCall,
    known: Running | undefined,
    isCommand: boolean,
  ): Promise<Running> {
    for (let from = known; ; from = undefined) {
      const lifecycle = this.#lifecycle
      if (lifecycle.phase === 'restarting')
        await this.#waitForRestart(call, lifecycle, isCommand)
      try {
        return await this.#readHistoryOnce(call, from)
      } catch (error) {
        if (this.phase !== 'restarting') throw error
      }
    }
  }

  async #waitForRestart(
    call: OpenCall,
    restarting: Restarting,
    isCommand: boolean,
  ): Promise<void> {
    const { delay, due, interrupt, error } = restarting
    if (!isCommand) throw actorRestarting(this.#subject.address, delay, error)
    const { clock, counters } = this.#subject.ports
    // A clock that was set back must not prolong the wait.
    const left = Math.min(delay, due - clock.now())
    if (left > 0) {
      const signal = AbortSignal.any([call.signal, interrupt.signal])
      counters.restartWaits++
      await (clock.wait?.(left, signal) ?? pause(left, signal))
      counters.restartWaits--
      call.check()
    }
    await this.directives.known(call)
    this.directives.throwIfPaused()
    if (this.#lifecycle === restarting) this.#lifecycle = asleep
  }

  /** Reads the history: all that waking needs, or the commits that `known` lacks. */
  async #readHistoryOnce(call: OpenCall, known: Running | undefined): Promise<Running> {
    const { address, name, definition, ports } = this.#subject
    const { store, logicalClock, counters, suspects } = ports
    const { signal } = call
    const reported = this.#reportedVersion
    const startedAt = logicalClock.now
    const skips = this.directives.current?.skips
    const context = this.#foldContextFor(skips)
    const suspectedAfter = suspects.knownVersionOf(name)
    let folded: FoldedState
    try {
      if (suspectedAfter !== undefined) {
        this.#lifecycle = recovering
        folded = await ports.withWakeSlot(
          () => recoverSuspected(store, context, suspectedAfter, signal),
          signal,
          `reading the whole history of ${name}`,
        )
        suspects.clear(name)
      } else if (known?.skips === skips && known !== undefined)
        folded = await refresh(store, context, known.folded, signal)
      else {
        if (this.#lifecycle.phase === 'asleep') counters.wakes++
        this.#lifecycle = recovering
        const wake = async () => {
          const woken = await recover(store, context, signal)
          ports.longTails.onWake(context, woken, definition)
          await ports.refoldChecks.onWake(store, context, woken, signal)
          return woken
        }
        folded = await ports.withWakeSlot(wake, signal, `waking ${name}`)
      }
    } catch (failure) {
      this.#lifecycle = asleep
      const error = this.guard.explain(failure)
      if (isCairnError(error, 'actor-parked')) {
        if (isVersionsBroken(error)) {
          counters.discontinuities++
          // Whatever wakes it next must not trust its last record (CONTINUITY-1).
          suspects.add(name, suspectedAfter ?? known?.folded.version ?? 0)
        }
        this.#applyFailurePolicy(error)
      }
      // The signal fires when the call is given up: throw that reason instead of "aborted".
      call.check()
      throw error
    }
    // A wrong report of a version is corrected here, unless a newer one came during the read (LIFE-4).
    if (this.#reportedVersion === reported && reported > folded.version)
      this.#reportedVersion = folded.version
    const measureFrom = known?.folded === folded ? known.measureFrom : 0
    const running: Running = {
      phase: 'running',
      folded,
      confirmedAt: startedAt,
      measureFrom,
      skips,
    }
    if (known?.folded !== folded) this.#stateBytes = undefined
    this.#lifecycle = running
    ports.onStoredState?.(address, definition, folded)
    call.check()
    return running
  }

  /** Forgets a failure, so that the next call reads the history from the start. Returns whether there was one. */
  #retryNow(): boolean {
    const lifecycle = this.#lifecycle
    if (lifecycle.phase !== 'parked' && lifecycle.phase !== 'restarting') return false
    this.#lifecycle = asleep
    this.#failures = 0
    if (lifecycle.phase === 'restarting') lifecycle.interrupt.abort()
    return true
  }

  /** Parks or restarts the actor, as the policy of its type says (LIFE-6). */
  #applyFailurePolicy(error: CairnError): void {
    const { address, name, ports } = this.#subject
    const { clock, log } = ports
    const { message, details } = error
    ports.failed.add(name)
    const delay = delayAfter(this.#policy, ++this.#failures)
    if (delay === undefined) {
      this.#lifecycle = { phase: 'parked', error }
      log('error', message, details)
      ports.parked(address, error)
    } else {
      const due = clock.now() + delay
      const interrupt = new AbortController()
      this.#lifecycle = { phase: 'restarting', error, delay, due, interrupt }
      log('warn', actorRestarting(address, delay, error).message, details)
    }
    if (this.#policy.onFailure === 'escalate') ports.escalate(address, error)
  }

  /** The fold context with these skips. */
  #foldContextFor(skips: Skips | undefined): FoldContext {
    if (this.#foldContext.skips !== skips)
      this.#foldContext = { ...this.#foldContext, skips }
    return this.#foldContext
  }

  #reportMalformed({ position, source, reason }: MalformedRecord): void {
    const { name, ports } = this.#subject
    ports.log('warn', `A record of ${name} is not a readable commit`, {
      actor: name,
      position,
      source,
      reason,
    })
  }
}
