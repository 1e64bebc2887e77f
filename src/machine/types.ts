// The types that a machine's callers see, drawn from what its setup() declares.

import type {
  AnyStateMachine,
  ContextFrom,
  EmittedFrom,
  EventFrom,
  EventObject,
  InputFrom,
  OutputFrom,
  SnapshotFrom,
  StateValueFrom,
  TagsFrom,
} from 'xstate'

import type {
  ActorDefinition,
  ActorOptions,
  CommandShape,
  StateReader,
  StateOptions,
} from '../actor/definition.js'
import type { EmittedEvent } from '../actor/event.js'
import type { ActorAddress } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import type { AnyTopic, Topic } from '../model/topic.js'

/** An event without its type: the data of a command. `undefined` where there is nothing else. */
export type PayloadOf<Event extends EventObject> = keyof Omit<Event, 'type'> extends never
  ? undefined
  : Partial<Omit<Event, 'type'>> extends Omit<Event, 'type'>
    ? Omit<Event, 'type'> | undefined
    : Omit<Event, 'type'>

/** The state of a machine: plain data. `fromMachine(…).snapshot(state)` makes XState's of it. */
export interface MachineState<Machine extends AnyStateMachine = AnyStateMachine> {
  /** `done` in a final state, `error` when a child failed and no `onError` took it: nothing is accepted then. */
  readonly status: 'active' | 'done' | 'error'
  readonly value: StateValueFrom<Machine>
  readonly context: ContextFrom<Machine>
  /** Of the states it is in, sorted. */
  readonly tags: readonly TagsFrom<Machine>[]
  /** Of a machine that is done, where it has one. */
  readonly output?: OutputFrom<Machine>
  /** Why it ended in `error`, as plain data. */
  readonly error?: unknown
  /** The actors that it has invoked or spawned, and that have not ended, by their ids. */
  readonly children?: Readonly<Record<string, MachineChild>>
  /** What it has put off, by the names of its timers: `xstate.after.<delay>.<state>`, or the id that was given. */
  readonly timers?: MachineTimers
  /** What history states remember: ids of states, by the id of the history state. */
  readonly history?: Readonly<Record<string, readonly string[]>>
}

export type MachineTimers = Readonly<Record<string, MachineTimer>>

/** Something that a machine has put off. */
export interface MachineTimer {
  /** When it is due, ms since 1970. */
  readonly at: number
  /** Milliseconds that it was put off for. */
  readonly delay: number
  /** What comes then. Absent: an event that has the timer's name as its type. */
  readonly event?: EventObject
  /** The durable actor that gets it. Without this and the following: the machine itself. */
  readonly to?: ActorAddress
  /** The child machine that gets it. */
  readonly child?: string
  /** It is a child's, and its parent gets it. */
  readonly parent?: true
}

/** What a delay does that comes to its end late, because nobody was there: see {@link MachineOptions}. */
export type LateDelay = 'fire' | 'skip' | 'restart'

/** An actor that a machine has invoked or spawned. */
export interface MachineChild {
  /** Its logic's name in `setup({ actors })`, or XState's for one that is written in place. */
  readonly src: string
  readonly input?: unknown
  /** Names this one start of it: `<type>/<id>/<version>#<child>`. It is its `self.sessionId`. */
  readonly key: string
  /** Whether the machine hears of its snapshots (`onSnapshot`). */
  readonly heard?: boolean
  /** Of a child that is a machine: its state, which is part of the parent's. */
  readonly state?: MachineState
}

/** Why a machine refused an event. */
export interface MachineRefusal {
  readonly state: unknown
  readonly status: MachineState['status']
  /** The types of events that have a transition in this state, whatever its guard says. */
  readonly accepts: readonly string[]
}

/** The answer where no `reply` is given. */
export interface MachineReply<Machine extends AnyStateMachine> {
  readonly status: MachineState['status']
  readonly value: StateValueFrom<Machine>
  readonly output?: OutputFrom<Machine>
}

type MachineCommand<Data, Reply> = CommandShape<
  Data,
  Reply,
  Rejection<'rejected', MachineRefusal>
>

/** A machine's events as commands, and the one that begins it. */
export type MachineCommands<Machine extends AnyStateMachine, Reply> = {
  [Event in EventFrom<Machine> as Event['type']]: MachineCommand<PayloadOf<Event>, Reply>
} & { 'xstate.init': MachineCommand<InputFrom<Machine>, Reply> }

type MachineEvent<Event> = Event extends EventObject
  ? EmittedEvent<Event['type'], PayloadOf<Event>>
  : never

