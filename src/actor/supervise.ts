// supervise(): how an operator gives directives for one actor.

import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { AskOutcome, CommandSender, SendOptions } from '../model/command-sender.js'
import { checkCount, type Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { commandIdsOf } from './causes.js'
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

/** Who gives a directive, and why; both are stored in the events of the actor's supervisor. */
export interface DirectiveOptions extends Pick<
  SendOptions,
  'commandId' | 'signal' | 'timeout'
> {
  /** Default: the node's id. */
  readonly by?: string
  /** Default: none. */
  readonly reason?: string
}

/**
 * `{ ok: true, reply }` with the directives now in force, or `{ ok: false, rejection }` with the
 * code `not-paused`, `not-parked`, `already-skipped`, `too-many-skips` or `bad-order`.
 */
export type DirectiveOutcome = AskOutcome<SupervisionState>

/**
 * Gives directives for one actor. Each is an event of the actor's supervisor, which is the actor
 * `cairn-supervision/TYPE/ID`. This node applies it as soon as it is stored, other nodes when its notice
 * arrives.
 */
export interface Supervision {
  /** The actor's supervisor, whose events are the audit trail. */
  readonly address: ActorAddress
  /** Pauses the actor: after the running command it accepts none, on any node, until it is resumed. */
  pause(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /** Ends a pause. */
  resume(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /** Reads the actor again now if it is parked or waits for a restart. */
  retry(options?: DirectiveOptions): Promise<DirectiveOutcome>
  /**
   * Makes folding skip the event of a version from now on, on every node. Default: the version on
   * which the actor is parked. Throws `unknown-version` for a version that is not stored, and
   * `no-node` if no version is given and no node hosts the type.
   */
  skip(
    options?: DirectiveOptions & { readonly version?: Version },
  ): Promise<DirectiveOutcome>
  /** Reads the directives now in force. */
  state(options?: { readonly signal?: AbortSignal }): Promise<SupervisionState>
}

export interface SupervisePorts {
  readonly store: Pick<EventStore, 'head' | 'commits'>
  /** Runs supervisors on this node. */
  readonly sender: CommandSender
  readonly nodeId: string
  /** Called for each directive that was stored, with the supervisor's id and version. */
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
    versions: Partial<SkipData> = {},
  ) => {
    const data: DirectiveData = {
      actor: formatAddress(actor),
      ...versions,
      by,
      ...(reason !== undefined && { reason }),
    }
    const outcome = (await sender.ask(
      address,
      command,
      data,
      options,
    )) as DirectiveOutcome
    // This node applies the directive before its notice arrives.
    if (outcome.ok) onDirective(address.id, outcome.version)
    return outcome
  }

  /** The versions on which the actor is parked, or the version up to which it can be read. */
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
      if ('upTo' in range) return notParked(actor, range.upTo, options)
      const { version: last } = await store.head(actor, signal && { signal })
      // It may be parked on an event that it folded but never stored.
      if (range.version > last) throw unknownVersion(actor, range.version, last)
      return send('skip', options, range)
    },
    async state({ signal } = {}) {
      const folding = { actor: address, behavior: supervisor.behavior }
      return (await recover(store, folding, signal)).state
    },
  }
}

function notParked(
  actor: ActorAddress,
  version: Version,
  { commandId = newId() }: DirectiveOptions,
): DirectiveOutcome {
  const name = formatAddress(actor)
  return {
    ok: false,
    version,
    rejection: {
      code: 'not-parked',
      message:
        `${name} is not parked: it can be read up to version ${version}. Name the version ` +
        'that folding must skip.',
      details: { actor: name },
    },
    ...commandIdsOf(commandId, {}),
  }
}
