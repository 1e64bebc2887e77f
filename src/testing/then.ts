// The outcome of a command in a specification, and the assertions on it.
//
// THEN-1. What was said is named whole: once the events are named, messages, commands, timers and work that are not fail the
//     specification. `thenOutbox` may follow at once, so this is checked by the next assertion, or when the chain has ended;
//     where `thenEvents` is given effects, too, it is checked there.

import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'

import { type Effect, isEffect, toOutboxEntry } from '../actor/effects.js'
import type { EmittedEvent } from '../actor/event.js'
import type { Rejection } from '../model/behavior.js'
import { type ErrorCode, isCairnError, messageOf } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { OutboxEntry } from '../model/outbox.js'
import type { Version } from '../model/version.js'
import { diff } from './diff.js'
import { matchesState, type StateMatch } from './matches-state.js'
import { isSameOutbox, show, showEntry, showEvent } from './show.js'

/** How a command ended that did not throw: accepted with its events, or rejected, where it can be. See {@link Then.result}. */
export type CommandOutcome<
  Event = NewEvent,
  State = unknown,
  Reply = unknown,
  Refusal = Rejection,
> =
  | {
      readonly ok: true
      /** The actor's version after it. */
      readonly version: Version
      readonly events: readonly Event[]
      /** Messages, commands, timers and work that are stored with the events. */
      readonly outbox: readonly OutboxEntry[]
      readonly reply: Reply
      /** The state after its events. */
      readonly state: State
    }
  | ([Refusal] extends [never] ? never : RefusedOutcome<State, Refusal>)

/** How a command ended that was rejected. */
interface RefusedOutcome<State, Refusal> {
  readonly ok: false
  readonly version: Version
  readonly rejection: Refusal
  readonly state: State
}

/** A specified command. */
export interface Specified {
  /** What is specified, for failures. */
  readonly when: string
  /** The moment of the decision, ms since 1970. */
  readonly now: number
  /** Whether timers follow from the state: then they need not be named. */
  readonly hasOwnTimers: boolean
  /** The event without what Cairn has added to it. */
  readonly plain: (event: NewEvent) => NewEvent
  /** Whether a state is a part of another, in words of the definition's own. */
  readonly isInState?: ((state: unknown, value: unknown) => boolean) | undefined
}

type Ended = CommandOutcome | { readonly thrown: unknown }

/** One command's outcome. Every `then…` returns it again, or throws an `AssertionError`. */
export class Then<
  Event extends EmittedEvent = EmittedEvent,
  State = unknown,
  Reply = unknown,
  Refusal = Rejection,
