// Folds one event through the actor's machine and its child machines.
//
// Child machines are part of their parent's state: they start, get events and end by the fold of the actor's history.
// The fold runs no actions.
// MACHINE-FOLD-1. Derived events are processed in the order of XState's own mailboxes: a machine finishes an event
//     before the next one, and events are processed in the order in which they were sent.
// MACHINE-FOLD-2. What a child sends to the actor's machine, and its end, is not folded with the event that caused it:
//     it is returned as self-sent events, and each becomes an event of the history (MACHINE-7).
// MACHINE-FOLD-3. A child that throws has failed. Its parent is told, as of any other end.
// MACHINE-FOLD-4. The number of events derived from one event is limited; beyond it the fold throws.

import { CairnError } from '../model/errors.js'
import { accepts, acceptsOrFails } from './accepts.js'
import { childEvent } from './child-events.js'
import { childrenOf } from './child-state.js'
import { StepEffects, type EventFold } from './step-effects.js'
import type {
  PendingAction,
  StepInput,
  ChildSignal,
  Incoming,
  SelfSentEvent,
  FoldedEvent,
  MachineLocation,
  StepResult,
  ChildRun,
  MachineStepResult,
} from './step-types.js'
import type { MachineNode } from './machine-node.js'
import { toEvent } from './payload.js'
import { toState } from './snapshot.js'
import { type TimerEnd, eventOf, timersAfter, timersWithout } from './timers.js'
import type { MachineState } from './types.js'

/** Events derived from one event, at most (MACHINE-FOLD-4). */
const derivedEventsMax = 1_000

/** Folds one event. Throws what the machine's guards and assignments throw, and `invalid-definition`. */
export function advance(
  node: MachineNode,
  before: MachineState | undefined,
  stepInput: StepInput,
  folded: FoldedEvent,
): StepResult {
  const location = { node: node, id: folded.actor.id, path: [] }
  return new Fold(folded).step(location, before, stepInput)
}

/** The event and its receiver for a type and data; `undefined` when no machine accepts it in this state. */
export function incomingOf(
  node: MachineNode,
  state: MachineState,
  type: string,
  data: unknown,
): Incoming | undefined {
  const report = childEvent(type, data, state)
  if (report === undefined) {
    const event = toEvent(type, data)
    const takes = node.parent === undefined ? accepts : acceptsOrFails
    return takes(node.snapshotOf(state), event) ? { event, path: [] } : undefined
  }
  const { path, event, ended } = report
  const located = path && node.at(state, path)
  if (path === undefined || located === undefined) return undefined
  if (ended !== undefined)
    return located.state.status === 'active' ? { event, path, ended } : undefined
  const takes = path.length > 0 ? acceptsOrFails : accepts
  return takes(located.node.snapshotOf(located.state), event)
    ? { event, path }
    : undefined
}

class Fold implements EventFold {
  readonly origin: FoldedEvent
  #derived = 0

  constructor(folded: FoldedEvent) {
    this.origin = folded
  }

  /** Steps one machine, and the children that the step starts or sends to. */
  step(
    location: MachineLocation,
    before: MachineState | undefined,
    stepInput: StepInput,
  ): MachineStepResult {
    const { node } = location
    if (before !== undefined && stepInput.kind !== 'begin') {
      const [id, ...path] = stepInput.path
      const effects = new StepEffects(this, location, before.children)
      if (id !== undefined) {
        effects.deliver(id, { ...stepInput, path })
        return effects.result(before)
      }
      if (stepInput.kind === 'due') return this.#endTimer(effects, before, stepInput)
    }
    const { actor, eventId, at } = this.origin
    const isBegun = before !== undefined && stepInput.kind === 'event'
    const known = isBegun
      ? { snapshot: node.snapshotOf(before), state: before }
      : undefined
    const step =
      known !== undefined && stepInput.kind === 'event'
        ? node.stepper.next(location.id, known.snapshot, stepInput.event)
        : node.stepper.begin(location.id, (stepInput as { input?: unknown }).input)
    const { snapshot, actions } = step
    const { ended, fired } = stepInput.kind === 'event' ? stepInput : {}
    const children = childrenOf(node.machine, snapshot, {
      eventId,
      path: location.path,
      ...(known !== undefined && { before: known }),
      ended,
    })
    const end = stepInput.kind === 'event' ? endOf(stepInput) : undefined
    const effects = new StepEffects(this, location, children, {
      snapshot,
      before: known,
      end,
    })
    const timers =
      at === undefined
        ? undefined
        : timersAfter({
            actor,
            eventId,
            at,
            path: location.path,
            before: before?.timers,
            actions,
            fired,
            hasEnded: snapshot.status !== 'active',
            targetOf: to => effects.targetOf(to),
          })
    if (!isBegun) effects.startAll()
    effects.applyAll(step)
    const stepped = effects.result(toState(node.machine, snapshot, timers))
    node.remember(stepped.state, snapshot)
    return stepped
  }

