// Delays: what a machine has put off, as timers of its actor.
//
// Which of them wait is part of the state, with the moment at which each is due: a fold makes the
// same of the same events, and who comes to the state later, on whichever node, waits for the
// same moment.
//
// Z1. A timer is set, set anew and cancelled by the commit of the step that asks for it: what a
//     commit says is the difference between the state before it and the state behind it.
// Z2. One that fires is over, with the event that it leads to. An event of the machine's own is
//     stored where a transition takes it; in every other case what has become of it is an
//     event of its own, `xstate.timer`.
// Z3. A machine that is over has none.
// Z4. A child machine's timers are in its state, under their own names. The actor's, which has but one
//     list of them, are named by the way to the child and that: `helper#xstate.after.slow.helper.busy`.

import type { AnyStateMachine, EventObject, ExecutableActionObject } from 'xstate'

import { send, toOutboxEntry } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import { checkTimer } from '../model/timer.js'
import { addressOf } from './actor-at.js'
import { payloadOf } from './payload.js'
import type { MachineState, MachineTimer, MachineTimers } from './types.js'

/** The event that keeps what has become of a timer (Z2). */
export const timerEvent = 'xstate.timer'
/** The metadata of an event that a timer has sent: its name. */
export const timerMark = 'timer'

/** What has become of a timer that was due, beside an event of the machine's own. */
export interface TimerOutcome {
  readonly name: string
  /** `pass`: no transition took it. `send`: it went to another actor. The others: it was late. */
  readonly does: 'pass' | 'send' | 'skip' | 'restart'
}

/** A timer of a machine that is over without an event of its own. */
export interface Due extends TimerOutcome {
  /** The child machine whose it is; empty for the actor's. */
  readonly path: readonly string[]
}

/** Between the names of children, and of a timer (Z4). */
export const below = '#'

/** All timers of a state, and of its child machines, by the names of the actor's timers (Z4). */
export function allTimers(state: MachineState | undefined): MachineTimers {
  const { timers = {}, children } = state ?? {}
  if (children === undefined) return timers
  const all = { ...timers }
  for (const [id, child] of Object.entries(children))
    for (const [name, timer] of Object.entries(allTimers(child.state)))
      all[`${id}${below}${name}`] = timer
  return all
}

/** Where a timer is, by its name among the actor's. */
export function findTimer(
  { timers = {}, children = {} }: MachineState,
  name: string,
):
  | {
      readonly path: readonly string[]
      readonly name: string
      readonly timer: MachineTimer
    }
  | undefined {
  const timer = Object.hasOwn(timers, name) ? timers[name] : undefined
  if (timer !== undefined) return { path: [], name, timer }
  const at = name.indexOf(below)
  const id = name.slice(0, Math.max(0, at))
  const state = Object.hasOwn(children, id) ? children[id]?.state : undefined
  const found = state && findTimer(state, name.slice(at + 1))
  return found && { ...found, path: [id, ...found.path] }
}

interface Node {
  readonly id: string
  readonly config: { readonly after?: Readonly<Record<string, unknown>> }
  readonly states: Readonly<Record<string, Node>>
}

/** Throws `invalid-definition` for a machine with delays that have a name, and no length. */
export function checkDelays(machine: AnyStateMachine, type: string): void {
  const { delays } = machine.implementations as { readonly delays: object }
  const look = ({ id, config, states }: Node): void => {
    for (const delay of Object.keys(config.after ?? {}))
      if (Number.isNaN(Number(delay)) && !Object.hasOwn(delays, delay))
        throw new CairnError(
          'invalid-definition',
          `Machine ${type}, state ${id}: it has a transition after ${show(delay)}, and no delay of ` +
            'that name. Add it to setup({ delays }).',
          { details: { type, state: id, delay } },
        )
    Object.values(states).forEach(look)
  }
  look(machine.root)
}

interface DelayedParams {
  readonly event: EventObject
  readonly id?: string | undefined
  readonly delay?: unknown
  /** Of `sendTo`. */
  readonly to?: unknown
}

/** Whether an action of a step puts something off. */
export function isDelayed({ type, params }: ExecutableActionObject): boolean {
  if (type !== 'xstate.raise' && type !== 'xstate.sendTo') return false
  return typeof (params as DelayedParams).delay === 'number'
}

/** What a step is of. */
export interface TimerStep {
  readonly actor: ActorAddress
  readonly eventId: string
  /** When its event was decided, ms since 1970. */
  readonly at: number
  /** The child machine whose step it is; empty for the actor's. */
  readonly path: readonly string[]
  /** Which relative a target of `sendTo` is. */
  readonly targetOf: (
    to: unknown,
  ) => { readonly child: string } | 'parent' | 'self' | undefined
  readonly before: MachineTimers | undefined
  readonly actions: readonly ExecutableActionObject[]
  /** The timer that the event comes from. */
  readonly fired?: string | undefined
  readonly isOver: boolean
}

