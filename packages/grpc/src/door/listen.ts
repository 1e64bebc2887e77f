// One port for HTTP/1.1 and HTTP/2: gRPC speaks HTTP/2, and curl and browsers mostly HTTP/1.1.
//
// Owns the sockets of the door.
// LISTEN-1. A peer that does not answer a ping in time is gone: its calls end, and with them what it has registered.

import { unlink } from 'node:fs/promises'
import { createServer as createHttp1 } from 'node:http'
import {
  createSecureServer,
  createServer as createHttp2,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

import type { connectNodeAdapter } from '@connectrpc/connect-node'
import { CairnError } from 'cairn-es'

/** What handles requests. */
export type RequestListener = ReturnType<typeof connectNodeAdapter>

export interface TlsFiles {
  /** PEM. */
  readonly cert: string | Buffer
  readonly key: string | Buffer
  /** Certificates of authorities: then each client needs a certificate of one of them. */
  readonly clientCa?: string | Buffer
}

export interface Listening {
  /** Where it can be reached: `http://127.0.0.1:4560`, or `unix:/run/cairn/door.sock`. */
  readonly address: string
  /** Accepts no more connections, and ends those that are left. */
  close(): Promise<void>
}

/** Milliseconds between two pings, and until one must be answered. */
const pingEvery = 10_000
/** Milliseconds for a caller that has connected to say something. */
const firstBytesTimeout = 10_000
const preface = 'PRI * HTTP/2.0'

/**
 * @param where `HOST:PORT`, or `unix:PATH`
 * @param onTrouble called with failures that belong to no call
 */
export async function listen(
  where: string,
  tls: TlsFiles | undefined,
  handler: RequestListener,
  onTrouble: (error: Error) => void,
): Promise<Listening> {
  const target = targetOf(where)
  const sockets = new Set<Socket>()
  const server = tls === undefined ? plainServer(handler) : secureServer(tls, handler)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.on('error', onTrouble)
  if ('path' in target) await unlink(target.path).catch(() => {})
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(unusable(where, error)))
    server.listen(target, resolve)
  })
  const scheme = tls === undefined ? 'http' : 'https'
  return {
    address: 'path' in target ? where : `${scheme}://${hostOf(server, target.host)}`,
    async close() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function hostOf(server: Server | Http2SecureServer, host: string): string {
  const { port } = server.address() as AddressInfo
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function secureServer(
  { cert, key, clientCa }: TlsFiles,
  handler: RequestListener,
): Http2SecureServer {
  const mutual =
    clientCa === undefined
      ? {}
      : { ca: clientCa, requestCert: true, rejectUnauthorized: true }
  const server = createSecureServer({ cert, key, allowHTTP1: true, ...mutual }, handler)
  server.on('session', watchPeer)
  return server
}

/** Without TLS nothing tells the protocol but the first bytes. */
function plainServer(handler: RequestListener): Server {
  const http1 = createHttp1(handler)
  const http2 = createHttp2(handler)
  http2.on('session', watchPeer)
  http2.on('sessionError', () => {})
  return createServer(socket => {
    socket.setTimeout(firstBytesTimeout, () => socket.destroy())
    let first = Buffer.alloc(0)
    const choose = () => {
      const read = socket.read() as Buffer | null
      if (read === null) return
      first = Buffer.concat([first, read])
      const start = first.toString('latin1', 0, preface.length)
      // POST and PUT begin like it.
      if (start.length < 3 && preface.startsWith(start)) return
      socket.off('readable', choose)
      socket.unshift(first)
      socket.setTimeout(0)
      socket.removeAllListeners('timeout')
      const isHttp2 = preface.startsWith(start)
      const chosen: ReturnType<typeof createHttp1> | Http2Server = isHttp2 ? http2 : http1
      chosen.emit('connection', socket)
    }
    socket.on('readable', choose)
  })
}

/** LISTEN-1. */
function watchPeer(session: ServerHttp2Session): void {
  let isAnswered = true
  const pinging = setInterval(() => {
    if (!isAnswered) return session.destroy()
    isAnswered = false
    session.ping(() => (isAnswered = true))
  }, pingEvery)
  pinging.unref()
  session.on('error', () => session.destroy())
  session.once('close', () => clearInterval(pinging))
}

type Target = { readonly path: string } | { readonly host: string; readonly port: number }

/** Throws `invalid-option`. */
export function targetOf(where: string): Target {
  if (where.startsWith('unix:')) return { path: where.slice('unix:'.length) }
  const [, host, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(where)
    ? /^(.*):(\d{1,5})$/.exec(where)!
    : []
  if (host === undefined || Number(port) > 65_535)
    throw new CairnError(
      'invalid-option',
      `${JSON.stringify(where)} is not an address: use HOST:PORT, such as 127.0.0.1:4560, or unix:PATH.`,
    )
  return { host: host.replaceAll(/^\[|\]$/g, '') || '::', port: Number(port) }
}

function unusable(where: string, cause: NodeJS.ErrnoException): CairnError {
  return new CairnError(
    'invalid-option',
    `The door cannot listen on ${where}: ${cause.message}. Use another address, or stop what has it.`,
    { cause, details: { address: where } },
  )
}