  /** Ends a timer without an event of the machine's own. */
  #endTimer(
    effects: StepEffects,
    before: MachineState,
    { name, does }: TimerEnd,
  ): MachineStepResult {
    const timer = before.timers?.[name]
    const { at = 0 } = this.origin
    const timers = timersWithout(before.timers, { name, does }, at)
    if (does === 'send' && timer !== undefined) {
      const event = eventOf(name, timer)
      if (timer.child !== undefined) effects.send(timer.child, event)
      if (timer.parent === true) effects.toParent.push(event)
    }
    const { timers: _timers, ...rest } = before
    return effects.result(timers === undefined ? rest : { ...rest, timers })
  }

  /**
   * Steps a child, then processes the events that its own children send to it.
   * @param waiting events that were sent to it before it started: they come first
   */
  run(
    location: MachineLocation,
    before: MachineState | undefined,
    stepInput: StepInput,
    waiting: readonly SelfSentEvent[],
  ): ChildRun {
    const actions: PendingAction[] = []
    const signals: ChildSignal[] = []
    const pending: SelfSentEvent[] = [...waiting]
    const stepWith = (at: MachineState | undefined, what: StepInput): MachineState => {
      const stepped = this.step(location, at, what)
      actions.push(...stepped.actions)
      signals.push(...stepped.toParent.map(event => ({ event })), { seen: stepped.state })
      pending.push(...stepped.selfSent)
      return stepped.state
    }
    let state = stepWith(before, stepInput)
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      this.count(location)
      const incoming = incomingOf(location.node, state, next.type, next.data)
      if (incoming !== undefined) state = stepWith(state, { kind: 'event', ...incoming })
      else signals.push({ seen: state })
    }
    return { state, actions, signals }
  }

  /** Counts a derived event; throws beyond the limit (MACHINE-FOLD-4). */
  count({ id, node: { machine } }: MachineLocation): void {
    if (++this.#derived <= derivedEventsMax) return
    throw tooManyEvents(machine.id, id)
  }
}

/** How the child has ended whose event it is. */
function endOf({ event, ended }: Incoming) {
  if (ended === undefined) return undefined
  const { output, error } = event as {
    readonly output?: unknown
    readonly error?: unknown
  }
  const isDone = event.type.startsWith('xstate.done.')
  if (isDone) return { id: ended, status: 'done' as const, output }
  return { id: ended, status: 'error' as const, error }
}

/** Throws `invalid-definition` when one event has caused too many others (MACHINE-FOLD-4). */
export function checkEventCount(
  count: number,
  { actor }: Pick<FoldedEvent, 'actor'>,
): void {
  if (count > derivedEventsMax) throw tooManyEvents(actor.type, actor.id)
}

function tooManyEvents(machine: string, id: string): CairnError {
  return new CairnError(
    'invalid-definition',
    `Machine ${machine}, ${id}: one event has caused more than ${derivedEventsMax} others: the machine sends itself ` +
      'events, or it and its children send each other events in a loop. Break the loop, or send what may wait as a ' +
      'command of its own: sendTo(actorAt(definition, id), event).',
    { details: { machine, id } },
  )
}
