// The credentials of a connection, as functions that the client library calls for each connection that it makes.
//
// CREDENTIALS-1. Files are read again for each connection, so that what replaces them is used without a restart.
// CREDENTIALS-2. A file that cannot be read or is not valid is refused at start. Later it leaves the last one in use:
//     somebody may be writing it just now.

import { readFileSync } from 'node:fs'

import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from 'nats'

import { CairnError, messageOf } from '../model/errors.js'
import type { Servers } from './login.js'
import type { NatsOptions } from './options.js'

/** The authenticator of the options, else of the login in a URL. Throws `invalid-option` (CREDENTIALS-2). */
export function authenticatorOf(
  options: NatsOptions,
  login: Omit<Servers, 'servers'>,
): Authenticator | undefined {
  const { creds, nkey, user, password, passwordFile, token } = options
  const isGiven = [creds, nkey, user, password, passwordFile, token].some(
    one => one !== undefined,
  )
  if (!isGiven) return fromLogin(login)
  const kinds = [creds, nkey, user, token].filter(one => one !== undefined)
  if (
    kinds.length !== 1 ||
    (user === undefined && (password ?? passwordFile) !== undefined)
  )
    throw invalid(
      'Credentials are one of creds, nkey, token, or user with a password: pass one of them.',
    )
  if (password !== undefined && passwordFile !== undefined)
    throw invalid('A password and a file with the password are given: pass one of them.')
  if (creds !== undefined)
    return fromFile(
      creds,
      'credentials file',
      'Make one with "nsc generate creds"',
      text => credsAuthenticator(Buffer.from(text)),
    )
  if (nkey !== undefined)
    return fromFile(nkey, 'nkey file', 'It holds a seed, which begins with SU', text =>
      nkeyAuthenticator(Buffer.from(text.trim())),
    )
  if (passwordFile !== undefined)
    return fromFile(passwordFile, 'password file', 'Write the password into it', text =>
      usernamePasswordAuthenticator(user!, text.replace(/\r?\n$/, '')),
    )
  return fromLogin(options)
}

function fromLogin({
  user,
  password,
  token,
}: Pick<NatsOptions, 'user' | 'password' | 'token'>): Authenticator | undefined {
  if (token !== undefined) return tokenAuthenticator(token)
  return user === undefined ? undefined : usernamePasswordAuthenticator(user, password)
}

/** @param remedy what to do about contents that are not valid, as a sentence without its full stop */
function fromFile(
  path: string,
  what: string,
  remedy: string,
  use: (text: string) => Authenticator,
): Authenticator {
  const read = () => {
    const text = readFileSync(path, 'utf8')
    if (text.trim() === '') throw new Error('it is empty')
    const authenticator = use(text)
    // Invalid contents are noticed when they are used.
    authenticator('nonce')
    return authenticator
  }
  let last: Authenticator
  try {
    readFileSync(path)
  } catch (error) {
    throw invalid(`The ${what} ${path} cannot be read: ${messageOf(error)}.`, error)
  }
  try {
    last = read()
  } catch {
    // The error may quote the contents.
    throw invalid(`The ${what} ${path} is invalid. ${remedy}.`)
  }
  return nonce => {
    try {
      last = read()
    } catch {
      // CREDENTIALS-2.
    }
    return last(nonce)
  }
}

function invalid(message: string, cause?: unknown): CairnError {
  return new CairnError('invalid-option', message, {
    ...(cause !== undefined && { cause }),
  })
}
