// Delayed events and delayed transitions of a machine, as timers of its actor.
//
// The waiting timers, with their due times, are part of the state: every fold of the same events makes the same timers,
// and a later owner on any node waits for the same due time.
// MACHINE-TIMERS-1. The commit of a step sets, replaces and cancels timers: its outbox is the difference between the
//     states before and after it.
// MACHINE-TIMERS-2. A timer that fires ends. If it leads to an event of the machine's own that a transition accepts, that
//     event is stored. In every other case an event `xstate.timer` records what became of it.
// MACHINE-TIMERS-3. A machine that has ended has no timers.
// MACHINE-TIMERS-4. A child machine's timers are in its own state under their own names. The actor has one list of timers,
//     in which they are named by the path to the child: `helper#xstate.after.slow.helper.busy`.

import type { EventObject, ExecutableActionObject } from 'xstate'

import { commandEntry } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import { answersOf } from '../model/answers.js'
import { CairnError } from '../model/errors.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import { checkTimer } from '../model/timer.js'
import { addressOf } from './actor-at.js'
import { payloadOf } from './payload.js'
import type {
  MachineState,
  MachineTimer,
  MachineTimerOutcome,
  MachineTimers,
} from './types.js'

/** The event that records what became of a timer (MACHINE-TIMERS-2). */
export const timerEvent = 'xstate.timer'
/** Metadata key for the name of the timer that an event comes from. */
export const timerMetadata = 'timer'

/** What became of a due timer that did not lead to an event of the machine's own. */
export type TimerOutcome = MachineTimerOutcome

/** The end of a timer without an event of the machine's own. */
export interface TimerEnd extends MachineTimerOutcome {
  /** The path to the child machine that set it; empty for the actor's machine. */
  readonly path: readonly string[]
}

/** Separates the ids of children and the timer's name (MACHINE-TIMERS-4). */
export const pathSeparator = '#'

/** All timers of a state, and of its child machines, by their full names (MACHINE-TIMERS-4). */
export function allTimers(state: MachineState | undefined): MachineTimers {
  const { timers = {}, children } = state ?? {}
  if (children === undefined) return timers
  const all = { ...timers }
  for (const [id, child] of Object.entries(children))
    for (const [name, timer] of Object.entries(allTimers(child.state)))
      all[`${id}${pathSeparator}${name}`] = timer
  return all
}

/** Finds a timer by its full name. */
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
  const at = name.indexOf(pathSeparator)
  const id = name.slice(0, Math.max(0, at))
  const state = Object.hasOwn(children, id) ? children[id]?.state : undefined
  const found = state && findTimer(state, name.slice(at + 1))
  return found && { ...found, path: [id, ...found.path] }
}

interface DelayedParams {
  readonly event: EventObject
  readonly id?: string | undefined
  readonly delay?: unknown
  /** The target of a `sendTo`. */
  readonly to?: unknown
}

/** Throws `invalid-timer` when an action delays an event by anything but a finite number. */
export function checkDelayOf(
  machine: string,
  { type, params }: ExecutableActionObject,
): void {
  if (type !== 'xstate.raise' && type !== 'xstate.sendTo') return
  const { delay, id, event } = params as DelayedParams
  const isAfter = id !== undefined && id === event.type && id.startsWith('xstate.after.')
  // XState takes any value but a number for no delay.
  if (Number.isFinite(delay) || (delay === undefined && !isAfter)) return
  throw new CairnError(
    'invalid-timer',
    `Machine ${machine}: the delay of ${show(id ?? event.type)} is ${delayText(delay)}: a delay is a finite number ` +
      'of milliseconds.',
    { details: { machine, event: event.type } },
  )
}

/** A delay that is no finite number, for an error. */
export function delayText(delay: unknown): string {
  return typeof delay === 'number' ? String(delay) : show(delay)
}

/** Whether an action delays an event. */
export function isDelayed({ type, params }: ExecutableActionObject): boolean {
  if (type !== 'xstate.raise' && type !== 'xstate.sendTo') return false
  return typeof (params as DelayedParams).delay === 'number'
}

