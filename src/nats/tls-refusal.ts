// Why a server has closed a connection with TLS, asked by one more handshake.
//
// With TLS 1.3 a server refuses a client's certificate after the client has ended its handshake (RFC 8446, 4.4.2.4). The client
// library loses that error, and ends with a timeout.

import { createConnection, type Socket } from 'node:net'
import {
  connect as connectTls,
  type ConnectionOptions as TlsConnectionOptions,
} from 'node:tls'
import { readFile } from 'node:fs/promises'

import type { TlsOptions } from './options.js'

/** Milliseconds for all of it. */
const timeout = 2_000
/** A server's greeting is far shorter. */
const greetingMax = 64 * 1024

/**
 * The error of the handshake that the first of the servers refuses, if one does within two seconds. Sends nothing but the
 * handshake.
 *
 * @param servers as `tls://host:port`, `nats://host:port` or `host:port`
 */
export async function tlsRefusal(
  servers: readonly string[],
  { ca, cert, key, handshakeFirst = false }: TlsOptions = {},
): Promise<Error | undefined> {
  const signal = AbortSignal.timeout(timeout)
  try {
    const read = async (path?: string) => path && (await readFile(path))
    const options = { ca: await read(ca), cert: await read(cert), key: await read(key) }
    const errors = await Promise.all(
      servers.map(server => refusalOf(server, options, handshakeFirst, signal)),
    )
    return errors.find(error => error !== undefined)
  } catch {
    // It only explains another error.
    return undefined
  }
}

function refusalOf(
  server: string,
  options: TlsConnectionOptions,
  handshakeFirst: boolean,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const { hostname, port } = new URL(`http://${server.replace(/^\w+:\/\//, '')}`)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise(resolve => {
    const socket = createConnection({ host, port: Number(port) || 4222 })
    const end = (error?: Error) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(error)
    }
    const onAbort = () => end()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) return end()
    // Before TLS, an error is one of the network, which the client library has told.
    socket.once('error', () => end()).once('close', () => end())
    const shake = () => {
      connectTls({ ...options, socket, rejectUnauthorized: false })
        // Of a server that accepts the certificate, the next that comes is its greeting or nothing.
        .once('error', end)
        .once('data', () => end())
    }
    if (handshakeFirst) socket.once('connect', shake)
    else onGreeting(socket, info => (info.includes('"tls_') ? shake() : end()))
  })
}

/** Calls back with the line that a server sends first. */
function onGreeting(socket: Socket, then: (info: string) => void): void {
  let text = ''
  const read = (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (!text.includes('\n') && text.length < greetingMax) return
    socket.off('data', read)
    then(text)
  }
  socket.on('data', read)
}
