// What the two programs of a run, hosts and clients, have in common: settings, the store, and their control channel.

import { embedded, jetstream, type Backend } from 'cairn-es'

import { Journal } from './history.js'
import type { StoreOptions } from './place.js'

/** Passed to a program in the environment variable TRUST, as JSON. */
export interface ProgramSettings {
  readonly role: 'host' | 'client'
  /** Unique in the run; also the name of its journal. The id of a host's node is `nodeId` or this. */
  readonly name: string
  /** The run's folder. */
  readonly folder: string
  readonly seed: number
  readonly namespaces: readonly string[]
  readonly store: StoreOptions
  readonly code?: 'old' | 'new'
  readonly clock?: 'real' | 'fake'
  /** The id of the node, when a host takes up the id of one that has ended. */
  readonly nodeId?: string
  /** Clients: the workloads to run, and the load. Default: all. */
  readonly workloads?: readonly string[]
}

export const heartbeat = { every: 200, silentAfter: 500, deadAfter: 2_000 }

export function settingsOf(): ProgramSettings {
  const text = process.env.TRUST
  if (text === undefined)
    throw new Error('TRUST is not set: this program is started by a trust run.')
  return JSON.parse(text) as ProgramSettings
}

export function backendOf(store: StoreOptions): Backend {
  return store.kind === 'embedded'
    ? embedded({ dir: store.dir })
    : jetstream({
        servers: store.servers,
        replicas: store.replicas === 3 ? 3 : 1,
        ignoreClusterUpdates: true,
        heartbeat,
      })
}

export function journalOf({ folder, name }: ProgramSettings): Journal {
  return new Journal(folder, name)
}

/** Answers the messages of the parent; `stop` is also called for SIGTERM. */
export function control(
  stop: () => Promise<void>,
  answer: (message: Record<string, unknown>) => Promise<object> | object = () => ({}),
): void {
  let stopping: Promise<void> | undefined
  const end = () => {
    stopping ??= stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  // The parent has ended: nothing may outlive it.
  process.on('disconnect', () => process.exit(2))
  process.on('message', (message: Record<string, unknown>) => {
    if (message.kind === 'block') block(Number(message.ms))
    void Promise.resolve(answer(message)).then(
      reply => message.id !== undefined && process.send?.({ id: message.id, ...reply }),
      (error: unknown) =>
        process.send?.({ id: message.id, error: String((error as Error).stack) }),
    )
  })
  process.send?.({ kind: 'ready' })
}

/** Blocks the event loop. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
