// References: an actor's address with the types of its definition.
//
// A reference holds no resources. Commands go through the CommandSender port to the node that owns the
// actor; histories are read from the store by the node that the reference was made on.

import { type ActorAddress, checkActorId, formatAddress } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { MalformedRecord } from '../model/commit.js'
import { checkFreshness, sufficientVersion } from '../model/freshness.js'
import {
  checkSendOptions,
  refuseSendOptions,
  type DurableCommandSender,
  type CommandSender,
  type SendOptions,
  type SendReceipt,
} from '../model/command-sender.js'
import { bounded } from '../model/wait.js'
import type { EventStore, ReadOptions } from '../store/event-store/event-store.js'
import type { StateReading, AnyActorDefinition, StateOptions } from './definition.js'
import { type CallOptions, callTimeoutDefault, checkTimeout } from './call.js'
import { checkKnownCommand } from './effects.js'
import type { FoldContext } from './fold.js'
import type { ResidentReader } from './actor-host.js'
import { isRedirect } from './version-guard.js'
import { VersionWaiters } from './version-waiters.js'
import { readAfter, readTimedOut } from './read-after.js'
import { recover } from './recovery.js'
import type { Skips } from './skips.js'
import type {
  CommandArguments,
  ListedCommandName,
  OutcomeOf,
  RecordedEventOf,
  StateOf,
} from './definition-types.js'
import { watchActor, type WatchedEvent, type WatchOptions } from './watch.js'
import { Watches } from './watches.js'

/** What references need of the node that they were made on. */
export interface RefPorts {
  readonly sender: CommandSender
  readonly durableSender: DurableCommandSender
  readonly store: Pick<EventStore, 'head' | 'commits' | 'read' | 'lastPosition'>
  /** The watches of the node. Default: without one, no notices arrive, and a watch looks for new commits at times. */
  readonly watches?: Watches
  /** Reads actors in the node's memory. Default: no actor is in memory. */
  readonly local?: ResidentReader
  /** Runs each reading of the state: explains its errors. */
  readonly around?: <T>(work: () => Promise<T>) => Promise<T>
  /** Called for each record on the way that is not a readable commit. */
  readonly onMalformed?: (record: MalformedRecord) => void
  /** The versions of an actor that folding skips. Default: none. */
  readonly skips?: (
    actor: ActorAddress,
    signal?: AbortSignal,
  ) => Promise<Skips | undefined>
}

/** A reference to an actor. */
export interface ActorRef<Definition extends AnyActorDefinition = AnyActorDefinition> {
  readonly address: ActorAddress

  /**
   * Sends a command and waits for its outcome: `{ ok: true, version, position, reply,
   * duplicate }`, or `{ ok: false, version, rejection }` if it was rejected. For the errors see {@link CommandSender.ask}.
   */
  ask<Name extends ListedCommandName<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<OutcomeOf<Definition, Name>>

  /**
   * Sends a command and waits only until the actor's mailbox has accepted it. A later failure is
   * reported by the node that accepted it; a rejection is not reported.
   */
  tell<Name extends ListedCommandName<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<void>

  /**
   * Stores a command for the actor and does not wait for its outcome. It is handled when a node hosts
   * the actor, even if all nodes were down meanwhile. For the errors see {@link DurableCommandSender.send}.
   */
  send<Name extends ListedCommandName<Definition>>(
    command: Name,
    ...args: CommandArguments<Definition, Name, SendOptions>
  ): Promise<SendReceipt>

  /**
   * Reads the state without waking the actor; this node folds it. It is the latest state, or as
   * recent as `freshness` requires. Throws `actor-parked` if the history cannot be folded, and
   * `deadline-exceeded` if `{ after: version }` is not reached in time.
   */
  state(options?: StateOptions): Promise<StateReading<StateOf<Definition>>>