/** The timers that wait behind a step. Throws `invalid-timer` and `invalid-definition`. */
export function timersAfter(step: TimerStep): MachineTimers | undefined {
  if (step.isOver) return undefined // Z3
  const timers = new Map(Object.entries(step.before ?? {}))
  if (step.fired !== undefined) timers.delete(step.fired)
  for (const [index, action] of step.actions.entries())
    if (action.type === 'xstate.cancel')
      timers.delete((action.params as { readonly sendId: string }).sendId)
    else if (isDelayed(action)) {
      const params = action.params as DelayedParams
      const name = params.id ?? freeName(timers, step.eventId, index)
      timers.set(name, timerOf(step, name, params))
    }
  return toTimers(timers)
}

/** The timers when this one is not waited for any more, or from now on again. */
export function timersWithout(
  before: MachineTimers | undefined,
  { name, does }: TimerOutcome,
  at: number,
): MachineTimers | undefined {
  const timers = new Map(Object.entries(before ?? {}))
  const timer = timers.get(name)
  if (does === 'restart' && timer !== undefined)
    timers.set(name, { ...timer, at: at + timer.delay })
  else timers.delete(name)
  return toTimers(timers)
}

/** Z1. A timer that a step has not touched is the same object behind it. */
export function timerOutbox(
  before: MachineTimers = {},
  after: MachineTimers = {},
  fired?: string,
): OutboxEntry[] {
  const cancelled = Object.keys(before).filter(
    name => !Object.hasOwn(after, name) && name !== fired,
  )
  const set = Object.entries(after).filter(
    ([name, timer]) => !Object.hasOwn(before, name) || before[name] !== timer,
  )
  return [
    ...cancelled.map((name): OutboxEntry => ({ kind: 'cancel', name })),
    ...set.map(([name, timer]) => setting(name, timer)),
  ]
}

/** What a timer sends to another actor, now that it is due. */
export function sentBy({ to, event }: MachineTimer, now: number): OutboxEntry[] {
  if (to === undefined || event === undefined) return []
  return [toOutboxEntry(send(to, event.type, payloadOf(event)), now)]
}

/** The event that a timer of the machine's own is of. */
export function eventOf(name: string, { event }: MachineTimer): EventObject {
  return event ?? { type: name }
}

/** A child may take several steps for one event. */
function freeName(
  timers: ReadonlyMap<string, MachineTimer>,
  eventId: string,
  index: number,
): string {
  const name = `${eventId}~${index}`
  return timers.has(name) ? freeName(timers, eventId, index + 1) : name
}

function timerOf(
  { actor, at, path, targetOf }: TimerStep,
  name: string,
  { event, delay, to }: DelayedParams,
): MachineTimer {
  const ms = Math.max(0, Math.ceil(delay as number))
  const relative = targetOf(to)
  const target = relative === undefined ? addressOf(to) : undefined
  if (relative === undefined && target === undefined) throw noSuchTarget(actor, event)
  const timer: MachineTimer = {
    at: at + ms,
    delay: ms,
    // `after` has them the same.
    ...((event.type !== name || payloadOf(event) !== undefined) && { event }),
    ...(target !== undefined && { to: target }),
    ...(typeof relative === 'object' && relative),
    ...(relative === 'parent' && { parent: true as const }),
  }
  checkTimer({ name: [...path, name].join(below), at: timer.at, type: event.type })
  return timer
}

/** Throws `invalid-definition`, for what is sent, now or later, to what is no durable actor. */
export function noSuchTarget({ type }: ActorAddress, event: EventObject): CairnError {
  return new CairnError(
    'invalid-definition',
    `Machine ${type} sent ${show(event.type)} to what is no durable actor: use ` +
      'sendTo(actorAt(definition, id), event). Of what it has invoked or spawned, only machines take ' +
      'events: stop it, and start it with another input.',
    { details: { type, event: event.type } },
  )
}

function setting(name: string, timer: MachineTimer): OutboxEntry {
  const isOwn = timer.to === undefined
  const event = eventOf(name, timer)
  return {
    kind: 'timer',
    name,
    at: timer.at,
    type: isOwn ? event.type : timerEvent,
    data: isOwn ? payloadOf(event) : undefined,
  }
}

function toTimers(timers: ReadonlyMap<string, MachineTimer>): MachineTimers | undefined {
  if (timers.size === 0) return undefined
  return Object.fromEntries([...timers].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
