// cairn dev: a node for development. It starts a server if there is none, and the node again when a file changes.

import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'

import { programs } from '../model/programs.js'
import { deferred } from '../model/wait.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import {
  isSet,
  namespaceOf,
  natsFlags,
  type ParsedFlags,
  placeOf,
  textFlag,
  textFlags,
} from '../program/flags.js'
import { actorFlags } from '../program/actors-file.js'
import { httpDefault, httpFlags } from '../program/http.js'
import { packageVersion } from '../runtime/package-version.js'
import { type CliCommand, positionals, wantsJson } from './command.js'
import { DevNode } from './dev-node.js'
import { type DevStore, findStore } from './dev-store.js'
import { watchFiles } from './dev-watch.js'
import { complain } from './output.js'

const namespaceDefault = 'dev'

export const dev: CliCommand = {
  usage: 'dev [--actors FILE]… [--ns NS] [--embedded [DIR]] [--no-watch]',
  isLive: true,
  flags: {
    ...actorFlags,
    port: { type: 'string' },
    http: httpFlags.http,
    'no-watch': { type: 'boolean' },
  },
  help: `  --actors FILE      the definitions to run, in TypeScript or JavaScript; may be repeated (default: --demo)
  --demo             run the demo's definitions: account and trip
  --http [HOST:PORT]  serve health, metrics, the API and the console over HTTP
                     (default: ${httpDefault})
  --port N           port of the server that it starts (default 4222)
  --no-watch         do not start the node again when a file changes

Without --nats and --embedded it uses the server at 127.0.0.1:4222, or starts one: the nats-server on the PATH, or one that
Cairn downloaded before. Without any it keeps everything in .cairn/dev. The default namespace is ${namespaceDefault}.

`,
  async run(flags, signal) {
    positionals(flags, [])
    const namespace = devNamespace(flags)
    const files = await actorFiles(flags)
    const port = portOf(flags)
    const http = textFlag(flags, 'http')
    await using store = await findStore(flags, port, signal)
    const args = [
      '--ns',
      namespace,
      ...store.args,
      ...files.flatMap(file => ['--actors', file]),
      ...(http === undefined ? [] : ['--http', http]),
      ...(isSet(flags, 'demo') || files.length === 0 ? ['--demo'] : []),
    ]
    announce(namespace, files, store)
    const node = new DevNode(args, wantsJson(flags))
    const stopped = deferred<void>()
    signal.addEventListener('abort', () => stopped.resolve(), { once: true })
    if (signal.aborted) stopped.resolve()
    // The terminal was closed.
    process.once('SIGHUP', () => stopped.resolve())
    const watched = isSet(flags, 'no-watch')
      ? undefined
      : watchFiles(
          '.',
          file => {
            complain(`${file} has changed: the node starts again.`)
            node.restart()
          },
          placeOf(flags).dir,
        )
    try {
      node.restart()
      const isServerGone = await Promise.race([
        stopped.promise.then(() => false),
        store.ended.then(() => true),
      ])
      if (!isServerGone) return exitCode.ok
      complain('The NATS server has ended.', 'red')
      return exitCode.unreachable
    } finally {
      watched?.close()
      await node.stop()
    }
  },
}

function devNamespace(flags: ParsedFlags): string {
  try {
    return namespaceOf(flags)
  } catch (error) {
    if (error instanceof UsageError) return namespaceDefault
    throw error
  }
}

async function actorFiles(flags: ParsedFlags): Promise<readonly string[]> {
  const files = textFlags(flags, 'actors')
  for (const file of files)
    try {
      await stat(resolve(file))
    } catch {
      throw new UsageError(
        `--actors ${file}: there is no such file. Write one that exports what defineActor(…) returns, such as ` +
          `export const counter = defineActor({ type: 'counter', … }).`,
      )
    }
  return files
}

function portOf(flags: ParsedFlags): number {
  const given = textFlag(flags, 'port')
  if (given === undefined) return 4222
  if (natsFlags.some(name => flags.values[name] !== undefined))
    throw new UsageError(
      '--port is of a server that is started: leave out --nats, or --port.',
    )
  const port = Number(given)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new UsageError(
    `--port is ${JSON.stringify(given)}: use a whole number from 1 to 65535.`,
  )
}

function announce(namespace: string, files: readonly string[], store: DevStore): void {
  const what = files.length === 0 ? "the demo's account and trip" : files.join(', ')
  const flags = ['--ns', namespace, ...store.args].join(' ')
  complain(
    `Cairn ${packageVersion}: ${what} in namespace ${namespace}, on ${store.what}.`,
  )
  complain(`In another terminal: ${programs.cairn} actors ${flags}`)
  complain('Ctrl-C ends it; what is stored stays.')
}
