// Who may call the door: bearer tokens, each with a name and what it may do.

import { createHash, timingSafeEqual } from 'node:crypto'

import { Code, ConnectError, type Interceptor } from '@connectrpc/connect'
import { CairnError } from 'cairn-es'

/** What a token is good for. */
export type Grant = 'read' | 'write' | 'operate' | 'host'

const grants: readonly Grant[] = ['read', 'write', 'operate', 'host']

export interface Token {
  /** Who has it, for the log. */
  readonly principal: string
  readonly token: string
  /** Default: everything. */
  readonly grants?: readonly Grant[]
}

/** What each method needs that does not only read. */
const needs: Readonly<Record<string, Grant>> = {
  'cairn.v1.StoreService/Append': 'write',
  'cairn.v1.StoreService/AppendAll': 'write',
  'cairn.v1.ActorsService/Ask': 'write',
  'cairn.v1.ActorsService/Send': 'write',
  'cairn.v1.MessagesService/Publish': 'write',
  'cairn.v1.MessagesService/DeclareConsumer': 'write',
  'cairn.v1.MessagesService/Consume': 'write',
  'cairn.v1.MessagesService/Settle': 'write',
  'cairn.v1.OperationsService/RetryDeadLetter': 'operate',
  'cairn.v1.OperationsService/DiscardDeadLetter': 'operate',
  'cairn.v1.PluginService/Host': 'host',
}

/** Probes have no token. */
const openService = 'grpc.health.v1.Health'

/** Refuses calls without a token that is good for them. Without tokens, everybody may do everything. */
export function loginInterceptor(tokens: readonly Token[]): Interceptor {
  const byDigest = tokens.map(one => ({ ...one, digest: digestOf(one.token) }))
  return next => request => {
    const { typeName } = request.service
    if (tokens.length === 0 || typeName === openService) return next(request)
    const [, given] =
      /^Bearer (.+)$/i.exec(request.header.get('authorization') ?? '') ?? []
    const digest = digestOf(given ?? '')
    const found = byDigest.find(one => timingSafeEqual(one.digest, digest))
    if (given === undefined || found === undefined)
      throw new ConnectError(
        'This door needs a token: send the header "authorization: Bearer TOKEN".',
        Code.Unauthenticated,
      )
    const needed = needs[`${typeName}/${request.method.name}`] ?? 'read'
    if (found.grants !== undefined && !found.grants.includes(needed))
      throw new ConnectError(
        `${found.principal} may not call ${request.method.name}: its token lacks the grant "${needed}".`,
        Code.PermissionDenied,
      )
    return next(request)
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Reads tokens: a line for each, `PRINCIPAL TOKEN [read,write,operate,host]`. Lines that begin with # are comments.
 * Throws `invalid-option`.
 */
export function parseTokens(text: string): readonly Token[] {
  const lines = text.split('\n').map(line => line.trim())
  return lines.flatMap((line, i): Token[] => {
    if (line === '' || line.startsWith('#')) return []
    const [principal, token, list, ...rest] = line.split(/\s+/)
    const given = list?.split(',') ?? []
    const unknown = given.find(one => !grants.includes(one as Grant))
    if (
      token === undefined ||
      token.length < 16 ||
      rest.length > 0 ||
      unknown !== undefined
    )
      throw new CairnError(
        'invalid-option',
        `Line ${i + 1} of the tokens is not "PRINCIPAL TOKEN [${grants.join(',')}]", with a token of at least 16 characters.`,
      )
    const own = given as readonly Grant[]
    return [{ principal: principal!, token, ...(list !== undefined && { grants: own }) }]
  })
}
