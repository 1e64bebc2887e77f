// event(): the events that a handler of `decide` returns.

import type { Metadata } from '../model/event.js'

/** An event as `decide` returns it; made by {@link event}. */
export interface EmittedEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
  readonly metadata?: Metadata
}

/** Makes an event for `decide` to return: `event('deposited', { amount: 10 })`. */
export function event<const Type extends string>(
  type: Type,
): EmittedEvent<Type, undefined>
export function event<const Type extends string, Data>(
  type: Type,
  data: Data,
  metadata?: Metadata,
): EmittedEvent<Type, Data>
export function event(type: string, data?: unknown, metadata?: Metadata): EmittedEvent {
  return metadata === undefined ? { type, data } : { type, data, metadata }
}
