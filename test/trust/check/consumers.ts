// A consumer is given every message until it has acknowledged it, and not after that.

import type { Moment } from '../history.js'
import type { Indexed } from './history-index.js'
import { put, type StoredMessage } from './messages.js'
import { evidenceOf, isOk, isUnknown, nameOf, type Operation } from './operations.js'
import { isObject, isSame } from './same.js'
import type { Violation } from './violation.js'

interface Delivery {
  readonly consume: Operation
  /** Absent if no such message is stored. */
  readonly message: StoredMessage | undefined
}

export function* acknowledged(history: Indexed): Iterable<Violation> {
  const { isHealed, messages, dead, operations } = history
  if (!isHealed) return
  const topics = new Set(
    deliveriesOf(history).flatMap(({ message }) => message?.topic ?? []),
  )
  const ended = new Set(
    dead.filter(({ by }) => by.startsWith('consumer:')).map(({ message }) => message),
  )
  for (const operation of operations) {
    const { call, id, command = 'ack' } = operation.invoked
    if (call !== 'settle' || id === undefined || !['ack', 'term'].includes(command))
      continue
    if (isOk(operation) || isUnknown(operation)) ended.add(id)
  }
  for (const topic of topics)
    for (const { id, line } of messages.on(topic))
      if (!ended.has(id))
        yield {
          check: 'acknowledged',
          text: `Message ${id} of ${topic} has not been acknowledged.`,
          evidence: [line],
        }
}

export function* redelivered(history: Indexed): Iterable<Violation> {
  const acks = new Map<string, { readonly at: Moment; readonly ack: Operation }[]>()
  for (const operation of history.operations) {
    const { call, command = 'ack' } = operation.invoked
    if (call !== 'settle' || command !== 'ack' || !isOk(operation)) continue
    const key = settledBy(history, operation)
    if (key !== undefined) put(acks, key, { at: operation.completed.at, ack: operation })
  }
  for (const { consume, message } of deliveriesOf(history)) {
    if (message === undefined) {
      yield {
        check: 'redelivered',
        text: `${nameOf(consume)} was given a message that is not stored.`,
        evidence: evidenceOf([consume]),
      }
      continue
    }
    const before = (acks.get(keyOf(message)) ?? []).find(
      ({ at }) => at < consume.invoked.at,
    )
    if (before !== undefined)
      yield {
        check: 'redelivered',
        text: `${nameOf(consume)} was given ${message.id}, which had been acknowledged before it began.`,
        evidence: [...evidenceOf([before.ack, consume]), message.line],
      }
  }
}

function keyOf({ id, source, position }: StoredMessage): string {
  return `${id} ${source} ${position}`
}

function deliveriesOf({ operations, messages }: Indexed): Delivery[] {
  const stored = new Map<number, StoredMessage[]>()
  for (const topic of messages.topics)
    for (const message of messages.on(topic)) {
      const there = stored.get(message.position)
      if (there === undefined) stored.set(message.position, [message])
      else there.push(message)
    }
  return operations.flatMap(consume => {
    const value = consume.completed?.value
    if (consume.invoked.call !== 'consume' || !isOk(consume) || !Array.isArray(value))
      return []
    return value.filter(isObject).map(({ sequence, payload }) => ({
      consume,
      message: stored.get(Number(sequence))?.find(({ data }) => isSame(data, payload)),
    }))
  })
}

/** The message that a settlement is about: its id, and its position where there are several copies. */
function settledBy({ messages }: Indexed, { invoked }: Operation): string | undefined {
  const { id, data } = invoked
  const copies = messages.withId(id ?? '')
  const position = isObject(data) ? data['sequence'] : data
  const [copy, another] = copies.filter(
    one => typeof position !== 'number' || one.position === position,
  )
  return copy === undefined || another !== undefined ? undefined : keyOf(copy)
}
