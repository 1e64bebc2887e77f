// A machine's event ⇄ a command's type and data.

import type { EventObject } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** The fields of an event without its type; `undefined` when there are none. */
export function payloadOf({ type: _type, ...payload }: EventObject): object | undefined {
  return Object.keys(payload).length === 0 ? undefined : payload
}

/** The event of a type and its data. Throws `invalid-command` for data that is not a plain object. */
export function toEvent(type: string, data: unknown): EventObject {
  if (data === undefined || data === null) return { type }
  const isPayload =
    typeof data === 'object' &&
    !Array.isArray(data) &&
    !(data instanceof Date) &&
    !(data instanceof Uint8Array) &&
    !('type' in data)
  // Frozen: a guard that changed the event would change what the machine folds, and not what is stored.
  if (isPayload) return Object.freeze({ ...data, type })
  throw new CairnError(
    'invalid-command',
    `${show(data)} cannot be the data of event ${show(type)} of a machine: pass an object with the ` +
      "event's fields, without its type.",
    { details: { type } },
  )
}
