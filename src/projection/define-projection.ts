// defineProjection(): which rows of a read model an event belongs to, and how it changes them.

import type { AnyActorDefinition } from '../actor/definition.js'
import type { RecordedEventOf } from '../actor/definition-types.js'
import { checkDefinition } from '../actor/check-definition.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { DeepReadonly } from '../model/read-only.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'
import { isCount } from '../model/version.js'
import type { ReadModels } from '../store/read-models/read-models.js'

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

/** A read model that is folded from events. Made by {@link defineProjection}. */
export interface Projection<Row = unknown> {
  readonly name: string
  readonly version: number
  /** Actor types whose events it folds. */
  readonly types: readonly string[]
  /** Event types that change rows. */
  readonly events: readonly string[]
  readonly target?: ReadModels
  keysOf(event: RecordedEvent): readonly string[]
  initial(key: string): unknown
  /** The next row; `null` removes it. */
  fold(row: unknown, event: RecordedEvent, key: string): unknown
  /** Carries the type only; there is no value. */
  readonly $row?: Row
}

export function isProjection(value: unknown): value is Projection {
  if (typeof value !== 'object' || value === null) return false
  return 'types' in value && 'keysOf' in value && 'fold' in value
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
 * It starts with the first event of the log. Each event changes its rows exactly once: rows and checkpoint are
 * written together. Throws `invalid-definition`.
 */
export function defineProjection<
  const From extends AnyActorDefinition | readonly AnyActorDefinition[],
  Row,
>(spec: ProjectionSpec<From, Row>): Projection<Row> {
  checkOptions('defineProjection', spec, specNames, 'invalid-definition')
  const { name, version = 1, initial, target } = spec
  if (typeof name !== 'string' || !namePattern.test(name))
    throw invalid(
      `${show(name)} is not a name for a projection: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-".`,
    )
  if (!isCount(version) || version < 1)
    throw invalid(
      `version of projection ${name} is ${String(version)}: use a whole number from 1.`,
    )
  const from: readonly AnyActorDefinition[] = Array.isArray(spec.from)
    ? spec.from
    : [spec.from as AnyActorDefinition]
  for (const definition of from) checkDefinition(`from of projection ${name}`, definition)
  const types = from.map(({ type }) => type)
  if (types.length === 0)
    throw invalid(`Projection ${name} folds no events: pass an actor definition as from.`)
  if (new Set(types).size < types.length)
    throw invalid(`Projection ${name} names an actor type twice: name each once.`)
  if (typeof spec.when !== 'object' || spec.when === null)
    throw invalid(
      `when of projection ${name} is ${show(spec.when)}: pass { <event type>: (row, event) => … }.`,
    )
  const folds = new Map(Object.entries(spec.when as Record<string, unknown>))
  for (const [type, fold] of folds)
    if (typeof fold !== 'function')
      throw invalid(
        `when.${type} of projection ${name} is ${show(fold)}: it must be a function.`,
      )
  if (initial === undefined || initial === null)
    throw invalid(
      `initial of projection ${name} is ${show(initial)}: pass the row before any event.`,
    )
  const byActor = ({ actor: { type, id } }: RecordedEvent) =>
    types.length === 1 ? id : `${type}/${id}`
  const key = (spec.key ?? byActor) as (
    event: RecordedEvent,
  ) => string | readonly string[] | undefined
  return {
    name,
    version,
    types,
    events: [...folds.keys()],
    ...(target !== undefined && { target }),
    keysOf(event) {
      const keys = key(event)
      if (keys === undefined) return []
      if (isIgnoredPromise(keys)) throw returnedPromise('key')
      return typeof keys === 'string' ? [keys] : [...new Set(keys)]
    },
    initial(rowKey) {
      if (typeof initial !== 'function') return structuredClone(initial)
      const row = (initial as (key: string) => Row)(rowKey)
      if (isIgnoredPromise(row)) throw returnedPromise('initial')
      return row
    },
    fold(row, event, rowKey) {
      const fold = folds.get(event.type) as (...args: unknown[]) => unknown
      const next = fold(row, event, rowKey)
      if (isIgnoredPromise(next)) throw returnedPromise(`when.${event.type}`)
      return next
    },
  }

  function returnedPromise(what: string): CairnError {
    return invalid(
      `${what} of projection ${name} returned a promise: it must be synchronous. Look data up in a reactor, and ` +
        'store what it finds as an event.',
    )
  }
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
