// The public names of the package.

// The door
export { type GrpcDoor, type GrpcOptions, serveGrpc } from './door/serve.js'
export type { TlsFiles } from './door/listen.js'
export { type Grant, parseTokens, type Token } from './door/login.js'

// Plugins
export type { PluginChange } from './plugin/host.js'
export { type PluginRunEvent, runPlugin, type RunPluginOptions } from './plugin/run.js'
