// A place for data behind a door: each store is a client of a door of its own.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { EventStore } from '../../src/store/event-store/event-store.js'
import type { StoreFixture } from '../contract/store.js'
import { doorTransport, type GrpcOptions, openRemoteStore, serveGrpc } from './grpc.js'

/** Stands for the node that a door serves: the contract of a store needs no more of it. */
function nodeOf(store: EventStore): GrpcOptions['node'] {
  return { namespace: store.namespace, store } as unknown as GrpcOptions['node']
}

export async function behindDoor(inner: StoreFixture): Promise<StoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-door-'))
  const opened: AsyncDisposable[] = []
  let doors = 0
  return {
    async open({ namespace, nodeId, cache } = {}) {
      const store = await inner.open({
        ...(namespace !== undefined && { namespace }),
        ...(nodeId !== undefined && { nodeId }),
      })
      const listen = `unix:${join(folder, `${++doors}.sock`)}`
      const door = await serveGrpc({ node: nodeOf(store), listen })
      const remote = await openRemoteStore({
        namespace: store.namespace,
        nodeId: nodeId ?? `client-${doors}`,
        transport: doorTransport({ door: door.address }),
        ...(cache !== undefined && { cache }),
      })
      opened.push(door, remote)
      return remote
    },
    injectRecord: (actor, record) => inner.injectRecord(actor, record),
    async [Symbol.asyncDispose]() {
      for (const one of opened.toReversed()) await one[Symbol.asyncDispose]()
      await inner[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