/** What is stored: the accepted events, and the one that begins it. */
export type MachineEvents<Machine extends AnyStateMachine> =
  | MachineEvent<EventFrom<Machine>>
  | EmittedEvent<'xstate.init', { readonly input: InputFrom<Machine> } | undefined>

/** A topic for each type of event that the machine emits. */
export type EmitsOf<Machine extends AnyStateMachine> = {
  readonly [Emitted in EmittedFrom<Machine> as Emitted['type']]?:
    Topic<PayloadOf<Emitted>> | AnyTopic
}

/**
 * What an event that an earlier version has stored is in this one: the event as the machine gets
 * it, its fields beside its type; `undefined` for the same as it was, `null` for nothing. Pure.
 * @param from the version of the definition that stored it
 */
export type MachineMigration = (
  event: { readonly type: string; readonly [field: string]: unknown },
  from: number,
) => EventObject | null | undefined

interface CommonOptions<Machine extends AnyStateMachine, Reply> extends ActorOptions {
  /** `[A-Za-z][A-Za-z0-9_-]{0,62}`. Default: the machine's id. */
  readonly type?: string
  /** Raise it when the machine changes. Default 1. */
  readonly version?: number
  /** Stored events of earlier versions, as this one has them. Default: as they are. */
  readonly migrate?: MachineMigration
  /**
   * What a late delay does: `fire` at once, `skip` and never come, or `restart`, to come a whole
   * delay from now. A function is asked with the timer's name. Default `fire`.
   */
  readonly late?: LateDelay | ((timer: string) => LateDelay)
  /** Milliseconds behind its moment from which on a delay is late. Default 10,000. */
  readonly lateAfter?: number
  /** The topic on which each emitted event is published, by its type. Default: none. */
  readonly emits?: EmitsOf<Machine>
  /** The answer to an accepted event. Default: `{ status, value, output }`. */
  readonly reply?: (state: MachineState<Machine>) => Reply
}

/** How a machine becomes an actor type. */
export type MachineOptions<
  Machine extends AnyStateMachine,
  Reply = MachineReply<Machine>,
> = CommonOptions<Machine, Reply> & MachineInput<InputFrom<Machine>>

/** The input that a machine begins with; a function gets the actor's id. */
type MachineInput<Input> = undefined extends Input
  ? { readonly input?: Input | ((id: string) => Input) }
  : { readonly input: Input | ((id: string) => Input) }

/** Whether a machine has to be given options. */
export type OptionsOf<Machine extends AnyStateMachine, Reply> =
  undefined extends InputFrom<Machine>
    ? [options?: MachineOptions<Machine, Reply>]
    : [options: MachineOptions<Machine, Reply>]

/** What references of machines can tell beside their state. Each reads it as `state()` does. */
export interface MachineRefMethods<Machine extends AnyStateMachine> {
  /** Whether it is in a state: `matches('active')`, `matches({ active: 'paused' })`. */
  matches(value: StateValueFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Whether it would accept an event now, guards included. */
  can(event: EventFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Whether one of the states it is in has the tag. */
  hasTag(tag: TagsFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Its output; `undefined` while it is not done, and of a machine that has none. */
  output(options?: StateOptions): Promise<OutputFrom<Machine> | undefined>
  /** XState's snapshot of its state. */
  snapshot(options?: StateOptions): Promise<SnapshotFrom<Machine>>
}

/** An actor type whose behavior is a machine. */
export interface MachineDefinition<
  Machine extends AnyStateMachine,
  Reply = MachineReply<Machine>,
> extends ActorDefinition<
  MachineState<Machine>,
  MachineCommands<Machine, Reply>,
  MachineEvents<Machine>
> {
  readonly machine: Machine
  readonly refMethods: (
    read: StateReader<MachineState<Machine>>,
  ) => MachineRefMethods<Machine>
  /** XState's snapshot of a state, with everything that it can do. */
  snapshot(state: MachineState<Machine>): SnapshotFrom<Machine>
  /** Whether it is in a state: `matches(state, 'active')`, `matches(state, { active: 'paused' })`. */
  matches(state: MachineState<Machine>, value: StateValueFrom<Machine>): boolean
  /** Whether it would accept an event, guards included. */
  can(state: MachineState<Machine>, event: EventFrom<Machine>): boolean
  /** Whether one of the states it is in has the tag. */
  hasTag(state: MachineState<Machine>, tag: TagsFrom<Machine>): boolean
}
