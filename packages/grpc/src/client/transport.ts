// The way of a client to a door.

import { connect as connectSocket } from 'node:net'

import type { Interceptor, Transport } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'

export interface DoorAddress {
  /** `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`. */
  readonly door: string
  readonly token?: string
  /** PEM: for a door with a certificate that no public authority has signed, or that demands one of clients. */
  readonly tls?: {
    readonly ca?: string | Buffer
    readonly cert?: string | Buffer
    readonly key?: string | Buffer
  }
}

/** A transport for clients of Connect. `problemOf` turns their errors into Cairn's. */
export function doorTransport({ door, token, tls }: DoorAddress): Transport {
  const isSocket = door.startsWith('unix:')
  const nodeOptions = isSocket
    ? { createConnection: () => connectSocket(door.slice('unix:'.length)) }
    : { ...tls }
  return createGrpcTransport({
    baseUrl: isSocket ? 'http://localhost' : door,
    nodeOptions,
    interceptors: token === undefined ? [] : [loggingIn(token)],
  })
}

function loggingIn(token: string): Interceptor {
  return next => request => {
    request.header.set('authorization', `Bearer ${token}`)
    return next(request)
  }
}
