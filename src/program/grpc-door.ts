// The flags of the gRPC door of a node.

import { readFile } from 'node:fs/promises'

import type { Backend } from '../backend/backend.js'
import { messageOf } from '../model/errors.js'
import type { Logger } from '../model/log.js'
import type { Node } from '../runtime/node.js'
import { UsageError } from './exit-codes.js'
import { type ParsedFlags, textFlag } from './flags.js'
import { loadGrpcPackage } from './grpc-package.js'

export const grpcFlags = {
  grpc: { type: 'string' },
  'grpc-tokens': { type: 'string' },
  'grpc-cert': { type: 'string' },
  'grpc-key': { type: 'string' },
  'grpc-client-ca': { type: 'string' },
} as const

/** Opens the door of `--grpc`, if it is given. Throws {@link UsageError} or `invalid-option`. */
export async function openGrpcDoor(
  flags: ParsedFlags,
  node: Node,
  backend: Backend,
  log: Logger,
): Promise<{ close(): Promise<void> } | undefined> {
  const listen = textFlag(flags, 'grpc')
  if (listen === undefined) {
    const unused = Object.keys(grpcFlags).find(
      name => textFlag(flags, name) !== undefined,
    )
    if (unused !== undefined)
      throw new UsageError(`--${unused} is given without --grpc: add --grpc HOST:PORT.`)
    return undefined
  }
  const { serveGrpc, parseTokens } = await loadGrpcPackage()
  const tokens = await readFlag(flags, 'grpc-tokens')
  const cert = await readFlag(flags, 'grpc-cert')
  const key = await readFlag(flags, 'grpc-key')
  const clientCa = await readFlag(flags, 'grpc-client-ca')
  if ((cert === undefined) !== (key === undefined))
    throw new UsageError('TLS needs both --grpc-cert and --grpc-key.')
  const door = await serveGrpc({
    node,
    backend,
    listen,
    log,
    ...(tokens !== undefined && { tokens: parseTokens(tokens.toString()) }),
    ...(cert !== undefined &&
      key !== undefined && {
        tls: { cert, key, ...(clientCa !== undefined && { clientCa }) },
      }),
  })
  log.info({ address: door.address }, 'gRPC door open')
  return door
}

async function readFlag(flags: ParsedFlags, name: string): Promise<Buffer | undefined> {
  const file = textFlag(flags, name)
  if (file === undefined) return undefined
  try {
    return await readFile(file)
  } catch (error) {
    throw new UsageError(`--${name} ${file} cannot be read: ${messageOf(error)}`)
  }
}
