// A backend whose store's calls are counted, and can be held up.

import type { Backend } from '../../src/backend/backend.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { EventStore } from '../../src/store/event-store/event-store.js'

const reads = ['head', 'read', 'commits', 'readAll', 'actors', 'lastPosition'] as const

/** How often each way of reading was taken. */
export type ReadCounts = Record<(typeof reads)[number], number>

export interface Observed {
  readonly backend: Backend
  readonly counts: ReadCounts
  /** Runs before a head is read; it may wait. */
  beforeHead: (actor: ActorAddress) => Promise<void>
}

export function observed(backend: Backend): Observed {
  const counts = Object.fromEntries(reads.map(name => [name, 0])) as ReadCounts
  const watched = (store: EventStore) =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const call = value.bind(target) as (...args: unknown[]) => unknown
        if (!reads.includes(name as keyof ReadCounts)) return call
        return (...args: unknown[]) => {
          counts[name as keyof ReadCounts]++
          if (name !== 'head') return call(...args)
          return result.beforeHead(args[0] as ActorAddress).then(() => call(...args))
        }
      },
    })
  const result: Observed = {
    counts,
    beforeHead: async () => {},
    backend: {
      kind: backend.kind,
      async open(options) {
        const open = await backend.open(options)
        return { ...open, store: watched(open.store) }
      },
    },
  }
  return result
}
