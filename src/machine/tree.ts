// One event, and all that follows from it in the machine that gets it and in its child machines.
//
// Child machines are part of their parent's state: they begin, get what is sent to them, and end by
// the fold of its history, which runs nothing.
// G1. What follows within is done in the order of XState's own mailboxes: a machine has done with
//     an event before the next one comes, and what was sent first comes first.
// G2. What a child sends to the machine that is the actor, and how it ends, is not folded with the event
//     that led to it: it comes back as mail, and each becomes an event of the history (machine M7).
// G3. A child that throws has failed: its parent hears of it, as of any other end.
// G4. What leads to ever more is stopped by a limit, and an error.

import { CairnError } from '../model/errors.js'
import { accepts, concerns } from './accepted.js'
import { childEvent } from './child-events.js'
import { childrenOf } from './child-state.js'
import { Family, type Folding } from './family.js'
import type {
  PendingAction,
  StepInput,
  ChildAnswer,
  Incoming,
  SelfSentEvent,
  StepOrigin,
  MachineLocation,
  Progress,
  Run,
  Stepped,
} from './machine-input.js'
import type { Level } from './level.js'
import { toEvent } from './payload.js'
import { toState } from './snapshot.js'
import { type Due, eventOf, timersAfter, timersWithout } from './timers.js'
import type { MachineState } from './types.js'

/** G4. Events within one. */
const followMax = 1_000

/** Throws what guards and assignments of the actor's own machine throw, and `invalid-definition`. */
export function advance(
  level: Level,
  before: MachineState | undefined,
  happening: StepInput,
  moment: StepOrigin,
): Progress {
  const place = { level, id: moment.actor.id, path: [] }
  return new Fold(moment).step(place, before, happening)
}

/** What a machine is to do with what it is told in a state; `undefined` where it takes none of it. */
export function incomingOf(
  level: Level,
  state: MachineState,
  type: string,
  data: unknown,
): Incoming | undefined {
  const told = childEvent(type, data, state)
  if (told === undefined) {
    const event = toEvent(type, data)
    const takes = level.parent === undefined ? accepts : concerns
    return takes(level.snapshotOf(state), event) ? { event, path: [] } : undefined
  }
  const { path, event, ended } = told
  const standing = path && level.at(state, path)
  if (path === undefined || standing === undefined) return undefined
  if (ended !== undefined)
    return standing.state.status === 'active' ? { event, path, ended } : undefined
  const takes = path.length > 0 ? concerns : accepts
  return takes(standing.level.snapshotOf(standing.state), event)
    ? { event, path }
    : undefined
}

class Fold implements Folding {
  readonly moment: StepOrigin
  #followed = 0

  constructor(moment: StepOrigin) {
    this.moment = moment
  }

  /** One event of one machine, and what follows in its children. */
  step(
    place: MachineLocation,
    before: MachineState | undefined,
    happening: StepInput,
  ): Stepped {
    const { level } = place
    if (before !== undefined && happening.kind !== 'begin') {
      const [id, ...path] = happening.path
      const family = new Family(this, place, before.children)
      if (id !== undefined) {
        family.give(id, { ...happening, path })
        return family.stepped(before)
      }
      if (happening.kind === 'due') return this.#due(family, before, happening)
    }
    const { actor, eventId, at } = this.moment
    const isBegun = before !== undefined && happening.kind === 'event'
    const known = isBegun
      ? { snapshot: level.snapshotOf(before), state: before }
      : undefined
    const step =
      known !== undefined && happening.kind === 'event'
        ? level.stepper.next(place.id, known.snapshot, happening.event)
        : level.stepper.begin(place.id, (happening as { input?: unknown }).input)
    const { snapshot, actions } = step
    const { ended, fired } = happening.kind === 'event' ? happening : {}
    const children = childrenOf(level, snapshot, {
      eventId,
      path: place.path,
      ...(known !== undefined && { before: known }),
      ended,
    })
    const family = new Family(this, place, children, snapshot, known?.snapshot)
    const timers =
      at === undefined
        ? undefined
        : timersAfter({
            actor,
            eventId,
            at,
            path: place.path,
            before: before?.timers,
            actions,
            fired,
            isOver: snapshot.status !== 'active',
            targetOf: to => family.targetOf(to),
          })
    family.begin(actions)
    for (const action of actions) family.act(action)
    const stepped = family.stepped(level.named(toState(level.machine, snapshot, timers)))
    level.reached(stepped.state, snapshot)
    return stepped
  }

  /** A timer that is over without an event of the machine's own. */
  #due(family: Family, before: MachineState, { name, does }: Due): Stepped {
    const timer = before.timers?.[name]
    const { at = 0 } = this.moment
    const timers = timersWithout(before.timers, { name, does }, at)
    if (does === 'send' && timer !== undefined) {
      const event = eventOf(name, timer)
      if (timer.child !== undefined) family.send(timer.child, event)
      if (timer.parent === true) family.up.push(event)
    }
    const { timers: _timers, ...rest } = before
    return family.stepped(timers === undefined ? rest : { ...rest, timers })
  }

  /** A child's event, and what its own children then have for it. */
  run(
    place: MachineLocation,
    before: MachineState | undefined,
    happening: StepInput,
  ): Run {
    const effects: PendingAction[] = []
    const heard: ChildAnswer[] = []
    const mail: SelfSentEvent[] = []
    const take = (at: MachineState | undefined, what: StepInput): MachineState => {
      const stepped = this.step(place, at, what)
      effects.push(...stepped.effects)
      heard.push(...stepped.up.map(event => ({ event })), { seen: stepped.state })
      mail.push(...stepped.mail)
      return stepped.state
    }
    let state = take(before, happening)
    for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
      this.count(place)
      const incoming = incomingOf(place.level, state, next.type, next.data)
      if (incoming !== undefined) state = take(state, { kind: 'event', ...incoming })
      else heard.push({ seen: state })
    }
    return { state, effects, heard }
  }

  /** G4. */
  count({ id, level: { machine } }: MachineLocation): void {
    if (++this.#followed <= followMax) return
    throw tooMuch(machine.id, id)
  }
}

/** Throws `invalid-definition` when one event leads to more than can be meant (G4). */
export function checkFollowing(
  count: number,
  { actor }: Pick<StepOrigin, 'actor'>,
): void {
  if (count > followMax) throw tooMuch(actor.type, actor.id)
}

function tooMuch(machine: string, id: string): CairnError {
  return new CairnError(
    'invalid-definition',
    `Machine ${machine}, ${id}: one event has led to more than ${followMax} others. It and its children ` +
      'send each other events without an end.',
    { details: { machine, id } },
  )
}
