// defineProjection(): which rows of a read model an event belongs to, and how it changes them; or how a row is made of the
// state of an actor.

import type { AnyActorDefinition } from '../actor/definition.js'
import type { RecordedEventOf } from '../actor/definition-types.js'
import { isAsStored, upcastEvent } from '../actor/fold.js'
import { checkDefinition } from '../actor/check-definition.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { DeepReadonly } from '../model/read-only.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'
import { isCount } from '../model/version.js'
import type { ActorAddress } from '../model/address.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import {
  definitionsOf,
  isStatesOf,
  type ProjectedState,
  type ProjectedStateOf,
  type StatesOf,
} from './states-of.js'

/** The events of one actor definition or of several. */
export type ProjectedEvent<From> = From extends readonly (infer Definition)[]
  ? ProjectedEvent<Definition>
  : From extends AnyActorDefinition
    ? RecordedEventOf<From>
    : never

/** By event type: takes the row and the event, and returns the next row, or `null` to remove it. */
export type ProjectionFolds<Row, Event extends RecordedEvent> = {
  readonly [Type in Event['type']]?: (
    row: DeepReadonly<Row>,
    event: Extract<Event, { readonly type: Type }>,
    key: string,
  ) => DeepReadonly<Row> | null
}

export interface ProjectionSpec<From, Row> {
  /** `[A-Za-z0-9_-]{1,63}`. */
  readonly name: string
  /** Raise it when `when`, `key` or the shape of the rows changes: the projection is then rebuilt. Default 1. */
  readonly version?: number
  /** The actor definition, or several, whose events are folded. */
  readonly from: From
  /**
   * The key of the row that an event belongs to, or several keys; `undefined` for no row. Default: the actor's
   * id, or `type/id` (`account/alice`) where `from` has several definitions.
   */
  readonly key?: (event: ProjectedEvent<From>) => string | readonly string[] | undefined
  /** The row before its first event, or a function of the key that returns it. */
  readonly initial: Row | ((key: string) => Row)
  /** A pure, synchronous function for each event type. Other event types change nothing. */
  readonly when: ProjectionFolds<NoInfer<Row>, ProjectedEvent<From>>
  /** Where the rows are stored. Default: in the namespace's own store. */
  readonly target?: ReadModels
}

export interface StatesProjectionSpec<From extends StatesOf, Row> extends Pick<
  ProjectionSpec<unknown, Row>,
  'name' | 'target'
> {
  /**
   * Raise it when `row`, `key`, the shape of the rows or that of the states changes: the projection is then rebuilt.
   * Default 1.
   */
  readonly version?: number
  /** `statesOf(order)`, or `statesOf(order, payment)`. */
  readonly from: From
  /** The key of an actor's row. Default: its id, or `type/id` where `from` has several definitions. */
  readonly key?: (actor: ActorAddress) => string
  /** Makes the row of an actor from its state after a commit, or returns `null` for none. Pure and synchronous. */
  readonly row: (actor: ProjectedStateOf<From>) => Row | null
}

/** What a projection is made from: actor definitions, for their events, or `statesOf` them. */
export type ProjectionSource =
  AnyActorDefinition | readonly AnyActorDefinition[] | StatesOf

/** What {@link defineProjection} takes for a source. */
export type ProjectionSpecOf<From, Row> = From extends StatesOf
  ? StatesProjectionSpec<From, Row> & { readonly initial?: never }
  : Omit<ProjectionSpec<From, Row>, 'initial'> & { readonly initial: unknown }

type AnySpec = ProjectionSpec<unknown, unknown> | StatesProjectionSpec<StatesOf, unknown>

/** Rows that are folded from events. */
export interface RowsOfEvents {
  readonly kind: 'events'
  keysOf(event: RecordedEvent): readonly string[]
  initial(key: string): unknown
  /** The next row; `null` removes it. */
  fold(row: unknown, event: RecordedEvent, key: string): unknown
}

/** Rows that are made of states. */
export interface RowsOfStates {
  readonly kind: 'states'
  readonly definitions: ReadonlyMap<string, AnyActorDefinition>
  keyOf(actor: ActorAddress): string
  /** The row; `null` for none. */
  row(actor: ProjectedState): unknown
}