/** A machine of this actor as a target of `sendTo`; one that has ended takes no events. */
export type MachineTarget = { readonly child: string } | 'parent' | 'self' | 'ended'

/** The step whose timers are computed. */
export interface TimerStep {
  readonly actor: ActorAddress
  readonly eventId: string
  /** When its event was decided, ms since 1970. */
  readonly at: number
  /** The path to the child machine whose step it is; empty for the actor's machine. */
  readonly path: readonly string[]
  /** The machine of this actor that a target of `sendTo` is. */
  readonly targetOf: (to: unknown) => MachineTarget | undefined
  readonly before: MachineTimers | undefined
  readonly actions: readonly ExecutableActionObject[]
  /** The name of the timer that the event comes from. */
  readonly fired?: string | undefined
  readonly hasEnded: boolean
}

/** The timers that wait after a step. Throws `invalid-timer` and `invalid-definition`. */
export function timersAfter(step: TimerStep): MachineTimers | undefined {
  if (step.hasEnded) return undefined // MACHINE-TIMERS-3
  const timers = new Map(Object.entries(step.before ?? {}))
  if (step.fired !== undefined) timers.delete(step.fired)
  for (const [index, action] of step.actions.entries())
    if (action.type === 'xstate.cancel')
      timers.delete((action.params as { readonly sendId: string }).sendId)
    else if (isDelayed(action)) {
      const params = action.params as DelayedParams
      const target = step.targetOf(params.to)
      if (target === 'ended') continue // As in XState, what is sent to it is dropped.
      const name = params.id ?? freeName(timers, step.eventId, index)
      timers.set(name, timerOf(step, name, params, target))
    }
  return toTimers(timers)
}

/** The timers after one of them has ended, or has restarted with its whole delay. */
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

/** The outbox entries that set and cancel timers (MACHINE-TIMERS-1). An unchanged timer is the same object. */
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
    ...set.map(([name, timer]) => timerEntry(name, timer)),
  ]
}

/** The command that a due timer sends to another actor. */
export function outboxOfTimer({ to, event }: MachineTimer): OutboxEntry[] {
  if (to === undefined || event === undefined) return []
  return [commandEntry(to, event.type, payloadOf(event), answersOf(to))]
}

/** The event of a timer. */
export function eventOf(name: string, { event }: MachineTimer): EventObject {
  return event ?? { type: name }
}

/** A name for a timer without an id; a child may take several steps for one event. */
function freeName(
  timers: ReadonlyMap<string, MachineTimer>,
  eventId: string,
  index: number,
): string {
  const name = `${eventId}~${index}`
  return timers.has(name) ? freeName(timers, eventId, index + 1) : name
}

function timerOf(
  { actor, at, path }: TimerStep,
  name: string,
  { event, delay, to }: DelayedParams,
  relative: Exclude<MachineTarget, 'ended'> | undefined,
): MachineTimer {
  const ms = Math.max(0, Math.ceil(delay as number))
  const target = relative === undefined ? addressOf(to) : undefined
  if (relative === undefined && target === undefined) throw noSuchTarget(actor, event)
  const timer: MachineTimer = {
    at: at + ms,
    delay: ms,
    // A delayed transition's event has the timer's name as its type.
    ...((event.type !== name || payloadOf(event) !== undefined) && { event }),
    ...(target !== undefined && { to: target }),
    ...(typeof relative === 'object' && relative),
    ...(relative === 'parent' && { parent: true as const }),
  }
  checkTimer({
    name: [...path, name].join(pathSeparator),
    at: timer.at,
    type: event.type,
  })
  return timer
}

/** The error for an event sent to a target that is not a durable actor. */
export function noSuchTarget({ type }: ActorAddress, event: EventObject): CairnError {
  return new CairnError(
    'invalid-definition',
    `Machine ${type} sent ${show(event.type)} to a target that is not a durable actor: use ` +
      'sendTo(actorAt(definition, id), event). Of invoked and spawned children, only machines take ' +
      'events: stop any other child, and start it with another input.',
    { details: { type, event: event.type } },
  )
}

function timerEntry(name: string, timer: MachineTimer): OutboxEntry {
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
