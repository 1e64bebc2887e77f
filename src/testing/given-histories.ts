// Specifications of projections: given the histories of actors, then which rows?
//
// Pure: no store and no node. Events go through the very folding that a node does, and rows through its checks, so what holds
// here holds there.

import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'

import type { AnyActorDefinition } from '../actor/definition.js'
import { foldEvent, initialFoldedState } from '../actor/fold.js'
import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { checkOptions } from '../model/check-options.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent, RecordedEvent } from '../model/event.js'
import { show as showValue } from '../model/show.js'
import {
  isProjection,
  type Projection,
  type RowsOfStates,
} from '../projection/define-projection.js'
import { foldingOfEvents } from '../projection/fold-events.js'
import { rowOfState } from '../projection/fold-states.js'
import type { RowChange } from '../projection/folding.js'
import { checkRowKey } from '../store/read-models/read-models.js'
import { diff } from './diff.js'
import { historyOf } from './given-machine.js'
import type { GivenEvent, InputOf } from './given-types.js'
import { recorded } from './recorded.js'
import { show } from './show.js'

/** Events of one actor; made by {@link history}. */
export interface History {
  readonly definition: AnyActorDefinition
  readonly actor: ActorAddress
  readonly events: readonly NewEvent[]
  readonly at: number
}

export interface HistoryOptions<Input = unknown> {
  /** The moment of the events, ms since 1970. Default 0. */
  readonly now?: number | undefined
  /** For a machine: the input that it was started with, by an `xstate.init` before these events. */
  readonly input?: Input | undefined
}

/**
 * What has happened to one actor, for {@link givenHistories}: `history(trip, 'first', [event('started', { … })])`. An event
 * with a `schemaVersion` is one as it was stored in that version. Throws `invalid-actor-id` or `invalid-option`.
 */
export function history<Definition extends AnyActorDefinition>(
  definition: Definition,
  id: string,
  events: readonly GivenEvent<Definition>[],
  options: HistoryOptions<InputOf<Definition>> = {},
): History {
  checkOptions('history', options, { now: true, input: true })
  return {
    definition,
    actor: checkAddress({ type: definition.type, id }),
    events: historyOf(definition, events, options.input),
    at: options.now ?? 0,
  }
}

/** The rows of a projection. Every `then…` returns them again, or throws an `AssertionError`. */
export interface GivenRows<Row> {
  /** The row of this key is this; with `undefined`, there is none. */
  thenRow(key: string, expected: Row | undefined): this
  /** There are exactly these rows, by their keys. */
  thenRows(expected: Readonly<Record<string, Row>>): this
  /** The rows themselves, for what no `then…` says. */
  rows(): ReadonlyMap<string, Row>
}

/**
 * Specifies a projection, in any test runner: the histories are folded one after another, and one of an actor that was given
 * before goes on with its versions.
 *
 * ```ts
 * givenHistories(riders, [
 *   history(trip, 'first', [event('started', { rider: 'alice' })]),
 *   history(trip, 'second', [event('started', { rider: 'alice' })]),
 * ]).thenRow('alice', { trips: 2 })
 * ```
 *
 * Throws what a node would stop at: what `when`, `key` or `row` throws, `invalid-definition` for what they return, `invalid-data`
 * for a row that cannot be stored, `actor-parked` for a state that cannot be folded; and `invalid-option` for a history that
 * the projection does not read.
 */
export function givenHistories<Row>(
  projection: Projection<Row>,
  histories: readonly History[],
): GivenRows<Row> {
  if (!isProjection(projection))
    throw new CairnError(
      'invalid-option',
      `givenHistories got ${showValue(projection)}: pass what defineProjection returns.`,
    )
  return new ThenRows<Row>(projection.name, rowsAfter(projection, histories) as never)
}

class ThenRows<Row> implements GivenRows<Row> {
  readonly #name: string
  readonly #rows: ReadonlyMap<string, Row>

