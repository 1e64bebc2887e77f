// One living actor: its state, and the commands that change it.
//
// Owns the life of one actor on this node, and its mailbox. Nothing else changes its state.
// A1. One command or reading at a time, in the order of arrival (mailbox M1).
// A2. The state in memory is that of `version`, folded from stored commits only: tentative
//     folds are adopted when their append is acknowledged, and not before.
// A3. After an append that was not acknowledged, whatever the reason, memory is not trusted:
//     evolve may have changed it in place. The next step reads the history again.
// A4. No answer rests on an old state. What stores something is judged by the store; what
//     stores nothing is confirmed by a read, or an own append, begun after it had arrived.
// A5. What others say (notices, "unverified") only makes the next command look; it never
//     changes the state, and a wrong word costs one read.
// A6. A command that may be a repeat is decided on a version only after it was looked for in
//     every commit up to that version (repeats D1).

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Command, Decision } from '../model/behavior.js'
import type { Clock } from '../model/clock.js'
import type { MalformedRecord } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { AskOutcome, Carried } from '../model/sender.js'
import { show } from '../model/show.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { AppendOptions, AppendResult, EventStore } from '../store/store.js'
import type { Call, OpenCall } from './call.js'
import { type CarryPlan, planCarry } from './carry.js'
import { causesOf } from './causes.js'
import { carried, decide, declined } from './decide.js'
import type { AnyActorDefinition } from './define.js'
import { detachPlain } from './detach.js'
import type { Folding, Standing } from './fold.js'
import type { ActorLog } from './log.js'
import { Mailbox } from './mailbox.js'
import { parkedAgain } from './parked.js'
import { recover, refresh } from './recovery.js'
import { Repeats, type Search } from './repeats.js'
import { foldTentatively } from './tentative.js'

/** What an actor needs of the host it lives in. */
export interface ActorHome {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly nodeId: string
  readonly clock: Clock
  readonly log: ActorLog
  /** Times a command is decided at most before it ends in `contention`. */
  readonly attemptsMax: number
  readonly ticks: Ticks
  readonly counters: ActorCounters
  /** Runs a waking within the host's bounds. */
  wake<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
  /** Hears once per actor type why its states cannot be stored. */
  unstorable(type: string, error: unknown): void
  /** Called when nothing is waiting or running any more. */
  idle(actor: Actor): void
}

/** The host's order of events: it tells a read begun after a command from one begun before. */
export interface Ticks {
  now: number
  /** What was read before this tick is to be confirmed (A5). */
  suspectBefore: number
}

export interface ActorCounters {
  conflicts: number
  retries: number
  wakes: number
  duplicates: number
}

/** A state as a reader gets it. */
export interface StateReading<State = unknown> {
  readonly state: State
  readonly version: Version
}

interface Running {
  readonly phase: 'running'
  readonly at: Standing
  /** The tick at which the read or append that proved the standing began. */
  readonly provenAt: number
  /** The version from which on measuring the state makes sense again. */
  readonly measureFrom: Version
}

interface Parked {
  readonly phase: 'parked'
  readonly error: CairnError
}

type Life =
  | { readonly phase: 'asleep' }
  | { readonly phase: 'recovering' }
  /** An append is under way, or was not acknowledged (A3). */
  | { readonly phase: 'unsure' }
  | Running
  | Parked
  | { readonly phase: 'stopped' }

/** What looking back and deciding came to. */
type Considered =
  | { readonly kind: 'repeat'; readonly outcome: Carried }
  /** The history was shorter than what is known of it. */
  | { readonly kind: 'lagging' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'decided'; readonly decision: Decision }

const idleAfterDefault = 600_000

const asleep: Life = { phase: 'asleep' }
const recovering: Life = { phase: 'recovering' }
const unsure: Life = { phase: 'unsure' }
const stopped: Life = { phase: 'stopped' }

export class Actor {
  readonly address: ActorAddress
  readonly name: string
  readonly #definition: AnyActorDefinition
  readonly #home: ActorHome
  readonly #mailbox: Mailbox
  readonly #folding: Folding
  readonly #repeats: Repeats
  readonly #calls = new Set<OpenCall>()
  #life: Life = asleep
  /** The highest version that others spoke of (A5). */
  #heard: Version = 0

