// References: an actor by its name, with the types of its definition.
//
// A reference holds nothing and costs nothing. Commands go out through the CommandSender
// port, to wherever the actor lives; histories are read from the store by whoever asks.

import { type ActorAddress, checkActorId, formatAddress } from '../model/address.js'
import type { MalformedRecord } from '../model/commit.js'
import { checkFreshness, sufficientVersion } from '../model/freshness.js'
import type {
  DurableCommandSender,
  CommandSender,
  SendOptions,
  SendReceipt,
} from '../model/command-sender.js'
import { bounded } from '../model/wait.js'
import type { EventStore, ReadOptions } from '../store/event-store/event-store.js'
import type { StateReading, AnyActorDefinition, StateOptions } from './definition.js'
import { type CallOptions, callTimeoutDefault, checkTimeout } from './call.js'
import { checkKnownCommand } from './effects.js'
import type { FoldContext } from './fold.js'
import type { ResidentReader } from './host.js'
import { VersionWaiters } from './version-waiters.js'
import { readAfter, readTimedOut } from './read-after.js'
import { recover } from './recovery.js'
import type { Skips } from './skips.js'
import type {
  CommandArguments,
  CommandNameOf,
  OutcomeOf,
  RecordedEventOf,
  StateOf,
} from './definition-types.js'
import { watchActor, type WatchedEvent, type WatchOptions } from './watch.js'

/** What references need of the node they were made on. */
export interface RefPorts {
  readonly sender: CommandSender
  readonly durableSender: DurableCommandSender
  readonly store: Pick<
    EventStore,
    'head' | 'commits' | 'read' | 'follow' | 'lastPosition'
  >
  /** What the node has in memory. Default: nothing. */
  readonly local?: ResidentReader
  /** Hears of every record passed by that is not a readable commit. */
  readonly onMalformed?: (record: MalformedRecord) => void
  /** The versions of an actor that folding passes over. Default: none. */
  readonly skips?: (
    actor: ActorAddress,
    signal?: AbortSignal,
  ) => Promise<Skips | undefined>
}

/** An actor, by its name. */
export interface ActorRef<Definition extends AnyActorDefinition = AnyActorDefinition> {
  readonly address: ActorAddress

  /**
   * Sends a command and waits for its outcome: `{ ok: true, version, position, reply,
   * duplicate }`, or `{ ok: false, version, rejection }` where the command can be refused. For
   * the errors see {@link CommandSender.ask}.
   */
  ask<Name extends CommandNameOf<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<OutcomeOf<Definition, Name>>

  /**
   * Sends a command and waits only until the actor's mailbox has accepted it. A failure after
   * that is reported by the node that had accepted it; a refusal goes unheard.
   */
  tell<Name extends CommandNameOf<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<void>

  /**
   * Stores a command for the actor and waits for no more: it is carried out when a node hosts the
   * actor, also after all nodes have been down. For the errors see {@link DurableCommandSender.send}.
   */
  send<Name extends CommandNameOf<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<SendReceipt>

  /**
   * Reads the state, folded here, without waking the actor: the newest, or as fresh as
   * `freshness` says. Throws `actor-parked` when the history cannot be folded, and
   * `deadline-exceeded` where `{ after: version }` is not reached in time.
   */
  state(options?: StateOptions): Promise<StateReading<StateOf<Definition>>>

  /** Reads the actor's events; a record that cannot be read comes as `kind: 'malformed'`. */
  events(
    options?: ReadOptions,
  ): AsyncIterable<RecordedEventOf<Definition> | MalformedRecord>

  /**
   * Yields each new event with the state after it, never missing or repeating one, until the
   * signal fires or the store closes. Starts behind the version the actor has when the loop
   * starts, or behind `from`.
   */
  watch(
    options?: WatchOptions,
  ): AsyncIterable<WatchedEvent<StateOf<Definition>, RecordedEventOf<Definition>>>
}

/** A reference with what its definition adds to it. */
export type RefOf<Definition extends AnyActorDefinition> = ActorRef<Definition> &
  (Definition extends { readonly refMethods: (...args: never[]) => infer Methods }
    ? Methods
    : unknown)

/** A reference to the definition's actor of that id. Throws `invalid-actor-id`. */
export function actorRef<Definition extends AnyActorDefinition>(
  definition: Definition,
  id: string,
  { sender, durableSender, store, local = nothingLocal, onMalformed, skips }: RefPorts,
): RefOf<Definition> {
  const { type, behavior } = definition
  const address: ActorAddress = Object.freeze({ type, id: checkActorId(id) })
  const folding: FoldContext = { actor: address, behavior, onMalformed }
  const skipsNow = async (signal?: AbortSignal) => skips?.(address, signal)
  const untyped: ActorRef = {
    address,
    ask: (command: string, data?: unknown, options?: SendOptions) =>
      sender.ask(address, command, data, options),
    tell: (command: string, data?: unknown, options?: SendOptions) =>
      sender.tell(address, command, data, options),
    async send(command: string, data?: unknown, options?: SendOptions) {
      // Here the caller can still be told; later nobody can.
      checkKnownCommand(definition, command)
      return durableSender.send(address, command, data, options)
    },
    async state({ freshness = 'latest', ...options } = {}) {
      const enough = sufficientVersion(checkFreshness(freshness))
      const read = async (bounds: CallOptions) =>
        (enough === undefined ? undefined : local.readResident(address, enough, bounds)) ??
        readStore(store, folding, skipsNow, bounds)
      return typeof freshness === 'string'
        ? read(options)
        : readAfter(formatAddress(address), freshness.after, options, read, () =>
            local.awaitVersion(address, freshness.after),
          )
    },
    events: options => store.read(address, options),
    watch: (options = {}) => watchActor(store, folding, options, skipsNow),
  }
  // The implementation is the same for all definitions; only its types differ.
  const added = definition.refMethods?.(untyped.state)
  return { ...untyped, ...added } as RefOf<Definition>
}

/** For references that were made on no node: nothing is in memory, and no notice comes. */
const nothingLocal: ResidentReader = {
  readResident: () => undefined,
  awaitVersion: ({ type, id }, version) =>
    new VersionWaiters(1).expect(formatAddress({ type, id }), version),
}

async function readStore<State>(
  store: RefPorts['store'],
  folding: FoldContext<State>,
  skipsNow: (signal: AbortSignal) => Promise<Skips | undefined>,
  { timeout = callTimeoutDefault, signal }: CallOptions,
): Promise<StateReading<State>> {
  checkTimeout(timeout)
  const doing = `reading of the state of ${formatAddress(folding.actor)}`
  const { state, version } = await bounded(
    async until => recover(store, { ...folding, skips: await skipsNow(until) }, until),
    timeout,
    () => readTimedOut(doing, timeout),
    signal,
    doing,
  )
  return { state, version }
}