  constructor(name: string, rows: ReadonlyMap<string, Row>) {
    this.#name = name
    this.#rows = rows
  }

  thenRow(key: string, expected: Row | undefined): this {
    const actual = this.#rows.get(key)
    if (isDeepStrictEqual(actual, expected)) return this
    throw this.#failure(
      'thenRow',
      `another row ${showValue(key)}`,
      lineOf(actual),
      lineOf(expected),
      { actual, expected },
    )
  }

  thenRows(expected: Readonly<Record<string, Row>>): this {
    const actual = Object.fromEntries(this.#rows)
    if (isDeepStrictEqual(actual, { ...expected })) return this
    const lines = [actual, expected].map(rows =>
      Object.entries(rows)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, row]) => `${key}: ${show(row)}`),
    )
    throw this.#failure('thenRows', 'other rows', lines[0]!, lines[1]!, {
      actual,
      expected,
    })
  }

  rows(): ReadonlyMap<string, Row> {
    return this.#rows
  }

  #failure(
    operator: 'thenRow' | 'thenRows',
    what: string,
    actualLines: readonly string[],
    expectedLines: readonly string[],
    values: { readonly actual: unknown; readonly expected: unknown },
  ): AssertionError {
    return new AssertionError({
      message: `projection ${this.#name}: ${what}\n\n${diff(orNone(expectedLines), orNone(actualLines))}\n`,
      ...values,
      operator,
      // The trace begins at the line of the specification.
      stackStartFn: this[operator],
    })
  }
}

function lineOf(row: unknown): readonly string[] {
  return row === undefined ? [] : show(row).split('\n')
}

function orNone(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ['no row'] : lines
}

type ChangesOf = (
  event: RecordedEvent,
  rowOf: (key: string) => unknown,
) => readonly RowChange[]

function rowsAfter(
  projection: Projection,
  histories: readonly History[],
): Map<string, unknown> {
  const changesOf = changesIn(projection)
  const rows = new Map<string, unknown>()
  const versions = new Map<string, number>()
  let position = 0
  for (const given of histories) {
    const { definition, actor, events, at } = given
    if (!projection.types.includes(actor.type))
      throw new CairnError(
        'invalid-option',
        `Projection ${projection.name} does not read ${formatAddress(actor)}: it reads ${projection.types.join(', ')}.`,
      )
    for (const event of events) {
      const version = (versions.get(formatAddress(actor)) ?? 0) + 1
      versions.set(formatAddress(actor), version)
      const place = { version, position: ++position, at }
      const stored = recorded(actor, definition.behavior, event, place)
      for (const [key, next] of changesOf(stored, key => rows.get(key)))
        if (next === null) rows.delete(checkRowKey(key, projection.name))
        else rows.set(checkRowKey(key, projection.name), next)
    }
  }
  return rows
}

function changesIn(projection: Projection): ChangesOf {
  const { rows, events = [] } = projection
  if (rows.kind === 'states') return changesByState(projection, rows)
  const folding = foldingOfEvents({ name: projection.name, events }, rows)
  return (event, rowOf) => {
    // Each event given is a commit of its own.
    const commit = {
      position: event.position,
      events: [event],
    } as unknown as StoredCommit
    return folding
      .itemsOf(commit, 0)
      .flatMap(item => folding.change(item, folding.keysOf(item), rowOf))
  }
}

function changesByState({ name }: Projection, rows: RowsOfStates): ChangesOf {
  const states = new Map<string, unknown>()
  return event => {
    const { actor, version, position, at } = event
    const { behavior } = rows.definitions.get(actor.type)!
    const context = { actor, behavior }
    const address = formatAddress(actor)
    const before = states.has(address)
      ? states.get(address)
      : initialFoldedState(context).state
    const state = foldEvent(context, before, event)
    states.set(address, state)
    return [rowOfState(name, rows, { actor, state, version, position, at })]
  }
}