  constructor(address: ActorAddress, definition: AnyActorDefinition, home: ActorHome) {
    this.address = address
    this.name = formatAddress(address)
    this.#definition = definition
    this.#home = home
    const limit = definition.options.mailboxLimit ?? 1000
    this.#mailbox = new Mailbox(address, limit, () => home.idle(this))
    this.#repeats = new Repeats(address, home, definition.options.commandWindow)
    this.#folding = {
      actor: address,
      behavior: definition.behavior,
      onMalformed: record => this.#reportMalformed(record),
      onHead: head => this.#repeats.onHead(head, home.clock.now()),
    }
  }

  get phase(): Life['phase'] {
    return this.#life.phase
  }

  /** Milliseconds that it may be idle in memory. */
  get idleAfter(): number {
    return this.#definition.options.idleAfter ?? idleAfterDefault
  }

  get isIdle(): boolean {
    return this.#mailbox.isIdle
  }

  /**
   * Queues a command; throws `mailbox-full`. The call gets the answer.
   * @param isNew its id was made for this call, so it cannot be a repeat
   * @param sentAt see SendOptions
   */
  command(
    call: Call<AskOutcome>,
    command: Command,
    isNew: boolean,
    sentAt?: number,
  ): void {
    this.#post(call, () => this.#carryOut(call, command, isNew, sentAt))
  }

  /** Queues a reading of the newest state; throws `mailbox-full`. */
  reading(call: Call<StateReading>): void {
    this.#post(call, async () => {
      const { state, version } = (await this.#newest(call)).at
      return { state: detachPlain(state), version }
    })
  }

  /** A commit of this actor was stored somewhere (A5). */
  noticed(version: Version): void {
    if (version <= this.#heard) return
    this.#heard = version
    // The news may be what it takes: a commit by a node whose behavior can fold it.
    if (this.#life.phase === 'parked') this.#life = asleep
  }

  /** Ends every call that has not been answered; the actor takes no more. */
  stop(why: CairnError): void {
    this.#life = stopped
    for (const call of this.#calls) call.giveUp(why)
  }

  #post<T>(call: Call<T>, work: () => Promise<T>): void {
    const letter = {
      run: async () => {
        try {
          call.check()
          call.resolve(await work())
        } catch (error) {
          call.fail(error)
        }
      },
    }
    this.#mailbox.post(letter)
    if (call.isOver) return
    this.#calls.add(call)
    call.onOver(() => {
      this.#mailbox.takeBack(letter)
      this.#calls.delete(call)
    })
  }

  /** The one way of every command. */
  async #carryOut(
    call: Call<AskOutcome>,
    command: Command,
    isNew: boolean,
    sentAt: number | undefined,
  ): Promise<AskOutcome> {
    const { attemptsMax, clock, counters } = this.#home
    let search = this.#repeats.begin(command.id, isNew, sentAt)
    let atLeast: Version = 0
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      if (attempt > 1) await this.#backOff(call, attempt)

      // 1. Wake, or catch up when others are said to have written. A parked actor ends here.
      let life = await this.#awake(call)
      // A store may answer a read from a replica that lags behind its own judgement.
      if (life.at.version < atLeast) {
        this.#life = unsure
        continue
      }

      // 2. Look whether it was carried out before (A6), and decide.
      const now = clock.now()
      let step = await this.#consider(call, command, search, life, now)

      // 3. Nothing to store: the answer must rest on the newest state (A4), or be decided anew.
      if (storesNothing(step)) {
        const newest = await this.#newest(call)
        if (newest.at !== life.at) {
          counters.retries++
          life = newest
          step = await this.#consider(call, command, search, life, now)
        }
      }
      if (step.kind === 'repeat') {
        counters.duplicates++
        return step.outcome
      }
      if (step.kind === 'failed') throw step.error
      if (step.kind === 'lagging') {
        this.#life = unsure
        continue
      }
      const { decision } = step
      if (!decision.ok) return declined(this.address, command, decision, life.at)
      if (decision.events.length === 0)
        return carried(this.address, command, decision, life.at)

      // 4. Fold tentatively: the state is to ride in the commit, and the reply drawn from it.
      const { at } = life
      // A3: whatever ends this before 7, the next step reads again.
      this.#life = unsure
      const events = { list: decision.events, at: now, nodeId: this.#home.nodeId }
      const state = this.#parking(() =>
        foldTentatively(this.#folding, at, command, events),
      )
      const version = at.version + decision.events.length
      const after = { state, version, position: at.position }
      const answer = carried(this.address, command, decision, after)

      // 5. Append, with the expected version, the command, its reply and the state.
      const plan = this.#planCarry(life, state, version)
      const begun = this.#home.ticks.now
      const result = await this.#append(call, decision.events, plan, {
        ...causesOf(command),
        expected: at.version,
        command: { id: command.id, reply: answer.reply },
        ...(decision.says !== undefined && { says: decision.says }),
        at: now,
      })

      // 6. Another writer was first: read what it wrote, and decide again.
      if (!result.ok) {
        counters.conflicts++
        counters.retries++
        atLeast = result.actual > at.version ? result.actual : 0
        search = this.#repeats.goOn(search, at.version, result.actual)
        continue
      }

      // 7. Adopt the state (A2).
      const lastCarried = plan.state === undefined ? at.carried : version
      this.#life = {
        phase: 'running',
        at: { state, version, position: result.position, carried: lastCarried },
        provenAt: begun,
        measureFrom: plan.measureFrom,
      }
      this.#repeats.onStored(command.id, at.version + 1, version)

      // 8. Reply.
      return { ...answer, position: result.position }
    }
    throw contention(this.name, command, attemptsMax)
  }

  /** Looks back and decides, on the state of a life. */
  async #consider(
    call: OpenCall,
    command: Command,
    search: Search,
    { at }: Running,
    now: number,
  ): Promise<Considered> {
    let found: Awaited<ReturnType<Repeats['find']>>
    try {
      found = await this.#repeats.find(search, at.version, now, call)
    } catch (error) {
      // The signal fires when the call is given up: its reason says more than "aborted".
      call.check()
      throw error
    }
    call.check()
    if (found === 'lagging') return { kind: 'lagging' }
    if (found !== 'none') return { kind: 'repeat', outcome: found }
    try {
      const decision = decide(this.#definition, this.address, at, command, now)
      return { kind: 'decided', decision }
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  /** The running life: woken, or caught up when it is said to be behind. */
  async #awake(call: OpenCall): Promise<Running> {
    const life = this.#life
    if (life.phase === 'parked') throw parkedAgain(this.address, life.error)
    if (life.phase !== 'running') return this.#read(call, undefined)
    const isBehind = this.#heard > life.at.version
    const isSuspect = life.provenAt < this.#home.ticks.suspectBefore
    return isBehind || isSuspect ? this.#read(call, life) : life
  }

  /** A running life that no commit stored before the call's arrival is missing from (A4). */
  async #newest(call: OpenCall): Promise<Running> {
    const life = await this.#awake(call)
    return life.provenAt >= call.arrived ? life : this.#read(call, life)
  }

  /** Reads the history: all that is needed to wake, or what is missing from `known`. */
  async #read(call: OpenCall, known: Running | undefined): Promise<Running> {
    const { store, ticks, counters } = this.#home
    const { signal } = call
    const heard = this.#heard
    const begun = ticks.now
    let at: Standing
    try {
      if (known !== undefined) at = await refresh(store, this.#folding, known.at, signal)
      else {
        if (this.#life.phase === 'asleep') counters.wakes++
        this.#life = recovering
        at = await this.#home.wake(
          () => recover(store, this.#folding, signal),
          signal,
          `waking ${this.name}`,
        )
      }
    } catch (error) {
      this.#life = asleep
      if (isCairnError(error, 'actor-parked')) this.#park(error)
      // The signal fires when the call is given up: its reason says more than "aborted".
      call.check()
      throw error
    }
    // A wrong word about a version heals here, unless a newer one came in between (A5).
    if (this.#heard === heard && heard > at.version) this.#heard = at.version
    const measureFrom = known?.at === at ? known.measureFrom : 0
    const life: Running = { phase: 'running', at, provenAt: begun, measureFrom }
    this.#life = life
    call.check()
    return life
  }

  async #append(
    call: OpenCall,
    events: Parameters<EventStore['append']>[1],
    plan: CarryPlan,
    options: AppendOptions,
  ): Promise<AppendResult> {
    const { store } = this.#home
    call.beginStoring()
    try {
      const bounds = { ...options, signal: call.signal, timeout: call.timeLeft }
      if (plan.state === undefined)
        return await store.append(this.address, events, bounds)
      try {
        return await store.append(this.address, events, { ...bounds, state: plan.state })
      } catch (error) {
        // The state is a convenience: a command must not fail because it makes a commit too large.
        if (!isCairnError(error, 'commit-too-large')) throw error
        return await store.append(this.address, events, bounds)
      }
    } catch (error) {
      // Nothing was written: why the call was given up says more.
      if (isCairnError(error, 'aborted')) call.check()
      throw error
    } finally {
      call.endStoring()
    }
  }

  #planCarry(life: Running, state: unknown, version: Version): CarryPlan {
    return planCarry(
      this.#definition,
      state,
      version,
      life.at.carried,
      life.measureFrom,
      error => this.#home.unstorable(this.address.type, error),
    )
  }

  #parking<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (isCairnError(error, 'actor-parked')) this.#park(error)
      throw error
    }
  }

  #park(error: CairnError): void {
    this.#life = { phase: 'parked', error }
    const { message, details } = error
    this.#home.log('error', message, details)
  }

  async #backOff(call: OpenCall, attempt: number): Promise<void> {
    await pause(Math.random() * Math.min(2 ** attempt, 50), call.signal)
    call.check()
  }

  #reportMalformed({ position, source, reason }: MalformedRecord): void {
    this.#home.log(
      'warn',
      `A record in the place of ${this.name} is no readable commit`,
      {
        actor: this.name,
        position,
        source,
        reason,
      },
    )
  }
}

/** Whether the answer would rest on nothing but the state in memory. */
function storesNothing(step: Considered): boolean {
  if (step.kind !== 'decided') return step.kind === 'failed'
  return !step.decision.ok || step.decision.events.length === 0
}

function contention(name: string, { type }: Command, attempts: number): CairnError {
  return new CairnError(
    'contention',
    `Command ${show(type)} to ${name} lost against other writers ${attempts} times in a row; nothing ` +
      'was stored. Send it again, and route the commands of one actor to one node.',
    { details: { actor: name, command: type, attempts } },
  )
}