/** A read model that is folded from events, or made of states. Made by {@link defineProjection}. */
export interface Projection<Row = unknown> {
  readonly name: string
  readonly version: number
  /** Actor types whose events or states it reads. */
  readonly types: readonly string[]
  /** Event types that change rows; absent where every commit does. */
  readonly events?: readonly string[]
  readonly target?: ReadModels
  readonly rows: RowsOfEvents | RowsOfStates
  /** Carries the type only; there is no value. */
  readonly $row?: Row
}

export function isProjection(value: unknown): value is Projection {
  if (typeof value !== 'object' || value === null) return false
  return 'types' in value && 'rows' in value && 'version' in value
}

const namePattern = /^[A-Za-z0-9_-]{1,63}$/
const specNames: OptionNames<ProjectionSpec<AnyActorDefinition, unknown>> = {
  name: true,
  version: true,
  from: true,
  key: true,
  initial: true,
  when: true,
  target: true,
}
const statesSpecNames: OptionNames<StatesProjectionSpec<StatesOf, unknown>> = {
  name: true,
  version: true,
  from: true,
  key: true,
  row: true,
  target: true,
}

/**
 * Defines a projection: a read model with one row per key, folded from the events of actors.
 *
 * ```ts
 * const balances = defineProjection({
 *   name: 'balances',
 *   from: account,
 *   initial: { balance: 0 },
 *   when: {
 *     deposited: (row, { data }) => ({ balance: row.balance + data.amount }),
 *     withdrawn: (row, { data }) => ({ balance: row.balance - data.amount }),
 *     closed: () => null,
 *   },
 * })
 * ```
 *
 * Or made of their states, with one row per actor:
 *
 * ```ts
 * const orders = defineProjection({
 *   name: 'orders',
 *   from: statesOf(order),
 *   row: ({ state }) => ({ status: state.value }),
 * })
 * ```
 *
 * It starts with the first event of the log. Each event changes its rows exactly once: rows and checkpoint are
 * written together. Throws `invalid-definition`.
 */
export function defineProjection<
  const From extends ProjectionSource,
  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- without it, the key of `initial` has no type
  Row extends NonNullable<unknown>,
>(
  // `initial` stands here: within the conditional type, rows would not be inferred from a function.
  given: {
    readonly from: From
    readonly initial?: Row | ((key: string) => Row)
  } & ProjectionSpecOf<From, Row>,
): Projection<Row> {
  const spec: AnySpec = given as AnySpec
  const isOfStates = isStatesOf(spec.from)
  const names = isOfStates ? statesSpecNames : specNames
  checkOptions('defineProjection', spec, names, 'invalid-definition')
  const { name, version = 1, target } = spec
  if (typeof name !== 'string' || !namePattern.test(name))
    throw invalid(
      `${show(name)} is not a name for a projection: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-".`,
    )
  if (!isCount(version) || version < 1)
    throw invalid(
      `version of projection ${name} is ${String(version)}: use a whole number from 1.`,
    )
  const from = definitionsIn(spec.from)
  for (const definition of from) checkDefinition(`from of projection ${name}`, definition)
  const types = from.map(({ type }) => type)
  if (types.length === 0)
    throw invalid(`Projection ${name} folds no events: pass an actor definition as from.`)
  if (new Set(types).size < types.length)
    throw invalid(`Projection ${name} names an actor type twice: name each once.`)
  const common = { name, version, types, ...(target !== undefined && { target }) }
  if (isOfStates) {
    const statesSpec = spec as StatesProjectionSpec<StatesOf, unknown>
    return { ...common, rows: rowsOfStates(name, from, statesSpec) }
  }
  const eventsSpec = spec as ProjectionSpec<unknown, unknown>
  const { events, rows } = rowsOfEvents(name, types, from, eventsSpec)
  return { ...common, events, rows }
}

function definitionsIn(from: unknown): readonly AnyActorDefinition[] {
  if (isStatesOf(from)) return definitionsOf(from)
  return Array.isArray(from) ? from : [from as AnyActorDefinition]
}

/** The key of an actor's row by default. */
function keyBy(types: readonly string[]) {
  return ({ type, id }: ActorAddress) => (types.length === 1 ? id : `${type}/${id}`)
}

