// The commands of the command line, in the order of `cairn help`. A new command is a file with a
// CliCommand, and a line here. A command is loaded when it is used: loading all of them would double
// the time that a command takes to start.

import type { CliCommand } from './command.js'

const loaders: Readonly<Record<string, () => Promise<CliCommand>>> = {
  ask: async () => (await import('./ask.js')).ask,
  send: async () => (await import('./send.js')).send,
  append: async () => (await import('./append.js')).append,
  read: async () => (await import('./read.js')).read,
  tail: async () => (await import('./tail.js')).tail,
  state: async () => (await import('./state.js')).state,
  actor: async () => (await import('./actor.js')).actor,
  actors: async () => (await import('./actors.js')).actors,
  messages: async () => (await import('./messages.js')).messages,
  dlq: async () => (await import('./dlq.js')).dlq,
  timers: async () => (await import('./timers.js')).timers,
  projections: async () => (await import('./projections.js')).projections,
  nodes: async () => (await import('./nodes.js')).nodes,
  versions: async () => (await import('./versions.js')).versions,
  namespaces: async () => (await import('./namespaces.js')).namespaces,
  verify: async () => (await import('./verify.js')).verify,
  repair: async () => (await import('./repair.js')).repair,
  ensure: async () => (await import('./ensure.js')).ensure,
  plugin: async () => (await import('./plugin.js')).plugin,
  acl: async () => (await import('./acl.js')).acl,
  bench: async () => (await import('./bench.js')).bench,
}

export const commandNames: readonly string[] = Object.keys(loaders)

/** `undefined` for a name that is no command. */
export async function loadCommand(name: string): Promise<CliCommand | undefined> {
  return Object.hasOwn(loaders, name) ? loaders[name]!() : undefined
}
