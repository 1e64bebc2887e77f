// The outcome of a command in a specification, and the assertions on it.

import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'

import type { EmittedEvent } from '../actor/event.js'
import type { Command, Rejection } from '../model/behavior.js'
import { type ErrorCode, isCairnError, messageOf } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { Version } from '../model/version.js'
import { diff } from './diff.js'

/** How a command ended that did not throw: accepted with its events, or rejected. See {@link Then.result}. */
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
      readonly reply: Reply
      /** The state after its events. */
      readonly state: State
    }
  | {
      readonly ok: false
      readonly version: Version
      readonly rejection: Refusal
      readonly state: State
    }

type Ended = CommandOutcome | { readonly thrown: unknown }

/** One command's outcome. Every `then…` returns it again, or throws an `AssertionError`. */
export class Then<
  Event extends EmittedEvent = EmittedEvent,
  State = unknown,
  Reply = unknown,
  Refusal = Rejection,
> {
  readonly #when: string
  readonly #ended: Ended

  /** @internal */
  constructor(
    name: string,
    { type, data }: Pick<Command, 'type' | 'data'>,
    carryOut: () => CommandOutcome,
  ) {
    this.#when = `${name}, when ${type}${data === undefined ? '' : ` ${show(data)}`}`
    this.#ended = tried(carryOut)
  }

  /** It was carried out and led to exactly these events, in this order; none are fine, too. */
  thenEvents(...expected: Event[]): this {
    const ended = this.#ended
    const actual = 'events' in ended ? ended.events : undefined
    if (actual !== undefined && isDeepStrictEqual(actual.map(plain), expected.map(plain)))
      return this
    const lines = expected.length === 0 ? ['no events'] : expected.map(showEvent)
    throw this.#failure('thenEvents', 'other events', lines, actual ?? ended, expected)
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
    const ended = this.#ended
    const isAccepted = 'reply' in ended
    if (isAccepted && isDeepStrictEqual(ended.reply, expected)) return this
    const lines = show(expected).split('\n')
    const actual = isAccepted ? show(ended.reply).split('\n') : undefined
    throw this.#failure('thenReply', 'another reply', lines, ended, expected, actual)
  }

  /** The actor's state is this now, whether the command was carried out or refused. */
  thenState(expected: State): this {
    const ended = this.#ended
    const isThere = 'state' in ended
    if (isThere && isDeepStrictEqual(ended.state, expected)) return this
    const actual = isThere ? show(ended.state).split('\n') : undefined
    const lines = show(expected).split('\n')
    throw this.#failure('thenState', 'another state', lines, ended, expected, actual)
  }

  /**
   * It failed: with a `CairnError` of this code, or a message that matches. A `decide` that
   * throws fails with `decide-failed`, an `evolve` that throws with `actor-parked`, as on a node.
   */
  thenThrows(expected: ErrorCode | RegExp): this {
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
    if ('thrown' in this.#ended) throw this.#ended.thrown
    return this.#ended as CommandOutcome<Event, State, Reply, Refusal>
  }

  #failure(
    operator: 'thenEvents' | 'thenRejected' | 'thenReply' | 'thenState' | 'thenThrows',
    what: string,
    expectedLines: readonly string[],
    actual: unknown,
    expected: unknown,
    actualLines: readonly string[] = describe(this.#ended),
  ): AssertionError {
    const text = diff(expectedLines, actualLines)
    const error = new AssertionError({
      message: `${this.#when}: ${what}\n\n${text}\n`,
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
function plain({ type, data, metadata = {} }: NewEvent) {
  return { type, data, metadata: { ...metadata } }
}

function showEvent({ type, data, metadata }: NewEvent): string {
  const shown = data === undefined ? type : `${type} ${show(data)}`
  return metadata === undefined ? shown : `${shown} with metadata ${show(metadata)}`
}

function show(value: unknown): string {
  return inspect(value, { depth: 10, breakLength: 80, sorted: true })
}
