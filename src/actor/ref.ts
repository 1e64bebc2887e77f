// References: an actor's address with the types of its definition.
//
// A reference holds no resources. Commands go through the CommandSender port to the node that owns the
// actor; histories are read from the store by the node that the reference was made on.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { MalformedRecord } from '../model/commit.js'
import { checkFreshness, sufficientVersion } from '../model/freshness.js'
import type { Behavior } from '../model/behavior.js'
import type { RecordedEvent } from '../model/event.js'
import type { Version } from '../model/version.js'
import { bounded } from '../model/wait.js'
import type { EventStore, ReadOptions } from '../store/event-store/event-store.js'
import type { StateReading, AnyActorDefinition, StateOptions } from './definition.js'
import { type CallOptions, callTimeoutDefault, checkTimeout } from './call.js'
import { type CommandRef, commandRef, type CommandRefPorts } from './command-ref.js'
import type { AnyActorType } from './contract.js'
import { type FoldContext, upcastEvent } from './fold.js'
import type { ResidentReader } from './actor-host.js'
import { isRedirect } from './version-guard.js'
import { VersionWaiters } from './version-waiters.js'
import { readAfter, readTimedOut } from './read-after.js'
import { recover } from './recovery.js'
import type { Skips } from './skips.js'
import type { RecordedEventOf, StateOf } from './definition-types.js'
import { untilState } from './until.js'
import {
  watchActor,
  type WatchedEvent,
  type WatchedState,
  type WatchOptions,
} from './watch.js'
import { Watches } from './watches.js'

/** What references need of the node that they were made on. */
export interface RefPorts extends CommandRefPorts {
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
export interface ActorRef<
  Definition extends AnyActorDefinition = AnyActorDefinition,
> extends CommandRef<Definition> {
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
   * Yields the present state, and then each new event once, in order, with the state after it, until the signal fires or
   * the store closes. With `from`, it yields only events, from the one after that version on. All loops on this node that
   * watch the actor share its reads.
   */
  watch(
    options: WatchOptions & { readonly from: Version },
  ): AsyncIterable<WatchedEvent<StateOf<Definition>, RecordedEventOf<Definition>>>
  watch(
    options?: WatchOptions,
  ): AsyncIterable<
    | WatchedState<StateOf<Definition>>
    | WatchedEvent<StateOf<Definition>, RecordedEventOf<Definition>>
  >

  /**
   * Waits until the state is as wanted: `await ref.until(({ status }) => status === 'paid', { timeout: 60_000 })`. The
   * present state counts, and none after it is left out. Throws `deadline-exceeded` after `timeout` milliseconds (default
   * 10,000; `Infinity` for no deadline), `aborted`, `node-closed`, and what the function throws.
   */
  until<Wanted extends StateOf<Definition>>(
    isWanted: (state: StateOf<Definition>) => state is Wanted,
    options?: UntilOptions,
  ): Promise<StateReading<Wanted>>
  until(
    isWanted: (state: StateOf<Definition>) => boolean,
    options?: UntilOptions,
  ): Promise<StateReading<StateOf<Definition>>>
}

/** How long a state is waited for. */
export type UntilOptions = Pick<StateOptions, 'timeout' | 'signal'>

/** A reference with the methods that its definition adds. To a contract's actor: one that only sends commands. */
export type RefOf<Definition extends AnyActorType> = Definition extends AnyActorDefinition
  ? ActorRef<Definition> &
      (Definition extends { readonly refMethods: (...args: never[]) => infer Methods }
        ? Methods
        : unknown)
  : CommandRef<Definition>

/** Makes a reference to an actor. Throws `invalid-actor-id`. */
export function actorRef<Definition extends AnyActorType>(
  definition: Definition,
  id: string,
  ports: RefPorts,
): RefOf<Definition> {
  const commands = commandRef(definition, id, ports)
  // The implementation is the same for all definitions; only its types differ.
  if (!('behavior' in definition)) return commands as RefOf<Definition>
  return {
    ...commands,
    ...readerOf(definition, commands.address, ports),
  } as RefOf<Definition>
}

/** The part of a reference that reads the actor. */
function readerOf(
  definition: AnyActorDefinition,
  address: ActorAddress,
  ports: RefPorts,
) {
  const { store, watches = new Watches(store) } = ports
  const { local = noResidents, onMalformed, skips } = ports
  const { around = work => work() } = ports
  const { behavior } = definition
  const folding: FoldContext = { actor: address, behavior, onMalformed }
  const skipsNow = async (signal?: AbortSignal) => skips?.(address, signal)
  const watch = (options: WatchOptions = {}) => {
    checkOptions('watch', options, watchOptionNames)
    return watchActor(watches, folding, options, skipsNow)
  }
  const reader: Pick<ActorRef, 'state' | 'events' | 'watch' | 'until'> = {
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
    events: options => upcasted(behavior, store.read(address, options)),
    watch: watch as ActorRef['watch'],
    async until(isWanted: (state: unknown) => boolean, options: UntilOptions = {}) {
      checkOptions('until', options, untilOptionNames)
      return around(() => untilState(watches, folding, isWanted, options, skipsNow))
    },
  }
  return { ...reader, ...definition.refMethods?.(reader.state) }
}

const stateOptionNames: OptionNames<StateOptions> = {
  freshness: true,
  timeout: true,
  signal: true,
}
const untilOptionNames: OptionNames<UntilOptions> = { timeout: true, signal: true }
const watchOptionNames: OptionNames<WatchOptions> = {
  from: true,
  latest: true,
  signal: true,
}

/** Throws `actor-parked` for an event that cannot be upcast, as folding it does. */
async function* upcasted(
  behavior: Behavior,
  stored: AsyncIterable<RecordedEvent | MalformedRecord>,
): AsyncGenerator<RecordedEvent | MalformedRecord> {
  for await (const one of stored)
    if (one.kind === 'event') yield* upcastEvent(behavior, one)
    else yield one
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
  const { state, version, position } = await bounded(
    async until => recover(store, { ...folding, skips: await skipsNow(until) }, until),
    timeout,
    () => readTimedOut(doing, timeout),
    signal,
    doing,
  )
  return { state, version, position, exists: version > 0 }
}
