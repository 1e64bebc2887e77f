// The commands of the command line, in the order of `cairn help`. A new command is a file with a
// CliCommand, and an entry here. A command is loaded when it is used: loading all of them would double
// the time that a command takes to start, and `cairn --help` needs none of them.

import type { CliCommand } from './command.js'

/** A line for the overview, without a capital and a full stop, and what loads the command. */
type Entry = readonly [summary: string, load: () => Promise<CliCommand>]

const groups: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  Actors: {
    ask: [
      'send a command to an actor and print its answer',
      async () => (await import('./ask.js')).ask,
    ],
    send: [
      'store a command for an actor, which it handles once a node hosts it',
      async () => (await import('./send.js')).send,
    ],
    append: ['store an event', async () => (await import('./append.js')).append],
    read: ["print an actor's events", async () => (await import('./read.js')).read],
    tail: [
      'print events as they are stored, until interrupted',
      async () => (await import('./tail.js')).tail,
    ],
    events: [
      'list the types of stored events: how many, which versions, who has stored them',
      async () => (await import('./events.js')).events,
    ],
    state: [
      "print an actor's state, now or as of a version",
      async () => (await import('./state.js')).state,
    ],
    actor: [
      'pause, resume, retry or skip: directives for one actor',
      async () => (await import('./actor.js')).actor,
    ],
    actors: [
      'list the actors that have events, or the actor types and what has no schema',
      async () => (await import('./actors.js')).actors,
    ],
    why: [
      'show what led to a commit, and what it led to',
      async () => (await import('./why.js')).why,
    ],
  },
  'Messages and read models': {
    messages: [
      'show the checkpoints of reactors, and their waiting and failing messages',
      async () => (await import('./messages.js')).messages,
    ],
    dlq: [
      'list dead letters, send them again, or discard them',
      async () => (await import('./dlq.js')).dlq,
    ],
    timers: [
      'list the pending timers, of all actors or of one',
      async () => (await import('./timers.js')).timers,
    ],
    projections: [
      'show the positions of projections, or rebuild one',
      async () => (await import('./projections.js')).projections,
    ],
  },
  Nodes: {
    node: [
      'run a node, until a signal stops it',
      async () => (await import('./node.js')).node,
    ],
    dev: [
      'run a node for development, with a server, and again when a file changes',
      async () => (await import('./dev.js')).dev,
    ],
    plugin: [
      'run a program that handles commands, messages and triggers, in any language',
      async () => (await import('./plugin.js')).plugin,
    ],
    nodes: [
      "list the nodes that are members of the namespace's cluster",
      async () => (await import('./nodes.js')).nodes,
    ],
    versions: [
      'show which versions run, and require a minimum of the nodes',
      async () => (await import('./versions.js')).versions,
    ],
  },
  Operation: {
    status: [
      'show the log, nodes, backlogs, projections and timers of a namespace',
      async () => (await import('./status.js')).status,
    ],
    top: [
      'show the same as status, with rates, again and again',
      async () => (await import('./top.js')).top,
    ],
    doctor: [
      'look for what is wrong, and say what it means and what to do about it',
      async () => (await import('./doctor.js')).doctor,
    ],
    verify: [
      'replay stored histories by new code, and list what it cannot continue',
      async () => (await import('./verify.js')).verify,
    ],
    repair: [
      'find what is damaged beside the log, and repair it or find it again from the log',
      async () => (await import('./repair.js')).repair,
    ],
    namespaces: [
      'list the namespaces, create one, or remove one with all that it holds',
      async () => (await import('./namespaces.js')).namespaces,
    ],
    ensure: [
      'create the streams and consumers that a config file declares, and report what differs',
      async () => (await import('./ensure.js')).ensure,
    ],
    acl: [
      'print the configuration of nats-server that separates namespaces',
      async () => (await import('./acl.js')).acl,
    ],
    bench: [
      'measure what Cairn does on this machine beside what the server can do',
      async () => (await import('./bench.js')).bench,
    ],
    completion: [
      'print the script that makes a shell complete cairn',
      async () => (await import('./completion.js')).completion,
    ],
  },
}

const entries: Readonly<Record<string, Entry>> = Object.assign(
  {},
  ...Object.values(groups),
)

/** The names of the commands under each heading of `cairn help`. */
export const commandGroups: readonly (readonly [
  title: string,
  names: readonly string[],
])[] = Object.entries(groups).map(([title, group]) => [title, Object.keys(group)])

export const commandNames: readonly string[] = Object.keys(entries)

/** `undefined` for a name that is no command. */
export async function loadCommand(name: string): Promise<CliCommand | undefined> {
  return Object.hasOwn(entries, name) ? entries[name]![1]() : undefined
}

/** What a command does, in one line without a capital and a full stop. */
export function summaryOf(name: string): string {
  return entries[name]![0]
}
