#!/usr/bin/env node
// The program `node dist/node.js`: one node, until a signal stops it.
//
// SIGTERM or SIGINT drains it: it accepts nothing more, finishes and answers what it has accepted, and
// exits 0. During its start it stops once it has started. A second signal ends it at once with exit
// code 1, whenever it comes; nothing acknowledged is lost then, either.

import { endProcess } from './local/end-process.js'
import { logLevels, programLog } from './runtime/log.js'
import { formatAddress } from './model/address.js'
import { defined } from './model/defined.js'
import { programs } from './model/programs.js'
import { deferred } from './model/wait.js'
import { loadDefinitions } from './program/actors-file.js'
import { exitCode, exitCodeOf, explain, UsageError } from './program/exit-codes.js'
import {
  backendFlags,
  backendOf,
  commonFlagsHelp,
  type ParsedFlags,
  isSet,
  namespaceOf,
  parseFlags,
  textFlag,
  withConfig,
} from './program/flags.js'
import { openGrpcDoor } from './program/grpc-door.js'
import { startHttp } from './program/http.js'
import {
  endsWithParent,
  nodeAbout,
  nodeExits,
  nodeFlags,
  nodeFlagsHelp,
} from './program/node-flags.js'
import { startNode } from './runtime/start-node.js'

const help = `Usage: ${programs.node} --ns NS [flags]

${nodeAbout}
${nodeFlagsHelp}${commonFlagsHelp}  -h, --help         this help

${nodeExits}`

function logLevelOf(flags: ParsedFlags): string {
  const level = textFlag(flags, 'log-level') ?? 'info'
  if ((logLevels as readonly string[]).includes(level)) return level
  throw new UsageError(
    `--log-level is ${JSON.stringify(level)}: use ${logLevels.join(', ')}.`,
  )
}

function timersOf(flags: ParsedFlags): 'active' | 'passive' {
  const mode = textFlag(flags, 'timers') ?? 'active'
  if (mode === 'active' || mode === 'passive') return mode
  throw new UsageError(`--timers is ${JSON.stringify(mode)}: use active or passive.`)
}

async function main(args: readonly string[]): Promise<void> {
  const flags = await withConfig(parseFlags(args, nodeFlags))
  if (isSet(flags, 'help')) {
    process.stdout.write(`${help}\n`)
    return
  }
  if (flags.positionals.length > 0)
    throw new UsageError(
      `${JSON.stringify(flags.positionals[0])} is not a flag: see --help.`,
    )
  const namespace = namespaceOf(flags)
  const log = await programLog(logLevelOf(flags))
  const id = textFlag(flags, 'id')
  const { stop, reason: stopped } = untilStopped()
  const store = backendOf(flags)
  const definitions = await loadDefinitions(flags)
  const http = await startHttp(flags, log)
  const starting = startNode({
    namespace,
    store,
    ...definitions,
    timers: timersOf(flags),
    create: !isSet(flags, 'no-create'),
    // Also without actors of its own, it is a member that does its share for the others.
    serve: true,
    log,
    onEscalation({ actor, error }) {
      log.fatal({ actor: formatAddress(actor), err: error }, 'an actor has failed')
      stop('escalation')
    },
    ...defined({ id }),
  })
  starting.catch(() => http?.close())
  const node = await starting
  http?.onStarted(node)
  const door = await openGrpcDoor(flags, node, store, log).catch(
    async (error: unknown) => {
      await node.close()
      throw error
    },
  )
  if (isSet(flags, 'demo'))
    process.stderr.write(demoHelp(namespace, flags, http?.consoleUrl))
  const reason = await stopped
  log.info(reason.startsWith('SIG') ? { signal: reason } : { reason }, 'node stopping')
  http?.drain()
  await door?.close()
  await node.close()
  await http?.close()
  log.info({}, 'node stopped')
  if (reason === 'escalation') process.exitCode = exitCode.failed
}

type StopReason = NodeJS.Signals | 'escalation' | 'parent ended'

interface Stopping {
  /** Why the node is to stop. */
  readonly reason: Promise<StopReason>
  stop(reason: StopReason): void
}

/**
 * Waits for the first SIGTERM or SIGINT, or for another reason to stop. A signal after that ends the process.
 * The listeners stay: without one, a signal would have its default action, and one that has arrived
 * but is not handled yet would be lost.
 */
function untilStopped(): Stopping {
  const { promise, resolve } = deferred<StopReason>()
  let isStopping = false
  const stop = (reason: StopReason) => {
    isStopping = true
    resolve(reason)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (isStopping) return endProcess(exitCode.failed)
      stop(signal)
    })
  if (process.env[endsWithParent] === '1') {
    process.once('disconnect', () => stop('parent ended'))
    // Listening keeps the channel open, and an open channel keeps the process.
    process.channel?.unref()
  }
  return { reason: promise, stop }
}

/** The flags for what another terminal's environment need not have; a config file is found there, too. */
function backendOfEnvironment({ CAIRN_EMBEDDED, NATS_URL }: Env = process.env): string {
  const named = { embedded: CAIRN_EMBEDDED || undefined, nats: NATS_URL || undefined }
  const name = named.embedded === undefined ? 'nats' : 'embedded'
  const values = { [name]: named[name] }
  return named[name] === undefined ? '' : backendFlags({ values, positionals: [] })
}

type Env = Readonly<Record<string, string | undefined>>

function demoHelp(namespace: string, flags: ParsedFlags, consoleUrl?: string): string {
  const where = [`--ns ${namespace}`, backendFlags(flags) || backendOfEnvironment()]
    .filter(part => part !== '')
    .join(' ')
  const line = (command: string) => `  ${programs.cairn} ${command} ${where}\n`
  const watching = consoleUrl === undefined ? '' : `, and watch them at ${consoleUrl}`
  return `
The node serves the demo's accounts and trips. Try in another terminal${watching}:

${line(`ask account/alice deposit '{"amount":10}'`)}${line(`ask account/alice withdraw '{"amount":25}'`)}${line('read account/alice')}${line(`ask trip/t1 reserve '{"rider":"alice","car":"c7"}'`)}${line('state trip/t1')}${line('tail --after 0')}${line('state account/alice')}
Ctrl-C here stops the node; stored events stay.

`
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`cairn node: ${explain(error)}\n`)
  if (error instanceof UsageError) process.stderr.write(`Try: ${programs.node} --help\n`)
  process.exitCode = exitCodeOf(error)
}
