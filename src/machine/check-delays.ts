// Checks at definition time that the delays of a machine are numbers, as far as its definition tells.

import type { AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { delayText } from './timers.js'

/** The part of an action that delays an event by a named delay. */
interface Action {
  readonly type?: unknown
  readonly delay?: unknown
}

interface Transition {
  readonly actions: readonly unknown[]
}

interface Node {
  readonly id: string
  readonly config: { readonly after?: Readonly<Record<string, unknown>> }
  readonly entry: readonly unknown[]
  readonly exit: readonly unknown[]
  readonly transitions: ReadonlyMap<string, readonly Transition[]>
  readonly states: Readonly<Record<string, Node>>
}

/** Throws `invalid-definition` for a named delay that is not defined, or is no number. */
export function checkDelays(machine: AnyStateMachine, type: string): void {
  const { delays, actions } = machine.implementations as {
    readonly delays: Readonly<Record<string, unknown>>
    readonly actions: Readonly<Record<string, unknown>>
  }
  const refuse = (problem: string, details: object) => {
    throw new CairnError('invalid-definition', `Machine ${type}${problem}`, {
      details: { type, ...details },
    })
  }
  for (const [delay, value] of Object.entries(delays))
    if (typeof value !== 'function' && !Number.isFinite(value))
      refuse(
        `: its delay ${show(delay)} is ${delayText(value)}: a delay is a finite number of milliseconds, or a ` +
          'function that returns one.',
        { delay },
      )
  const isKnown = (delay: string) => Object.hasOwn(delays, delay)
  const undefinedDelay = (where: string, what: string, delay: string) =>
    refuse(
      `${where}: it has ${what} after ${show(delay)}, and that delay is not defined. Add it to setup({ delays }).`,
      { delay },
    )
  const check = (where: string, action: unknown): void => {
    const { type: kind, delay } = (action ?? {}) as Action
    const isDelayed = kind === 'xstate.raise' || kind === 'xstate.sendTo'
    if (!isDelayed || typeof delay !== 'string' || isKnown(delay)) return
    undefinedDelay(where, 'an event', delay)
  }
  for (const [name, action] of Object.entries(actions)) check(`, action ${name}`, action)
  const look = ({ id, config, entry, exit, transitions, states }: Node): void => {
    const where = `, state ${id}`
    for (const delay of Object.keys(config.after ?? {}))
      if (Number.isNaN(Number(delay)) && !isKnown(delay))
        undefinedDelay(where, 'a transition', delay)
    const taken = [...transitions.values()].flat().flatMap(one => one.actions)
    for (const action of [...entry, ...exit, ...taken]) check(where, action)
    Object.values(states).forEach(look)
  }
  look(machine.root as Node)
}
