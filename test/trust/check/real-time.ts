// What was told before a call began is known to it (linearizability, per actor and for the positions of the log), and
// nothing is told before somebody has asked for it.

import type { Moment } from '../history.js'
import type { Indexed } from './history-index.js'
import { type Answered, evidenceOf, isOk, nameOf, type Operation } from './operations.js'
import { isObject } from './same.js'
import type { Violation } from './violation.js'

export function* realTime(history: Indexed): Iterable<Violation> {
  const known = new Known(history)
  for (const operation of history.operations) {
    const told = toldVersion(operation)
    if (told !== undefined) {
      const before = known.version(operation)
      const isOld = isWrite(operation, history)
        ? told <= before.value
        : told < before.value
      if (isOld && isLatest(operation))
        yield {
          check: 'real-time',
          text:
            `${nameOf(operation)} was told version ${told}, and version ${before.value} had been told before it ` +
            'began.',
          evidence: evidenceOf([...before.by, operation]),
        }
    }
    const position = operation.completed?.position
    if (position !== undefined && isWrite(operation, history)) {
      const before = known.position(operation)
      if (position <= before.value)
        yield {
          check: 'real-time',
          text:
            `${nameOf(operation)} was stored at position ${position}, and position ${before.value} had been told ` +
            'before it began.',
          evidence: evidenceOf([...before.by, operation]),
        }
    }
  }
}

export function* future(history: Indexed): Iterable<Violation> {
  for (const operation of history.operations) {
    const { invoked, completed } = operation
    const told = invoked.actor === undefined ? undefined : existingVersion(operation)
    if (told === undefined || invoked.actor === undefined || completed === undefined)
      continue
    const askedAt = history.askedAt(invoked.actor, told)
    if (askedAt > completed.at)
      yield {
        check: 'future',
        text: `${nameOf(operation)} was told version ${told} before anybody had asked for it.`,
        evidence: evidenceOf([operation]),
      }
  }
}

/** A version that the operation was told and that is at least as new as all that were told before it began. */
function toldVersion({ invoked, completed }: Operation): number | undefined {
  if (completed === undefined || completed.duplicate === true) return undefined
  const { outcome, version, value } = completed
  if (outcome === 'conflict') return actualOf(value)
  const isTold = outcome === 'ok' || outcome === 'rejected'
  return isTold && ['ask', 'append', 'state'].includes(invoked.call) ? version : undefined
}

/** A version that exists when the operation ends, however old it is. */
function existingVersion({ invoked, completed }: Operation): number | undefined {
  if (completed === undefined || !['ask', 'append', 'state'].includes(invoked.call))
    return undefined
  if (completed.outcome === 'conflict') return actualOf(completed.value)
  return completed.outcome === 'error' ? undefined : completed.version
}

/** The version that a conflict was told. */
export function actualOf(value: unknown): number | undefined {
  const actual = isObject(value) ? value['actual'] : undefined
  return typeof actual === 'number' ? actual : undefined
}

/** Whether it stored the version that it was told. */
function isWrite(operation: Operation, { commitAt }: Indexed): operation is Answered {
  if (!isOk(operation) || operation.completed.duplicate === true) return false
  const { invoked, completed } = operation
  if (invoked.call === 'append') return true
  if (invoked.call !== 'ask' || invoked.id === undefined) return false
  const commit = commitAt.get(completed.position ?? 0)
  return (
    commit?.actor === invoked.actor &&
    commit?.slices.some(({ id }) => id === invoked.id) === true
  )
}

interface Told {
  readonly value: number
  readonly by: readonly Operation[]
}

const nothing: Told = { value: 0, by: [] }

/** The newest version of each actor, and the newest position, that an answer had told when an operation began. */
class Known {
  readonly #versions = new Map<Operation, Told>()
  readonly #positions = new Map<Operation, Told>()

  constructor({ operations }: Indexed) {
    const versions = new Map<string, Told>()
    let position = nothing
    for (const { operation, isBegin } of momentsOf(operations)) {
      const { invoked, completed } = operation
      const { actor = '' } = invoked
      if (isBegin) {
        this.#versions.set(operation, versions.get(actor) ?? nothing)
        this.#positions.set(operation, position)
        continue
      }
      const version = existingVersion(operation)
      if (version !== undefined && version > (versions.get(actor)?.value ?? 0))
        versions.set(actor, { value: version, by: [operation] })
      const isOfLog = ['ask', 'append', 'transact'].includes(invoked.call)
      if (isOfLog && isOk(operation) && (completed?.position ?? 0) > position.value)
        position = { value: completed!.position!, by: [operation] }
    }
  }

  version(operation: Operation): Told {
    return this.#versions.get(operation) ?? nothing
  }

  position(operation: Operation): Told {
    return this.#positions.get(operation) ?? nothing
  }
}

interface Step {
  readonly at: Moment
  readonly operation: Operation
  readonly isBegin: boolean
}

/** Begins come first among equal moments: the two overlap. */
function momentsOf(operations: readonly Operation[]): Step[] {
  return operations
    .flatMap((operation): Step[] => {
      const { invoked, completed } = operation
      const begin = { at: invoked.at, operation, isBegin: true }
      return completed === undefined
        ? [begin]
        : [begin, { at: completed.at, operation, isBegin: false }]
    })
    .toSorted((a, b) => a.at - b.at || Number(b.isBegin) - Number(a.isBegin))
}

/** Only reads may ask for an older state. */
function isLatest({ invoked: { call, freshness = 'latest' } }: Operation): boolean {
  return call !== 'state' || freshness === 'latest'
}