function rowsOfStates(
  name: string,
  from: readonly AnyActorDefinition[],
  {
    row,
    key = keyBy(from.map(({ type }) => type)),
  }: StatesProjectionSpec<StatesOf, unknown>,
): RowsOfStates {
  for (const [option, given] of [
    ['row', row],
    ['key', key],
  ] as const)
    if (typeof given !== 'function')
      throw invalid(`${option} of projection ${name} is ${show(given)}: pass a function.`)
  return {
    kind: 'states',
    definitions: new Map(from.map(definition => [definition.type, definition])),
    keyOf(actor) {
      const made = key(actor)
      if (isIgnoredPromise(made)) throw returnedPromise(name, 'key')
      return made
    },
    row(actor) {
      const made = row(actor as never)
      if (isIgnoredPromise(made)) throw returnedPromise(name, 'row')
      return made
    },
  }
}

function rowsOfEvents(
  name: string,
  types: readonly string[],
  from: readonly AnyActorDefinition[],
  spec: ProjectionSpec<unknown, unknown>,
): { readonly events: readonly string[]; readonly rows: RowsOfEvents } {
  const { initial } = spec
  if (typeof spec.when !== 'object' || spec.when === null)
    throw invalid(
      `when of projection ${name} is ${show(spec.when)}: pass { <event type>: (row, event) => … }.`,
    )
  const folds = new Map(Object.entries(spec.when))
  for (const [type, fold] of folds)
    if (typeof fold !== 'function')
      throw invalid(
        `when.${type} of projection ${name} is ${show(fold)}: it must be a function.`,
      )
  if (initial === undefined || initial === null)
    throw invalid(
      `initial of projection ${name} is ${show(initial)}: pass the row before any event.`,
    )
  const actorKey = keyBy(types)
  const byActor = ({ actor }: RecordedEvent) => actorKey(actor)
  const key = (spec.key ?? byActor) as (
    event: RecordedEvent,
  ) => string | readonly string[] | undefined
  const behaviors = new Map(from.map(({ type, behavior }) => [type, behavior]))
  const upcastTypes = from.flatMap(({ behavior }) => behavior.upcastTypes ?? [])
  /** What it folds of a stored event. */
  const piecesOf = (event: RecordedEvent): readonly RecordedEvent[] => {
    const behavior = behaviors.get(event.actor.type)
    // Without steps, too, a later schema version than the definition knows is refused.
    if (behavior === undefined || isAsStored(behavior, event)) return [event]
    return upcastEvent(behavior, event).filter(piece => folds.has(piece.type))
  }
  const keysOfPiece = (piece: RecordedEvent): readonly string[] => {
    const keys = key(piece)
    if (keys === undefined) return []
    if (isIgnoredPromise(keys)) throw returnedPromise(name, 'key')
    return typeof keys === 'string' ? [keys] : [...new Set(keys)]
  }
  const foldPiece = (row: unknown, piece: RecordedEvent, rowKey: string): unknown => {
    const fold = folds.get(piece.type) as (...args: unknown[]) => unknown
    const next = fold(row, piece, rowKey)
    if (isIgnoredPromise(next)) throw returnedPromise(name, `when.${piece.type}`)
    return next
  }
  const rows: RowsOfEvents = {
    kind: 'events',
    keysOf: event => [...new Set(piecesOf(event).flatMap(keysOfPiece))],
    initial(rowKey) {
      if (typeof initial !== 'function') return structuredClone(initial)
      const row = (initial as (key: string) => unknown)(rowKey)
      if (isIgnoredPromise(row)) throw returnedPromise(name, 'initial')
      return row
    },
    fold(row, event, rowKey) {
      let next = row
      for (const piece of piecesOf(event)) {
        if (!keysOfPiece(piece).includes(rowKey)) continue
        next = foldPiece(next ?? rows.initial(rowKey), piece, rowKey)
        if (next === undefined) return undefined
      }
      return next
    },
  }
  return { events: [...new Set([...folds.keys(), ...upcastTypes])], rows }
}

function returnedPromise(name: string, what: string): CairnError {
  return invalid(
    `${what} of projection ${name} returned a promise: it must be synchronous. Look data up in a reactor, and ` +
      'store what it finds as an event.',
  )
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
