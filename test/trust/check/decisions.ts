// What the workloads' commands lead to.

import type { DoorState, PurseState } from './folds.js'
import { isObject } from './same.js'

/** Event data may have more fields than are named here: those that the clock decides. */
export interface ExpectedEvent {
  readonly type: string
  readonly data?: unknown
}

/** The events that the command leads to; `undefined` where the checker does not know. */
export type Decided = readonly ExpectedEvent[] | 'rejected' | undefined

type Decide = (data: unknown, state: () => unknown) => Decided

const isOpen = (state: () => unknown) => (state() as DoorState).isOpen

const decisions: Readonly<Record<string, Decide>> = {
  'list add': data => [{ type: 'added', data }],
  'list announce': data => [{ type: 'added', data: valueOf(data) }],
  'door open': (_, state) => (isOpen(state) ? [] : [{ type: 'opened' }]),
  'door shut': (_, state) => (isOpen(state) ? [{ type: 'closed' }] : []),
  'door enter': (_, state) => (isOpen(state) ? [{ type: 'entered' }] : 'rejected'),
  'purse open': (data, state) =>
    (state() as PurseState).isOpened
      ? []
      : [{ type: 'opened', data: isObject(data) ? data : { amount: data } }],
  'register set': data => [{ type: 'set', data }],
  'alarm arm': data =>
    isObject(data) ? [{ type: 'armed', data: { name: data['name'] } }] : undefined,
}

export function decide(
  type: string,
  command: string | undefined,
  data: unknown,
  state: () => unknown,
): Decided {
  return decisions[`${type} ${command}`]?.(data, state)
}

/** Commands that are accepted without an event in some states: their answers are not in the log. */
export function mayStoreNothing(type: string, command: string | undefined): boolean {
  return ['door open', 'door shut', 'purse open'].includes(`${type} ${command}`)
}

/** The unique value of a list's element: the data, or a part of the note that is published with it. */
export function valueOf(data: unknown): unknown {
  return isObject(data) ? data['value'] : data
}
