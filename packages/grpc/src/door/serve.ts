// serveGrpc(): the door of a node for other languages.

import { type DescService } from '@bufbuild/protobuf'
import type { ConnectRouter, Interceptor } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { type AnyTopic, type Backend, CairnError, type Logger, type Node } from 'cairn-es'

import { toConnectError } from '../codec/problems.js'
import { ActorsService } from '../gen/cairn/v1/actors_pb.js'
import { MessagesService } from '../gen/cairn/v1/messages_pb.js'
import { OperationsService } from '../gen/cairn/v1/operations_pb.js'
import { PluginService } from '../gen/cairn/v1/plugin_pb.js'
import { StoreService } from '../gen/cairn/v1/store_pb.js'
import { Health } from '../gen/grpc/health/v1/health_pb.js'
import { ServerReflection } from '../gen/grpc/reflection/v1/reflection_pb.js'
import { type PluginChange, PluginHost } from '../plugin/host.js'
import { pluginContract } from '../plugin/manifest.js'
import { actorsService } from './actors-service.js'
import { healthService } from './health.js'
import { listen, targetOf, type TlsFiles } from './listen.js'
import { loginInterceptor, type Token } from './login.js'
import { messagesService } from './messages-service.js'
import { operationsService } from './operations-service.js'
import { reflectionService } from './reflection.js'
import { storeService } from './store-service.js'

export interface GrpcOptions {
  /** The node that answers. It is not closed with the door. */
  readonly node: Node
  /** Where plugins' nodes find the namespace: the backend of `node`. Without it, plugins are refused. */
  readonly backend?: Backend
  /** `HOST:PORT`, with port 0 for a free one, or `unix:PATH`. */
  readonly listen: string
  readonly tls?: TlsFiles
  /** Default: none is needed; then only the machine itself can be listened to. */
  readonly tokens?: readonly Token[]
  /** Topics whose versions plugins may name among their contracts. */
  readonly topics?: readonly AnyTopic[]
  /** The plugin that may register. Default: any. */
  readonly plugin?: { readonly name: string; readonly version?: string }
  /** The log of plugins' nodes; as in startNode. */
  readonly log?: Logger | false
  readonly onPlugin?: (change: PluginChange) => void
}

export interface GrpcDoor {
  /** Where it can be reached: `http://127.0.0.1:4560`, or `unix:/run/cairn/door.sock`. */
  readonly address: string
  /** Lets plugins finish what they have, and ends their registrations. New ones are refused. */
  drain(): Promise<void>
  /** Drains, and stops. */
  close(): Promise<void>
}

/** The longest message of a caller: the longest commit, and room around it. */
const messageBytesMax = 16 * 1024 * 1024

/**
 * Serves a node over gRPC, gRPC-web and JSON, on one port, and hosts plugins.
 *
 * ```ts
 * const backend = jetstream({ servers: 'nats://127.0.0.1:4222' })
 * const node = await startNode({ namespace: 'tenant-a', store: backend })
 * await using door = await serveGrpc({ node, backend, listen: '127.0.0.1:4560' })
 * ```
 *
 * Throws `invalid-option`.
 */
export async function serveGrpc(
  options: GrpcOptions,
): Promise<GrpcDoor & AsyncDisposable> {
  const { node, backend, tls, tokens = [], topics = [], plugin, log, onPlugin } = options
  checkOpen(options.listen, tokens)
  const closing = new AbortController()
  const contracts = [
    pluginContract,
    ...topics.map(({ name, version }) => `topic:${name}@${version}`),
  ]
  const host =
    backend &&
    new PluginHost({
      namespace: node.namespace,
      backend,
      expected: { contracts, plugin },
      log,
      onChange: onPlugin,
    })
  const services: DescService[] = [
    StoreService,
    ActorsService,
    MessagesService,
    OperationsService,
    ...(host === undefined ? [] : [PluginService]),
    Health,
    ServerReflection,
  ]
  const names = services.map(({ typeName }) => typeName)
  const routes = (router: ConnectRouter) => {
    router.service(StoreService, storeService(node))
    router.service(
      ActorsService,
      actorsService(node, type => host?.nodeOf(type)),
    )
    router.service(MessagesService, messagesService(node))
    router.service(OperationsService, operationsService(node))
    if (host !== undefined) router.service(PluginService, host.service())
    router.service(Health, healthService(names, closing.signal))
    router.service(ServerReflection, reflectionService(services))
  }
  const handler = connectNodeAdapter({
    routes,
    interceptors: [explaining, loginInterceptor(tokens)],
    readMaxBytes: messageBytesMax,
    writeMaxBytes: messageBytesMax,
    shutdownSignal: closing.signal,
  })
  const listening = await listen(options.listen, tls, handler, () => {})
  const drain = async () => host?.drain()
  let closed: Promise<void> | undefined
  const close = () =>
    (closed ??= (async () => {
      await drain()
      closing.abort(
        new CairnError('node-closed', 'This door is closed: use another one.'),
      )
      await listening.close()
    })())
  return { address: listening.address, drain, close, [Symbol.asyncDispose]: close }
}

/** Errors go to the caller by Cairn's codes. */
const explaining: Interceptor = next => async request => {
  try {
    const response = await next(request)
    if (!response.stream) return response
    return { ...response, message: explained(response.message) }
  } catch (error) {
    throw toConnectError(error)
  }
}

async function* explained<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages
  } catch (error) {
    throw toConnectError(error)
  }
}

/** Without tokens, a door that others reach is open to all of them. */
function checkOpen(where: string, tokens: readonly Token[]): void {
  const target = targetOf(where)
  if (tokens.length > 0 || 'path' in target) return
  if (['127.0.0.1', '::1', 'localhost'].includes(target.host)) return
  throw new CairnError(
    'invalid-option',
    `The door on ${where} would be open to everybody who reaches it: pass tokens, or listen on 127.0.0.1.`,
    { details: { address: where } },
  )
}
