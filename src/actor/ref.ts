// A typed reference to one actor: what users hold.

import { type ActorAddress, checkActorId } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import type { MalformedRecord } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import type { AskOutcome, SendOptions } from '../model/sender.js'
import type { Version } from '../model/version.js'
import type { EventStore, ReadOptions } from '../store/store.js'
import type { CallOptions } from './call.js'
import type { AnyActorDefinition, CommandShape, EmittedEvent } from './define.js'
import type { ActorHost } from './host.js'
import { watchActor } from './watch.js'

type TypesOf<Definition extends AnyActorDefinition> = NonNullable<Definition['$types']>
type CommandsOf<Definition extends AnyActorDefinition> = TypesOf<Definition>['commands']
type StateOf<Definition extends AnyActorDefinition> = TypesOf<Definition>['state']

/** The definition's events as they stand in the log: a union told apart by `type`. */
export type StoredEventOf<Definition extends AnyActorDefinition> =
  TypesOf<Definition>['event'] extends infer Event
    ? Event extends EmittedEvent<infer Type, infer Data>
      ? RecordedEvent<Type, Data>
      : never
    : never

/** Data may be left out where the command takes none. */
type Arguments<Command extends CommandShape> = undefined extends Command['data']
  ? [data?: Command['data'], options?: SendOptions]
  : [data: Command['data'], options?: SendOptions]

type OutcomeOf<Command extends CommandShape> = AskOutcome<
  Command['reply'],
  Extract<Command['rejection'], Rejection>
>

/** One step of a watched actor: the event, and the state after it. */
export interface WatchedStep<State, Event> {
  readonly event: Event
  readonly state: State
  readonly version: Version
}

export interface WatchOptions {
  /** Ends the watching. */
  readonly signal?: AbortSignal
  /** Steps behind this version. Default: behind the version at the time of the call. */
  readonly after?: Version
}

export interface ActorRef<Definition extends AnyActorDefinition = AnyActorDefinition> {
  readonly address: ActorAddress

  /** Sends a command and resolves with its outcome; see {@link AskOutcome}. */
  ask<Name extends keyof CommandsOf<Definition> & string>(
    command: Name,
    ...args: Arguments<CommandsOf<Definition>[Name]>
  ): Promise<OutcomeOf<CommandsOf<Definition>[Name]>>

  /** Sends a command; resolves when the actor's mailbox has taken it. */
  tell<Name extends keyof CommandsOf<Definition> & string>(
    command: Name,
    ...args: Arguments<CommandsOf<Definition>[Name]>
  ): Promise<void>

  /** The newest state, confirmed against the store. */
  state(options?: CallOptions): Promise<{ state: StateOf<Definition>; version: Version }>

  /** The actor's events; a record that cannot be read comes as `malformed`. */
  events(
    options?: ReadOptions,
  ): AsyncIterable<StoredEventOf<Definition> | MalformedRecord>

  /** Each further event with the state after it, as it is stored, until the signal fires. */
  watch(
    options?: WatchOptions,
  ): AsyncIterable<WatchedStep<StateOf<Definition>, StoredEventOf<Definition>>>
}

export interface RefParts {
  readonly host: Pick<ActorHost, 'ask' | 'tell' | 'state' | 'stateAt'>
  readonly store: EventStore
}

/** Throws `invalid-actor-id`. */
export function createActorRef<Definition extends AnyActorDefinition>(
  definition: Definition,
  id: string,
  { host, store }: RefParts,
): ActorRef<Definition> {
  const address: ActorAddress = { type: definition.type, id: checkActorId(id) }
  const ref = {
    address,
    ask: (command: string, data?: unknown, options?: SendOptions) =>
      host.ask(address, command, data, options),
    tell: (command: string, data?: unknown, options?: SendOptions) =>
      host.tell(address, command, data, options),
    state: (options?: CallOptions) => host.state(address, options),
    events: (options?: ReadOptions) => store.read(address, options),
    watch: (options?: WatchOptions) =>
      watchActor(definition, address, { host, store }, options),
  }
  // The parts are typed by names, the reference by the definition that was checked against them.
  return ref as unknown as ActorRef<Definition>
}
