// The HTTP door of the program: `--http` and `--metrics`.
//
// It listens before the node starts, so that a process that starts for long is seen as alive and not ready, and until the
// node has closed, so that one that drains is.

import { CairnError } from '../model/errors.js'
import type { NodeLog } from '../model/log.js'
import { defined } from '../model/defined.js'
import { deferred } from '../model/wait.js'
import type { HttpServer } from '../http/serve.js'
import { roles } from '../http/principal.js'
import type { Node } from '../runtime/node.js'
import { loadConsole } from './console-package.js'
import { UsageError } from './exit-codes.js'
import { type ParsedFlags, textFlag, textFlags } from './flags.js'

export const httpDefault = '127.0.0.1:7070'
const metricsDefault = '127.0.0.1:7071'

export const httpFlags = {
  http: { type: 'string', alone: httpDefault },
  metrics: { type: 'string', alone: metricsDefault },
  'http-tokens': { type: 'string' },
  'http-host': { type: 'string', multiple: true },
  'http-origin': { type: 'string', multiple: true },
} as const

export const httpHelp = `  --http [HOST:PORT]  serve health, metrics, the API and the console over HTTP
                     (default: ${httpDefault})
  --http-tokens FILE who may do what: lines TOKEN PRINCIPAL ROLE[,ROLE] with the roles ${roles.join(', ')};
                     without it, anybody may do anything on this machine, and nothing from others
  --http-host NAME   a name of this server beside localhost and addresses; may be repeated
  --http-origin URL  a site whose pages may use the API; may be repeated
  --metrics [HOST:PORT]  serve health and metrics on a port of their own, to anybody
                     (default: ${metricsDefault})
`

interface Listener {
  readonly host: string
  readonly port: number
}

/** The servers of a program. */
export interface ProgramHttp {
  /** The address of the console, if its package is installed. */
  readonly consoleUrl?: string
  /** The node has started. */
  onStarted(node: Node): void
  /** Accepts no new work: `/readyz` answers 503. */
  drain(): void
  close(): Promise<void>
}

/** Starts the servers that the flags name; `undefined` for none. Nothing of them is loaded then. */
export async function startHttp(
  flags: ParsedFlags,
  log: NodeLog,
): Promise<ProgramHttp | undefined> {
  const [api, metrics] = [listenerOf(flags, 'http'), listenerOf(flags, 'metrics')]
  const tokens = textFlag(flags, 'http-tokens')
  if (api === undefined) {
    const needless = ['http-tokens', 'http-host', 'http-origin'].find(
      name => flags.values[name] !== undefined,
    )
    if (needless !== undefined)
      throw new UsageError(`--${needless} has no meaning without --http.`)
    if (metrics === undefined) return undefined
  }
  const isOpen = api !== undefined && tokens === undefined && isLoopback(api.host)
  const { httpHandler } = await import('../http/handler.js')
  const { serveHttp } = await import('../http/serve.js')
  const pages = api === undefined ? undefined : await loadConsole()
  const started = deferred<Node>()
  const handler = await httpHandler(started.promise, {
    log,
    anonymous: isOpen ? roles : [],
    hosts: textFlags(flags, 'http-host'),
    origins: textFlags(flags, 'http-origin'),
    ...defined({ tokens, pages }),
  }).catch(asUsage)
  const servers: HttpServer[] = []
  let consoleUrl: string | undefined
  const close = async () => {
    handler.close()
    await Promise.all(servers.map(server => server.close()))
  }
  try {
    if (api !== undefined) {
      const server = await serveHttp(handler.fetch, api)
      servers.push(server)
      if (pages !== undefined) consoleUrl = server.url
      if (!isOpen && tokens === undefined)
        log.warn(
          { url: server.url },
          'without --http-tokens, the API refuses everybody on an address that other machines reach',
        )
      log.info({ url: server.url, console: pages !== undefined }, 'http ready')
    }
    if (metrics !== undefined) {
      const server = await serveHttp(handler.metrics, metrics)
      servers.push(server)
      log.info({ url: server.url }, 'metrics ready')
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    onStarted: started.resolve,
    drain: () => handler.drain(),
    close,
    ...defined({ consoleUrl }),
  }
}

/** What is wrong with the flags is a mistake of the command line. */
function asUsage(error: unknown): never {
  if (error instanceof CairnError && error.code === 'invalid-option')
    throw new UsageError(error.message)
  throw error
}

function listenerOf(flags: ParsedFlags, name: 'http' | 'metrics'): Listener | undefined {
  const given = textFlag(flags, name)
  if (given === undefined) return undefined
  const [, host = '127.0.0.1', port] =
    /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(given) ?? []
  if (port === undefined || Number(port) > 65_535)
    throw new UsageError(
      `--${name} is ${JSON.stringify(given)}: write HOST:PORT, [ADDRESS]:PORT or PORT, for example ${httpDefault}.`,
    )
  return { host: host.replaceAll(/[[\]]/g, ''), port: Number(port) }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
