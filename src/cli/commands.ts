// The commands of the command line, in the order of `cairn help`. A new command is a file with a
// CliCommand, and a line here. A command is loaded when it is used: loading all of them would double
// the time that a command takes to start.

import type { CliCommand } from './command.js'

type Loader = () => Promise<CliCommand>

const groups: Readonly<Record<string, Readonly<Record<string, Loader>>>> = {
  Actors: {
    ask: async () => (await import('./ask.js')).ask,
    send: async () => (await import('./send.js')).send,
    append: async () => (await import('./append.js')).append,
    read: async () => (await import('./read.js')).read,
    tail: async () => (await import('./tail.js')).tail,
    events: async () => (await import('./events.js')).events,
    state: async () => (await import('./state.js')).state,
    actor: async () => (await import('./actor.js')).actor,
    actors: async () => (await import('./actors.js')).actors,
    why: async () => (await import('./why.js')).why,
  },
  'Messages and read models': {
    messages: async () => (await import('./messages.js')).messages,
    dlq: async () => (await import('./dlq.js')).dlq,
    timers: async () => (await import('./timers.js')).timers,
    projections: async () => (await import('./projections.js')).projections,
  },
  Nodes: {
    node: async () => (await import('./node.js')).node,
    dev: async () => (await import('./dev.js')).dev,
    plugin: async () => (await import('./plugin.js')).plugin,
    nodes: async () => (await import('./nodes.js')).nodes,
    versions: async () => (await import('./versions.js')).versions,
  },
  Operation: {
    status: async () => (await import('./status.js')).status,
    top: async () => (await import('./top.js')).top,
    doctor: async () => (await import('./doctor.js')).doctor,
    verify: async () => (await import('./verify.js')).verify,
    repair: async () => (await import('./repair.js')).repair,
    namespaces: async () => (await import('./namespaces.js')).namespaces,
    ensure: async () => (await import('./ensure.js')).ensure,
    acl: async () => (await import('./acl.js')).acl,
    bench: async () => (await import('./bench.js')).bench,
    completion: async () => (await import('./completion.js')).completion,
  },
}

const loaders: Readonly<Record<string, Loader>> = Object.assign(
  {},
  ...Object.values(groups),
)

/** The names of the commands under each heading of `cairn help`. */
export const commandGroups: readonly (readonly [
  title: string,
  names: readonly string[],
])[] = Object.entries(groups).map(([title, group]) => [title, Object.keys(group)])

export const commandNames: readonly string[] = Object.keys(loaders)

/** `undefined` for a name that is no command. */
export async function loadCommand(name: string): Promise<CliCommand | undefined> {
  return Object.hasOwn(loaders, name) ? loaders[name]!() : undefined
}
