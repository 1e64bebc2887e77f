// Events and outbox entries as lines of a failed specification, and whether two outboxes are the same.

import { inspect, isDeepStrictEqual } from 'node:util'

import { formatAddress } from '../model/address.js'
import type { NewEvent } from '../model/event.js'
import type { OutboxEntry } from '../model/outbox.js'

export function show(value: unknown): string {
  return inspect(value, { depth: 10, breakLength: 80, sorted: true })
}

export function showEvent({ type, data, metadata }: NewEvent): string {
  const shown = data === undefined ? type : `${type} ${show(data)}`
  return metadata === undefined ? shown : `${shown} with metadata ${show(metadata)}`
}

export function showEntry(entry: OutboxEntry): string {
  const { what, rest } = partsOf(entry)
  const given = Object.entries(rest).filter(([, value]) => value !== undefined)
  return given.length === 0 ? what : `${what} ${show(Object.fromEntries(given))}`
}

/** An entry as it is called in code, and its other fields. */
function partsOf(entry: OutboxEntry): { readonly what: string; readonly rest: object } {
  switch (entry.kind) {
    case 'message': {
      const { kind: _, topic, ...rest } = entry
      return { what: `publish ${topic}`, rest }
    }
    case 'command': {
      const { kind: _, actor, type, ...rest } = entry
      return { what: `send ${formatAddress(actor)} ${type}`, rest }
    }
    case 'timer': {
      const { kind: _, name, type, ...rest } = entry
      return { what: `schedule ${name} ${type}`, rest }
    }
    case 'cancel': {
      const { kind: _, name, ...rest } = entry
      return { what: `cancel ${name}`, rest }
    }
    case 'perform': {
      const { kind: _, work, data: input, ...rest } = entry
      return { what: `perform ${work}`, rest: { input, ...rest } }
    }
    case 'stop': {
      const { kind: _, work, ...rest } = entry
      return { what: `cancel work ${work}`, rest }
    }
  }
}

/** Whether both hold the same entries in the same order. A field that is absent has the value `undefined`. */
export function isSameOutbox(
  one: readonly OutboxEntry[],
  other: readonly OutboxEntry[],
): boolean {
  return isDeepStrictEqual(one.map(withoutAbsent), other.map(withoutAbsent))
}

function withoutAbsent(entry: OutboxEntry): object {
  return Object.fromEntries(
    Object.entries(entry).filter(([, value]) => value !== undefined),
  )
}
