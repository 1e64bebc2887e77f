// Who may call the door: bearer tokens, each with a name and roles, as over HTTP.

import { createHash, timingSafeEqual } from 'node:crypto'

import {
  Code,
  ConnectError,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect'
import { CairnError } from 'cairn-es'

/** `reader` reads; `writer` also sends commands and messages; `operator` also repairs, and hosts plugins. */
export type Role = 'reader' | 'writer' | 'operator'

const roles: readonly Role[] = ['reader', 'writer', 'operator']
/** Characters of a token, at least: shorter ones can be guessed. */
const tokenLeast = 16

export interface Token {
  /** The token, or `sha256:` and its digest in hexadecimal digits. */
  readonly token: string
  /** Who has it. */
  readonly principal: string
  /** `writer` and `operator` include `reader`, and not each other. Default: all. */
  readonly roles?: readonly Role[]
}

/** What each method needs that does not only read. */
const needs: Readonly<Record<string, Role>> = {
  'cairn.v1.StoreService/Append': 'writer',
  'cairn.v1.StoreService/AppendAll': 'writer',
  'cairn.v1.ActorsService/Ask': 'writer',
  'cairn.v1.ActorsService/Send': 'writer',
  'cairn.v1.MessagesService/Publish': 'writer',
  'cairn.v1.MessagesService/DeclareConsumer': 'writer',
  'cairn.v1.MessagesService/Consume': 'writer',
  'cairn.v1.MessagesService/Settle': 'writer',
  'cairn.v1.OperationsService/RetryDeadLetter': 'operator',
  'cairn.v1.OperationsService/DiscardDeadLetter': 'operator',
  'cairn.v1.PluginService/Host': 'operator',
}

const callerKey = createContextKey<string | undefined>(undefined, {
  description: 'the principal of the token',
})

/** Who calls, as a cause of what the call does; none on a door without tokens. */
export function principalOf({ values }: HandlerContext): { readonly principal?: string } {
  const principal = values.get(callerKey)
  return principal === undefined ? {} : { principal }
}

/** Probes have no token. */
const openService = 'grpc.health.v1.Health'

/** Refuses calls without a token that is good for them. Without tokens, everybody may do everything. */
export function loginInterceptor(tokens: readonly Token[]): Interceptor {
  const known = tokens.map(one => ({ ...one, digest: digestOf(one.token) }))
  return next => request => {
    const { typeName } = request.service
    if (tokens.length === 0 || typeName === openService) return next(request)
    const [, given = ''] =
      /^Bearer (.+)$/i.exec(request.header.get('authorization') ?? '') ?? []
    const digest = sha256(given)
    const found = known.find(one => timingSafeEqual(one.digest, digest))
    if (given === '' || found === undefined)
      throw new ConnectError(
        'This door needs a token: send the header "authorization: Bearer TOKEN".',
        Code.Unauthenticated,
      )
    const needed = needs[`${typeName}/${request.method.name}`] ?? 'reader'
    if (!hasRole(found, needed))
      throw new ConnectError(
        `${found.principal} may not call ${request.method.name}: its token lacks the role ${needed}.`,
        Code.PermissionDenied,
      )
    request.contextValues.set(callerKey, found.principal)
    return next(request)
  }
}

function hasRole({ roles: own = roles }: Token, role: Role): boolean {
  return role === 'reader' ? own.length > 0 : own.includes(role)
}

function sha256(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function digestOf(token: string): Buffer {
  const [, hex] = /^sha256:(.*)$/.exec(token) ?? []
  return hex === undefined ? sha256(token) : Buffer.from(hex, 'hex')
}

/** Reads tokens: a line `TOKEN PRINCIPAL ROLE[,ROLE]` for each. Lines that begin with # are comments. Throws `invalid-option`. */
export function parseTokens(text: string): readonly Token[] {
  return text.split(/\r?\n/).flatMap((line, i): Token[] => {
    if (line.trim() === '' || line.startsWith('#')) return []
    const [token = '', principal = '', list = '', ...more] = line.trim().split(/\s+/)
    const given = list.split(',') as Role[]
    const isToken = token.startsWith('sha256:')
      ? /^sha256:[0-9a-f]{64}$/.test(token)
      : token.length >= tokenLeast
    if (isToken && more.length === 0 && given.every(role => roles.includes(role)))
      return [{ token, principal, roles: given }]
    throw new CairnError(
      'invalid-option',
      `Line ${i + 1} of the tokens is wrong: write TOKEN PRINCIPAL ROLE[,ROLE], with the roles ${roles.join(', ')}; a ` +
        `token has at least ${tokenLeast} characters, or is given as sha256: and its digest.`,
    )
  })
}
