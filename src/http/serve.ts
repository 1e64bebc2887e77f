// A server on a port, for a handler of requests: what `--http` starts, and what code without a server of its own uses.
//
// SERVE-1. Closing waits for the answers that are under way, and cuts off what is left after its deadline.

import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'

import { checkOptions } from '../model/check-options.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { withTimeout } from '../model/wait.js'

export interface ServeOptions {
  /** Default `127.0.0.1`: only this machine. */
  readonly host?: string | undefined
  /** 0 takes a free one. */
  readonly port: number
}

export interface HttpServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:7070` */
  readonly url: string
  /** Accepts no connections, and waits for answers under way, at most `timeout` ms; default 10,000 (SERVE-1). */
  close(options?: { readonly timeout?: number }): Promise<void>
}

const hostDefault = '127.0.0.1'
const closeTimeoutDefault = 10_000
/** Milliseconds for a client to send its headers, and a whole request. */
const headersTimeout = 10_000
const requestTimeout = 60_000
const keepAliveTimeout = 5_000
/** A request is bounded by its own limits; connections that send none are bounded here. */
const connectionsMax = 10_000

/**
 * Serves `fetch` of the door or of an application of your own. Throws `invalid-option` for what is no handler, and for an
 * address that cannot be listened on.
 */
export async function serveHttp(
  fetch: (request: Request) => Response | Promise<Response>,
  options: ServeOptions,
): Promise<HttpServer> {
  if (typeof fetch !== 'function')
    throw new CairnError(
      'invalid-option',
      `serveHttp has ${show(fetch)}: pass the fetch of what httpHandler returns, serveHttp(http.fetch, { port }).`,
    )
  checkOptions('serveHttp', options, { host: true, port: true })
  const { host = hostDefault, port } = options
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new CairnError(
      'invalid-option',
      `port of serveHttp is ${show(port)}: use a whole number from 0 to 65535; 0 takes a free one.`,
    )
  const server = createAdaptorServer({
    fetch,
    createServer,
    serverOptions: { headersTimeout, requestTimeout, keepAliveTimeout },
    // The globals of the application stay as they are.
    overrideGlobalObjects: false,
  }) as Server
  server.maxConnections = connectionsMax
  await listen(server, host, port)
  const { port: taken } = server.address() as AddressInfo
  let closed: Promise<void> | undefined
  const close = ({ timeout = closeTimeoutDefault } = {}) =>
    (closed ??= closeServer(server, timeout))
  return {
    host,
    port: taken,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error =>
      reject(
        new CairnError(
          'invalid-option',
          `Nothing can listen on ${show(host)}, port ${port} (${messageOf(error)}): free the port, or name another.`,
          { cause: error },
        ),
      ),
    )
    server.listen(port, host, resolve)
  })
}

async function closeServer(server: Server, timeout: number): Promise<void> {
  const ended = new Promise<void>(resolve => server.close(() => resolve()))
  server.closeIdleConnections()
  try {
    await withTimeout(ended, timeout, () => new Error('answers are under way'))
  } catch {
    // SERVE-1.
    server.closeAllConnections()
    await ended
  }
}
