// State reads: the states of actors as callers of the host read them.

import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import { checkFreshness, sufficientVersion } from '../model/freshness.js'
import { handOut } from '../model/read-only.js'
import { checkCount, type Version } from '../model/version.js'
import { bounded } from '../model/wait.js'
import type { ActorHostOptions, ResidentReader } from './actor-host.js'
import type { Admission } from './admission.js'
import { type CallOptions, callTimeoutDefault, checkTimeout } from './call.js'
import { ReadSubject } from './call-subjects.js'
import type { StateOptions, StateReading } from './definition.js'
import { detachPlain } from './detach.js'
import type { Directives } from './directives.js'
import { readAfter, readTimedOut } from './read-after.js'
import { recoverAt } from './recovery.js'
import { posting, type ResidentCalls } from './resident-calls.js'
import type { Residents } from './residents.js'
import { VersionGuard } from './version-guard.js'
import type { VersionWait, VersionWaiters } from './version-waiters.js'

export interface StateReadPorts extends Pick<
  ActorHostOptions,
  'store' | 'definitions' | 'versions'
> {
  readonly directives: Directives | undefined
  readonly admission: Admission
  readonly calls: ResidentCalls
  readonly residents: Residents
  readonly versionWaiters: VersionWaiters
}

/** For the methods see {@link ActorHost}. */
export class StateReads implements ResidentReader {
  readonly #ports: StateReadPorts

  constructor(ports: StateReadPorts) {
    this.#ports = ports
  }

  async state(
    actor: ActorAddress,
    { freshness = 'latest', ...options }: StateOptions = {},
  ): Promise<StateReading> {
    const name = formatAddress(checkAddress(actor))
    const enough = sufficientVersion(checkFreshness(freshness))
    const read = (bounds: CallOptions) => this.#read(actor, enough, bounds)
    return typeof freshness === 'string'
      ? read(options)
      : readAfter(name, freshness.after, options, read, () =>
          this.awaitVersion(actor, freshness.after),
        )
  }

  readResident(
    actor: ActorAddress,
    enough: Version,
    options: CallOptions,
  ): Promise<StateReading> | undefined {
    const isHere = this.#ports.residents.find(formatAddress(actor)) !== undefined
    return isHere ? this.#read(actor, enough, options) : undefined
  }

  awaitVersion(actor: ActorAddress, version: Version): VersionWait {
    return this.#ports.versionWaiters.register(formatAddress(actor), version)
  }

  async stateAt(
    actor: ActorAddress,
    version: Version,
    { timeout = callTimeoutDefault, signal }: CallOptions = {},
  ): Promise<StateReading> {
    const { admission, definitions, directives, store, versions } = this.#ports
    checkAddress(actor)
    checkCount('version', version)
    checkTimeout(timeout)
    admission.checkNotClosed()
    const { behavior } = definitions.get(actor.type)
    const doing = `reading version ${version} of ${formatAddress(actor)}`
    const read = async (until: AbortSignal) => {
      const current = await directives?.now(actor, until)
      const folding = { actor, behavior, skips: current?.skips }
      try {
        return await recoverAt(store, folding, version, until)
      } catch (error) {
        throw new VersionGuard(actor, behavior.version, versions).explain(error)
      }
    }
    const timedOut = () => readTimedOut(doing, timeout)
    const at = await bounded(read, timeout, timedOut, signal, doing)
    const { state, version: found } = await folded(behavior, actor, at)
    const plain = detachPlain(handOut(state))
    return { state: plain, version: found, position: at.position, exists: found > 0 }
  }

  #read(
    actor: ActorAddress,
    enough: Version | undefined,
    options: CallOptions,
  ): Promise<StateReading> {
    const { call, resident } = this.#ports.calls.open<StateReading>(
      actor,
      new ReadSubject(actor),
      options,
    )
    posting(call, () => resident.enqueueRead(call, enough))
    const { behavior } = this.#ports.definitions.get(actor.type)
    if (behavior.remote === undefined) return call.promise
    return call.promise.then(async reading => ({
      ...reading,
      ...(await folded(behavior, actor, reading)),
    }))
  }
}

/** The state as readers get it, where another process folds. */
async function folded(
  { remote }: Behavior,
  actor: ActorAddress,
  { state, version }: Pick<StateReading, 'state' | 'version'>,
): Promise<Pick<StateReading, 'state' | 'version'>> {
  if (remote === undefined) return { state, version }
  return { state: await remote.fold(actor, state, version), version }
}
