// Finds out who sends a request.

import { checkPrincipal } from '../model/causes.js'
import { show } from '../model/show.js'
import type { HttpSettings } from './options.js'
import { hasRole, type Principal, type Role } from './principal.js'
import { Problem } from './problem.js'
import { openTokenFile } from './token-file.js'

/** A principal, and whether a login has proven it. */
export interface Caller {
  readonly principal: Principal
  readonly isKnown: boolean
}

export type FindCaller = (request: Request) => Promise<Caller>

/** Throws `invalid-option` for a file of tokens that cannot be read. The returned function throws a problem. */
export async function callerFinder(
  { tokens, authenticate, anonymous }: HttpSettings,
  onProblem: (error: unknown) => void,
): Promise<FindCaller> {
  const file = tokens === undefined ? undefined : await openTokenFile(tokens, onProblem)
  const nobody: Caller = {
    principal: { id: 'anonymous', roles: anonymous },
    isKnown: false,
  }
  return async request => {
    if (authenticate !== undefined) {
      const principal = await authenticate(request)
      if (principal === undefined) return orNobody('The login is not known.')
      checkPrincipal(principal.id)
      return { principal, isKnown: true }
    }
    const header = request.headers.get('authorization')
    if (header === null)
      return orNobody(
        file === undefined
          ? 'This server was started without tokens, so it knows nobody: pass --http-tokens FILE, or authenticate.'
          : 'The request has no token: send it as "authorization: Bearer TOKEN".',
      )
    const [, token] = /^Bearer +([^\s]+) *$/i.exec(header) ?? []
    if (token === undefined)
      throw notKnown(`The header authorization is no "Bearer TOKEN".`)
    const principal = await file?.principalOf(token)
    if (principal === undefined) throw notKnown('The token is not known.')
    return { principal, isKnown: true }
  }

  function orNobody(why: string): Caller {
    if (anonymous.length > 0) return nobody
    throw notKnown(why)
  }
}

/** Throws a problem for a caller without the role. */
export function requireRole({ principal }: Caller, role: Role): void {
  if (hasRole(principal, role)) return
  throw new Problem(
    'forbidden',
    `${show(principal.id)} does not have the role ${role} that this needs.`,
    { members: { role } },
  )
}

function notKnown(detail: string): Problem {
  return new Problem('not-authenticated', detail, {
    headers: { 'www-authenticate': 'Bearer realm="cairn"' },
  })
}
