// The package `@cairn-es/grpc` as tests use it: it runs on the sources that the tests run on, and its declarations are of
// what is built. The compiler takes the two for different types.

import * as grpc from '@cairn-es/grpc'

import type { Backend } from '../../src/backend/backend.js'
import type { AnyTopic } from '../../src/model/topic.js'
import type { Node } from '../../src/runtime/node.js'
import type { EventStore } from '../../src/store/event-store/event-store.js'
import type { VersionCacheLimits } from '../../src/store/version-cache.js'

export type GrpcOptions = Omit<
  grpc.GrpcOptions,
  'node' | 'backend' | 'topics' | 'log'
> & {
  readonly node: Node
  readonly backend?: Backend
  readonly topics?: readonly AnyTopic[]
}

export const serveGrpc = grpc.serveGrpc as unknown as (
  options: GrpcOptions,
) => ReturnType<typeof grpc.serveGrpc>

export const openRemoteStore = grpc.RemoteStore.open.bind(
  grpc.RemoteStore,
) as unknown as (options: {
  readonly namespace: string
  readonly nodeId: string
  readonly transport: ReturnType<typeof grpc.doorTransport>
  readonly cache?: VersionCacheLimits
}) => Promise<EventStore>

export { doorTransport, parseTokens, problemOf } from '@cairn-es/grpc'