> {
  readonly #specified: Specified
  readonly #ended: Ended
  /** The events are named, and what else was said is not (THEN-1). */
  #unnamed: AssertionError | undefined
  #isOutboxNamed = false

  /** @internal */
  constructor(specified: Specified, carryOut: () => CommandOutcome) {
    this.#specified = specified
    this.#ended = tried(carryOut)
  }

  /**
   * It was carried out and led to exactly these events, in this order; none are fine, too. Messages, commands, timers and
   * work that were said with them are named here, in their order, or by `thenOutbox`, right after this or before: otherwise the
   * specification fails.
   */
  thenEvents(...named: readonly (Event | Effect)[]): this {
    this.#checkNamed()
    const ended = this.#ended
    const { plain } = this.#specified
    const expected = named.filter((one): one is Event => !isEffect(one))
    const effects = named.filter(one => isEffect(one))
    const actual = 'events' in ended ? ended.events.map(plain) : undefined
    const isSame = isDeepStrictEqual(
      actual?.map(comparable),
      expected.map(plain).map(comparable),
    )
    if (!isSame) {
      const lines = expected.length === 0 ? ['no events'] : expected.map(showEvent)
      throw this.#failure('thenEvents', 'other events', lines, actual ?? ended, expected)
    }
    if (effects.length > 0) return this.thenOutbox(...effects)
    const said = this.#said()
    if (!this.#isOutboxNamed && said.length > 0) this.#mustBeNamed(said)
    return this
  }

  /**
   * It was carried out and said exactly this with its events, in this order: what `publish`, `send`, `schedule`, `perform`
   * and `cancel` make. Without any, it said nothing. Timers of a machine follow from its state, and count only where some are named.
   */
  thenOutbox(...expected: readonly Effect[]): this {
    this.#unnamed = undefined
    this.#isOutboxNamed = true
    const ended = this.#ended
    const wanted = expected.map(effect => toOutboxEntry(effect, this.#specified.now))
    const isAccepted = 'outbox' in ended
    const said = this.#said(wanted.some(isTimer))
    if (isAccepted && isSameOutbox(said, wanted)) return this
    throw this.#failure(
      'thenOutbox',
      'other effects',
      wanted.length === 0 ? ['nothing is said'] : wanted.map(showEntry),
      isAccepted ? said : ended,
      wanted,
      isAccepted ? linesOf(said) : undefined,
    )
  }

  /** It was refused with this code; and with these details, where they are given. */
  thenRejected<Code extends (Refusal & Rejection)['code']>(
    code: Code,
    details?: Extract<Refusal, { readonly code: Code }> extends {
      readonly details: infer Details
    }
      ? Details
      : never,
  ): this {
    this.#checkNamed()
    const ended = this.#ended
    const actual = 'rejection' in ended ? ended.rejection : undefined
    const isSame = details === undefined || isDeepStrictEqual(actual?.details, details)
    if (actual?.code === code && isSame) return this
    const wanted = details === undefined ? code : `${code} ${show(details)}`
    const expected = { code, ...(details !== undefined && { details }) }
    const lines = [`rejected: ${wanted}`]
    throw this.#failure(
      'thenRejected',
      'no such rejection',
      lines,
      actual ?? ended,
      expected,
    )
  }

  /** It was carried out and answered with this. */
  thenReply(expected: Reply): this {
    this.#checkNamed()
    const ended = this.#ended
    const isAccepted = 'reply' in ended
    if (isAccepted && isDeepStrictEqual(ended.reply, expected)) return this
    const lines = show(expected).split('\n')
    const actual = isAccepted ? show(ended.reply).split('\n') : undefined
    throw this.#failure('thenReply', 'another reply', lines, ended, expected, actual)
  }

  /** The actor's state is this now, whether the command was carried out or refused. */
  thenState(expected: State): this {
    this.#checkNamed()
    const ended = this.#ended
    const isThere = 'state' in ended
    if (isThere && isDeepStrictEqual(ended.state, expected)) return this
    const actual = isThere ? show(ended.state).split('\n') : undefined
    const lines = show(expected).split('\n')
    throw this.#failure('thenState', 'another state', lines, ended, expected, actual)
  }

  /**
   * The actor's state has these parts now, whatever else it has: an object is compared by the fields that are named, at any
   * depth, and a list item by item. `value` of a machine holds as `matches` of its snapshot does.
   */
  thenStateMatches(expected: StateMatch<State>): this {
    this.#checkNamed()
    const ended = this.#ended
    const { isInState } = this.#specified
    if ('state' in ended && matchesState(ended.state, expected, isInState)) return this
    const actual = 'state' in ended ? show(ended.state).split('\n') : undefined
    const lines = show(expected).split('\n')
    throw this.#failure(
      'thenStateMatches',
      'another state',
      lines,
      ended,
      expected,
      actual,
    )
  }

  /**
   * It failed: with a `CairnError` of this code, or a message that matches. A `decide` that
   * throws fails with `decide-failed`, an `evolve` that throws with `actor-parked`, as on a node.
   */
  thenThrows(expected: ErrorCode | RegExp): this {
    this.#checkNamed()
    const ended = this.#ended
    if ('thrown' in ended) {
      const { thrown } = ended
      const isIt =
        typeof expected === 'string'
          ? isCairnError(thrown, expected)
          : expected.test(messageOf(thrown))
      if (isIt) return this
    }
    const lines = [`threw: ${String(expected)}`]
    throw this.#failure('thenThrows', 'no such error', lines, ended, expected)
  }

  /** The outcome itself, for what no `then…` says. Throws what the command threw. */
  result(): CommandOutcome<Event, State, Reply, Refusal> {
    this.#unnamed = undefined
    if ('thrown' in this.#ended) throw this.#ended.thrown
    return this.#ended as unknown as CommandOutcome<Event, State, Reply, Refusal>
  }

  /** What was said beside the events; timers of a machine follow from its state. */
  #said(withTimers = false): readonly OutboxEntry[] {
    const said = 'outbox' in this.#ended ? this.#ended.outbox : []
    const { hasOwnTimers } = this.#specified
    return hasOwnTimers && !withTimers ? said.filter(entry => !isTimer(entry)) : said
  }

  /** THEN-1 */
  #mustBeNamed(said: readonly OutboxEntry[]): void {
    const unnamed = this.#failure(
      'thenEvents',
      'effects that are not named: name them in .thenEvents(…) too, or add .thenOutbox(…) after it',
      ['nothing is said'],
      said,
      [],
      linesOf(said),
    )
    this.#unnamed = unnamed
    queueMicrotask(() => {
      if (this.#unnamed === unnamed) throw unnamed
    })
  }

  #checkNamed(): void {
    const unnamed = this.#unnamed
    this.#unnamed = undefined
    if (unnamed !== undefined) throw unnamed
  }

  #failure(
    operator: Exclude<keyof Then, 'result'>,
    what: string,
    expectedLines: readonly string[],
    actual: unknown,
    expected: unknown,
    actualLines: readonly string[] = describe(this.#ended),
  ): AssertionError {
    const text = diff(expectedLines, actualLines)
    const error = new AssertionError({
      message: `${this.#specified.when}: ${what}\n\n${text}\n`,
      actual,
      expected,
      operator,
      // The trace begins at the line of the specification.
      stackStartFn: this[operator],
    })
    if (typeof this.#ended === 'object' && 'thrown' in this.#ended)
      error.cause = this.#ended.thrown
    return error
  }
}

function tried(carryOut: () => CommandOutcome): Ended {
  try {
    return carryOut()
  } catch (thrown) {
    return { thrown }
  }
}

function describe(ended: Ended): string[] {
  if ('thrown' in ended) {
    const { thrown } = ended
    const code = isCairnError(thrown) ? ` ${thrown.code}:` : ''
    return [`threw:${code} ${messageOf(thrown)}`]
  }
  if (ended.ok)
    return ended.events.length === 0 ? ['no events'] : ended.events.map(showEvent)
  const { code, message, details } = ended.rejection
  const rest = details === undefined ? '' : ` ${show(details)}`
  return [`rejected: ${code}${rest}${message === code ? '' : ` (${message})`}`]
}

/** What counts in a comparison: an event without data has `undefined`, one without metadata none. */
function comparable({ type, data, metadata = {} }: NewEvent) {
  return { type, data, metadata: { ...metadata } }
}

function isTimer({ kind }: OutboxEntry): boolean {
  return kind === 'timer' || kind === 'cancel'
}

function linesOf(said: readonly OutboxEntry[]): string[] {
  return said.length === 0 ? ['nothing is said'] : said.map(showEntry)
}
