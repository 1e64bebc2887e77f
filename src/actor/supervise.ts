// Supervising: what an operator can say about one actor.

import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import type { AskOutcome, CommandSender, SendOptions } from '../model/command-sender.js'
import { checkCount, type Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { StateReading } from './definition.js'
import { unknownVersion } from './fold.js'
import { recover } from './recovery.js'
import {
  type DirectiveData,
  type SkipData,
  type SupervisionState,
  supervisor,
  supervisorOf,
} from './supervisor.js'

/** Who says it, and why; both are kept in the events of the actor's supervisor. */
export interface DirectiveOptions extends Pick<
  SendOptions,
  'commandId' | 'signal' | 'timeout'
> {
  /** Default: the node's id. */
  readonly by?: string
  readonly reason?: string
}

/**
 * `{ ok: true, reply }` with what is said about the actor now, or `{ ok: false, rejection }` of
 * code `not-paused`, `not-parked`, `already-skipped`, `too-many-skips` or `bad-order`.
 */
export type DirectiveOutcome = AskOutcome<SupervisionState>

/**
 * What can be said about one actor. Everything said is an event of its supervisor, the actor
 * `cairn-supervision/TYPE/ID`; this node obeys from the moment on that it is stored, the others as soon as
 * they hear of it.
 */
export interface Supervision {
  /** The actor's supervisor, whose events are the audit trail. */
  readonly address: ActorAddress
  /** It takes no more commands after the running one, on whichever node, until it is resumed. */
  pause(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /** Ends a pause. */
  resume(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /** Where it is parked, or waits for a restart, it is read anew now. */
  retry(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /**
   * Folding passes over the event of a version from now on, on every node. Default: what it is
   * parked on. Throws `unknown-version` for one that is not stored, and `no-node` where it is to
   * be found out and no node hosts the type.
   */
  skip(
    options?: DirectiveOptions & { readonly version?: Version },
  ): Promise<DirectiveOutcome>
  /** What is said about it now. */
  state(options?: { readonly signal?: AbortSignal }): Promise<SupervisionState>
}

export interface SupervisePorts {
  readonly store: Pick<EventStore, 'head' | 'commits'>
  /** Runs the supervisor on the spot. */
  readonly sender: CommandSender
  readonly nodeId: string
  /** Hears of each order that was stored, by the supervisor's id and version. */
  readonly onDirective: (id: string, version: Version) => void
  /** Reads the actor's state, here or on a node that hosts its type. */
  readonly read: (
    actor: ActorAddress,
    options: Pick<DirectiveOptions, 'signal' | 'timeout'>,
  ) => Promise<Pick<StateReading, 'version'>>
}

type Versions = Pick<SkipData, 'version' | 'through'>

/** Throws `invalid-actor-type` or `invalid-actor-id`. */
export function supervise(
  { type, id }: ActorAddress,
  { store, sender, nodeId, onDirective, read }: SupervisePorts,
): Supervision {
  const actor = checkAddress({ type, id })
  const address = supervisorOf(actor)
  const send = async (
    command: string,
    { by = nodeId, reason, ...options }: DirectiveOptions,
    more: Partial<SkipData> = {},
  ) => {
    const data: DirectiveData = {
      actor: formatAddress(actor),
      ...more,
      by,
      ...(reason !== undefined && { reason }),
    }
    const outcome = (await sender.ask(
      address,
      command,
      data,
      options,
    )) as DirectiveOutcome
    // This node obeys before the notice comes.
    if (outcome.ok) onDirective(address.id, outcome.version)
    return outcome
  }

  /** The versions it is parked on, or the version up to which it can be read. */
  const stuckOn = async (
    bounds: Pick<DirectiveOptions, 'signal' | 'timeout'>,
  ): Promise<Versions | { readonly upTo: Version }> => {
    try {
      return { upTo: (await read(actor, bounds)).version }
    } catch (error) {
      const hasFailed =
        isCairnError(error, 'actor-parked') || isCairnError(error, 'actor-restarting')
      if (!hasFailed) throw error
      const { version, through } = error.details
      if (typeof version !== 'number') throw error
      return { version, ...(typeof through === 'number' && { through }) }
    }
  }

  return {
    address,
    pause: (options = {}) => send('pause', options),
    resume: (options = {}) => send('resume', options),
    retry: (options = {}) => send('retry', options),
    async skip({ version: wanted, ...options } = {}) {
      const { signal, timeout } = options
      const bounds = {
        ...(signal !== undefined && { signal }),
        ...(timeout !== undefined && { timeout }),
      }
      const range =
        wanted === undefined
          ? await stuckOn(bounds)
          : { version: checkCount('version', wanted) }
      if ('upTo' in range) return notParked(actor, range.upTo)
      const { version: last } = await store.head(actor, signal && { signal })
      // It may be parked on an event of its own that was never stored.
      if (range.version > last) throw unknownVersion(actor, range.version, last)
      return send('skip', options, range)
    },
    async state({ signal } = {}) {
      const folding = { actor: address, behavior: supervisor.behavior }
      return (await recover(store, folding, signal)).state
    },
  }
}

function notParked(actor: ActorAddress, version: Version): DirectiveOutcome {
  const name = formatAddress(actor)
  return {
    ok: false,
    version,
    rejection: {
      code: 'not-parked',
      message:
        `${name} is not parked: it can be read up to its version ${version}. Name the version ` +
        'that is to be passed over.',
      details: { actor: name },
    },
  }
}
