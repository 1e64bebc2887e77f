// The public names of the package.

// The door
export { type GrpcDoor, type GrpcOptions, serveGrpc } from './door/serve.js'
export type { TlsFiles } from './door/listen.js'
export { parseTokens, type Role, type Token } from './door/login.js'

// Plugins
export type { PluginChange } from './plugin/host.js'
export { type PluginRunEvent, runPlugin, type RunPluginOptions } from './plugin/run.js'

// Clients
export { fromConnectError as problemOf } from './codec/problems.js'
export { type DoorAddress, doorTransport } from './client/transport.js'
export { RemoteStore, type RemoteStoreOptions } from './client/remote-store.js'

// Protobuf messages in topics, events and commands
export { pack, protobufSchema, protobufTopic, unpack } from './protobuf/topic.js'
export type { StoredProtobuf } from './protobuf/stored.js'
