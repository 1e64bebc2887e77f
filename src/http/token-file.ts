// The file of tokens: who has which token, and which roles.
//
// Owns the digests of the tokens, never the tokens.
// TOKEN-FILE-1. The file is read again when it has changed, so a token that was removed from it is refused within a second.
// TOKEN-FILE-2. A changed file that cannot be read, or has a mistake, leaves the tokens as they were, and is logged: a
//     half-written file locks nobody out.

import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'

import { checkPrincipal } from '../model/causes.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { type Principal, type Role, roles } from './principal.js'

/** Finds the principal of a token. */
export interface TokenFile {
  principalOf(token: string): Promise<Principal | undefined>
}

const checkEvery = 500
const bytesMax = 1024 * 1024
/** Characters of a token, at least: shorter ones can be guessed. */
const tokenLeast = 16

/**
 * Opens a file of lines `TOKEN PRINCIPAL ROLE[,ROLE]`; a token may be given as `sha256:` and the hexadecimal digest of it.
 * Throws `invalid-option` for a file that cannot be read, and for a line with a mistake; no message has a token in it.
 */
export async function openTokenFile(
  path: string,
  onProblem: (error: unknown) => void,
): Promise<TokenFile> {
  let stamp = await stampOf(path)
  let principals = await read(path)
  let checkedAt = performance.now()
  const refresh = async () => {
    if (performance.now() - checkedAt < checkEvery) return
    checkedAt = performance.now()
    try {
      const now = await stampOf(path)
      if (now === stamp) return
      principals = await read(path)
      stamp = now
    } catch (error) {
      // TOKEN-FILE-2.
      onProblem(error)
    }
  }
  return {
    async principalOf(token) {
      await refresh()
      return principals.get(digestOf(token))
    },
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path)
    return `${mtimeMs} ${size} ${ino}`
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function read(path: string): Promise<ReadonlyMap<string, Principal>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, error)
  }
  if (text.length > bytesMax)
    throw new CairnError('invalid-option', `The file of tokens ${path} is over 1 MiB.`)
  const found = new Map<string, Principal>()
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const { digest, principal } = parse(line, `Line ${i + 1} of ${path}`)
    if (found.has(digest)) throw wrong(`Line ${i + 1} of ${path}`, 'has a token again')
    found.set(digest, principal)
  }
  return found
}

function parse(line: string, where: string) {
  const [token = '', id = '', given = '', ...more] = line.trim().split(/\s+/)
  if (given === '' || more.length > 0) throw wrong(where, 'does not have three words')
  const unknown = given
    .split(',')
    .find(role => !(roles as readonly string[]).includes(role))
  if (unknown !== undefined) throw wrong(where, `has ${show(unknown)} as a role`)
  const [, hex] = /^sha256:(.*)$/.exec(token) ?? []
  if (hex !== undefined && !/^[0-9a-f]{64}$/.test(hex))
    throw wrong(where, 'has no digest of 64 hexadecimal digits after sha256:')
  if (hex === undefined && token.length < tokenLeast)
    throw wrong(where, `has a token of fewer than ${tokenLeast} characters`)
  checkPrincipal(id)
  const principal: Principal = { id, roles: given.split(',') as Role[] }
  return { digest: hex ?? digestOf(token), principal }
}

function wrong(where: string, what: string): CairnError {
  return new CairnError(
    'invalid-option',
    `${where} ${what}: write TOKEN PRINCIPAL ROLE[,ROLE], with the roles ${roles.join(', ')}; a token has at least ` +
      `${tokenLeast} characters, or is given as sha256: and its digest.`,
  )
}

function unreadable(path: string, error: unknown): CairnError {
  return new CairnError(
    'invalid-option',
    `The file of tokens ${path} cannot be read (${messageOf(error)}): check its name and permissions.`,
    { cause: error },
  )
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