  /** Reads the actor's events; a record that cannot be read comes as `kind: 'malformed'`. */
  events(
    options?: ReadOptions,
  ): AsyncIterable<RecordedEventOf<Definition> | MalformedRecord>

  /**
   * Yields each new event once, in order, with the state after it, until the signal fires or the store
   * closes. Starts after the version that the actor has when the loop starts, or after `from`. All
   * loops on this node that watch the actor share its reads.
   */
  watch(
    options?: WatchOptions,
  ): AsyncIterable<WatchedEvent<StateOf<Definition>, RecordedEventOf<Definition>>>
}

/** A reference with the methods that its definition adds. */
export type RefOf<Definition extends AnyActorDefinition> = ActorRef<Definition> &
  (Definition extends { readonly refMethods: (...args: never[]) => infer Methods }
    ? Methods
    : unknown)

/** Makes a reference to an actor. Throws `invalid-actor-id`. */
export function actorRef<Definition extends AnyActorDefinition>(
  definition: Definition,
  id: string,
  ports: RefPorts,
): RefOf<Definition> {
  const { sender, durableSender, store, watches = new Watches(store) } = ports
  const { local = noResidents, onMalformed, skips } = ports
  const { around = work => work() } = ports
  const { type, behavior } = definition
  const address: ActorAddress = Object.freeze({ type, id: checkActorId(id) })
  const folding: FoldContext = { actor: address, behavior, onMalformed }
  const skipsNow = async (signal?: AbortSignal) => skips?.(address, signal)
  const untyped: ActorRef = {
    address,
    ask: (command: string, data?: unknown, options?: SendOptions) =>
      refuseSendOptions('ask', options) ?? sender.ask(address, command, data, options),
    tell: (command: string, data?: unknown, options?: SendOptions) =>
      refuseSendOptions('tell', options) ?? sender.tell(address, command, data, options),
    async send(command: string, data?: unknown, options?: SendOptions) {
      checkSendOptions('send', options)
      // An unknown command is an error for the caller here; later, no caller waits for it.
      checkKnownCommand(definition, command)
      return durableSender.send(address, command, data, options)
    },
    async state(given: StateOptions = {}) {
      checkOptions('state', given, stateOptionNames)
      const { freshness = 'latest', ...options } = given
      const enough = sufficientVersion(checkFreshness(freshness))
      const readFolding = (bounds: CallOptions) =>
        readStore(store, folding, skipsNow, bounds)
      const read = async (bounds: CallOptions) => {
        if (enough === undefined) return readFolding(bounds)
        const resident = local.readResident(address, enough, bounds)
        // The state belongs to this definition, so this node folds it also where it leaves the actor to another node.
        return (
          resident?.catch((error: unknown) => {
            if (isRedirect(error)) return readFolding(bounds)
            throw error
          }) ?? readFolding(bounds)
        )
      }
      return around(() =>
        typeof freshness === 'string'
          ? read(options)
          : readAfter(formatAddress(address), freshness.after, options, read, () =>
              local.awaitVersion(address, freshness.after),
            ),
      )
    },
    events: options => store.read(address, options),
    watch: (options = {}) => {
      checkOptions('watch', options, watchOptionNames)
      return watchActor(watches, folding, options, skipsNow)
    },
  }
  // The implementation is the same for all definitions; only its types differ.
  const methods = definition.refMethods?.(untyped.state)
  return { ...untyped, ...methods } as RefOf<Definition>
}

const stateOptionNames: OptionNames<StateOptions> = {
  freshness: true,
  timeout: true,
  signal: true,
}
const watchOptionNames: OptionNames<WatchOptions> = {
  from: true,
  latest: true,
  signal: true,
}

/** For references that were made without a node: no actor is in memory, and no notices arrive. */
const noResidents: ResidentReader = {
  readResident: () => undefined,
  awaitVersion: ({ type, id }, version) =>
    new VersionWaiters(1).register(formatAddress({ type, id }), version),
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
