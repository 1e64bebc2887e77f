// The public types of machines, inferred from what setup() declares.

import type {
  AnyActorLogic,
  AnyStateMachine,
  ContextFrom,
  EmittedFrom,
  EventFrom,
  EventObject,
  InputFrom,
  OutputFrom,
  SnapshotFrom,
  StateMachine,
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
import type { Answers } from '../model/answers.js'
import type { Rejection } from '../model/behavior.js'
import type { StandardSchema } from '../model/schema.js'
import type { AnyTopic, Topic } from '../model/topic.js'

/** An event without its type: the data of a command. `undefined` when the event has no other fields. */
export type PayloadOf<Event extends EventObject> = keyof Omit<Event, 'type'> extends never
  ? undefined
  : Partial<Omit<Event, 'type'>> extends Omit<Event, 'type'>
    ? Omit<Event, 'type'> | undefined
    : Omit<Event, 'type'>

/** The state of a machine: plain data. `fromMachine(…).snapshot(state)` makes XState's snapshot of it. */
export interface MachineState<Machine extends AnyStateMachine = AnyStateMachine> {
  /** `done` in a final state; `error` when a child failed without `onError`. Neither accepts any event. */
  readonly status: 'active' | 'done' | 'error'
  readonly value: StateValueFrom<Machine>
  readonly context: ContextFrom<Machine>
  /** The tags of the active states, sorted. */
  readonly tags: readonly TagsFrom<Machine>[]
  /** The output of a machine that is done, if it has one. */
  readonly output?: OutputFrom<Machine>
  /** Why it ended in `error`, as plain data. */
  readonly error?: unknown
  /** Invoked and spawned actors that have not ended, by id. */
  readonly children?: Readonly<Record<string, MachineChild>>
  /** Children that have ended or were stopped, and that the context still refers to, by their keys. */
  readonly ended?: Readonly<Record<string, EndedChild>>
  /** Delayed events and transitions, by timer name: `xstate.after.<delay>.<state>`, or the given id. */
  readonly timers?: MachineTimers
  /** What history states remember: state ids, by the id of the history state. */
  readonly history?: Readonly<Record<string, readonly string[]>>
}

export type MachineTimers = Readonly<Record<string, MachineTimer>>

/** A delayed event or transition. */
export interface MachineTimer {
  /** When it is due, ms since 1970. */
  readonly at: number
  /** The delay in milliseconds. */
  readonly delay: number
  /** The event. Absent: an event with the timer's name as its type. */
  readonly event?: EventObject
  /** The durable actor that gets it. Without `to`, `child` and `parent`, the machine itself gets it. */
  readonly to?: ActorAddress & Answers
  /** The child machine that gets it. */
  readonly child?: string
  /** Set on a child's timer whose event its parent gets. */
  readonly parent?: true
}

/** What a delay does when it ends late because no node was running: see {@link MachineOptions}. */
export type LateDelay = 'fire' | 'skip' | 'restart'

/** An actor that a machine has invoked or spawned. */
export interface MachineChild {
  /** The name of its logic in `setup({ actors })`, or XState's name for inline logic. */
  readonly src: string
  readonly input?: unknown
  /** Identifies this start of the child: `<type>/<id>/<version>#<child>`. It is the child's `self.sessionId`. */
  readonly key: string
  /** Whether the machine gets its snapshots (`onSnapshot`). */
  readonly heard?: boolean
  /** The state of a child machine. It is part of the parent's state. */
  readonly state?: MachineState
}

/** A child that has ended or was stopped: the machine can still read its last snapshot, and what is sent to it is dropped. */
export interface EndedChild {
  readonly id: string
  readonly src: string
  readonly status: 'done' | 'error' | 'stopped'
  readonly output?: unknown
  readonly error?: unknown
  /** The last state of a child machine. */
  readonly state?: MachineState
}

/** Why a machine rejected an event. */
export interface MachineRefusal {
  readonly state: unknown
  readonly status: MachineState['status']
  /** The event types that have a transition in this state, guards aside. */
  readonly accepts: readonly string[]
}

/** The reply when no `reply` option is given. */
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

/** A machine's events as commands, and `xstate.init`. */
export type MachineCommands<Machine extends AnyStateMachine, Reply> = {
  [Event in EventFrom<Machine> as Event['type']]: MachineCommand<PayloadOf<Event>, Reply>
} & { 'xstate.init': MachineCommand<InputFrom<Machine>, Reply> }

type MachineEvent<Event> = Event extends EventObject
  ? EmittedEvent<Event['type'], PayloadOf<Event>>
  : never

/** The actors that `setup({ actors })` declares. */
type DeclaredActor<Machine extends AnyStateMachine> =
  Machine extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer _Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Config,
    infer _Transition
  >
    ? Actor
    : never

/** The end of a child, by its id where `types.children` declares it, otherwise by any id. */
type DoneEvent<Actor> = Actor extends {
  readonly logic: infer Logic extends AnyActorLogic
  readonly id?: infer Id
}
  ? EmittedEvent<
      `xstate.done.actor.${IdOf<Id>}`,
      { readonly key: string; readonly output: OutputFrom<Logic> }
    >
  : never

type IdOf<Id> = [Id & string] extends [never] ? string : Id & string

/** What became of a due delay that led to no event of the machine's own. */
export interface MachineTimerOutcome {
  readonly name: string
  /** `pass`: no transition took it. `send`: it was sent to another actor. `skip`, `restart`: it was late. */
  readonly does: 'pass' | 'send' | 'skip' | 'restart'
}

/**
 * The stored events: those that the machine accepted, `xstate.init`, and those of XState itself: `xstate.after.…` of a delay,
 * `xstate.done.actor.…`, `xstate.error.actor.…` and `xstate.snapshot.…` of a child with its `key`, `xstate.child` for what a
 * child machine was sent, and `xstate.timer` for a delay that led to none of them.
 */
export type MachineEvents<Machine extends AnyStateMachine> =
  | MachineEvent<EventFrom<Machine>>
  | EmittedEvent<'xstate.init', { readonly input: InputFrom<Machine> } | undefined>
  | DoneEvent<DeclaredActor<Machine>>
  | EmittedEvent<
      `xstate.error.actor.${string}`,
      { readonly key: string; readonly error: unknown }
    >
  | EmittedEvent<
      `xstate.snapshot.${string}`,
      { readonly key: string; readonly snapshot: unknown }
    >
  | EmittedEvent<`xstate.after.${string}`, undefined>
  | EmittedEvent<'xstate.timer', MachineTimerOutcome>
  | EmittedEvent<'xstate.child', { readonly key: string; readonly event: EventObject }>

/** The topic for each type of emitted event. */
export type EmitsOf<Machine extends AnyStateMachine> = {
  readonly [Emitted in EmittedFrom<Machine> as Emitted['type']]?:
    Topic<PayloadOf<Emitted>> | AnyTopic
}

/**
 * Maps an event that an earlier version stored to this version: the event as the machine gets it, its fields beside
 * its type; `undefined` to keep it as it is, `null` to drop it. Pure.
 * @param from the version of the definition that stored it
 */
export type MachineMigration = (
  event: { readonly type: string; readonly [field: string]: unknown },
  from: number,
) => EventObject | null | undefined

/** Schemas of a machine: they take and make the types that `setup` declares. */
export interface MachineSchemas<Machine extends AnyStateMachine> {
  readonly events?: {
    readonly [Event in EventFrom<Machine> as Event['type']]?: StandardSchema<
      PayloadOf<Event>
    >
  } & { readonly 'xstate.init'?: StandardSchema<InputFrom<Machine>> }
  readonly state?: StandardSchema
}

/** Options of {@link fromMachine}. */
export interface MachineOptions<
  Machine extends AnyStateMachine,
  Reply = MachineReply<Machine>,
> extends ActorOptions {
  /** `[A-Za-z][A-Za-z0-9_-]{0,62}`. Default: the machine's id. */
  readonly type?: string | undefined
  /** Raise it when the machine changes. Default 1. */
  readonly version?: number | undefined
  /** Maps stored events of earlier versions. Default: they are kept as they are. */
  readonly migrate?: MachineMigration | undefined
  /**
   * The state that an earlier version has stored, as one of this version; `undefined` folds it again from the events, which
   * is the default.
   */
  readonly migrateState?: (
    state: unknown,
    from: number,
  ) => MachineState<Machine> | undefined
  /**
   * What a late delay does: `fire` at once, `skip` it, or `restart` it with its whole delay. A function gets the
   * timer's name. Default `fire`.
   */
  readonly late?: (LateDelay | ((timer: string) => LateDelay)) | undefined
  /** Milliseconds after its due time from which a delay counts as late. Default 10,000. */
  readonly lateAfter?: number | undefined
  /**
   * The input that every actor of the type starts with; a function gets the actor's id. Default: none. An actor gets
   * an input of its own by the command `xstate.init`.
   */
  readonly input?: (InputFrom<Machine> | ((id: string) => InputFrom<Machine>)) | undefined
  /**
   * Schemas of events by type, of the data of `xstate.init`, and of the state: they check what comes as a command. What a
   * schema makes is the event that is decided and stored. Default: none.
   */
  readonly schemas?: MachineSchemas<Machine> | undefined
  /** The topic for each type of emitted event. Default: none. */
  readonly emits?: EmitsOf<Machine> | undefined
  /** The reply to an accepted event. Default: `{ status, value, output }`. */
  readonly reply?: ((state: MachineState<Machine>) => Reply) | undefined
}

/** Methods of references to machines. Each reads the state as `state()` does. */
export interface MachineRefMethods<Machine extends AnyStateMachine> {
  /** Whether it is in a state: `matches('active')`, `matches({ active: 'paused' })`. */
  matches(value: StateValueFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Whether it would accept an event now, guards included. */
  can(event: EventFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Whether an active state has the tag. */
  hasTag(tag: TagsFrom<Machine>, options?: StateOptions): Promise<boolean>
  /** Its output; `undefined` while it is not done, or when it has none. */
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
  /** XState's snapshot of a state. */
  snapshot(state: MachineState<Machine>): SnapshotFrom<Machine>
  /** Whether it is in a state: `matches(state, 'active')`, `matches(state, { active: 'paused' })`. */
  matches(state: MachineState<Machine>, value: StateValueFrom<Machine>): boolean
  /** Whether it would accept an event, guards included. */
  can(state: MachineState<Machine>, event: EventFrom<Machine>): boolean
  /** Whether an active state has the tag. */
  hasTag(state: MachineState<Machine>, tag: TagsFrom<Machine>): boolean
}
